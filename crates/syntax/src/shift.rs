//! Where things stand after an edit.

use crate::diagnostic::Diagnostic;
use crate::tree::{FileId, Span};

/// One edit of a file, which tells where the places of the old text stand in the new one. Offsets are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The file.
    pub file: FileId,
    /// Where the texts begin to differ.
    pub start: u32,
    /// Where the old text goes on as the new one does.
    pub old_end: u32,
    /// The same place in the new text.
    pub new_end: u32,
}

impl Shift {
    /// The least edit that makes one text of another.
    #[must_use]
    pub fn between(file: FileId, old: &str, new: &str) -> Self {
        let (before, after) = (old.as_bytes(), new.as_bytes());
        let shorter = before.len().min(after.len());
        let mut start = equal(&before[..shorter], &after[..shorter]);
        while !old.is_char_boundary(start) || !new.is_char_boundary(start) {
            start -= 1;
        }
        let mut tail = equal_backwards(&before[start..], &after[start..]);
        while !old.is_char_boundary(old.len() - tail) || !new.is_char_boundary(new.len() - tail) {
            tail -= 1;
        }
        let (old_end, new_end) = ((old.len() - tail) as u32, (new.len() - tail) as u32);
        Self { file, start: start as u32, old_end, new_end }
    }

    /// Where something begins that began at an offset of the old text; within the edit, its end.
    #[must_use]
    pub const fn start(self, offset: u32) -> u32 {
        if offset >= self.old_end {
            offset - self.old_end + self.new_end
        } else if offset > self.start {
            self.new_end
        } else {
            offset
        }
    }

    /// Where something ends that ended at an offset of the old text; within the edit, its beginning.
    #[must_use]
    pub const fn end(self, offset: u32) -> u32 {
        if offset <= self.start {
            offset
        } else if offset >= self.old_end {
            offset - self.old_end + self.new_end
        } else {
            self.start
        }
    }

    /// Moves a span of the old text to where it stands in the new one; spans of other files stay.
    pub const fn span(self, span: &mut Span) {
        if span.file.0 != self.file.0 {
            return;
        }
        let (start, end) = (self.start(span.start), self.end(span.end));
        span.start = start;
        span.end = if end < start { start } else { end };
    }
}

impl Diagnostic {
    /// Moves all of its places to where they stand after an edit.
    pub fn shift(&mut self, shift: Shift) {
        shift.span(&mut self.primary.span);
        self.labels.iter_mut().for_each(|label| shift.span(&mut label.span));
        let edits = self.fixes.iter_mut().flat_map(|fix| &mut fix.edits);
        edits.for_each(|edit| shift.span(&mut edit.span));
    }
}

/// Bytes that are compared at once.
const STEP: usize = 256;

/// How many bytes two slices begin with alike.
fn equal(left: &[u8], right: &[u8]) -> usize {
    let blocks = left.chunks(STEP).zip(right.chunks(STEP));
    let same = blocks.take_while(|(left, right)| left == right).count() * STEP;
    let same = same.min(left.len()).min(right.len());
    let rest = left[same..].iter().zip(&right[same..]);
    same + rest.take_while(|(left, right)| left == right).count()
}

/// How many bytes two slices end with alike.
fn equal_backwards(left: &[u8], right: &[u8]) -> usize {
    let blocks = left.rchunks(STEP).zip(right.rchunks(STEP));
    let same = blocks.take_while(|(left, right)| left == right).count() * STEP;
    let same = same.min(left.len()).min(right.len());
    let rest = left[..left.len() - same].iter().rev().zip(right[..right.len() - same].iter().rev());
    same + rest.take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::Shift;
    use crate::tree::{FileId, Span};

    #[test]
    fn an_edit_is_found_between_characters() {
        let long = "x".repeat(1_000);
        for (before, old, new, after) in [
            ("", "", "", ""),
            ("ab", "", "x", "cd"),
            ("ab", "x", "", "cd"),
            ("ä", "ö", "ü", "ß"),
            (&*long, "1", "22", &*long),
            ("a", "", "a", ""),
            (&*long, "x", "", &*long),
        ] {
            let (old_text, new_text) =
                (format!("{before}{old}{after}"), format!("{before}{new}{after}"));
            let shift = Shift::between(FileId(0), &old_text, &new_text);
            let (start, end) = (shift.start as usize, shift.old_end as usize);
            let new = &new_text[start..shift.new_end as usize];
            let mut text = old_text.clone();
            text.replace_range(start..end, new);
            assert_eq!(text, new_text);
            assert!(end - start <= old.len(), "{shift:?}");
        }
    }

    #[test]
    fn places_move_with_the_text_they_stand_in() {
        let file = FileId(3);
        // `ab` becomes `axyb`: what ends before the new text stays, what begins behind it moves.
        let shift = Shift::between(file, "ab", "axyb");
        for (before, after) in
            [((0, 1), (0, 1)), ((1, 2), (3, 4)), ((0, 2), (0, 4)), ((1, 1), (3, 3))]
        {
            let mut span = Span::new(file, before.0, before.1);
            shift.span(&mut span);
            assert_eq!((span.start, span.end), after);
        }
        let mut other = Span::new(FileId(4), 1, 2);
        shift.span(&mut other);
        assert_eq!((other.start, other.end), (1, 2));
    }
}
