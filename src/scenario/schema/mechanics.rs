//! The keys of `[mechanics]`.

use super::tables::{UNIT, key};
use super::{Key, Kind, REQUIRED};

pub(super) const MECHANICS_KEYS: &[Key] = &[
    key(
        "coordinates",
        Kind::Named("mechanics.coordinates.*", "initial"),
        REQUIRED,
        "the coordinates with their initial values, at most 16; the velocity of `theta` is the state `theta_dot`",
    ),
    key(
        "velocities",
        Kind::Named("mechanics.coordinates.*", "initial"),
        "0",
        "initial velocities, by coordinate",
    ),
    key(
        "kinetic",
        Kind::Expression,
        REQUIRED,
        "kinetic energy T; the mass matrix is its second derivative in the velocities",
    ),
    key("potential", Kind::Expression, "0", "potential energy V"),
    key(
        "dissipation",
        Kind::Expression,
        "0",
        "Rayleigh's dissipation function D, such as `0.5*c*x_dot^2`: the force along x is -dD/dx_dot",
    ),
    key(
        "forces",
        Kind::NamedExpressions,
        "0",
        "generalized forces, by coordinate",
    ),
    key(
        "constraints",
        Kind::Expressions,
        "",
        "functions of the coordinates that stay 0, such as `x^2 + y^2 - l^2`; their forces are -dg/dq lambda_1, ...",
    ),
    key(
        "project",
        Kind::Boolean,
        "false",
        "whether initial positions and velocities are moved onto the constraints, rather than refused where they are off",
    ),
];

pub(super) const COORDINATE_KEYS: &[Key] = &[
    key(
        "initial",
        Kind::Expression,
        REQUIRED,
        "initial value, an expression of parameters",
    ),
    UNIT,
];
