//! TOML text to a [`Scenario`]: schema, names, data; every finding with its place.

pub mod types;

pub use types::*;
