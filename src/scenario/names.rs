//! What may be a name: `[A-Za-z_][A-Za-z0-9_]*`, and no word the expression language keeps for itself.

/// Words of the expression language that are no functions.
pub const WORDS: &[&str] = &["t", "pi", "if", "and", "or", "not", "true", "false"];

/// Functions of the expression language.
pub const FUNCTIONS: &[&str] = &[
    "sqrt",
    "cbrt",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "pow",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "abs",
    "sign",
    "min",
    "max",
    "clamp",
    "floor",
    "ceil",
    "mod",
    "hypot",
    "erf",
    "logistic",
    "softplus",
    "heaviside",
    "softabs",
    "softmin",
    "softmax",
    "softstep",
    "softclamp",
];

/// Functionals over a run, which a user's function may not hide.
pub const FUNCTIONALS: &[&str] = &[
    "final",
    "initial",
    "at",
    "objective",
    "integral",
    "event_time",
    "delay",
];

/// Why a text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAName {
    /// it has characters a name has not
    Characters,
    /// time, a constant, a connective
    Reserved,
    /// a function
    Function,
}

/// Whether a text can be a user's name.
pub fn check(text: &str) -> Result<(), NotAName> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(NotAName::Characters);
    }
    if WORDS.contains(&text) {
        return Err(NotAName::Reserved);
    }
    if FUNCTIONS.contains(&text) {
        return Err(NotAName::Function);
    }
    Ok(())
}

/// A text made a name: other characters become `_`.
pub fn suggestion(text: &str) -> String {
    let mut name: String = text
        .chars()
        .take(40)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}
