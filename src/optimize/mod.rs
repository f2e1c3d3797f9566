//! Local optimizers inside bounds and under constraints, and many starts of them.
//!
//! All minimize a smooth `f(theta)`, `theta` in R^m, subject to `lower <= theta <= upper`, and all end in the same
//! [`Outcome`]: the best point seen, its gradient, and why the run ended.
//!
//! | method | needs | use it for |
//! |---|---|---|
//! | [`levenberg_marquardt()`] | residuals and their Jacobian | fits: quadratic convergence at small residuals, superlinear otherwise |
//! | [`lbfgsb()`] | a gradient | any smooth objective, many variables |
//! | [`newton_cg()`] | products of the Hessian with vectors | many variables, large residuals, narrow valleys |
//! | [`gradient_descent()`] | a gradient | a robust, slow baseline |
//! | [`nelder_mead()`] | values | a handful of variables, no derivative to be had |
//! | [`cma_es()`] | values | rough or many-humped objectives of up to some tens of variables |
//! | [`adam()`] | a gradient, possibly noisy | neural right-hand sides, rough objectives |
//! | [`sqp()`] | a gradient and constraints with their Jacobian; a Hessian where there is one | equations and inequalities between the variables |
//!
//! [`spread()`] places starting points, [`multi_start()`] runs a method from each, and [`Statistics`] turns the
//! Fisher information at the end into standard errors, or says which directions the data do not determine.

pub mod adam;
mod cauchy;
pub mod cma_es;
pub mod gradient_descent;
pub mod jacobi_svd;
pub mod lbfgsb;
pub mod levenberg_marquardt;
mod line_search;
pub mod multi_start;
pub mod nelder_mead;
pub mod newton_cg;
pub mod outcome;
pub mod problem;
mod record;
mod reflection;
pub mod scatter_search;
pub mod sobol;
pub mod sqp;
pub mod starts;
pub mod statistics;
pub mod trust_region;

pub use adam::adam;
pub use cma_es::cma_es;
pub use gradient_descent::gradient_descent;
pub use lbfgsb::lbfgsb;
pub use levenberg_marquardt::levenberg_marquardt;
pub use multi_start::{StartResult, best, multi_start, ranked};
pub use nelder_mead::nelder_mead;
pub use newton_cg::newton_cg;
pub use outcome::{Callback, Outcome, Progress, Settings, Status, projected_gradient_norm};
pub use problem::{EvaluationError, LeastSquares, Problem, SecondOrder};
pub use scatter_search::{Budget, Found, scatter_search};
pub use sqp::{
    Constrained, Kkt, Share, SqpOutcome, SqpProgress, SqpSettings, SqpStatus, descend_kinks, sqp,
};
pub use starts::{Sampling, latin_hypercube, spread};
pub use statistics::{Statistics, StatisticsError};
