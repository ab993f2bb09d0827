//! Bytes to tokens, in one pass; every byte ends up in a token.

use crate::ast::{SIZES, duration_unit, escape, integer, split_number};
use crate::diagnostic::Diagnostic;
use crate::keyword::{Opens, opens};
use crate::kind::TokenKind;
use crate::nearest::nearest;
use crate::tree::{FileId, Span, Token};

/// A token that the parser looks at, with what it asks of it most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Significant {
    /// Index among all tokens.
    pub token: u32,
    /// Offset of its first byte.
    pub start: u32,
    /// Offset behind its last byte.
    pub end: u32,
    /// Its kind.
    pub kind: TokenKind,
    /// At the start of a line: what a word may open.
    pub opens: Opens,
    /// Whether it is the first such token of its line.
    pub starts_line: bool,
}

/// What the lexer hands to the parser.
pub(crate) struct Lexed {
    /// All tokens; the last is the end.
    pub tokens: Vec<Token>,
    /// Those that are neither trivia nor unknown; the last is the end.
    pub significant: Vec<Significant>,
    /// What is malformed.
    pub diagnostics: Vec<Diagnostic>,
    /// Opening braces less closing ones.
    pub open_braces: i64,
}

/// The longest text that is lexed, in bytes: 64 MiB. Offsets would allow more; no design needs it.
pub(crate) const LONGEST_TEXT: usize = 64 << 20;

/// Splits `text` into tokens.
pub(crate) fn lex(file: FileId, text: &str) -> Lexed {
    // shop.mimar has a token for each 3.4 bytes, half of them trivia; memory never touched costs nothing.
    let tokens = Vec::with_capacity(text.len() / 2 + 2);
    let mut lexer = Lexer::new(file, text, 0, tokens, text.len() / 4 + 2);
    if text.len() > LONGEST_TEXT {
        let span = Span::new(file, 0, 0);
        lexer.lexed.diagnostics.push(
            Diagnostic::error("E0101", span, "this file is longer than 64 MiB")
                .help("split the model into several files of one folder"),
        );
        lexer.lexed.tokens.push(Token { kind: TokenKind::Unknown, start: 0 });
        lexer.position = text.len();
    }
    while lexer.position < lexer.bytes.len() {
        lexer.token();
    }
    lexer.push(TokenKind::End, lexer.position);
    lexer.lexed
}

/// A part of a text that is lexed by itself.
pub(crate) struct From {
    /// The tokens before it.
    pub tokens: Vec<Token>,
    /// Where it begins: at the start of a line, white space left out, and behind no documentation that is not looked at.
    pub start: u32,
    /// Where it ends: at the start of a line, too.
    pub end: u32,
    /// How many significant tokens are lexed behind it.
    pub more: usize,
}

/// Lexes a part of a text. Behind the last significant token stands an end, which is none of the text unless that ends there.
pub(crate) fn lex_from(file: FileId, text: &str, from: From) -> Lexed {
    let From { tokens, start, end, more } = from;
    let length = end.saturating_sub(start) as usize;
    let mut lexer = Lexer::new(file, text, start as usize, tokens, length / 4 + 16);
    let mut behind = 0;
    while lexer.position < lexer.bytes.len() {
        let before = lexer.lexed.significant.len();
        lexer.token();
        let is_new = lexer.lexed.significant.len() > before;
        behind += usize::from(is_new && lexer.position > end as usize);
        if behind >= more {
            let (token, start) = (lexer.lexed.tokens.len() as u32, lexer.position as u32);
            let (kind, opens) = (TokenKind::End, Opens::Nothing);
            let artificial =
                Significant { token, start, end: start, kind, opens, starts_line: true };
            lexer.lexed.significant.push(artificial);
            return lexer.lexed;
        }
    }
    lexer.push(TokenKind::End, lexer.position);
    lexer.lexed
}

struct Lexer<'t> {
    file: FileId,
    text: &'t str,
    bytes: &'t [u8],
    position: usize,
    starts_line: bool,
    /// Doc comments whose next token is still to come, and whether something stands before them on their line.
    documentation: Vec<(Span, bool)>,
    lexed: Lexed,
}

impl<'t> Lexer<'t> {
    fn new(
        file: FileId,
        text: &'t str,
        position: usize,
        tokens: Vec<Token>,
        significant: usize,
    ) -> Self {
        let lexed = Lexed {
            tokens,
            significant: Vec::with_capacity(significant),
            diagnostics: Vec::new(),
            open_braces: 0,
        };
        let (bytes, documentation) = (text.as_bytes(), Vec::new());
        Self { file, text, bytes, position, starts_line: true, documentation, lexed }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.position + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        let token = self.lexed.tokens.len() as u32;
        self.lexed.tokens.push(Token { kind, start: start as u32 });
        if !kind.is_trivia() && kind != TokenKind::Unknown {
            self.push_significant(token, kind, start);
        }
    }

    #[inline]
    fn push_significant(&mut self, token: u32, kind: TokenKind, start: usize) {
        let starts_line = std::mem::replace(&mut self.starts_line, false);
        let opens = match kind {
            TokenKind::Word if starts_line => opens(&self.text[start..self.position]),
            _ => Opens::Nothing,
        };
        let (start, end) = (start as u32, self.position as u32);
        self.lexed.significant.push(Significant { token, start, end, kind, opens, starts_line });
        if !self.documentation.is_empty() {
            self.check_documentation(kind);
        }
    }

    /// Documentation that stands where nothing follows that it could describe, or behind something on its line.
    #[inline(never)]
    fn check_documentation(&mut self, next: TokenKind) {
        let is_lost = matches!(
            next,
            TokenKind::End
                | TokenKind::RightBrace
                | TokenKind::RightParen
                | TokenKind::RightBracket
        );
        for (span, is_behind) in std::mem::take(&mut self.documentation) {
            let message = match (is_lost, is_behind) {
                (true, _) => "this documentation belongs to nothing",
                (false, true) => "documentation stands before what it describes",
                (false, false) => continue,
            };
            let slashes = Span { end: span.start + 3, ..span };
            self.lexed.diagnostics.push(
                Diagnostic::warning("E0115", span, message)
                    .note("`///` describes what follows it, and goes to OpenAPI, SQL comments and the design document")
                    .suggest("make it a plain comment", slashes, "//"),
            );
        }
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        let rest = &self.bytes[self.position..];
        self.position += rest.iter().position(|byte| !accept(*byte)).unwrap_or(rest.len());
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start as u32, self.position as u32)
    }

    #[inline]
    fn token(&mut self) {
        let start = self.position;
        let kind = match self.bytes[start] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                let bytes = &self.bytes[start..];
                let mut length = 0;
                while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = bytes.get(length) {
                    self.starts_line |= *byte == b'\n';
                    length += 1;
                }
                self.position += length;
                TokenKind::Whitespace
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                self.skip_while(is_word);
                if !self.peek(0).is_ascii() {
                    self.foreign_letters(start);
                }
                TokenKind::Word
            }
            b'0'..=b'9' => self.number(start),
            b'"' => self.string(start),
            b'/' if self.peek(1) == b'/' => {
                let is_doc = self.peek(2) == b'/' && self.peek(3) != b'/';
                self.skip_while(|byte| byte != b'\n');
                if self.bytes[self.position - 1] == b'\r' {
                    self.position -= 1;
                }
                if is_doc {
                    self.documentation.push((self.span(start), !self.starts_line));
                    TokenKind::DocComment
                } else {
                    TokenKind::Comment
                }
            }
            first => match self.punctuation(first) {
                Some((kind, length)) => {
                    self.position += length;
                    match kind {
                        TokenKind::LeftBrace => self.lexed.open_braces += 1,
                        TokenKind::RightBrace => self.lexed.open_braces -= 1,
                        _ => {}
                    }
                    kind
                }
                None => return self.unknown(start),
            },
        };
        self.push(kind, start);
    }

    /// Letters outside of ASCII in a name: the whole is one name, and one fault.
    #[cold]
    fn foreign_letters(&mut self, start: usize) {
        let first = self.position;
        for next in self.text[first..].chars() {
            if !next.is_alphanumeric() && next != '_' {
                break;
            }
            self.position += next.len_utf8();
        }
        if self.position == first {
            return;
        }
        let span = self.span(start);
        let word = &self.text[start..self.position];
        self.lexed.diagnostics.push(
            Diagnostic::error("E0101", span, format!("`{word}` is no name"))
                .text("only A to Z, a to z, 0 to 9 and _ may stand in a name")
                .note("names become columns, URLs and code, where only these are safe everywhere"),
        );
    }

    fn punctuation(&self, first: u8) -> Option<(TokenKind, usize)> {
        let second = self.peek(1);
        Some(match (first, second) {
            (b'{', _) => (TokenKind::LeftBrace, 1),
            (b'}', _) => (TokenKind::RightBrace, 1),
            (b'(', _) => (TokenKind::LeftParen, 1),
            (b')', _) => (TokenKind::RightParen, 1),
            (b'[', _) => (TokenKind::LeftBracket, 1),
            (b']', _) => (TokenKind::RightBracket, 1),
            (b',', _) => (TokenKind::Comma, 1),
            (b':', b'=') => (TokenKind::ColonEqual, 2),
            (b':', _) => (TokenKind::Colon, 1),
            (b'=', b'=') => (TokenKind::EqualEqual, 2),
            (b'=', _) => (TokenKind::Equal, 1),
            (b'!', b'=') => (TokenKind::BangEqual, 2),
            (b'<', b'=') => (TokenKind::LessEqual, 2),
            (b'<', _) => (TokenKind::Less, 1),
            (b'>', b'=') => (TokenKind::GreaterEqual, 2),
            (b'>', _) => (TokenKind::Greater, 1),
            (b'+', _) => (TokenKind::Plus, 1),
            (b'-', b'>') => (TokenKind::Arrow, 2),
            (b'-', _) => (TokenKind::Minus, 1),
            (b'*', _) => (TokenKind::Star, 1),
            (b'/', _) => (TokenKind::Slash, 1),
            (b'.', b'.') => (TokenKind::DotDot, 2),
            (b'.', _) => (TokenKind::Dot, 1),
            (b'?', _) => (TokenKind::Question, 1),
            _ => return None,
        })
    }

    /// A number and the unit that touches it. Apart, as strings are: what is rarer stays out of the loop.
    #[inline(never)]
    fn number(&mut self, start: usize) -> TokenKind {
        let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'_';
        self.skip_while(is_digit);
        let mut is_decimal = false;
        if self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
            is_decimal = true;
            self.position += 1;
            self.skip_while(is_digit);
        }
        let number_end = self.position;
        let kind = match self.peek(0) {
            b'%' => {
                self.position += 1;
                TokenKind::Percent
            }
            // `40/s` is a rate; a division by a name has white space, or a longer name.
            b'/' if !is_decimal && self.peek(1).is_ascii_alphabetic() && !is_word(self.peek(2)) => {
                if duration_unit(&self.text[self.position + 1..self.position + 2]).is_none() {
                    return TokenKind::Integer;
                }
                self.position += 2;
                TokenKind::Rate
            }
            b'A'..=b'Z' | b'a'..=b'z' => {
                self.skip_while(is_word);
                return self.with_suffix(start, number_end, is_decimal);
            }
            _ if is_decimal => TokenKind::Decimal,
            _ => TokenKind::Integer,
        };
        let digits = self.text[start..number_end].bytes().filter(u8::is_ascii_digit).count();
        if digits > 18 && integer(&self.text[start..number_end].replace('.', "")).is_none() {
            let span = self.span(start);
            self.lexed.diagnostics.push(
                Diagnostic::error("E0104", span, "this number is too large")
                    .text("more than 64 bits")
                    .note(format!("the greatest number is {}", i64::MAX)),
            );
        }
        kind
    }

    fn with_suffix(&mut self, start: usize, number_end: usize, is_decimal: bool) -> TokenKind {
        let (number, suffix) =
            (&self.text[start..number_end], &self.text[number_end..self.position]);
        let unit_span = self.span(number_end);
        let kind = if duration_unit(suffix).is_some() {
            TokenKind::Duration
        } else if SIZES.iter().any(|(name, _)| *name == suffix) {
            TokenKind::Size
        } else {
            let known = crate::ast::DurationUnit::ALL.map(|unit| unit.suffix());
            let unit = nearest_unit(suffix)
                .or_else(|| nearest(suffix, known.into_iter().chain(SIZES.map(|(name, _)| name))));
            let mut diagnostic =
                Diagnostic::error("E0104", unit_span, format!("there is no unit `{suffix}`"))
                    .text("unknown unit")
                    .help(format!(
                        "durations end in {}; sizes in {}",
                        listed(&known),
                        listed(&SIZES.map(|(name, _)| name))
                    ));
            if let Some(unit) = unit {
                diagnostic = diagnostic.suggest(format!("write `{unit}`"), unit_span, unit);
            }
            self.lexed.diagnostics.push(diagnostic);
            // Of the sort that was probably meant, so that the parser has nothing to add.
            let is_size = unit.is_some_and(|unit| SIZES.iter().any(|(name, _)| *name == unit));
            return if is_size { TokenKind::Size } else { TokenKind::Duration };
        };
        if is_decimal {
            let span = self.span(start);
            self.lexed.diagnostics.push(
                Diagnostic::error("E0104", span, format!("`{number}{suffix}` is not whole"))
                    .text("a fraction of a unit")
                    .help("count in the next smaller unit: `1500ms` for one and a half seconds"),
            );
        } else if integer(split_number(number).0).is_none() {
            let span = self.span(start);
            self.lexed.diagnostics.push(
                Diagnostic::error("E0104", span, "this number is too large")
                    .text("more than 64 bits"),
            );
        }
        kind
    }

    /// A string up to its closing quote or the end of the line.
    #[inline(never)]
    fn string(&mut self, start: usize) -> TokenKind {
        self.position += 1;
        loop {
            match self.bytes.get(self.position) {
                None | Some(b'\n') => {
                    if self.bytes[self.position - 1] == b'\r' {
                        self.position -= 1;
                    }
                    let span = self.span(start);
                    self.lexed.diagnostics.push(
                        Diagnostic::error("E0102", span, "this string is not closed")
                            .text("no `\"` up to the end of the line")
                            .note("a string ends on the line where it begins; write `\\n` for a line break")
                            .suggest("close the string", span.after(), "\""),
                    );
                    return TokenKind::String;
                }
                Some(b'"') => {
                    self.position += 1;
                    return TokenKind::String;
                }
                Some(b'\\') => self.escape(),
                Some(_) => self.position += 1,
            }
        }
    }

    fn escape(&mut self) {
        let start = self.position;
        match escape(&self.text[start..]) {
            Ok((_, length)) => self.position += length,
            Err(length) => {
                let wrong = &self.text[start..start + length];
                if wrong.ends_with('\n') || wrong.ends_with('\r') {
                    self.position += 1;
                    return;
                }
                self.position += length;
                let span = self.span(start);
                let diagnostic = if wrong == "\\u" {
                    Diagnostic::error("E0103", span, "this escape names no character")
                        .text("expected `\\u{…}` with one to six hexadecimal digits")
                        .help("write `\\u{e9}` for é, or the character itself")
                } else {
                    Diagnostic::error("E0103", span, format!("there is no escape `{wrong}`"))
                        .text("unknown escape")
                        .note("the escapes are \\\" \\\\ \\n \\t and \\u{…}")
                        .fix(
                            "write the backslash twice, which stands for one",
                            Span { end: span.start + 1, ..span },
                            "\\\\",
                        )
                };
                self.lexed.diagnostics.push(diagnostic);
            }
        }
    }

    /// Characters that begin no token. Those that other languages use get a word of advice, and operators among
    /// them go on to the parser so that the rest of the expression is understood.
    #[cold]
    fn unknown(&mut self, start: usize) {
        let rest = &self.text[start..];
        let foreign = [("&&", "and"), ("||", "or"), ("!", "not ")];
        if let Some((wrong, right)) = foreign.into_iter().find(|(wrong, _)| rest.starts_with(wrong))
        {
            self.position += wrong.len();
            let span = self.span(start);
            self.lexed.diagnostics.push(
                Diagnostic::error(
                    "E0118",
                    span,
                    format!("`{wrong}` is written `{}`", right.trim()),
                )
                .fix(format!("write `{}`", right.trim()), span, right),
            );
            let token = self.lexed.tokens.len() as u32;
            let kind = TokenKind::Unknown;
            self.lexed.tokens.push(Token { kind, start: start as u32 });
            self.push_significant(token, kind, start);
            return;
        }
        if rest.starts_with(';') {
            self.position += 1;
            let span = self.span(start);
            self.lexed.diagnostics.push(
                Diagnostic::error("E0118", span, "there are no semicolons")
                    .note("a line ends where it ends")
                    .fix("remove it", span, ""),
            );
            return self.push(TokenKind::Unknown, start);
        }
        if let Some(quoted) = single_quoted(rest) {
            self.position += quoted;
            let span = self.span(start);
            let inner = self.text[start + 1..self.position - 1].replace('"', "\\\"");
            self.lexed.diagnostics.push(
                Diagnostic::error("E0101", span, "strings stand in double quotes").fix(
                    "use double quotes",
                    span,
                    format!("\"{inner}\""),
                ),
            );
            return self.push(TokenKind::String, start);
        }
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_alphabetic() {
            self.foreign_letters(start);
            return self.push(TokenKind::Word, start);
        }
        self.position += first.len_utf8();
        // One report for a run: a pasted paragraph is one mistake.
        while let Some(next) = self.text[self.position..].chars().next() {
            if next.is_ascii()
                && !next.is_ascii_control()
                && !b"@#$^&|~`\\'".contains(&(next as u8))
                || matches!(next, '\n' | '\r' | '\t')
            {
                break;
            }
            self.position += next.len_utf8();
        }
        let span = self.span(start);
        let run = &self.text[start..self.position];
        let diagnostic = if first == '\u{feff}' {
            Diagnostic::error("E0101", span, "a byte order mark does not belong here").fix(
                "remove it",
                span,
                "",
            )
        } else {
            let shown: String = run.chars().take(20).flat_map(char::escape_debug).collect();
            Diagnostic::error("E0101", span, format!("`{shown}` means nothing here"))
                .text("unknown character")
                .suggest("remove it", span, "")
        };
        self.lexed.diagnostics.push(diagnostic);
        self.push(TokenKind::Unknown, start);
    }
}

/// A table is faster than four comparisons in the innermost loop.
static WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    table
};

fn is_word(byte: u8) -> bool {
    WORD[byte as usize]
}

/// The bytes of `'…'` at the start of `text`, if it closes on its line.
fn single_quoted(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let line = rest.split('\n').next().unwrap_or(rest);
    line.find('\'').map(|at| at + 2)
}

/// Units as others write them.
fn nearest_unit(suffix: &str) -> Option<&'static str> {
    Some(match suffix {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "day" | "days" | "D" => "d",
        "week" | "weeks" => "w",
        "yr" | "year" | "years" => "y",
        "msec" | "millis" => "ms",
        "kb" | "Kb" | "kB" | "K" | "KiB" => "KB",
        "mb" | "Mb" | "M" | "MiB" => "MB",
        "gb" | "Gb" | "G" | "GiB" => "GB",
        "tb" | "Tb" | "T" | "TiB" => "TB",
        "b" | "bytes" => "B",
        _ => return None,
    })
}

fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(" ")
}
