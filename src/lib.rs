//! Costate: dynamical systems described in one TOML file, simulated, fitted and explained with exact derivatives.
//!
//! The modules stand in the order in which data passes through them:
//!
//! ```text
//! TOML text --scenario--> Scenario --model--> Graph --compile--> functions of f64 and dual numbers
//!                                                                     |
//!                     costate-solvers (integrate), costate-adjoint (differentiate the integration)
//!                                                                     |
//!              report <-- tables, plots, folders <--study-- objective, simulate, gradient, fit <--> optimize
//! ```
//!
//! The shortest way through, from a scenario's text to a gradient:
//!
//! ```
//! use std::path::Path;
//! use costate::compile::Backend;
//! use costate::scenario::GradientMethod;
//! use costate::study::{FunctionalStudy, GradientOf, Solving, Study, Variable, gradient};
//!
//! let text = r#"
//! scenario.time = { start = 0.0, end = 2.0 }
//! parameters.rate = 0.7
//! states.amount = 3.0
//! equations.amount = "-rate*amount"
//! "#;
//! let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
//! let study = study.unwrap_or_else(|| panic!("{findings:?}"));
//! let solving = Solving::choose(&study)?;
//! let end = FunctionalStudy::parse(&study, "final(amount)").unwrap_or_else(|f| panic!("{f:?}"));
//! let rate = [Variable::parse("rate", &study.scenario)?];
//! let result = gradient(&study, &solving, GradientOf::Functional(&end), GradientMethod::Adjoint, &study.values(), &rate)?;
//! // amount(2) = 3 exp(-2 rate), so its derivative is -6 exp(-1.4); the tolerance is the default 1e-6.
//! assert!((result.gradient[0] + 6.0 * (-1.4_f64).exp()).abs() < 1e-5);
//! # Ok::<(), costate::study::StudyError>(())
//! ```

pub mod compile;
pub mod control;
pub mod diagnostic;
pub mod import;
pub mod model;
pub mod optimize;
pub mod report;
pub mod scenario;
pub mod study;

pub use costate_adjoint as adjoint;
pub use costate_solvers as solvers;

/// The README's Rust code, compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
