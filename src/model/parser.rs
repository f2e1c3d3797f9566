//! Tokens to a syntax tree: precedence climbing (V. R. Pratt, "Top down operator precedence", 1973).
//!
//! From loose to tight: `or`, `and`, `not`, comparisons (which do not chain), `+ -`, `* /`, unary minus, `^`
//! (right-associative; `-x^2` is -(x^2), `2^-1` is one half). A slip is reported and parsing goes on where the
//! meaning is plain, so that one pass finds several.
//!
//! Trees are bounded in height ([`MOST_HEIGHT`]), and so is the parser's own recursion, whatever the text: all
//! that walks a tree may recurse.

use std::sync::Arc;

use costate_solvers::Comparison;

use super::expression::{Arithmetic, Expression, ExpressionKind};
use super::lexer::{MOST_FINDINGS, Token, TokenKind, tokens};
use crate::diagnostic::{Diagnostic, SourceFile, Span};

/// Deepest nesting of parentheses, calls, signs and powers.
pub const MOST_NESTING: usize = 256;
/// Greatest height of a syntax tree: a sum of so many terms, say.
pub const MOST_HEIGHT: usize = 1000;

const NOT: u8 = 3;
const COMPARE: u8 = 4;
const MINUS: u8 = 7;

/// Reads an expression. `text` starts at byte `offset` of `file`; spans are in the file's bytes. There is an
/// expression exactly where there is no error.
pub fn parse(
    text: &str,
    file: &Arc<SourceFile>,
    offset: usize,
) -> (Option<Expression>, Vec<Diagnostic>) {
    let (tokens, diagnostics) = tokens(text, file, offset);
    let mut parser = Parser {
        tokens,
        next: 0,
        file,
        offset,
        length: text.len(),
        nesting: 0,
        stopped: diagnostics.len() >= MOST_FINDINGS,
        diagnostics,
    };
    if parser.tokens.is_empty() {
        if parser.diagnostics.is_empty() {
            let span = parser.span(0, text.len());
            parser.report(
                Diagnostic::error("expression::empty", "the expression is empty", Some(span))
                    .with_help("write a number or a formula"),
            );
        }
        return (None, parser.diagnostics);
    }
    let expression = if parser.stopped { None } else { parser.whole() };
    if parser.diagnostics.is_empty() {
        (expression, Vec::new())
    } else {
        let place = |d: &Diagnostic| d.span.as_ref().map_or(0, |span| span.start);
        parser.diagnostics.sort_by_key(place);
        (None, parser.diagnostics)
    }
}

/// A subtree and its height.
struct Tree {
    expression: Expression,
    height: usize,
}

struct Parser<'a> {
    tokens: Vec<Token>,
    next: usize,
    file: &'a Arc<SourceFile>,
    offset: usize,
    length: usize,
    nesting: usize,
    diagnostics: Vec<Diagnostic>,
    /// given up: no more findings
    stopped: bool,
}

/// What may follow an operand.
#[derive(Clone, Copy)]
enum Infix {
    Arithmetic(Arithmetic),
    Compare(Comparison),
    And,
    Or,
}

impl Infix {
    fn of(kind: &TokenKind) -> Option<Self> {
        Some(match kind {
            TokenKind::Arithmetic(operator) => Self::Arithmetic(*operator),
            TokenKind::Compare(comparison) => Self::Compare(*comparison),
            TokenKind::And => Self::And,
            TokenKind::Or => Self::Or,
            _ => return None,
        })
    }
    /// How tightly it binds, and how tightly what stands at its right must.
    fn binding(self) -> (u8, u8) {
        match self {
            Self::Or => (1, 2),
            Self::And => (2, NOT),
            Self::Compare(_) => (COMPARE, COMPARE + 1),
            Self::Arithmetic(Arithmetic::Add | Arithmetic::Subtract) => (5, 6),
            Self::Arithmetic(Arithmetic::Multiply | Arithmetic::Divide) => (6, MINUS),
            Self::Arithmetic(Arithmetic::Power) => (8, 8),
        }
    }
}

impl Parser<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: Arc::clone(self.file),
            start: self.offset + start,
            end: self.offset + end,
        }
    }
    fn token_span(&self, index: usize) -> Span {
        match self.tokens.get(index) {
            Some(token) => self.span(token.start, token.end),
            None => self.span(self.length, self.length),
        }
    }
    fn peek(&self) -> Option<&TokenKind> {
        if self.stopped {
            return None;
        }
        self.tokens.get(self.next).map(|token| &token.kind)
    }
    /// What the user wrote at a token.
    fn written(&self, index: usize) -> String {
        self.token_span(index).text().to_owned()
    }
    fn report(&mut self, diagnostic: Diagnostic) {
        if !self.stopped {
            self.diagnostics.push(diagnostic);
        }
        self.stopped |= self.diagnostics.len() >= MOST_FINDINGS;
    }
    fn give_up(&mut self, diagnostic: Diagnostic) {
        self.report(diagnostic);
        self.stopped = true;
    }

    fn whole(&mut self) -> Option<Expression> {
        let mut tree = self.expression(0)?;
        while let Some(kind) = self.peek() {
            let index = self.next;
            let diagnostic = if *kind == TokenKind::CloseBracket {
                Diagnostic::error(
                    "expression::bracket",
                    "`]` closes nothing",
                    Some(self.token_span(index)),
                )
                .with_help("remove it, or open a `[` after the name of an array")
            } else if *kind == TokenKind::OpenBracket {
                Diagnostic::error(
                    "expression::bracket",
                    "`[` follows no name of an array",
                    Some(self.token_span(index)),
                )
                .with_help("elements are written `u[i, j]`; group terms by parentheses")
            } else if *kind == TokenKind::Close {
                Diagnostic::error(
                    "expression::parenthesis",
                    "`)` closes nothing",
                    Some(self.token_span(index)),
                )
                .with_help("remove it, or open a `(` before")
            } else if *kind == TokenKind::Comma {
                Diagnostic::error(
                    "expression::comma",
                    "`,` outside the arguments of a function",
                    Some(self.token_span(index)),
                )
                .with_help("a decimal point is `.`; arguments stand in parentheses")
            } else {
                self.missing_operator(index)
            };
            self.report(diagnostic);
            if self.peek().is_some_and(closes_or_separates) {
                self.next += 1;
            }
            if self.peek().is_some() {
                // read on for further findings only
                if self.peek().and_then(Infix::of).is_some() {
                    tree = self.infixes(tree, 0)?;
                } else if !self.peek().is_some_and(closes_or_separates) {
                    tree = self.expression(0)?;
                }
            }
        }
        Some(tree.expression)
    }

    fn missing_operator(&self, index: usize) -> Diagnostic {
        let before = index
            .checked_sub(1)
            .map_or_else(String::new, |i| self.written(i));
        let after = self.written(index);
        Diagnostic::error(
            "expression::missing-operator",
            format!("no operator between `{before}` and `{after}`"),
            Some(self.token_span(index)),
        )
        .with_help("a product is written `a*b`")
    }

    /// An expression whose loosest operator binds at least as `least`.
    fn expression(&mut self, least: u8) -> Option<Tree> {
        if self.nesting >= MOST_NESTING {
            let span = self.token_span(self.next);
            self.give_up(
                Diagnostic::error(
                    "expression::nesting",
                    format!("more than {MOST_NESTING} levels of nesting"),
                    Some(span),
                )
                .with_help("give parts of it names in `[definitions]`"),
            );
            return None;
        }
        self.nesting += 1;
        let tree = self
            .operand(least)
            .and_then(|left| self.infixes(left, least));
        self.nesting -= 1;
        tree
    }

    /// The operators that follow an operand.
    fn infixes(&mut self, mut left: Tree, least: u8) -> Option<Tree> {
        let mut compared = false;
        while let Some(infix) = self.peek().and_then(Infix::of) {
            let (binds, right_least) = infix.binding();
            if binds < least {
                break;
            }
            let index = self.next;
            if let Infix::Compare(_) = infix {
                if compared {
                    let span = self.token_span(index);
                    self.report(
                        Diagnostic::error(
                            "expression::chained-comparison",
                            "comparisons do not chain",
                            Some(span),
                        )
                        .with_help("write `a < b and b < c`"),
                    );
                }
                compared = true;
            } else {
                compared = false;
            }
            self.next += 1;
            let right = self.expression(right_least)?;
            let height = 1 + left.height.max(right.height);
            let span = Span {
                file: Arc::clone(self.file),
                start: left.expression.span.start,
                end: right.expression.span.end,
            };
            let (a, b) = (Box::new(left.expression), Box::new(right.expression));
            let kind = match infix {
                Infix::Arithmetic(operator) => ExpressionKind::Arithmetic(operator, a, b),
                Infix::Compare(comparison) => ExpressionKind::Compare(comparison, a, b),
                Infix::And => ExpressionKind::And(a, b),
                Infix::Or => ExpressionKind::Or(a, b),
            };
            left = self.tree(kind, span, height)?;
        }
        Some(left)
    }

    fn tree(&mut self, kind: ExpressionKind, span: Span, height: usize) -> Option<Tree> {
        if height > MOST_HEIGHT {
            self.give_up(
                Diagnostic::error(
                    "expression::size",
                    format!("more than {MOST_HEIGHT} operations hang on one another"),
                    Some(span),
                )
                .with_help(
                    "give parts of it names in `[definitions]`, or group terms by parentheses",
                ),
            );
            return None;
        }
        Some(Tree {
            expression: Expression { kind, span },
            height,
        })
    }

    /// A number, a name, a call, a parenthesis, or one of those behind a sign or a `not`.
    fn operand(&mut self, least: u8) -> Option<Tree> {
        let index = self.next;
        let span = self.token_span(index);
        let Some(kind) = self.peek().cloned() else {
            return self.missing_operand();
        };
        match kind {
            TokenKind::Number(value) => {
                self.next += 1;
                self.tree(ExpressionKind::Number(value), span, 1)
            }
            TokenKind::Name(name) => {
                self.next += 1;
                if self.peek() == Some(&TokenKind::Open) {
                    self.call(name, span)
                } else if self.peek() == Some(&TokenKind::OpenBracket) {
                    self.element(name, span)
                } else {
                    self.tree(ExpressionKind::Name(name), span, 1)
                }
            }
            TokenKind::Open => {
                self.next += 1;
                let inner = self.expression(0)?;
                self.close(index)?;
                // the parentheses belong to the place
                let span = self.span(self.tokens[index].start, self.tokens[self.next - 1].end);
                Some(Tree {
                    expression: Expression {
                        span,
                        ..inner.expression
                    },
                    ..inner
                })
            }
            TokenKind::Arithmetic(Arithmetic::Subtract) => {
                self.next += 1;
                let inner = self.expression(MINUS)?;
                self.prefix(ExpressionKind::Negate, index, inner)
            }
            TokenKind::Not => {
                if least > NOT {
                    self.report(
                        Diagnostic::error(
                            "expression::not",
                            "`not` needs parentheses here",
                            Some(span),
                        )
                        .with_help("write `(not a)`"),
                    );
                }
                self.next += 1;
                let inner = self.expression(NOT)?;
                self.prefix(ExpressionKind::Not, index, inner)
            }
            TokenKind::Arithmetic(Arithmetic::Add) => {
                self.report(
                    Diagnostic::error(
                        "expression::missing-operand",
                        "nothing stands before `+`",
                        Some(span),
                    )
                    .with_help("remove the sign, or write what is missing"),
                );
                self.next += 1;
                self.expression(MINUS)
            }
            TokenKind::Arithmetic(_)
            | TokenKind::Compare(_)
            | TokenKind::And
            | TokenKind::Or
            | TokenKind::Close
            | TokenKind::OpenBracket
            | TokenKind::CloseBracket
            | TokenKind::Comma => self.missing_operand(),
        }
    }

    fn prefix(
        &mut self,
        kind: fn(Box<Expression>) -> ExpressionKind,
        index: usize,
        inner: Tree,
    ) -> Option<Tree> {
        let span = Span {
            start: self.offset + self.tokens[index].start,
            ..inner.expression.span.clone()
        };
        self.tree(kind(Box::new(inner.expression)), span, inner.height + 1)
    }

    /// Reports that an operand is missing and stands in for it, consuming nothing.
    fn missing_operand(&mut self) -> Option<Tree> {
        let index = self.next;
        let here = self.token_span(index);
        let before = index.checked_sub(1);
        let diagnostic = match (before, self.peek().is_some()) {
            (Some(before), false) => Diagnostic::error(
                "expression::missing-operand",
                format!("nothing stands after `{}`", self.written(before)),
                Some(self.token_span(before)),
            ),
            (Some(before), true) => Diagnostic::error(
                "expression::missing-operand",
                format!(
                    "nothing stands between `{}` and `{}`",
                    self.written(before),
                    self.written(index)
                ),
                Some(here.clone()),
            ),
            (None, _) => Diagnostic::error(
                "expression::missing-operand",
                format!("nothing stands before `{}`", self.written(index)),
                Some(here.clone()),
            ),
        };
        self.report(diagnostic.with_help("a number, a name or a parenthesis is missing"));
        self.tree(ExpressionKind::Number(f64::NAN), here, 1)
    }

    /// Takes the `)` of the `(` at `open`.
    fn close(&mut self, open: usize) -> Option<()> {
        loop {
            if self.stopped {
                return None;
            }
            match self.peek() {
                Some(TokenKind::Close) => {
                    self.next += 1;
                    return Some(());
                }
                None => {
                    let span = self.token_span(open);
                    self.give_up(
                        Diagnostic::error(
                            "expression::parenthesis",
                            "`(` is never closed",
                            Some(span),
                        )
                        .with_help("add a `)`"),
                    );
                    return None;
                }
                Some(TokenKind::Comma) => {
                    let span = self.token_span(self.next);
                    self.report(
                        Diagnostic::error(
                            "expression::comma",
                            "`,` outside the arguments of a function",
                            Some(span),
                        )
                        .with_help("a decimal point is `.`"),
                    );
                    self.next += 1;
                }
                Some(_) => {
                    let diagnostic = self.missing_operator(self.next);
                    self.report(diagnostic);
                }
            }
            if matches!(
                self.peek(),
                Some(TokenKind::OpenBracket | TokenKind::CloseBracket)
            ) {
                self.next += 1;
            } else if !matches!(
                self.peek(),
                Some(TokenKind::Close | TokenKind::Comma) | None
            ) {
                self.expression(0)?;
            }
        }
    }

    /// The places of an element; its `[` is next.
    fn element(&mut self, name: String, name_span: Span) -> Option<Tree> {
        let open = self.next;
        self.next += 1;
        let mut places = Vec::new();
        let mut height = 0;
        loop {
            let place = self.expression(0)?;
            height = height.max(place.height);
            places.push(place.expression);
            match self.peek() {
                Some(TokenKind::Comma) => self.next += 1,
                Some(TokenKind::CloseBracket) => {
                    self.next += 1;
                    break;
                }
                Some(kind) if *kind != TokenKind::Close => {
                    let diagnostic = self.missing_operator(self.next);
                    self.give_up(diagnostic);
                    return None;
                }
                _ => {
                    let span = self.token_span(open);
                    self.give_up(
                        Diagnostic::error("expression::bracket", "`[` is never closed", Some(span))
                            .with_help("add a `]`"),
                    );
                    return None;
                }
            }
        }
        let span = Span {
            start: name_span.start,
            ..self.span(0, self.tokens[self.next - 1].end)
        };
        let kind = ExpressionKind::Element(name, name_span, places);
        self.tree(kind, span, height + 1)
    }

    /// The arguments of a call; its `(` is next.
    fn call(&mut self, name: String, name_span: Span) -> Option<Tree> {
        let open = self.next;
        self.next += 1;
        let mut arguments = Vec::new();
        let mut height = 0;
        if self.peek() == Some(&TokenKind::Close) {
            self.next += 1;
        } else {
            loop {
                let argument = self.expression(0)?;
                height = height.max(argument.height);
                arguments.push(argument.expression);
                if self.peek() == Some(&TokenKind::Comma) {
                    self.next += 1;
                } else {
                    self.close(open)?;
                    break;
                }
            }
        }
        let span = Span {
            start: name_span.start,
            ..self.span(0, self.tokens[self.next - 1].end)
        };
        let call = self.tree(
            ExpressionKind::Call(name, name_span, arguments),
            span,
            height + 1,
        )?;
        if self.peek() == Some(&TokenKind::OpenBracket) {
            return self.output(call);
        }
        Some(call)
    }

    /// Which output of a call; its `[` is next.
    fn output(&mut self, call: Tree) -> Option<Tree> {
        let open = self.next;
        self.next += 1;
        let which = self.expression(0)?;
        if self.peek() != Some(&TokenKind::CloseBracket) {
            let span = self.token_span(open);
            self.give_up(
                Diagnostic::error("expression::bracket", "`[` is never closed", Some(span))
                    .with_help("one output of a call is written `f(x)[1]`"),
            );
            return None;
        }
        self.next += 1;
        let span = Span {
            start: call.expression.span.start,
            ..self.span(0, self.tokens[self.next - 1].end)
        };
        let height = call.height.max(which.height) + 1;
        let kind = ExpressionKind::Output(Box::new(call.expression), Box::new(which.expression));
        self.tree(kind, span, height)
    }
}

/// What ends an expression without belonging to it.
fn closes_or_separates(kind: &TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Close | TokenKind::CloseBracket | TokenKind::OpenBracket | TokenKind::Comma
    )
}

#[cfg(test)]
mod tests;
