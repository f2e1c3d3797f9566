//! The built-in functions of the expression language: one table, read by lowering, by `check` and by the reference.
//!
//! The smooth forms take a width w > 0 last and tend to their sharp counterparts as w -> 0:
//! softabs(x, w) = sqrt(x^2 + w^2); softmax(a, b, w) = b + w ln(1 + e^((a - b)/w)), at most w ln 2 above the
//! maximum; softmin(a, b, w) = -softmax(-a, -b, w); softstep(x, w) = logistic(x/w);
//! softclamp(x, a, b, w) = softmin(softmax(x, a, w), b, w). More than two values are folded from the left.
//!
//! `logistic` and `softplus` are written on e^(-|x|), which can neither overflow nor, in their derivatives,
//! meet infinity.

use costate_solvers::Comparison;

use super::graph::{Binary, Graph, NodeId, Unary};

/// How many arguments a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// so many
    Exactly(usize),
    /// so many or more
    AtLeast(usize),
    /// from so many to so many
    Between(usize, usize),
}

impl Arity {
    /// Whether so many will do.
    pub fn allows(self, count: usize) -> bool {
        match self {
            Self::Exactly(n) => count == n,
            Self::AtLeast(n) => count >= n,
            Self::Between(least, most) => (least..=most).contains(&count),
        }
    }
    /// In words: `2 arguments`, `1 argument`, `at least 2 arguments`, `1 to 2 arguments`.
    pub fn words(self) -> String {
        let (prefix, n) = match self {
            Self::Exactly(n) => ("", n),
            Self::AtLeast(n) => ("at least ", n),
            Self::Between(least, most) => return format!("{least} to {most} arguments"),
        };
        format!("{prefix}{n} argument{}", if n == 1 { "" } else { "s" })
    }
}

/// How smooth a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Smoothness {
    /// differentiable inside its domain
    Smooth,
    /// continuous, with one-sided derivatives at a kink
    Kink,
    /// with jumps
    Jump,
}

/// A built-in function.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// its name
    pub name: &'static str,
    /// how many arguments
    pub arity: Arity,
    /// how it is written and what it is, for the reference
    pub doc: &'static str,
    /// how smooth it is
    pub smoothness: Smoothness,
    /// a smooth form to use instead, where there is one
    pub smooth_form: Option<&'static str>,
    /// its node, from nodes as many as `arity` allows
    pub(super) build: fn(&mut Graph, &[NodeId]) -> NodeId,
}

impl Function {
    /// Its node, of as many nodes as its arity allows.
    pub fn node(&self, graph: &mut Graph, arguments: &[NodeId]) -> NodeId {
        (self.build)(graph, arguments)
    }
}

/// The function of a name.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

type Build = fn(&mut Graph, &[NodeId]) -> NodeId;

const fn smooth(name: &'static str, arguments: usize, doc: &'static str, build: Build) -> Function {
    Function {
        name,
        arity: Arity::Exactly(arguments),
        doc,
        smoothness: Smoothness::Smooth,
        smooth_form: None,
        build,
    }
}

const fn rough(
    name: &'static str,
    arity: Arity,
    doc: &'static str,
    smoothness: Smoothness,
    smooth_form: Option<&'static str>,
    build: Build,
) -> Function {
    Function {
        name,
        arity,
        doc,
        smoothness,
        smooth_form,
        build,
    }
}

/// All of them.
pub static FUNCTIONS: &[Function] = &[
    smooth("sqrt", 1, "sqrt(x): square root", |g, a| {
        g.unary(Unary::Sqrt, a[0])
    }),
    smooth("cbrt", 1, "cbrt(x): cube root", |g, a| {
        g.unary(Unary::Cbrt, a[0])
    }),
    smooth("exp", 1, "exp(x): e^x", |g, a| g.unary(Unary::Exp, a[0])),
    smooth("expm1", 1, "expm1(x): e^x - 1, accurate near 0", |g, a| {
        g.unary(Unary::Expm1, a[0])
    }),
    smooth("log", 1, "log(x): natural logarithm", |g, a| {
        g.unary(Unary::Log, a[0])
    }),
    smooth(
        "log1p",
        1,
        "log1p(x): ln(1 + x), accurate near 0",
        |g, a| g.unary(Unary::Log1p, a[0]),
    ),
    smooth("log2", 1, "log2(x): logarithm to base 2", |g, a| {
        g.unary(Unary::Log2, a[0])
    }),
    smooth("log10", 1, "log10(x): logarithm to base 10", |g, a| {
        g.unary(Unary::Log10, a[0])
    }),
    smooth("pow", 2, "pow(x, n): x^n", |g, a| g.pow(a[0], a[1])),
    smooth("sin", 1, "sin(x): sine, radians", |g, a| {
        g.unary(Unary::Sin, a[0])
    }),
    smooth("cos", 1, "cos(x): cosine, radians", |g, a| {
        g.unary(Unary::Cos, a[0])
    }),
    smooth("tan", 1, "tan(x): tangent, radians", |g, a| {
        g.unary(Unary::Tan, a[0])
    }),
    smooth("asin", 1, "asin(x): inverse sine", |g, a| {
        g.unary(Unary::Asin, a[0])
    }),
    smooth("acos", 1, "acos(x): inverse cosine", |g, a| {
        g.unary(Unary::Acos, a[0])
    }),
    smooth("atan", 1, "atan(x): inverse tangent", |g, a| {
        g.unary(Unary::Atan, a[0])
    }),
    smooth(
        "atan2",
        2,
        "atan2(y, x): angle of the point (x, y)",
        |g, a| g.binary(Binary::Atan2, a[0], a[1]),
    ),
    smooth("sinh", 1, "sinh(x): hyperbolic sine", |g, a| {
        g.unary(Unary::Sinh, a[0])
    }),
    smooth("cosh", 1, "cosh(x): hyperbolic cosine", |g, a| {
        g.unary(Unary::Cosh, a[0])
    }),
    smooth("tanh", 1, "tanh(x): hyperbolic tangent", |g, a| {
        g.unary(Unary::Tanh, a[0])
    }),
    smooth("asinh", 1, "asinh(x): inverse hyperbolic sine", |g, a| {
        g.unary(Unary::Asinh, a[0])
    }),
    smooth("acosh", 1, "acosh(x): inverse hyperbolic cosine", |g, a| {
        g.unary(Unary::Acosh, a[0])
    }),
    smooth(
        "atanh",
        1,
        "atanh(x): inverse hyperbolic tangent",
        |g, a| g.unary(Unary::Atanh, a[0]),
    ),
    rough(
        "abs",
        Arity::Exactly(1),
        "abs(x): absolute value",
        Smoothness::Kink,
        Some("softabs(x, width)"),
        |g, a| g.unary(Unary::Abs, a[0]),
    ),
    rough(
        "sign",
        Arity::Exactly(1),
        "sign(x): -1, 0 or 1",
        Smoothness::Jump,
        Some("2*softstep(x, width) - 1"),
        |g, a| g.unary(Unary::Sign, a[0]),
    ),
    rough(
        "min",
        Arity::AtLeast(2),
        "min(a, b, ...): the smallest",
        Smoothness::Kink,
        Some("softmin(a, b, width)"),
        |g, a| fold(g, a, |g, x, y| g.binary(Binary::Min, x, y)),
    ),
    rough(
        "max",
        Arity::AtLeast(2),
        "max(a, b, ...): the largest",
        Smoothness::Kink,
        Some("softmax(a, b, width)"),
        |g, a| fold(g, a, |g, x, y| g.binary(Binary::Max, x, y)),
    ),
    rough(
        "clamp",
        Arity::Exactly(3),
        "clamp(x, low, high): x kept between low and high",
        Smoothness::Kink,
        Some("softclamp(x, low, high, width)"),
        |g, a| {
            let above = g.binary(Binary::Max, a[0], a[1]);
            g.binary(Binary::Min, above, a[2])
        },
    ),
    rough(
        "floor",
        Arity::Exactly(1),
        "floor(x): largest whole number not above x",
        Smoothness::Jump,
        None,
        |g, a| g.unary(Unary::Floor, a[0]),
    ),
    rough(
        "ceil",
        Arity::Exactly(1),
        "ceil(x): smallest whole number not below x",
        Smoothness::Jump,
        None,
        |g, a| g.unary(Unary::Ceil, a[0]),
    ),
    rough(
        "mod",
        Arity::Exactly(2),
        "mod(a, b): a - b floor(a/b), the remainder with the sign of b",
        Smoothness::Jump,
        None,
        |g, a| g.binary(Binary::Mod, a[0], a[1]),
    ),
    smooth(
        "hypot",
        2,
        "hypot(a, b): sqrt(a^2 + b^2) without overflow",
        |g, a| g.binary(Binary::Hypot, a[0], a[1]),
    ),
    smooth("erf", 1, "erf(x): error function", |g, a| {
        g.unary(Unary::Erf, a[0])
    }),
    smooth("logistic", 1, "logistic(x): 1/(1 + e^-x)", |g, a| {
        logistic(g, a[0])
    }),
    smooth("softplus", 1, "softplus(x): ln(1 + e^x)", |g, a| {
        softplus(g, a[0])
    }),
    rough(
        "heaviside",
        Arity::Exactly(1),
        "heaviside(x): 0 where x < 0, else 1",
        Smoothness::Jump,
        Some("softstep(x, width)"),
        |g, a| {
            let zero = g.constant(0.0);
            g.compare(Comparison::GreaterOrEqual, a[0], zero)
        },
    ),
    rough(
        "if",
        Arity::Exactly(3),
        "if(condition, yes, no): yes where the condition holds (is not 0), else no",
        Smoothness::Jump,
        Some("no + (yes - no)*softstep(x, width)"),
        |g, a| g.choose(a[0], a[1], a[2]),
    ),
    smooth(
        "softabs",
        2,
        "softabs(x, width): sqrt(x^2 + width^2), smooth abs",
        |g, a| g.binary(Binary::Hypot, a[0], a[1]),
    ),
    Function {
        arity: Arity::AtLeast(3),
        ..smooth(
            "softmin",
            3,
            "softmin(a, b, ..., width): smooth min",
            |g, a| {
                let (values, width) = with_width(a);
                fold(g, values, |g, x, y| softmin(g, x, y, width))
            },
        )
    },
    Function {
        arity: Arity::AtLeast(3),
        ..smooth(
            "softmax",
            3,
            "softmax(a, b, ..., width): smooth max",
            |g, a| {
                let (values, width) = with_width(a);
                fold(g, values, |g, x, y| softmax(g, x, y, width))
            },
        )
    },
    smooth(
        "softstep",
        2,
        "softstep(x, width): logistic(x/width), smooth heaviside",
        |g, a| {
            let scaled = g.div(a[0], a[1]);
            logistic(g, scaled)
        },
    ),
    smooth(
        "softclamp",
        4,
        "softclamp(x, low, high, width): smooth clamp",
        |g, a| {
            let above = softmax(g, a[0], a[1], a[3]);
            softmin(g, above, a[2], a[3])
        },
    ),
];

fn fold(
    graph: &mut Graph,
    values: &[NodeId],
    mut combine: impl FnMut(&mut Graph, NodeId, NodeId) -> NodeId,
) -> NodeId {
    let mut result = values[0];
    for &value in &values[1..] {
        result = combine(graph, result, value);
    }
    result
}

fn with_width(arguments: &[NodeId]) -> (&[NodeId], NodeId) {
    let (values, width) = arguments.split_at(arguments.len() - 1);
    (values, width[0])
}

/// e^(-|x|), the absolute value written as a choice because at 0 its slope counts.
fn decay(graph: &mut Graph, x: NodeId) -> NodeId {
    let zero = graph.constant(0.0);
    let negative = graph.neg(x);
    let exponent = graph.select(Comparison::GreaterOrEqual, x, zero, negative, x);
    graph.unary(Unary::Exp, exponent)
}

/// 1/(1 + e^-x), as 1/(1 + d) or d/(1 + d) with d = e^(-|x|)
fn logistic(graph: &mut Graph, x: NodeId) -> NodeId {
    let (zero, one) = (graph.constant(0.0), graph.constant(1.0));
    let decay = decay(graph, x);
    let bottom = graph.add(one, decay);
    let (above, below) = (graph.div(one, bottom), graph.div(decay, bottom));
    graph.select(Comparison::GreaterOrEqual, x, zero, above, below)
}

/// ln(1 + e^x), as x + ln(1 + d) or ln(1 + d) with d = e^(-|x|)
fn softplus(graph: &mut Graph, x: NodeId) -> NodeId {
    let zero = graph.constant(0.0);
    let decay = decay(graph, x);
    let small = graph.unary(Unary::Log1p, decay);
    let large = graph.add(x, small);
    graph.select(Comparison::GreaterOrEqual, x, zero, large, small)
}

fn softmax(graph: &mut Graph, a: NodeId, b: NodeId, width: NodeId) -> NodeId {
    let difference = graph.sub(a, b);
    let scaled = graph.div(difference, width);
    let excess = softplus(graph, scaled);
    let excess = graph.mul(width, excess);
    graph.add(b, excess)
}

fn softmin(graph: &mut Graph, a: NodeId, b: NodeId, width: NodeId) -> NodeId {
    let (a, b) = (graph.neg(a), graph.neg(b));
    let largest = softmax(graph, a, b, width);
    graph.neg(largest)
}

#[cfg(test)]
mod tests;
