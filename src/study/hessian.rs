//! Second derivatives of the data objective or of a functional, exact for the discrete solve, through everything that a solve
//! does, events included; by one of two ways.
//!
//! **Dual numbers over dual numbers.** With x = p + e_k + sum_j d_j, e_k^2 = d_i d_j = 0, the part of F(x) that carries both
//! e_k and d_j is d2F / dp_k dp_j. A solve gives a row of [`ANY_WIDTH`] columns: m ceil(m / 8) solves for m variables.
//!
//! **Dual numbers through the discrete adjoint** (forward over reverse). The gradient at p + sum_j d_j carries in its part d_j
//! the column j of the Hessian: ceil(m / 8) recorded solves with their sweeps.

use costate_adjoint::{Dual, DualOver};
use costate_solvers::Statistics;

use super::any_solver::{ANY_WIDTH, Second};
use super::backward::{On, backward};
use super::error::StudyError;
use super::gradient::{GradientOf, check_variables};
use super::lane::Lane;
use super::nudge::moved;
use super::variable::Variable;
use super::{Solving, Study, prior};

/// A value, its gradient and its second derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Hessian {
    /// the objective or functional
    pub value: f64,
    /// derivative with respect to each variable
    pub gradient: Vec<f64>,
    /// second derivatives, rows in the order of the variables, each with as many entries
    pub matrix: Vec<f64>,
    /// how they were found
    pub method: HessianMethod,
}

/// A way to second derivatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HessianMethod {
    /// dual numbers over dual numbers through the solve
    DualOverDual,
    /// dual numbers through the discrete adjoint
    DualOverAdjoint,
}

impl HessianMethod {
    /// The name in documents for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::DualOverDual => "dual-over-dual",
            Self::DualOverAdjoint => "dual-over-adjoint",
        }
    }

    /// The cheaper one for so many variables, which is a matter of counts alone, so that the same scenario gives the same bits on
    /// every machine.
    ///
    /// A recorded solve on dual numbers with its sweep takes 0.1 to 0.9 solves on numbers that carry second derivatives
    /// ([`Second`]) by implicit methods and 0.5 to 1.2 by explicit ones (pendulum, a stiff reactor with events, a field of 40 cells,
    /// lynx-hare, pinene): less than the two that two variables need.
    fn cheaper(variables: usize) -> Self {
        match variables {
            0 | 1 => Self::DualOverDual,
            _ => Self::DualOverAdjoint,
        }
    }
}

impl Hessian {
    /// Largest difference of two entries that mirror each other, over the largest entry: rows are computed apart, so
    /// this is a check.
    pub fn asymmetry(&self) -> f64 {
        let m = self.gradient.len();
        let largest = self.matrix.iter().fold(0.0_f64, |a, h| a.max(h.abs()));
        let mut difference = 0.0_f64;
        for i in 0..m {
            for j in 0..i {
                let mirrored = self.matrix[i * m + j] - self.matrix[j * m + i];
                difference = difference.max(mirrored.abs());
            }
        }
        if difference == 0.0 {
            0.0
        } else {
            difference / largest
        }
    }
}

/// The Hessian at natural parameters `p`: by the cheaper way, and where the adjoint cannot follow the solve (or there is
/// none of the method) by dual numbers over dual numbers.
///
/// # Errors
/// [`StudyError::Unsupported`] where a variable cannot be moved; those of a solve.
pub fn hessian(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
    variables: &[Variable],
) -> Result<Hessian, StudyError> {
    let by = |method| hessian_by(method, study, solving, of, p, variables);
    match (
        HessianMethod::cheaper(variables.len()),
        solving.adjoint_on_duals(),
    ) {
        (HessianMethod::DualOverAdjoint, Ok(_)) => match by(HessianMethod::DualOverAdjoint) {
            Err(error) if error != StudyError::Interrupted => by(HessianMethod::DualOverDual),
            done => done,
        },
        _ => by(HessianMethod::DualOverDual),
    }
}

/// The Hessian at natural parameters `p` by a given way.
///
/// # Errors
/// Those of [`hessian`], and of an adjoint that there is not ([`Solving::adjoint_on_duals`]) or that cannot follow the solve.
pub fn hessian_by(
    method: HessianMethod,
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
    variables: &[Variable],
) -> Result<Hessian, StudyError> {
    check_variables(study, of, variables)?;
    let m = variables.len();
    let mut result = Hessian {
        value: f64::NAN,
        gradient: vec![0.0; m],
        matrix: vec![0.0; m * m],
        method,
    };
    match method {
        HessianMethod::DualOverDual => result.by_duals(study, solving, of, p, variables)?,
        HessianMethod::DualOverAdjoint => result.by_adjoint(study, solving, of, p, variables)?,
    }
    Ok(result)
}

impl Hessian {
    fn by_duals(
        &mut self,
        study: &Study,
        solving: &Solving,
        of: GradientOf<'_>,
        p: &[f64],
        variables: &[Variable],
    ) -> Result<(), StudyError> {
        let m = variables.len();
        let mut lane = Lane::<Second>::new(study)?;
        for row in 0..m {
            for first in (0..m).step_by(ANY_WIDTH) {
                let by = |k: usize| second(unit(k, first), f64::from(u8::from(k == row)));
                let (seeded, nudge) = moved(p, variables, by);
                let mut data = || {
                    let misfit = lane.objective(study, solving, None, &seeded, &nudge)?;
                    Ok(misfit + prior::shares(study, p, &seeded))
                };
                let total = match of {
                    GradientOf::Data => data()?,
                    GradientOf::Functional(functional) => {
                        functional.over(study, solving, &seeded, &nudge, data)?
                    }
                };
                self.value = total.value.value;
                self.gradient[row] = total.tangent[0].value;
                let columns = &mut self.matrix[row * m..][..m][first..];
                for (entry, tangent) in columns.iter_mut().zip(total.tangent[0].tangent) {
                    *entry = tangent;
                }
            }
        }
        Ok(())
    }

    fn by_adjoint(
        &mut self,
        study: &Study,
        solving: &Solving,
        of: GradientOf<'_>,
        p: &[f64],
        variables: &[Variable],
    ) -> Result<(), StudyError> {
        solving.adjoint_on_duals()?;
        let m = variables.len();
        let solving = &Solving {
            continuous: false,
            ..solving.clone()
        };
        let mut on = On {
            study,
            solving,
            stop: None,
            statistics: &mut Statistics::default(),
        };
        let (mut backward_of_data, mut kept) = (None, None);
        let mut bars = vec![Chunk::from(0.0); m];
        for first in (0..m).step_by(ANY_WIDTH) {
            let (seeded, nudge) = moved(p, variables, |k| unit(k, first));
            let mut data = |bars: &mut [Chunk]| {
                let slot = &mut backward_of_data;
                let at = (&seeded[..], &nudge);
                backward(slot, study, solving)?.gradient(&mut on, p, at, variables, bars)
            };
            let value = match of {
                GradientOf::Data => data(&mut bars)?,
                GradientOf::Functional(functional) => {
                    let (kept, at) = (&mut kept, (&seeded[..], &nudge));
                    functional
                        .backward_over(study, solving, kept, at, variables, &mut bars, data)?
                }
            };
            self.value = value.value;
            for (i, bar) in bars.iter().enumerate() {
                self.gradient[i] = bar.value;
                let columns = &mut self.matrix[i * m..][..m][first..];
                for (entry, tangent) in columns.iter_mut().zip(bar.tangent) {
                    *entry = tangent;
                }
            }
        }
        Ok(())
    }
}

/// The objective's gradient and the product of its Hessian with a vector by dual numbers over dual numbers.
pub(super) fn product_by_duals(
    lane: &mut Lane<Second>,
    on: &mut On<'_>,
    p: &[f64],
    variables: &[Variable],
    v: &[f64],
    [gradient, product]: [&mut [f64]; 2],
) -> Result<(), StudyError> {
    let speed = |k: usize| v.get(k).copied().unwrap_or(0.0);
    let chunks = gradient
        .chunks_mut(ANY_WIDTH)
        .zip(product.chunks_mut(ANY_WIDTH));
    for (chunk, (gradient, product)) in chunks.enumerate() {
        let by = |k: usize| second(unit(k, chunk * ANY_WIDTH), speed(k));
        let (seeded, nudge) = moved(p, variables, by);
        let misfit = lane.objective(on.study, on.solving, on.stop, &seeded, &nudge)?;
        let total = misfit + prior::shares(on.study, p, &seeded);
        for (to, slope) in gradient.iter_mut().zip(total.value.tangent) {
            *to = slope;
        }
        for (to, tangent) in product.iter_mut().zip(total.tangent[0].tangent) {
            *to = tangent;
        }
    }
    Ok(())
}

/// Directions of some variables at once.
type Chunk = Dual<ANY_WIDTH>;

/// How variable k moves where those from `first` on have directions of their own.
fn unit(k: usize, first: usize) -> Chunk {
    let mut number = Chunk::from(0.0);
    let place = k.checked_sub(first);
    if let Some(tangent) = place.and_then(|place| number.tangent.get_mut(place)) {
        *tangent = 1.0;
    }
    number
}

fn second(inner: Chunk, outer: f64) -> Second {
    DualOver {
        value: inner,
        tangent: [Dual::from(outer)],
    }
}
