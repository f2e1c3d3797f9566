//! One conformance suite for every method, then what is particular to each.

mod conformance;
mod consistent;
mod dae;
mod dense_lu;
mod events;
mod golden;
mod hostile;
mod order_conditions;
mod peers;
mod problems;
mod recorders;
mod rosenbrock;
mod snapshots;
mod stretches;
