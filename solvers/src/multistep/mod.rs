//! Linear multistep methods: many cheap steps that share what they know.

pub mod backward;
mod corrector;
mod differences;
pub mod formula;
mod order_and_size;

pub use backward::{Bdf, Multistep, Ndf};
pub use formula::{BackwardDifferentiation, Formula, NumericalDifferentiation};
