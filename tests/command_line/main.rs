//! The program as its users run it.

mod answers;
mod errors;
mod fitted;
mod gallery;
mod looks;
mod resume;
