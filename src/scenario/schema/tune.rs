//! Keys of `[tune]`, `[[path]]`, `[[terminal]]`, and of controls among the signals.

use super::tables::key;
use super::{Key, Kind, REQUIRED};

pub(super) const TUNE_KEYS: &[Key] = &[
    key(
        "minimize",
        Kind::Expression,
        REQUIRED,
        "what is made small: arithmetic of functionals, such as `integral(error^2) + 10*final(error)^2`",
    ),
    key(
        "constraints",
        Kind::List("tune.constraints"),
        "",
        "bounds on functionals: `[{ expression = \"maximum(abs(current))\", max = 8.0 }]`",
    ),
    key("max_iterations", Kind::Whole, "300", "limit of iterations"),
    key(
        "tolerance",
        Kind::Number,
        "1e-8",
        "scaled KKT residual at which the search has converged",
    ),
    key(
        "starts",
        Kind::Whole,
        "1, or 16 where the file's values are stationary",
        "searches; the first begins with the file's values, the others inside the bounds, controls at one level each",
    ),
    key("seed", Kind::Whole, "1", "seed of the other starts"),
    key(
        "ensemble",
        Kind::Table("tune.ensemble"),
        "",
        "plants that differ in some parameters, for one answer that serves all",
    ),
    key(
        "multiple_shooting",
        Kind::Whole,
        "none",
        "pieces into which the run is cut, each with initial states of its own that come to meet: for runs that are unstable or far from their end",
    ),
    key(
        "guess",
        Kind::NamedExpressions,
        "a run with the file's values",
        "with `multiple_shooting`: states at the cuts to begin with, expressions of `t` and parameters such as `{ angle = \"pi*t/2\" }`",
    ),
];

pub(super) const CONSTRAINT_KEYS: &[Key] = &[
    key(
        "expression",
        Kind::Expression,
        REQUIRED,
        "a functional of the run, such as `maximum(x)`",
    ),
    key("min", Kind::Number, "", "its lowest value"),
    key("max", Kind::Number, "", "its highest value"),
    key("equals", Kind::Number, "", "its value"),
];

pub(super) const ENSEMBLE_KEYS: &[Key] = &[
    key(
        "samples",
        Kind::Whole,
        "16",
        "number of plants drawn from the distributions",
    ),
    key("seed", Kind::Whole, "1", "seed of the draws"),
    key(
        "vary",
        Kind::Named("tune.ensemble.vary.*", ""),
        "",
        "parameters and how they vary",
    ),
    key(
        "from_fit",
        Kind::Text,
        "none",
        "folder of a run of `costate fit`, as seen from this file: plants are drawn from the covariance of its estimates",
    ),
    key(
        "aggregate",
        Kind::Text,
        "mean",
        "what of the plants' objectives is made small: `mean`, `worst` or `cvar(0.9)`",
    ),
];

pub(super) const VARY_KEYS: &[Key] = &[
    key(
        "distribution",
        Kind::Choice {
            now: &["uniform", "normal", "log-normal", "list"],
            later: &[],
        },
        REQUIRED,
        "how it varies; a `list` is taken with all values of other lists",
    ),
    key("low", Kind::Number, "", "low end of `uniform`"),
    key("high", Kind::Number, "", "high end of `uniform`"),
    key(
        "location",
        Kind::Number,
        "",
        "mean of `normal`, or of the logarithm of `log-normal`",
    ),
    key(
        "scale",
        Kind::Number,
        "",
        "standard deviation of `normal`, or of the logarithm of `log-normal`",
    ),
    key("values", Kind::Expressions, "", "numbers of a `list`"),
];

pub(super) const PATH_KEYS: &[Key] = &[
    key(
        "expression",
        Kind::Expression,
        REQUIRED,
        "an expression of the model, bounded at all times",
    ),
    key("bounds", Kind::Pair, REQUIRED, "lowest and highest value"),
];

pub(super) const TERMINAL_KEYS: &[Key] = &[
    key(
        "expression",
        Kind::Expression,
        REQUIRED,
        "an expression of the model, read at the end",
    ),
    key("equals", Kind::Number, "", "its value at the end"),
    key("bounds", Kind::Pair, "", "or its lowest and highest value"),
];

pub(super) const CONTROL_KEYS: &[Key] = &[
    key(
        "knots",
        Kind::Whole,
        REQUIRED,
        "number of values: of equal intervals of `piecewise-constant`, else of knots at equal distances, both ends among them",
    ),
    key(
        "initial",
        Kind::Expressions,
        "0",
        "the first guess: a number, or an array with one a knot",
    ),
    key(
        "bounds",
        Kind::Pair,
        "[-inf, inf]",
        "lowest and highest value of the knots",
    ),
    key(
        "optimize",
        Kind::Boolean,
        "false",
        "whether `tune` finds the values",
    ),
];

pub(super) const END_KEYS: &[Key] = &[
    key("value", Kind::Number, REQUIRED, "the first guess"),
    key(
        "bounds",
        Kind::Pair,
        "[-inf, inf]",
        "earliest and latest end",
    ),
    key(
        "tune",
        Kind::Boolean,
        "false",
        "whether `tune` finds it; knots of controls keep their share of the span",
    ),
];
