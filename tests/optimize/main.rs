//! Optimizers on the classics and on the NIST problems.

mod classics;
mod constrained;
mod derivative_free;
mod nist;
