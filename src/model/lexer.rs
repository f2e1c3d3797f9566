//! Text to tokens: the smallest words of an expression, each with its place.
//!
//! Words of other languages (`&&`, `**`, `=`) are recognized, reported with the right word and read as it, so
//! that one slip does not hide the next finding.

use std::sync::Arc;

use costate_solvers::Comparison;

use super::expression::Arithmetic;
use crate::diagnostic::{Diagnostic, SourceFile, Span};

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// a number
    Number(f64),
    /// a name
    Name(String),
    /// `+ - * / ^`
    Arithmetic(Arithmetic),
    /// a comparison
    Compare(Comparison),
    /// `and`
    And,
    /// `or`
    Or,
    /// `not`
    Not,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `,`
    Comma,
}

/// A token with its bytes `start..end` of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// what it is
    pub(super) kind: TokenKind,
    /// first byte
    pub(super) start: usize,
    /// byte after the last
    pub(super) end: usize,
}

/// Most findings a text is given: a file of noise should not print a million lines.
pub(super) const MOST_FINDINGS: usize = 20;

/// Words of other languages: what was written, the token it is read as, what to write.
fn foreign(rest: &str) -> Option<(&'static str, TokenKind, &'static str)> {
    use TokenKind::{And, Arithmetic as A, Compare as C, Not, Or};
    let table = [
        ("===", C(Comparison::Equal), "`==`"),
        ("!==", C(Comparison::NotEqual), "`!=`"),
        ("<>", C(Comparison::NotEqual), "`!=`"),
        ("=<", C(Comparison::LessOrEqual), "`<=`"),
        ("=>", C(Comparison::GreaterOrEqual), "`>=`"),
        ("~=", C(Comparison::NotEqual), "`!=`"),
        ("&&", And, "`and`"),
        ("&", And, "`and`"),
        ("||", Or, "`or`"),
        ("|", Or, "`or`"),
        ("**", A(Arithmetic::Power), "`^`"),
        ("%", A(Arithmetic::Multiply), "`mod(a, b)`"),
        ("\u{2264}", C(Comparison::LessOrEqual), "`<=`"),
        ("\u{2265}", C(Comparison::GreaterOrEqual), "`>=`"),
        ("\u{2260}", C(Comparison::NotEqual), "`!=`"),
        ("\u{2212}", A(Arithmetic::Subtract), "`-`"),
        ("\u{2013}", A(Arithmetic::Subtract), "`-`"),
        ("\u{b7}", A(Arithmetic::Multiply), "`*`"),
        ("\u{d7}", A(Arithmetic::Multiply), "`*`"),
        ("\u{f7}", A(Arithmetic::Divide), "`/`"),
        ("!", Not, "`not`"),
        ("=", C(Comparison::Equal), "`==`"),
    ];
    table
        .into_iter()
        .find(|(word, _, _)| rest.starts_with(word))
}

/// The words of the language that are not letters or digits, longer ones first.
fn native(rest: &str) -> Option<(usize, TokenKind)> {
    use TokenKind::{Arithmetic as A, Compare as C};
    let mut bytes = rest.bytes();
    let pair = (bytes.next()?, bytes.next());
    Some(match pair {
        (b'<', Some(b'=')) => (2, C(Comparison::LessOrEqual)),
        (b'>', Some(b'=')) => (2, C(Comparison::GreaterOrEqual)),
        (b'=', Some(b'=')) => (2, C(Comparison::Equal)),
        (b'!', Some(b'=')) => (2, C(Comparison::NotEqual)),
        (b'<', _) => (1, C(Comparison::Less)),
        (b'>', _) => (1, C(Comparison::Greater)),
        (b'+', _) => (1, A(Arithmetic::Add)),
        (b'-', _) => (1, A(Arithmetic::Subtract)),
        (b'*', _) => (1, A(Arithmetic::Multiply)),
        (b'/', _) => (1, A(Arithmetic::Divide)),
        (b'^', _) => (1, A(Arithmetic::Power)),
        (b'(', _) => (1, TokenKind::Open),
        (b')', _) => (1, TokenKind::Close),
        (b'[', _) => (1, TokenKind::OpenBracket),
        (b']', _) => (1, TokenKind::CloseBracket),
        (b',', _) => (1, TokenKind::Comma),
        _ => return None,
    })
}

/// Bytes of the number at the front of `rest`: digits, a point, an exponent (only with its digits).
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        length += 1;
        length += digits(length);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits((length + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// Bytes of `.name` at the front of `rest`: `edges.grid` is one name.
fn graph_length(rest: &str) -> usize {
    let Some(name) = rest.strip_prefix('.') else {
        return 0;
    };
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return 0;
    }
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    1 + end.unwrap_or(name.len())
}

/// Advice for a character that no expression has.
fn advice(character: char) -> &'static str {
    match character {
        '[' | ']' | '{' | '}' => "use round parentheses",
        '?' | ':' => "write a choice as `if(condition, yes, no)`",
        '\'' => "names are letters, digits and `_`",
        ';' => "one expression a key; separate arguments by `,`",
        '\u{b2}' => "write a square as `^2`",
        '\u{b3}' => "write a cube as `^3`",
        '\u{221a}' => "write a root as `sqrt(x)`",
        _ => "an expression has numbers, names, operators, parentheses and commas",
    }
}

/// Splits a text; `offset` is where it starts in the file.
pub(super) fn tokens(
    text: &str,
    file: &Arc<SourceFile>,
    offset: usize,
) -> (Vec<Token>, Vec<Diagnostic>) {
    let mut tokens = Vec::new();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let span = |start: usize, end: usize| Span {
        file: Arc::clone(file),
        start: offset + start,
        end: offset + end,
    };
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        if character.is_whitespace() {
            at += character.len_utf8();
            continue;
        }
        let start = at;
        let starts_number = character.is_ascii_digit()
            || (character == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()));
        let kind = if starts_number {
            at += number_length(rest);
            let value = text[start..at].parse().unwrap_or(f64::NAN);
            if !f64::is_finite(value) {
                diagnostics.push(
                    Diagnostic::error(
                        "expression::number",
                        format!("`{}` is too large a number", &text[start..at]),
                        Some(span(start, at)),
                    )
                    .with_help("the largest is about 1.8e308"),
                );
            }
            TokenKind::Number(value)
        } else if character.is_alphabetic() || character == '_' {
            at += rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            if matches!(&text[start..at], "edges" | "leaving") {
                at += graph_length(&text[at..]);
            }
            match &text[start..at] {
                "and" => TokenKind::And,
                "or" => TokenKind::Or,
                "not" => TokenKind::Not,
                name => TokenKind::Name(name.to_owned()),
            }
        } else if let Some((word, kind, right)) = foreign(rest)
            .filter(|(word, _, _)| native(rest).is_none_or(|(length, _)| length < word.len()))
        {
            at += word.len();
            diagnostics.push(
                Diagnostic::error(
                    "expression::operator",
                    format!("`{word}` is not an operator here"),
                    Some(span(start, at)),
                )
                .with_help(format!("write {right}")),
            );
            kind
        } else if let Some((length, kind)) = native(rest) {
            at += length;
            kind
        } else {
            at += character.len_utf8();
            // one finding for a run of the same character
            while text[at..].starts_with(character) {
                at += character.len_utf8();
            }
            diagnostics.push(
                Diagnostic::error(
                    "expression::character",
                    format!(
                        "`{}` cannot stand in an expression",
                        character.escape_debug()
                    ),
                    Some(span(start, at)),
                )
                .with_help(advice(character)),
            );
            if diagnostics.len() >= MOST_FINDINGS {
                break;
            }
            continue;
        };
        tokens.push(Token {
            kind,
            start,
            end: at,
        });
        if diagnostics.len() >= MOST_FINDINGS {
            break;
        }
    }
    (tokens, diagnostics)
}
