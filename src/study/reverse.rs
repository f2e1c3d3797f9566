//! The discrete adjoints behind one door.

use costate_adjoint::sweep::{Seeds, TimeBars};
use costate_adjoint::{Rodas5PAdjoint, Tape, Tsit5Adjoint};
use costate_solvers::System as _;

use super::error::StudyError;
use crate::compile::ModelSystem;
use crate::scenario::SolverMethod;

/// Workspaces of the backward sweeps.
pub struct Reverse {
    explicit: Tsit5Adjoint,
    implicit: Option<Rodas5PAdjoint>,
}

impl Reverse {
    /// Workspaces for n states.
    pub fn new(n: usize) -> Self {
        Self {
            explicit: Tsit5Adjoint::new(n),
            implicit: None,
        }
    }

    /// Runs backward over the tape that `stepper` recorded: overwrites `x0_bar`, adds to `p_bar` and, where
    /// asked for, to the cotangents of the solve's times.
    #[expect(
        clippy::too_many_arguments,
        reason = "a sweep's inputs and outputs, borrowed one by one"
    )]
    pub fn sweep(
        &mut self,
        stepper: SolverMethod,
        system: &mut ModelSystem<f64>,
        tape: &Tape,
        seeds: &Seeds<'_>,
        x0_bar: &mut [f64],
        p_bar: &mut [f64],
        bars: Option<TimeBars<'_>>,
    ) -> Result<(), StudyError> {
        match stepper {
            SolverMethod::Tsit5 => self
                .explicit
                .sweep(system, tape, seeds, x0_bar, p_bar, bars)?,
            _ => {
                let implicit = self
                    .implicit
                    .get_or_insert_with(|| Rodas5PAdjoint::new(system.dim()));
                implicit.sweep(system, tape, seeds, x0_bar, p_bar, bars)?;
            }
        }
        Ok(())
    }
}
