//! Gradients of solves, each by at least two independent roads.

mod continuous;
mod explicit;
mod problems;
mod products;
mod rosenbrock;
