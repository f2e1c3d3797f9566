//! The keys of `[solver]`.

use super::tables::key;
use super::{Key, Kind};
use crate::scenario::types::SolverMethod;

pub(super) const SOLVER_KEYS: &[Key] = &[
    key(
        "method",
        Kind::Choice {
            now: SolverMethod::NAMES,
            later: &[],
        },
        "auto",
        "the solver",
    ),
    key("rtol", Kind::Number, "1e-6", "relative tolerance"),
    key(
        "atol",
        Kind::NumberByState,
        "1e-8",
        "absolute tolerance, one for all or by state",
    ),
    key(
        "step",
        Kind::Number,
        "chosen by the error estimate",
        "size of every step, without error control; needed by methods that have no error estimate",
    ),
    key(
        "first_step",
        Kind::Number,
        "chosen automatically",
        "first step",
    ),
    key("max_step", Kind::Number, "no limit", "largest step"),
    key("max_steps", Kind::Whole, "100000", "limit of steps"),
    key(
        "linear_solver",
        Kind::Choice {
            now: &["auto", "dense", "banded", "sparse", "gmres"],
            later: &[],
        },
        "auto",
        "how linear systems of implicit methods are solved",
    ),
    key(
        "preconditioner",
        Kind::Choice {
            now: &["none", "ilu", "block-jacobi"],
            later: &[],
        },
        "ilu",
        "what speeds `gmres` up",
    ),
    key(
        "block_size",
        Kind::Whole,
        "",
        "states of a block of `block-jacobi`",
    ),
    key(
        "stop_times",
        Kind::Expressions,
        "",
        "times that steps must end on, expressions of parameters",
    ),
    key(
        "event_limit",
        Kind::Whole,
        "1000000",
        "limit of events in a run",
    ),
];
