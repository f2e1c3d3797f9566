//! Discrete adjoint of a solve that changes between an explicit and a stiff method: each step by the adjoint of the method
//! that made it.

use costate_solvers::auto::STIFF;
use costate_solvers::explicit::tsit5;
use costate_solvers::rosenbrock::{BRIDGED, rodas5p};

use crate::explicit;
use crate::readings::Readings;
use crate::rosenbrock;
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::AdjointImplicitSystem;

/// The backward sweep over steps of [`costate_solvers::AutoSwitch`].
pub type AutoAdjoint = Adjoint<Kernel>;

/// The kernels of both methods, and which of them holds the cotangent.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    explicit: explicit::Kernel<tsit5::Coefficients>,
    stiff: rosenbrock::Kernel<rodas5p::Coefficients>,
    is_stiff: bool,
}

fn lambda<F: AdjointImplicitSystem + ?Sized>(kernel: &mut impl Reverse<F>) -> &mut [f64] {
    kernel.lambda()
}

impl<F: AdjointImplicitSystem + ?Sized> Reverse<F> for Kernel {
    const STAGES: Option<usize> = Some(9);
    const DEGREE: Option<usize> = Some(4);

    fn is_bridged(mode: u8) -> bool {
        mode == STIFF + BRIDGED
    }

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        Reverse::<F>::begin(&mut self.explicit, system)?;
        Reverse::<F>::begin(&mut self.stiff, system)?;
        self.is_stiff = false;
        Ok(())
    }

    fn lambda(&mut self) -> &mut [f64] {
        if self.is_stiff {
            lambda::<F>(&mut self.stiff)
        } else {
            lambda::<F>(&mut self.explicit)
        }
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        readings: &mut Readings,
        p_bar: &mut [f64],
        bars: &mut Option<StepBars>,
    ) -> bool {
        let stiff = step.mode >= STIFF;
        if stiff != self.is_stiff {
            let (explicit, other) = (
                lambda::<F>(&mut self.explicit),
                lambda::<F>(&mut self.stiff),
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
