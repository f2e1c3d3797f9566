//! Costate: dynamical systems described in one TOML file, simulated, fitted and explained with exact derivatives.

pub mod compile;
pub mod diagnostic;
pub mod model;
pub mod optimize;
pub mod report;
pub mod scenario;
pub mod study;
