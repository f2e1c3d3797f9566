//! The keys of `[design]`.

use super::tables::key;
use super::{Key, Kind, REQUIRED};

pub(super) const DESIGN_KEYS: &[Key] = &[
    key(
        "criterion",
        Kind::Choice {
            now: &["D", "A", "E"],
            later: &[],
        },
        "D",
        "what is made small of the covariance of the estimates: its determinant, its trace, its largest eigenvalue",
    ),
    key(
        "parameters",
        Kind::Texts,
        "all that are fitted",
        "fitted parameters whose estimates matter; the others are estimated, too, but how well is left open",
    ),
    key(
        "relative",
        Kind::Boolean,
        "true",
        "whether errors count relative to the parameters' values; of no matter to `D`",
    ),
    key(
        "include_data",
        Kind::Boolean,
        "true",
        "whether the scenario's data count beside the measurements that are planned",
    ),
    key(
        "sampling_times",
        Kind::List("design.sampling_times"),
        "",
        "measurements whose times are chosen: a table, or several",
    ),
    key(
        "optimize",
        Kind::Texts,
        "",
        "parameters to choose inside their bounds, such as doses; not fitted",
    ),
    key("starts", Kind::Whole, "20", "starts of the search"),
    key("seed", Kind::Whole, "1", "seed of the starts"),
];

pub(super) const SAMPLING_KEYS: &[Key] = &[
    key(
        "experiment",
        Kind::Text,
        "the first",
        "experiment that is measured",
    ),
    key(
        "observables",
        Kind::Texts,
        "all",
        "observables measured each time",
    ),
    key("number", Kind::Whole, REQUIRED, "how many times"),
    key(
        "bounds",
        Kind::Pair,
        "the span of time",
        "the earliest and the latest time",
    ),
];
