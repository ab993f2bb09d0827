//! Between byte offsets and the lines and columns of an editor.

use syntax::Shift;

/// In what an editor counts columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16: what LSP means unless another is agreed on.
    #[default]
    Utf16,
}

/// A place as editors say it; both count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LineColumn {
    /// The line.
    pub line: u32,
    /// The column, in units of the [`Encoding`].
    pub column: u32,
}

/// Where the lines of a text begin. A line ends with `\n`, `\r\n` or a lone `\r`, as LSP 3.17 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    /// Looks for the lines of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        Self { starts: std::iter::once(0).chain(ends.map(|(at, _)| at as u32 + 1)).collect() }
    }

    /// Follows an edit; `text` is the new one.
    pub fn shift(&mut self, text: &str, shift: Shift) {
        // Whether a line begins behind a byte is told by that byte and the next one.
        let kept = self.starts.partition_point(|at| *at < shift.start.max(1));
        let moved = self.starts.partition_point(|at| *at <= shift.old_end);
        let from = (shift.start.max(1) - 1) as usize;
        let bytes = text.as_bytes();
        let new = (from..shift.new_end as usize).filter(|at| match bytes.get(*at) {
            Some(b'\n') => true,
            Some(b'\r') => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let new: Vec<u32> = new.map(|at| at as u32 + 1).collect();
        for at in self.starts.iter_mut().skip(moved) {
            *at = shift.start(*at);
        }
        self.starts.splice(kept..moved.max(kept), new);
    }

    /// The line and column of an offset; behind the end counts as the end, inside of a character as its beginning.
    #[must_use]
    pub fn at(&self, text: &str, offset: u32, encoding: Encoding) -> LineColumn {
        let offset = text.floor_char_boundary(offset as usize);
        let line = self.starts.partition_point(|start| *start as usize <= offset).saturating_sub(1);
        let start = self.starts.get(line).map_or(0, |start| *start as usize);
        let before = text.get(start..offset).unwrap_or("");
        let column = match encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.chars().map(char::len_utf16).sum(),
        };
        LineColumn { line: line as u32, column: column as u32 }
    }

    /// The offset of a line and column. A column behind the end of its line counts as that end, a line behind the last as the
    /// end of the text, and the middle of a character as its beginning.
    #[must_use]
    pub fn offset(&self, text: &str, place: LineColumn, encoding: Encoding) -> u32 {
        let Some(start) = self.starts.get(place.line as usize).map(|start| *start as usize) else {
            return text.len() as u32;
        };
        let end = self.starts.get(place.line as usize + 1).map_or(text.len(), |end| *end as usize);
        let line = text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r']);
        let column = place.column as usize;
        let within = match encoding {
            Encoding::Utf8 => line.floor_char_boundary(column),
            Encoding::Utf16 => {
                let mut units = 0;
                let behind = |character: &(usize, char)| {
                    units += character.1.len_utf16();
                    units > column
                };
                line.char_indices().find(behind).map_or(line.len(), |(at, _)| at)
            }
        };
        (start + within) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoding, LineColumn, Lines};

    #[test]
    fn columns_count_units_of_the_encoding() {
        let text = "a\r\nä😀b\rc\n";
        let lines = Lines::of(text);
        for (offset, utf8, utf16) in [
            (0, (0, 0), (0, 0)),
            (3, (1, 0), (1, 0)),
            (5, (1, 2), (1, 1)),
            (9, (1, 6), (1, 3)),
            (11, (2, 0), (2, 0)),
            (13, (3, 0), (3, 0)),
        ] {
            for (encoding, (line, column)) in [(Encoding::Utf8, utf8), (Encoding::Utf16, utf16)] {
                let place = LineColumn { line, column };
                assert_eq!(lines.at(text, offset, encoding), place, "{offset} {encoding:?}");
                assert_eq!(lines.offset(text, place, encoding), offset, "{place:?} {encoding:?}");
            }
        }
    }

    #[test]
    fn lines_follow_an_edit() {
        let pieces = ["", "a", "\n", "\r", "\r\n", "b\nc", "\r\r\n", "ä"];
        for before in pieces {
            for (old, new) in pieces.iter().flat_map(|old| pieces.iter().map(move |new| (old, new)))
            {
                for after in pieces {
                    let (old, new) =
                        (format!("x{before}{old}{after}"), format!("x{before}{new}{after}"));
                    for (old, new) in [(&old[..], &new[..]), (&old[1..], &new[1..])] {
                        let mut lines = Lines::of(old);
                        lines.shift(new, syntax::Shift::between(syntax::FileId(0), old, new));
                        assert_eq!(lines, Lines::of(new), "{old:?} -> {new:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn places_that_are_none_are_the_nearest_that_is() {
        let text = "a😀\nb";
        let lines = Lines::of(text);
        let offset =
            |line, column| lines.offset(text, LineColumn { line, column }, Encoding::Utf16);
        assert_eq!(offset(0, 2), 1, "the middle of a pair");
        assert_eq!(offset(0, 99), 5, "behind the line");
        assert_eq!(offset(u32::MAX, u32::MAX), 7, "behind the text");
        assert_eq!(lines.at(text, 3, Encoding::Utf16), LineColumn { line: 0, column: 1 });
        assert_eq!(lines.at(text, u32::MAX, Encoding::Utf16), LineColumn { line: 1, column: 1 });
    }
}
