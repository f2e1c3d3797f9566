//! Explicit Runge-Kutta methods: for systems that are not stiff.

pub mod tsit5;

pub use tsit5::Tsit5;
