//! What a user is shown: figures, tables, CSV, NPY and JSON, and the folder a run leaves behind.
//!
//! Everything here is a function of plain data defined here. This module knows no scenario, no solver and no fit; `study` and `cli` fill
//! its structs.

pub mod csv;
pub mod figure;
pub mod file;
pub mod journal;
pub mod json;
pub mod npy;
pub mod run_folder;
pub mod table;

pub use file::{WriteError, write_atomically, write_atomically_with};
pub use run_folder::RunFolder;
