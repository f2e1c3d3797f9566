//! Discrete adjoint of a solve that changes between an explicit and a stiff method: each step by the adjoint of the method
//! that made it.

use costate_solvers::Scalar;
use costate_solvers::auto::STIFF;
use costate_solvers::explicit::tsit5;
use costate_solvers::rosenbrock::{BRIDGED, rodas5p};

use crate::explicit;
use crate::readings::Readings;
use crate::rosenbrock;
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::AdjointImplicitSystem;

/// The backward sweep over steps of [`costate_solvers::AutoSwitch`].
pub type AutoAdjoint<S = f64> = Adjoint<Kernel<S>, S>;

/// The kernels of both methods, and which of them holds the cotangent.
#[derive(Debug, Clone, Default)]
pub struct Kernel<S = f64> {
    explicit: explicit::Kernel<tsit5::Coefficients, S>,
    stiff: rosenbrock::Kernel<rodas5p::Coefficients, S>,
    is_stiff: bool,
}

fn lambda<S, F>(kernel: &mut impl Reverse<F, S>) -> &mut [S]
where
    S: Scalar,
    F: AdjointImplicitSystem<S> + ?Sized,
{
    kernel.lambda()
}

impl<S: Scalar, F: AdjointImplicitSystem<S> + ?Sized> Reverse<F, S> for Kernel<S> {
    const STAGES: Option<usize> = Some(9);
    const DEGREE: Option<usize> = Some(4);

    fn is_bridged(mode: u8) -> bool {
        mode == STIFF + BRIDGED
    }

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        Reverse::<F, S>::begin(&mut self.explicit, system)?;
        Reverse::<F, S>::begin(&mut self.stiff, system)?;
        self.is_stiff = false;
        Ok(())
    }

    fn lambda(&mut self) -> &mut [S] {
        if self.is_stiff {
            lambda::<S, F>(&mut self.stiff)
        } else {
            lambda::<S, F>(&mut self.explicit)
        }
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &mut Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let stiff = step.mode >= STIFF;
        if stiff != self.is_stiff {
            let (explicit, other) = (
                lambda::<S, F>(&mut self.explicit),
                lambda::<S, F>(&mut self.stiff),
            );
            if stiff {
                other.copy_from_slice(explicit);
            } else {
                explicit.copy_from_slice(other);
            }
            self.is_stiff = stiff;
        }
        if stiff {
            self.stiff.reverse(system, step, readings, p_bar, bars)
        } else {
            self.explicit.reverse(system, step, readings, p_bar, bars)
        }
    }
}
