//! Lines being written, and the columns that run through them.

use super::column::{Column, Key};
use crate::kind::NodeKind;

/// Spaces between the longest line of a run and its comment.
const COMMENT_GAP: usize = 3;

/// How far a line is moved in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indent {
    /// That many columns.
    Columns(usize),
    /// Below the byte `offset` of the line with that index, wherever its columns have moved it.
    Under { line: usize, offset: usize },
}

struct Line<'p> {
    indent: Indent,
    text: String,
    /// Where its columns start, as byte offsets, and the spaces to add before each.
    columns: Vec<(usize, Column, usize)>,
    comment: Option<&'p str>,
    blank: bool,
}

#[derive(Default)]
struct Body {
    /// The last row's class, if the run may go on.
    class: Option<Key>,
    /// Index of the run in `Lines::runs`.
    run: usize,
}

/// The row that is being written.
#[derive(Clone, Copy)]
pub(super) struct Row {
    body: usize,
    line: usize,
    hangs: bool,
}

#[derive(Default)]
pub(super) struct Lines<'p> {
    lines: Vec<Line<'p>>,
    bodies: Vec<Body>,
    /// First lines of rows that line up with each other.
    runs: Vec<Vec<usize>>,
    row: Option<Row>,
}

impl<'p> Lines<'p> {
    pub fn new_body(&mut self) -> usize {
        self.bodies.push(Body::default());
        self.bodies.len() - 1
    }

    /// Starts a row of a body; `breaks` says that it begins a new run.
    pub fn start_row(&mut self, body: usize, class: Option<Key>, indent: usize, breaks: bool) {
        self.start_line(Indent::Columns(indent));
        let line = self.lines.len() - 1;
        let current = &mut self.bodies[body];
        if class.is_some() && current.class == class && !breaks {
            self.runs[current.run].push(line);
        } else {
            current.run = self.runs.len();
            self.runs.push(vec![line]);
        }
        current.class = class;
        self.row = Some(Row { body, line, hangs: false });
    }

    pub fn end_row(&mut self) {
        if let Some(row) = self.row.take()
            && !row.hangs
            && self.lines.len() - 1 > row.line
        {
            // A row of several lines ends the run: columns across its body would tie together what is far apart.
            self.bodies[row.body].class = None;
        }
    }

    /// Lets the rows of an inner body be written.
    pub fn suspend_row(&mut self) -> Option<Row> {
        self.row.take()
    }

    /// Goes on with a row behind an inner body.
    pub fn resume_row(&mut self, row: Option<Row>) {
        self.row = row;
    }

    pub fn start_line(&mut self, indent: Indent) {
        if let (Indent::Under { .. }, Some(row)) = (indent, &mut self.row) {
            row.hangs = true;
        }
        self.lines.push(Line {
            indent,
            text: String::new(),
            columns: Vec::new(),
            comment: None,
            blank: false,
        });
    }

    pub fn set_blank(&mut self, blank: bool) {
        if let Some(line) = self.lines.last_mut() {
            line.blank = blank;
        }
    }

    pub fn push(&mut self, text: &str) {
        if let Some(line) = self.lines.last_mut() {
            line.text.push_str(text);
        }
    }

    /// Starts a column here, if this is the first line of a row.
    pub fn column(&mut self, column: Column) {
        let last = self.lines.len() - 1;
        if self.row.is_some_and(|row| row.line == last) {
            let offset = self.lines[last].text.len();
            self.lines[last].columns.push((offset, column, 0));
        }
    }

    /// A comment behind the last line.
    pub fn trail(&mut self, comment: &'p str) {
        if let Some(line) = self.lines.last_mut() {
            line.comment = Some(comment);
        }
    }

    /// The place right behind what is written.
    pub fn here(&self) -> Indent {
        let line = self.lines.len() - 1;
        Indent::Under { line, offset: self.lines[line].text.len() }
    }

    /// How far the last line is moved in, columns left out of account.
    pub fn indent(&self) -> usize {
        self.indent_of(self.lines.len() - 1)
    }

    fn indent_of(&self, line: usize) -> usize {
        match self.lines[line].indent {
            Indent::Columns(columns) => columns,
            Indent::Under { line, offset } => {
                self.indent_of(line) + self.lines[line].text[..offset].chars().count()
            }
        }
    }

    /// The width of the last line, columns left out of account.
    pub fn width(&self) -> usize {
        self.indent() + self.lines.last().map_or(0, |line| line.text.chars().count())
    }

    /// Lines the columns up and joins everything.
    pub fn render(mut self) -> String {
        for run in std::mem::take(&mut self.runs) {
            self.align(&run);
        }
        let mut rendered: Vec<String> = Vec::with_capacity(self.lines.len());
        for index in 0..self.lines.len() {
            let text = self.rendered(index);
            rendered.push(text.trim_end().to_owned());
        }
        self.align_comments(&mut rendered);
        let size = rendered.iter().map(|line| line.len() + 2).sum();
        let mut out = String::with_capacity(size);
        for (line, text) in self.lines.iter().zip(&rendered) {
            if line.blank {
                out.push('\n');
            }
            out.push_str(text);
            out.push('\n');
        }
        out
    }

    fn align(&mut self, run: &[usize]) {
        let deepest = run.iter().map(|line| self.lines[*line].columns.len()).max().unwrap_or(0);
        for depth in 0..deepest {
            let mut keys: Vec<Key> = Vec::new();
            for line in run {
                if let Some((_, column, _)) = self.lines[*line].columns.get(depth)
                    && !keys.contains(&column.key)
                {
                    keys.push(column.key);
                }
            }
            for key in keys {
                self.align_column(run, depth, key);
            }
        }
    }

    fn align_column(&mut self, run: &[usize], depth: usize, key: Key) {
        let rows: Vec<(usize, usize, Column)> = run
            .iter()
            .filter_map(|line| {
                let (offset, column, _) = *self.lines[*line].columns.get(depth)?;
                (column.key == key).then(|| (*line, self.column_of(*line, offset), column))
            })
            .collect();
        // Where a column is left alone on a row of its own it still keeps its distance.
        let target = rows
            .iter()
            .map(|(line, end, _)| {
                let written =
                    self.lines[*line].text[..self.lines[*line].columns[depth].0].trim_end();
                let spaces = self.lines[*line].columns[depth].0 - written.len();
                let previous = match depth {
                    0 => 0,
                    _ => self.column_of(*line, self.lines[*line].columns[depth - 1].0),
                };
                (end - spaces + key.gap()).max(previous + key.distance())
            })
            .max()
            .unwrap_or(0);
        let number_width = |line: usize| {
            let line = &self.lines[line];
            let rest = &line.text[line.columns[depth].0..];
            rest.split(' ').next().unwrap_or(rest).len()
        };
        let mut widest: Vec<(NodeKind, usize)> = Vec::new();
        for (line, _, column) in &rows {
            let Some(kind) = column.right else { continue };
            let width = number_width(*line);
            match widest.iter_mut().find(|(other, _)| *other == kind) {
                Some((_, widest)) => *widest = width.max(*widest),
                None => widest.push((kind, width)),
            }
        }
        let pads: Vec<(usize, usize)> = rows
            .iter()
            .map(|(line, end, column)| {
                let widest = widest.iter().find(|(kind, _)| Some(*kind) == column.right);
                let right = widest.map_or(0, |(_, widest)| widest - number_width(*line));
                (*line, target - end + right)
            })
            .collect();
        for (line, pad) in pads {
            self.lines[line].columns[depth].2 = pad;
        }
    }

    /// The column in which the byte `offset` of a line stands, counted from the line's indent.
    fn column_of(&self, line: usize, offset: usize) -> usize {
        let line = &self.lines[line];
        let pads = line.columns.iter().filter(|(start, _, _)| *start <= offset);
        line.text[..offset].chars().count() + pads.map(|(_, _, pad)| pad).sum::<usize>()
    }

    fn rendered(&self, index: usize) -> String {
        let line = &self.lines[index];
        let indent = self.rendered_indent(index);
        let mut text = " ".repeat(indent);
        let mut from = 0;
        for (offset, _, pad) in &line.columns {
            text.push_str(&line.text[from..*offset]);
            text.extend(std::iter::repeat_n(' ', *pad));
            from = *offset;
        }
        text.push_str(&line.text[from..]);
        text
    }

    fn rendered_indent(&self, index: usize) -> usize {
        match self.lines[index].indent {
            Indent::Columns(columns) => columns,
            Indent::Under { line, offset } => {
                self.rendered_indent(line) + self.column_of(line, offset)
            }
        }
    }

    /// Comments behind neighbouring lines of one depth start in one column.
    fn align_comments(&self, rendered: &mut [String]) {
        let mut start = 0;
        while start < rendered.len() {
            let has_comment = |index: usize| self.lines[index].comment.is_some();
            if !has_comment(start) {
                start += 1;
                continue;
            }
            let mut end = start + 1;
            while end < rendered.len()
                && has_comment(end)
                && !self.lines[end].blank
                && self.lines[end].indent == self.lines[start].indent
            {
                end += 1;
            }
            let widest = rendered[start..end].iter().map(|line| line.chars().count()).max();
            let column = widest.unwrap_or(0) + COMMENT_GAP;
            for (text, line) in rendered[start..end].iter_mut().zip(&self.lines[start..end]) {
                let pad = column - text.chars().count();
                text.extend(std::iter::repeat_n(' ', pad));
                text.push_str(line.comment.unwrap_or(""));
            }
            start = end;
        }
    }
}
