//! BDF and NDF: linear multistep methods of variable order 1 to 5 and variable step size.
//!
//! One evaluation of f and one solve make a step, where a one-step method needs a handful of each: the rest
//! comes from the states of the steps before. With nabla^j x the backward differences at equal spacing h,
//! a step of order k from t_n to t_{n+1} = t_n + h solves
//!
//! ```text
//! c M (psi + x_{n+1} - x_pred) = f(t_{n+1}, x_{n+1}),     c = (1 - kappa_k) gamma_k / h
//! x_pred = sum_{j=0}^k nabla^j x_n,                       psi = sum_{j=1}^k gamma_j nabla^j x_n / (h c)
//! local error ~ (kappa_k gamma_k + 1/(k+1)) nabla^{k+1} x_{n+1},      nabla^{k+1} x_{n+1} = x_{n+1} - x_pred
//! ```
//!
//! ([`formula`] has the constants). [`Bdf`] has kappa = 0, [`Ndf`] smaller errors at slightly smaller regions of
//! stability. Step sizes change by resampling the interpolating polynomial (quasi-constant steps); order and
//! size are chosen together, from the errors of orders k - 1, k and k + 1. A start knows the slope alone: order
//! 1 and a small step, then the order climbs.
//!
//! M is constant and may be singular: M x' = f of index 1, with consistent initial values. Algebraic states count
//! in the error test like any others. [`Method::slope`] after a start is f itself; x' is made of it in the first step.
//!
//! [`Method::slope`]: crate::Method::slope
//!
//! Cost of an accepted step: 1.0 to 1.3 evaluations of f and solves, a Jacobian and a factorization every 5 to 10
//! steps. Stages ([`Method::stages`]): nabla^1, ..., nabla^5 at the step's end, those above its order k 0, then
//! nabla^{k+1}; dense output of order k is the polynomial of the former, and continuous.
//!
//! Linear systems are solved by factors or by GMRES ([`crate::linalg::NewtonMatrix`]).
//!
//! Use it where f or the linear algebra is expensive (many states), or at tolerances below 1e-5 on a stiff problem
//! that is smooth for long. Not for many stop times or events, each of which is a start from order 1; nor for
//! eigenvalues near the imaginary axis, where orders 3 to 5 are unstable: nothing here looks for that limit but the
//! error estimates themselves.
//!
//! How a step was made (its order, whether it began with a new matrix, whether without history) is
//! [`Method::mode`]; a replay that is given it repeats a solve to the last bit, at the same tolerances.
//!
//! Sources: L. F. Shampine and M. W. Reichelt, The MATLAB ODE suite, SIAM J. Sci. Comput. 18 (1997) 1-22,
//! doi 10.1137/S1064827594276424; G. D. Byrne and A. C. Hindmarsh, A polyalgorithm for the numerical solution of
//! ordinary differential equations, ACM Trans. Math. Softw. 1 (1975) 71-96, doi 10.1145/355626.355636.
//!
//! [`Method::stages`]: crate::Method::stages
//! [`Method::mode`]: crate::Method::mode

pub mod backward;
mod corrector;
mod differences;
pub mod formula;
mod order_and_size;

pub use backward::{Bdf, Multistep, Ndf};
pub use corrector::SMALL;
pub use differences::transfer;
pub use formula::{BackwardDifferentiation, Formula, NumericalDifferentiation};
