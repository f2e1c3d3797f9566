//! Rosenbrock methods: linearly implicit, one LU a step and no iteration, for stiff systems.

pub mod rodas5p;

pub use rodas5p::Rodas5P;
