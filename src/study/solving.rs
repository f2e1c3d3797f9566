//! Which method solves a scenario, with which options; and why.

use costate_solvers::{ErrorNorm, NoRecord, Options, SolveError, Tolerance};

use super::Study;
use super::error::StudyError;
use super::reverse::{repeats_exactly, reversible};
use super::run::{Run, RunError};
use crate::model::Names;
use crate::scenario::{AbsoluteTolerance, GradientMethod, Scenario, SolverMethod};

/// A method of ours with its options, chosen once for a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Solving {
    /// the method
    pub stepper: SolverMethod,
    /// tolerances and limits
    pub options: Options,
    /// bytes that a backward sweep may hold of a solve
    pub memory: Option<usize>,
    /// whether delayed values read the past of a run
    pub delays: bool,
    /// whether adjoints are of the solution itself, along its dense output, and not of the numbers of its steps
    pub continuous: bool,
    /// who chose
    pub choice: Choice,
}

/// How the method was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice {
    /// named in the scenario or on the command line
    Named,
    /// `auto`: the scenario has a mass matrix
    Mass,
    /// `auto`: the scenario gives the steps
    FixedStep,
    /// `auto`: no stiffness met by the explicit method
    NonStiff,
    /// `auto`: the explicit method met stiffness
    Stiff {
        /// where
        t: f64,
        /// step size times the largest eigenvalue there
        step_times_eigenvalue: f64,
    },
    /// `auto`: changed between its methods on the way
    Switched {
        /// when the system turned stiff first
        t: f64,
        /// step size times the largest eigenvalue there
        step_times_eigenvalue: f64,
        /// changes to the stiff method
        to_stiff: usize,
        /// changes back
        back: usize,
    },
    /// `auto`: the explicit method could not finish
    ExplicitFailed {
        /// where it ended
        t: f64,
    },
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named => write!(f, "as named"),
            Self::Mass => write!(f, "chosen: the scenario has a mass matrix"),
            Self::FixedStep => write!(f, "chosen: steps of a given size"),
            Self::NonStiff => write!(f, "chosen: no stiffness was met"),
            Self::Stiff {
                t,
                step_times_eigenvalue,
            } => write!(
                f,
                "chosen: stiff at t = {t:.6e}, where the stability of tsit5, not accuracy, bounds its step (step times largest eigenvalue {step_times_eigenvalue:.1})"
            ),
            Self::Switched {
                t,
                step_times_eigenvalue,
                to_stiff,
                back,
            } => write!(
                f,
                "chosen on the way: stiff from t = {t:.6e}, where the stability of tsit5, not accuracy, bounds its step (step times largest eigenvalue {step_times_eigenvalue:.1}); {to_stiff} change(s) to rodas5p, {back} back"
            ),
            Self::ExplicitFailed { t } => write!(f, "chosen: tsit5 could not pass t = {t:.6e}"),
        }
    }
}

impl Solving {
    /// The options of the scenario's `[solver]`.
    pub fn options(study: &Study) -> Options {
        Self::tolerances(&study.scenario, &study.equations.model().states)
    }

    pub(super) fn tolerances(scenario: &Scenario, states: &Names) -> Options {
        let settings = &scenario.solver;
        let atol = match &settings.atol {
            AbsoluteTolerance::Uniform(atol) => Tolerance::Uniform(*atol),
            AbsoluteTolerance::ByState(by_name) => Tolerance::PerState(
                states
                    .slots()
                    .iter()
                    .flat_map(|slot| {
                        let atol = by_name.get(&slot.name).copied().unwrap_or(1e-8);
                        std::iter::repeat_n(atol, slot.len())
                    })
                    .collect(),
            ),
        };
        Options {
            rtol: settings.rtol,
            atol,
            first_step: settings.first_step,
            max_step: settings.max_step.unwrap_or(f64::INFINITY),
            max_steps: settings.max_steps,
            max_events: settings.event_limit,
            step: settings.step,
            error_norm: match scenario.gradient.error_control {
                true => ErrorNorm::WithTangents,
                false => ErrorNorm::Values,
            },
            ..Options::default()
        }
    }

    /// The method named in the scenario or, for `auto`, the one that a trial solve of the first experiment at
    /// the file's values finds fit: tsit5 with Hairer's stiffness test on, and rodas5p where it gives up.
    pub fn choose(study: &Study) -> Result<Self, StudyError> {
        let options = Self::options(study);
        let named = |stepper, choice| Self {
            memory: study.scenario.gradient.memory,
            delays: study.equations.lags.is_some(),
            continuous: false,
            stepper,
            options: options.clone(),
            choice,
        };
        match study.scenario.solver.method {
            SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853 => {
                Err(StudyError::Unsupported(
                    "the solvers of `ode_solvers` serve `simulate` only: choose `tsit5` or `rodas5p` for gradients and fits"
                        .into(),
                ))
            }
            SolverMethod::Auto if study.equations.mass.is_some() => {
                Ok(named(SolverMethod::Rodas5p, Choice::Mass))
            }
            SolverMethod::Auto if options.step.is_some() => {
                Ok(named(SolverMethod::Tsit5, Choice::FixedStep))
            }
            SolverMethod::Auto => Self::by_trial(study, options),
            method => Ok(named(method, Choice::Named)),
        }
    }

    /// As [`Solving::choose`], but `auto` changes between its methods on the way, and the solvers of
    /// `ode_solvers` are allowed.
    pub fn for_simulation(study: &Study) -> Result<Self, StudyError> {
        match study.scenario.solver.method {
            method @ (SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853) => {
                Ok(Self {
                    memory: study.scenario.gradient.memory,
                    delays: study.equations.lags.is_some(),
                    continuous: false,
                    stepper: method,
                    options: Self::options(study),
                    choice: Choice::Named,
                })
            }
            SolverMethod::Auto
                if study.equations.mass.is_none() && study.scenario.solver.step.is_none() =>
            {
                Ok(Self {
                    memory: study.scenario.gradient.memory,
                    delays: study.equations.lags.is_some(),
                    continuous: false,
                    stepper: SolverMethod::Auto,
                    options: Self::options(study),
                    choice: Choice::NonStiff,
                })
            }
            _ => Self::choose(study),
        }
    }

    /// Whether solves take the hot path: tsit5 or rodas5p, without events and mass matrix.
    pub(super) fn hot(&self, study: &Study) -> bool {
        matches!(self.stepper, SolverMethod::Tsit5 | SolverMethod::Rodas5p)
            && study.equations.plain()
    }

    /// The same with the adjoint that a gradient by `method` sweeps.
    ///
    /// # Errors
    /// The continuous adjoint takes no mass matrix.
    pub fn of_adjoint(&self, study: &Study, method: GradientMethod) -> Result<Self, StudyError> {
        let continuous = method == GradientMethod::ContinuousAdjoint;
        if continuous && study.equations.mass.is_some() {
            return Err(StudyError::Unsupported(
                "the continuous adjoint takes no mass matrix: choose `adjoint`, which does".into(),
            ));
        }
        Ok(Self {
            continuous,
            ..self.clone()
        })
    }

    /// The method, if its adjoint can be swept.
    pub fn adjoint(&self) -> Result<SolverMethod, StudyError> {
        if self.delays {
            return Err(StudyError::Unsupported(
                "there is no adjoint through `delay` yet: take the gradient by `dual`".into(),
            ));
        }
        if self.options.error_norm == ErrorNorm::WithTangents {
            return Err(StudyError::Unsupported(
                "with `error_control` steps follow the derivatives, which an adjoint comes too late for: take the gradient by `dual`"
                    .into(),
            ));
        }
        if self.memory.is_some() && !repeats_exactly(self.stepper) {
            return Err(StudyError::Unsupported(format!(
                "`memory` in `[gradient]` serves methods whose steps depend on nothing but where they start, and those of `{}` keep matrices and guesses from step to step: choose an explicit or a Rosenbrock method, or leave it out",
                self.stepper.name()
            )));
        }
        if reversible(self.stepper) {
            return Ok(self.stepper);
        }
        Err(StudyError::Unsupported(format!(
            "there is no discrete adjoint of `{}`: take the gradient by `dual`",
            self.stepper.name()
        )))
    }

    /// The method, if its adjoint can be swept on dual numbers.
    ///
    /// # Errors
    /// Those of [`Solving::adjoint`]; parts of a solve are repeated on plain numbers only, so that there is none within a bound
    /// of memory.
    pub fn adjoint_on_duals(&self) -> Result<SolverMethod, StudyError> {
        if self.memory.is_some() {
            return Err(StudyError::Unsupported(
                "`memory` in `[gradient]` serves gradients, and second derivatives through the adjoint need the whole solve: leave it out, or take them by dual numbers over dual numbers"
                    .into(),
            ));
        }
        self.adjoint()
    }

    fn by_trial(study: &Study, options: Options) -> Result<Self, StudyError> {
        let mut run = Run::<f64>::new(&study.equations);
        run.prepare(0, &study.values(), study.scenario.start, study.scenario.end)
            .map_err(|e| study.run_error(e, 0))?;
        // A non-stiff problem at these tolerances needs far fewer; a stiff one must not cost a minute to find out.
        let trial = Options {
            stiffness_test: true,
            max_steps: options.max_steps.min(20_000),
            ..options.clone()
        };
        let (stepper, choice) = match run.solve(SolverMethod::Tsit5, &trial, None, NoRecord) {
            Ok(_) => (SolverMethod::Tsit5, Choice::NonStiff),
            Err(RunError::Solve(SolveError::Stiff {
                t,
                step_times_eigenvalue,
            })) => (
                SolverMethod::Rodas5p,
                Choice::Stiff {
                    t,
                    step_times_eigenvalue,
                },
            ),
            Err(RunError::Solve(
                SolveError::TooManySteps { t, .. } | SolveError::StepSizeTooSmall { t, .. },
            )) => (SolverMethod::Rodas5p, Choice::ExplicitFailed { t }),
            // Not the method's fault: the solve itself will say it again, with its place.
            Err(_) => (SolverMethod::Tsit5, Choice::NonStiff),
        };
        Ok(Self {
            memory: study.scenario.gradient.memory,
            delays: study.equations.lags.is_some(),
            continuous: false,
            stepper,
            options,
            choice,
        })
    }
}
