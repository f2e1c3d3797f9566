//! Explicit Runge-Kutta methods: for systems that are not stiff.
//!
//! | method | order | evaluations of f a step | step | tolerance it is for |
//! |---|---|---|---|---|
//! | [`Euler`] | 1 | 1 | fixed | |
//! | [`Midpoint`], [`Heun`] | 2 | 2 | fixed | |
//! | [`Rk4`] | 4 | 4 | fixed | |
//! | [`Bs3`] | 3(2) | 3 | adaptive | 1e-2 to 1e-4 |
//! | [`Tsit5`] (the default), [`Dopri5`] | 5(4) | 6 | adaptive | 1e-2 to 1e-9 |
//! | [`Vern7`] | 7(6) | 10 | adaptive | 1e-6 to 1e-12 |
//! | [`Dop853`] | 8(5,3) | 12 | adaptive | 1e-7 and below |
//! | [`Vern9`] | 9(8) | 16 | adaptive | 1e-10 and below |
//!
//! Each is a tableau for the one kernel of [`runge_kutta`].

pub mod bs3;
pub mod dop853;
pub mod dopri5;
pub mod euler;
pub mod heun;
pub mod midpoint;
pub mod rk4;
pub mod runge_kutta;
pub mod tsit5;
pub mod vern7;
pub mod vern9;

pub use bs3::Bs3;
pub use dop853::Dop853;
pub use dopri5::Dopri5;
pub use euler::Euler;
pub use heun::Heun;
pub use midpoint::Midpoint;
pub use rk4::Rk4;
pub use runge_kutta::{RungeKutta, Tableau};
pub use tsit5::Tsit5;
pub use vern7::Vern7;
pub use vern9::Vern9;
