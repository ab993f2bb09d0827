//! The codes of this crate, and the page of each.

use crate::diagnostic::Code;

macro_rules! codes {
    ($($id:literal $title:literal,)*) => {
        /// Every code of the syntax, in order.
        pub static CODES: &[Code] = &[$(
            Code { id: $id, title: $title, docs: include_str!(concat!("../docs/", $id, ".md")) },
        )*];
    };
}

codes! {
    "E0101" "a character that means nothing",
    "E0102" "a string that is not closed",
    "E0103" "an escape that does not exist",
    "E0104" "a malformed number",
    "E0105" "a missing token or keyword",
    "E0106" "a missing name",
    "E0107" "a missing type",
    "E0108" "a missing expression",
    "E0109" "a missing or wrong literal",
    "E0110" "something out of place",
    "E0111" "a word that is not known here",
    "E0112" "a body that is not closed",
    "E0113" "a brace that closes nothing",
    "E0114" "too deep a nesting",
    "E0115" "documentation that belongs to nothing",
    "E0116" "a comma missing or too many",
    "E0117" "comparisons in a chain",
    "E0118" "the spelling of another language",
}

/// The code with that id: `E0105`, in any letter case.
#[must_use]
pub fn explain(id: &str) -> Option<&'static Code> {
    Code::find(CODES, id)
}

impl Code {
    /// Looks `id` up in a table, in any letter case. Other crates keep tables of their own beside [`CODES`].
    #[must_use]
    pub fn find(codes: &'static [Self], id: &str) -> Option<&'static Self> {
        codes.iter().find(|code| code.id.eq_ignore_ascii_case(id))
    }

    /// The examples of its page in order: whether each is good, and its text.
    ///
    /// An example stands in a fence opened by ```` ```mimar bad ```` or ```` ```mimar good ````.
    #[must_use]
    pub fn examples(&self) -> Vec<(bool, String)> {
        let label = |(label, text): (&str, String)| match label {
            "good" => Some((true, text)),
            "bad" => Some((false, text)),
            _ => None,
        };
        self.fences().into_iter().filter_map(label).collect()
    }

    /// What was before its examples, where it compares: the fence opened by ```` ```mimar before ````.
    #[must_use]
    pub fn before(&self) -> Option<String> {
        let mut fences = self.fences().into_iter();
        fences.find_map(|(label, text)| (label == "before").then_some(text))
    }

    /// The labelled texts of the language on its page.
    fn fences(&self) -> Vec<(&'static str, String)> {
        let mut fences = Vec::new();
        let mut open: Option<(&'static str, String)> = None;
        for line in self.docs.lines() {
            match (&mut open, line.trim_end()) {
                (None, fence) => {
                    let label = fence.strip_prefix("```mimar ");
                    open = label.map(|label| (label, String::new()));
                }
                (Some(_), "```") => fences.extend(open.take()),
                (Some((_, text)), _) => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        fences
    }
}
