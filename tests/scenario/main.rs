//! Scenario files, good and bad.

mod errors;
mod good;
mod robust;
