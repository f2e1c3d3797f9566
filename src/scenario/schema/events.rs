//! The keys of `[[events]]`.

use super::tables::key;
use super::{Key, Kind};

pub(super) const EVENT_KEYS: &[Key] = &[
    key("name", Kind::Text, "`event 1`, `event 2`, ...", "its name"),
    key(
        "when",
        Kind::Expression,
        "",
        "it happens where this crosses zero",
    ),
    key(
        "direction",
        Kind::Choice {
            now: &["rising", "falling", "both"],
            later: &[],
        },
        "both",
        "which crossings of `when` count",
    ),
    key(
        "at",
        Kind::Expressions,
        "",
        "it happens at these times, expressions of parameters",
    ),
    key(
        "every",
        Kind::Expression,
        "",
        "it happens again and again, with this time between",
    ),
    key(
        "first",
        Kind::Expression,
        "the scenario's start",
        "first time of `every`",
    ),
    key(
        "set",
        Kind::NamedExpressions,
        "",
        "states with their values after it, from the values before it; needed unless `terminal = true`",
    ),
    key(
        "terminal",
        Kind::Boolean,
        "false",
        "whether the run ends there",
    ),
    key(
        "only_if",
        Kind::Expression,
        "",
        "a condition, read just before the jump; where it does not hold, nothing happens",
    ),
];
