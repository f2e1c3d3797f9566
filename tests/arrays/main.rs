//! Arrays, graphs and networks, from TOML text to compiled products.

mod compiled;
mod derivatives;
mod errors;
mod golden;
mod graphs;
mod networks;
mod random;
