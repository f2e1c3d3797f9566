//! One conformance suite for every method, then what is particular to each.

mod cases;
mod conformance;
mod dense_lu;
mod golden;
mod hostile;
mod non_stiff;
mod order_conditions;
mod peers;
mod problems;
mod recorders;
mod rooted_trees;
mod snapshots;
mod stretches;
mod symplectic;
