//! One conformance suite for every method, then what is particular to each.

mod conformance;
mod dense_lu;
mod golden;
mod hostile;
mod multistep;
mod order_conditions;
mod peers;
mod problems;
mod recorders;
mod snapshots;
mod stiff_problems;
mod stretches;
