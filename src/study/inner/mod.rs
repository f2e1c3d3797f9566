//! Hierarchical optimization: parameters of observables for which the best value is known in closed form are solved for inside
//! every evaluation, and the search is over the others alone (Loos et al. 2018, doi 10.1093/bioinformatics/bty514; Schmiester et
//! al. 2020, doi 10.1093/bioinformatics/btz581).
//!
//! With the parameters theta of the search, the solved ones a, and the negative log-likelihood L,
//!
//! ```text
//! F(theta) = min over a inside its bounds of L(theta, a)        dF/dtheta = dL/dtheta at that a
//! ```
//!
//! as dL/da is zero there, or a does not move from its bound (the envelope theorem). What can be solved for:
//!
//! | parameter | noise | solved by |
//! |---|---|---|
//! | scales, offsets: y = c_0 + sum_k c_k a_k | normal, or none | linear least squares inside bounds |
//! | a scale: y = a g | log-normal | the same, ln a being an offset of ln y |
//! | the size of the noise: sigma = a w | normal, log-normal | a^2 = mean of (residual / w)^2 |
//!
//! Linear parameters whose measurements share the size of their noise, and that size, are solved for together: the weights of the least
//! squares are then known but for a factor. This file finds, from the expressions, what a parameter is; `solve.rs` solves, `reduce.rs`
//! takes derivatives of L to those of F.

mod bounded;
mod find;
mod reduce;
mod solve;

pub(super) use reduce::{reduced_hessian_product, without_columns};

/// How a parameter that is solved for enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// values of observables are linear in it
    Linear,
    /// values of observables, with noise on their logarithms, are proportional to it
    Factor,
    /// standard deviations are proportional to it
    Deviation,
}

impl Role {
    /// The value at which observables are evaluated to find what multiplies it.
    fn base(self) -> f64 {
        match self {
            Self::Linear => 0.0,
            Self::Factor | Self::Deviation => 1.0,
        }
    }
}

/// The parameters of a scenario that are solved for inside.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inner {
    /// indices among the scenario's parameters, ascending
    pub parameters: Vec<usize>,
    roles: Vec<Role>,
    groups: Vec<Group>,
    /// by experiment and observable: what of the above it depends on, `None` without measurements that do
    uses: Vec<Vec<Option<Use>>>,
}

/// Parameters that are solved for together, by their places in [`Inner::parameters`].
#[derive(Debug, Clone, PartialEq, Default)]
struct Group {
    /// linear ones and factors
    locations: Vec<usize>,
    /// the size of the noise of all measurements that depend on these
    deviation: Option<usize>,
}

/// What the measurements of an observable in an experiment depend on.
#[derive(Debug, Clone, PartialEq)]
struct Use {
    group: usize,
    /// linear parameters and factors, by their places in [`Inner::parameters`]
    locations: Vec<usize>,
}
