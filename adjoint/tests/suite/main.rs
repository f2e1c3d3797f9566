//! Derivatives of solves, each by at least two independent roads.

mod auto;
mod continuous;
mod dual;
mod explicit;
mod hessian_products;
mod implicit_duals;
mod mass_matrix;
mod multistep;
mod problems;
mod products;
mod rosenbrock;
