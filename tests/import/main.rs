//! Problems of other tools as scenarios.

mod petab;
mod petab_tables;
mod sbml;
mod sbml_errors;
