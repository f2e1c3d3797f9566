//! TOML text to a [`Scenario`]: schema, names, data; every finding with its place.

mod controllers;
mod data;
pub mod names;
mod overrides;
mod read_design;
mod read_events;
mod read_expectations;
mod read_experiments;
mod read_fit;
mod read_from_fit;
mod read_graphs;
mod read_indices;
mod read_mass;
mod read_mechanics;
mod read_model;
mod read_networks;
mod read_noise;
mod read_observables;
mod read_parameters;
mod read_settings;
mod read_signals;
mod read_smoothing;
mod read_tune;
mod reader;
mod resolved;
pub mod schema;
pub(crate) mod source;
pub mod types;
mod values;

pub use overrides::Override;
pub use reader::{MOST_DIAGNOSTICS, read, read_text};
pub use resolved::resolved_text;
pub use types::*;
