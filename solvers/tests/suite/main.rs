//! One conformance suite for every method, then what is particular to each.

mod coloring;
mod conformance;
mod consistent;
mod dae;
mod dense_lu;
mod events;
mod golden;
mod hostile;
mod implicit;
mod iteration_matrix;
mod krylov;
mod matrices;
mod order_conditions;
mod peers;
mod problems;
mod recorders;
mod rosenbrock;
mod snapshots;
mod sparse_lu;
mod stiff_problems;
mod stretches;
