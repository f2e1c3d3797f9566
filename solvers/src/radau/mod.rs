//! Fully implicit collocation methods at the Radau points, for very stiff systems and those with a mass matrix.

pub mod radau5;

pub use radau5::Radau5;
