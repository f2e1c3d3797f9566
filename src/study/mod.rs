//! What the user wants to know: a scenario made ready, and the studies on it.
//!
//! A [`Study`] is a scenario with its compiled model and the plan of its data. [`Objective`] is the one thing
//! that fits and gradients share; studies never see a solver's insides and solvers never see a study.

mod any_solver;
mod backward;
mod bands;
mod certificate;
mod check;
mod combinations;
mod compare;
mod design;
mod drift;
mod effort;
mod equations;
mod error;
mod fit;
mod fit_global;
mod fit_memory;
mod fit_problem;
mod fit_starts;
mod functional;
mod gradient;
mod grid;
mod hessian;
mod hybrid;
mod identifiability;
mod information;
mod inner;
mod kinks;
mod lane;
mod linearize;
mod misfit;
mod moving_reads;
mod nudge;
mod objective;
mod plan;
mod prior;
mod profile;
mod rescue;
mod rest;
mod reverse;
mod reverse_events;
mod run;
mod sample;
mod scaling;
mod shooting;
mod simulate;
mod solving;
mod spread;
mod sweep;
mod tune;
mod variable;
mod verify;

use std::path::Path;
use std::sync::Arc;

use costate_adjoint::AdjointError;
use costate_solvers::{LinearSolver, Preconditioner, SolveError};

pub use bands::{Band, bands};
pub use certificate::{Certificate, certify};
pub use check::{ExpectationResult, check_expectations};
pub use compare::{Comparison, Contender, Doubt, NoTest, RatioTest, compare};
pub use design::{DesignResult, Outlook, Sensitivities, design};
pub use drift::Drift;
pub use effort::{Effort, EffortRun, compare_derivative_free};
pub use equations::Equations;
pub use error::StudyError;
pub use fit::{Fit, FitProgress, StartReport, fit, fit_with_memory};
pub use fit_memory::{FitMemory, NoMemory, StartingPoints};
pub use functional::FunctionalStudy;
pub use gradient::{Forecast, Gradient, GradientOf, gradient};
pub use hessian::{Hessian, HessianMethod, hessian, hessian_by};
pub use hybrid::{EventLog, Happening};
pub use identifiability::{Criteria, Direction, Identifiability, Open, identifiability};
pub use information::row_count;
pub use kinks::{Meeting, Met, meetings};
pub use linearize::{
    Channel, LinearChange, LinearStudy, Linearization, Margin, OperatingPoint, Requirement,
};
pub use misfit::{Misfit, Rows};
pub use objective::{Objective, Prediction};
pub use plan::{ExperimentPlan, Measurement};
pub use profile::{
    IntervalEnd, Profile, ProfilePoint, ProfileProgress, ProfileSettings, Profiles, Verdict,
    profile,
};
pub use run::{Run, RunError};
pub use sample::{
    Convergence, Divergence, Posterior, PredictiveBand, Region, SampleProgress, SampleSettings,
    Summary, convergence, mean_size, predict, quantile, sample,
};
pub use simulate::{SimulatedEvent, Simulation, simulate, simulate_by};
pub use solving::{Choice, Solving};
pub use sweep::{SweepAxis, SweepOf, SweepProgress, grid_points, random_points, sweep};
pub use tune::{
    ConstraintReport, Control, Costates, Front, FrontPoint, SecondOpinion, Tune, TuneStart,
    controls, front, tune,
};
pub use variable::Variable;
pub use verify::{Agreement, EventAgreement, Verification, verify};

use inner::Inner;

use crate::compile::Backend;
use crate::diagnostic::{Diagnostic, Severity};
use crate::model;
use crate::scenario::{self, Override, Scenario};

/// A scenario made ready for work. Shared by threads; each has its own buffers.
#[derive(Debug)]
pub struct Study {
    /// the scenario as read
    pub scenario: Scenario,
    /// its equations, compiled
    pub equations: Arc<Equations>,
    /// how functions are run
    pub backend: Backend,
    /// what to read of each experiment
    pub plans: Vec<ExperimentPlan>,
    /// how measurements count, by observable
    pub misfits: Vec<Misfit>,
    /// whether a stop time depends on a parameter
    pub moving_stops: bool,
    /// parameters that a fit solves for inside
    inner: Option<Inner>,
}

impl Study {
    /// Reads a scenario file with overrides, resolves it and makes it ready; all findings in one pass. There
    /// is no study where one of them is an error.
    pub fn load(
        path: &Path,
        overrides: &[Override],
        backend: Backend,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        let (scenario, findings) = scenario::read(path, overrides);
        Self::resolve(scenario, findings, backend)
    }

    /// The same from text; files it names are looked for in `folder`.
    pub fn from_text(
        text: &str,
        folder: &Path,
        backend: Backend,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        let (scenario, findings) =
            scenario::read_text(&folder.join("scenario.toml"), text, folder, &[]);
        Self::resolve(scenario, findings, backend)
    }

    fn resolve(
        scenario: Option<Scenario>,
        mut findings: Vec<Diagnostic>,
        backend: Backend,
    ) -> (Option<Self>, Vec<Diagnostic>) {
        let Some(scenario) = scenario else {
            return (None, findings);
        };
        let (model, more) = model::build(&scenario);
        findings.extend(more);
        let wrong = findings.iter().any(|d| d.severity == Severity::Error);
        let Some(model) = model.filter(|_| !wrong) else {
            return (None, findings);
        };
        let plans: Vec<ExperimentPlan> = scenario
            .experiments
            .iter()
            .map(|e| ExperimentPlan::new(e.data.as_ref()))
            .collect();
        let misfits = Misfit::of(&scenario);
        let (inner, more) = Inner::find(&scenario, &model, &misfits, &plans);
        if !more.is_empty() {
            findings.extend(more);
            return (None, findings);
        }
        match Equations::new(model, backend) {
            Ok(equations) => {
                let study = Self::new(scenario, equations, backend, (plans, misfits, inner));
                (Some(study), findings)
            }
            Err(error) => {
                findings.push(Diagnostic::error(
                    "compile::failed",
                    error.to_string(),
                    None,
                ));
                (None, findings)
            }
        }
    }

    fn new(
        scenario: Scenario,
        mut equations: Equations,
        backend: Backend,
        (plans, misfits, inner): (Vec<ExperimentPlan>, Vec<Misfit>, Option<Inner>),
    ) -> Self {
        equations.linear_solver = match scenario.solver.linear_solver {
            scenario::LinearSolver::Dense => LinearSolver::Dense,
            scenario::LinearSolver::Banded => LinearSolver::Banded,
            scenario::LinearSolver::Sparse => LinearSolver::Sparse,
            scenario::LinearSolver::Gmres(preconditioner) => LinearSolver::Gmres {
                preconditioner: match preconditioner {
                    scenario::Preconditioner::None => Preconditioner::None,
                    scenario::Preconditioner::Ilu => Preconditioner::Ilu,
                    scenario::Preconditioner::BlockJacobi { size } => {
                        Preconditioner::BlockJacobi { size }
                    }
                },
            },
            scenario::LinearSolver::Auto => LinearSolver::Auto,
        };
        equations.rest.options = Solving::tolerances(&scenario, &equations.model().states);
        Self {
            plans,
            misfits,
            inner,
            moving_stops: equations.stops_move(),
            equations: Arc::new(equations),
            backend,
            scenario,
        }
    }

    /// The file's parameter values.
    pub fn values(&self) -> Vec<f64> {
        self.scenario.parameters.iter().map(|p| p.value).collect()
    }

    /// Number of measurements.
    pub fn measurements(&self) -> usize {
        self.plans.iter().map(|plan| plan.measurements.len()).sum()
    }

    /// Index of an experiment by name; the first where none is given.
    pub fn experiment(&self, name: Option<&str>) -> Result<usize, StudyError> {
        let Some(name) = name else { return Ok(0) };
        let names = || self.scenario.experiments.iter().map(|e| e.name.as_str());
        names()
            .position(|n| n == name)
            .ok_or_else(|| StudyError::UnknownName {
                kind: "experiment",
                name: name.to_owned(),
                hint: crate::diagnostic::nearest(name, names()).map(str::to_owned),
            })
    }

    /// The name of an experiment; empty where there is one only.
    pub(crate) fn experiment_name(&self, experiment: usize) -> String {
        self.scenario
            .experiments
            .get(experiment)
            .map_or_else(String::new, |e| e.name.clone())
    }

    pub(crate) fn run_error(&self, error: impl Into<RunError>, experiment: usize) -> StudyError {
        match error.into() {
            RunError::Solve(SolveError::Stopped { .. }) => StudyError::Interrupted,
            RunError::Solve(error) => StudyError::Solve {
                error,
                states: self.equations.model().states.clone(),
                events: (0..self.equations.events.of_root.len())
                    .map(|root| self.root_name(root))
                    .collect(),
                experiment: self.experiment_name(experiment),
            },
            RunError::Delay { lag, length } => StudyError::Delay {
                name: self.equations.model().lags[lag].name.clone(),
                length,
            },
            error @ (RunError::NoSuchSolver(_)
            | RunError::NoMass(_)
            | RunError::MovingMass
            | RunError::BackwardDelay) => StudyError::Unsupported(error.to_string()),
            RunError::Adjoint(AdjointError::Grazing { root, t }) => StudyError::Grazing {
                event: self.root_name(root),
                t,
                experiment: self.experiment_name(experiment),
            },
            RunError::Adjoint(error) => StudyError::Adjoint(error),
            RunError::Compile(error) => StudyError::Compile(error),
            RunError::Call(error) => StudyError::Call(error),
        }
    }

    /// The name of the event of a root function.
    fn root_name(&self, root: usize) -> String {
        let event = self.equations.events.of_root[root];
        self.scenario.events[event].name.text.clone()
    }
}
