//! The program as its users run it.

mod answers;
mod errors;
mod fitted;
mod gallery;
mod import;
mod looks;
mod resume;
