//! The graph, its derivatives and what is compiled of it.

mod backends;
mod derivatives;
mod graph_algebra;
mod graph_derivatives;
mod prepared;
mod speed;
mod steps;
