//! PEtab v1: the files of a problem ([`problem`]), and the problem as a scenario ([`assemble`]).

pub mod assemble;
mod experiments;
mod files;
pub mod formula;
mod observables;
mod parameters;
mod prior;
pub mod problem;
pub mod table;
pub mod yaml;
