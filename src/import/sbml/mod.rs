//! SBML, Level 2 and Level 3 core: the document as a tree ([`xml`]), the model it describes ([`read`]), and that
//! model as a scenario ([`equations`]).

mod check;
pub mod equations;
mod events;
mod functions;
pub mod mathml;
pub mod model;
mod operators;
mod rates;
pub mod read;
mod read_reactions;
mod start;
mod symbols;
mod units;
pub mod xml;

pub use symbols::Asked;
