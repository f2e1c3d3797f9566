//! A scenario as understood: the reader's result and the rest of the pipeline's input.
//!
//! Expressions are syntax trees with their places; names inside them are resolved by [`crate::model`].

mod arrays;
mod controllers;
mod design;
mod hybrid;
mod mechanics;
mod solver;
mod tune;

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{SourceFile, Span};
use crate::model::{Expression, Names};

pub use arrays::{Boundary, EdgeSet, Index, ParameterArray};
pub use controllers::{Controller, RegulatedState, Regulator};
pub use design::{Design, DesignCriterion, Sampling};
pub use hybrid::{Direction, Event, EventTrigger, Invariant, MassRow};
pub use mechanics::{Coordinate, MOST_COORDINATES, Mechanics};
pub use solver::{AbsoluteTolerance, LinearSolver, Preconditioner, SolverMethod, SolverSettings};
pub use tune::{Aggregate, Ensemble, Requirement, Spread, Together, TuneSettings};

/// A name and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// the name
    pub text: String,
    /// its place
    pub span: Span,
}

/// A whole scenario file.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// the file read
    pub source: Arc<SourceFile>,
    /// short name: the folder's, or the file's stem
    pub name: String,
    /// `[scenario] title`, or the name
    pub title: String,
    /// `[scenario] time.start`
    pub start: f64,
    /// `[scenario] time.end`; before the start where the run goes against time
    pub end: f64,
    /// the parameter that is the end, where `tune` finds it: `time.end = { value, bounds, tune = true }`
    pub free_end: Option<usize>,
    /// unit of time, for axes
    pub time_unit: Option<String>,
    /// `[indices]` in file order, then the edges of each graph, then what networks bring
    pub indices: Vec<Index>,
    /// `[graphs]` in file order
    pub graphs: Vec<EdgeSet>,
    /// `[parameters]` in file order, arrays element by element
    pub parameters: Vec<Parameter>,
    /// which of them are arrays
    pub parameter_arrays: Vec<ParameterArray>,
    /// `[states]` in file order, then the coordinates of `[mechanics]`, then their velocities, then what controllers make
    pub states: Vec<State>,
    /// `[definitions]` in file order
    pub definitions: Vec<Definition>,
    /// `[equations]`, one a state, in the order of `states`; 0 for a discrete state and for the velocities of
    /// `[mechanics]`
    pub equations: Vec<Expression>,
    /// `[functions]`
    pub functions: Vec<UserFunction>,
    /// `[networks]`
    pub networks: Vec<Network>,
    /// `[signals]`
    pub signals: Vec<Signal>,
    /// `[[events]]` in file order
    pub events: Vec<Event>,
    /// `[controllers]` in file order; what they made is among the states, definitions, equations and events, behind the file's own
    pub controllers: Vec<Controller>,
    /// `[mass]`, where the file has it: rows that are not dx/dt = f
    pub mass: Option<Vec<MassRow>>,
    /// `[mechanics]`, where the file has it
    pub mechanics: Option<Mechanics>,
    /// `[history]`: states before the start
    pub history: Vec<(Name, Expression)>,
    /// `[invariants]`
    pub invariants: Vec<Invariant>,
    /// `[observables]`; where the file has none, one a state with no noise
    pub observables: Vec<Observable>,
    /// `[[experiments]]`; a file without has one, named "", with the `[data]` table's data
    pub experiments: Vec<Experiment>,
    /// `[solver]`
    pub solver: SolverSettings,
    /// `[gradient]`
    pub gradient: GradientSettings,
    /// `[fit]`
    pub fit: FitSettings,
    /// `[smoothing]`: all with as many values
    pub smoothing: Vec<Smoothing>,
    /// `[tune]`, `[[path]]` and `[[terminal]]`
    pub tune: Option<TuneSettings>,
    /// `[[expect]]`
    pub expectations: Vec<Expectation>,
    /// `[design]`, where the file has it
    pub design: Option<Design>,
}

impl Scenario {
    /// Sizes of the dimensions of an array over indices.
    pub fn extents(&self, over: &[usize]) -> Vec<u32> {
        over.iter().map(|&k| self.indices[k].size).collect()
    }
    /// Names of the states, each element of an array by itself.
    pub fn state_names(&self) -> Names {
        let mut names = Names::default();
        for state in &self.states {
            names.push(&state.name.text, self.extents(&state.over));
        }
        names
    }
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// its name
    pub name: Name,
    /// its value, natural scale
    pub value: f64,
    /// lower and upper bound, natural scale; infinite where none is given
    pub bounds: [f64; 2],
    /// the scale it is searched on
    pub scale: Scale,
    /// `fit = true`
    pub fit: bool,
    /// `profile_out = true`: a fit solves for it inside
    pub profile_out: bool,
    /// `tune = true`
    pub tune: bool,
    /// unit text
    pub unit: Option<String>,
    /// prior distribution
    pub prior: Option<Prior>,
}

impl Parameter {
    /// A parameter that is held at a value, without bounds.
    pub fn held(name: Name, value: f64) -> Self {
        Self {
            name,
            value,
            bounds: [f64::NEG_INFINITY, f64::INFINITY],
            scale: Scale::Linear,
            fit: false,
            profile_out: false,
            tune: false,
            unit: None,
            prior: None,
        }
    }
}

/// The scale a parameter is searched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// as it is
    #[default]
    Linear,
    /// natural logarithm
    Log,
    /// logarithm to base 10
    Log10,
    /// ln((v - lower) / (upper - v)), with finite bounds
    Logit,
}

/// A prior distribution of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// its density
    pub density: Density,
    /// `scaled = true`: the density of the value on the scale it is searched on, as it stands there (of log10 v for `log10`), in
    /// place of the density of the natural value
    pub scaled: bool,
}

/// A density.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Density {
    /// normal with mean and standard deviation (`location`, `scale`; also `mean`, `sd`)
    Normal {
        /// mean
        location: f64,
        /// standard deviation
        scale: f64,
    },
    /// the logarithm is normal
    LogNormal {
        /// mean of the logarithm
        location: f64,
        /// standard deviation of the logarithm
        scale: f64,
    },
    /// Laplace
    Laplace {
        /// median
        location: f64,
        /// scale
        scale: f64,
    },
    /// the logarithm is Laplace
    LogLaplace {
        /// median of the logarithm
        location: f64,
        /// scale of the logarithm
        scale: f64,
    },
    /// uniform between `low` and `high`
    Uniform {
        /// low end
        low: f64,
        /// high end
        high: f64,
    },
}

/// A state.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// its name
    pub name: Name,
    /// initial value: an expression of parameters
    pub initial: Expression,
    /// `discrete = true`: no equation, events alone change it
    pub discrete: bool,
    /// unit text
    pub unit: Option<String>,
    /// of an array: its indices, by their places among the scenario's
    pub over: Vec<usize>,
}

/// A named intermediate expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// its name
    pub name: Name,
    /// of an array: its indices, by their places among the scenario's
    pub over: Vec<usize>,
    /// what it stands for
    pub expression: Expression,
}

/// A user's function.
#[derive(Debug, Clone, PartialEq)]
pub struct UserFunction {
    /// its name
    pub name: Name,
    /// names of its arguments
    pub arguments: Vec<Name>,
    /// its body
    pub expression: Expression,
}

/// A function of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// its name
    pub name: Name,
    /// unit text
    pub unit: Option<String>,
    /// what it is
    pub kind: SignalKind,
}

/// Kinds of signal. Numbers may be expressions of parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalKind {
    /// `before` until `at`, `after` from then on
    Step {
        /// time of the jump
        at: Expression,
        /// value before
        before: Expression,
        /// value from then on
        after: Expression,
    },
    /// constant `from` until `start`, a straight line to `to` at `end`, constant after
    Ramp {
        /// start of the line
        start: Expression,
        /// its end
        end: Expression,
        /// value before
        from: Expression,
        /// value after
        to: Expression,
    },
    /// `offset + amplitude sin(2 pi frequency t + phase)`
    Sine {
        /// amplitude
        amplitude: Expression,
        /// frequency, cycles per unit of time
        frequency: Expression,
        /// phase, radians
        phase: Expression,
        /// offset
        offset: Expression,
    },
    /// `high` on [start, start + width), repeated each `period` where given, else `low`
    Pulse {
        /// start of the first pulse
        start: Expression,
        /// its width
        width: Expression,
        /// period of repetition
        period: Option<Expression>,
        /// value outside
        low: Expression,
        /// value inside
        high: Expression,
    },
    /// any expression of `t`, parameters and other signals
    Expression(Expression),
    /// data
    Table {
        /// times, strictly ascending
        times: Vec<f64>,
        /// values
        values: Vec<f64>,
        /// how to read between them
        interpolation: Interpolation,
    },
    /// values at knots at equal distances from start to end, each a parameter: `torque[1]`, `torque[2]`, ...
    Knots {
        /// how they make a function
        shape: KnotShape,
        /// place of the first among the parameters
        first: usize,
        /// number of values
        count: usize,
    },
}

/// How values at knots make a function of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnotShape {
    /// a value holds on each of as many equal intervals
    Constant,
    /// straight lines between knots at equal distances
    Linear,
    /// the cubic spline through knots at equal distances, its third derivative continuous at the second and the last but one
    /// (not-a-knot)
    Cubic,
}

/// How a table is read between its points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// the last value holds
    Hold,
    /// straight lines
    Linear,
    /// natural cubic spline
    Cubic,
    /// monotone piecewise cubic (Fritsch & Carlson)
    Pchip,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Observable {
    /// its name
    pub name: Name,
    /// what it is: an expression of states, parameters, signals, `t`
    pub expression: Expression,
    /// unit text
    pub unit: Option<String>,
    /// its noise; `None`: residuals are unweighted (normal, sigma = 1, no constant terms), or have a [`Loss`]
    pub noise: Option<Noise>,
    /// in place of noise: how much of a large residual counts
    pub loss: Option<Loss>,
}

/// A noise model.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// distribution
    pub model: NoiseModel,
    /// its scale: the standard deviation of `normal` and of the logarithm of `log-normal`, the scale b of the Laplace
    /// family, that of `student-t`; the dispersion of `negative-binomial`; 1 of `poisson`, which has none
    pub sigma: Sigma,
    /// limits of detection, infinite where there is none: a measurement at or below the first is known to be no more than
    /// it, one at or above the second to be no less
    pub limits: [f64; 2],
}

/// Distributions of the noise: of the measurement d where the model's value is y and the scale sigma.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoiseModel {
    /// d normal around y
    Normal,
    /// ln d normal around ln y
    LogNormal,
    /// log10 d normal around log10 y
    Log10Normal,
    /// d Laplace around y
    Laplace,
    /// ln d Laplace around ln y
    LogLaplace,
    /// log10 d Laplace around log10 y
    Log10Laplace,
    /// (d - y) / sigma has Student's t distribution
    StudentT {
        /// its degrees of freedom
        degrees_of_freedom: f64,
    },
    /// d counts with mean y
    Poisson,
    /// d counts with mean y and variance y + y^2 / sigma
    NegativeBinomial,
}

impl NoiseModel {
    /// The word in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::LogNormal => "log-normal",
            Self::Log10Normal => "log10-normal",
            Self::Laplace => "laplace",
            Self::LogLaplace => "log-laplace",
            Self::Log10Laplace => "log10-laplace",
            Self::StudentT { .. } => "student-t",
            Self::Poisson => "poisson",
            Self::NegativeBinomial => "negative-binomial",
        }
    }

    /// Whether only values above zero can be measured.
    pub const fn positive(self) -> bool {
        matches!(
            self,
            Self::LogNormal | Self::Log10Normal | Self::LogLaplace | Self::Log10Laplace
        )
    }

    /// Whether only whole numbers can be measured.
    pub const fn counts(self) -> bool {
        matches!(self, Self::Poisson | Self::NegativeBinomial)
    }
}

/// A robust loss of the residual r = y - d: width^2 rho(r^2 / width^2) / 2, near r^2 / 2 for |r| well below `width`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// rho
    pub shape: LossShape,
    /// the residual at which it leaves the square
    pub width: f64,
}

/// Shapes of robust losses, rho(z) of z = (r / width)^2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossShape {
    /// z up to 1, then 2 sqrt z - 1
    Huber,
    /// 2 (sqrt(1 + z) - 1)
    SoftL1,
    /// ln(1 + z)
    Cauchy,
    /// arctan z
    Arctan,
    /// (1 - (1 - z)^3) / 3 up to 1, then 1 / 3
    Tukey,
}

impl LossShape {
    /// The word in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Huber => "huber",
            Self::SoftL1 => "soft-l1",
            Self::Cauchy => "cauchy",
            Self::Arctan => "arctan",
            Self::Tukey => "tukey",
        }
    }
}

/// Where a standard deviation comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Sigma {
    /// an expression of parameters, states, `t`
    Expression(Expression),
    /// a column of the data file (its values are in [`DataSet::sigmas`])
    Column(Name),
}

/// An experiment: overrides and data.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// its name
    pub name: String,
    /// overridden parameters: name and value (a number, or an expression of other parameters)
    pub parameters: Vec<(Name, Expression)>,
    /// overridden initial values: state name and value
    pub initial: Vec<(Name, Expression)>,
    /// with `steady_state_before = true` the run starts in the equilibrium that the system, time held at the start, comes to
    /// rest in from the initial values of `[states]`, and `initial` sets states there; these, `before_parameters`, are
    /// the parameters with another value until then
    pub before: Option<Vec<(Name, Expression)>>,
    /// its measurements: `data = { file, time, columns, rows }`, each key from `[data]` where it is absent here; `rows`
    /// takes of a long file that several experiments share the rows whose columns hold the values given, such as
    /// `rows = { subject = 3 }`
    pub data: Option<DataSet>,
}

/// Measurements: a row a time, a column an observable.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSet {
    /// the file they came from
    pub path: PathBuf,
    /// times, ascending (repeats allowed: replicates)
    pub times: Vec<f64>,
    /// `values[observable][row]`, NaN where missing or where the observable is not measured
    pub values: Vec<Vec<f64>>,
    /// `sigmas[observable][row]` where the observable's sigma is a column, else empty
    pub sigmas: Vec<Vec<f64>>,
}

/// `[gradient]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GradientSettings {
    /// method
    pub method: GradientMethod,
    /// bytes that a backward sweep may hold of a solve; `None`: all of it
    pub memory: Option<usize>,
    /// whether the error test of steps covers derivatives, too: dual numbers only
    pub error_control: bool,
}

/// Gradient methods by their names in scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    missing_docs,
    reason = "named as in scenarios: auto, dual, adjoint, continuous-adjoint, finite-difference"
)]
pub enum GradientMethod {
    #[default]
    Auto,
    Dual,
    Adjoint,
    ContinuousAdjoint,
    FiniteDifference,
}

/// `[fit]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FitSettings {
    /// algorithm
    pub algorithm: FitAlgorithm,
    /// number of starts; the first is the file's values
    pub starts: usize,
    /// seed of the others
    pub seed: u64,
    /// limit of iterations a start
    pub max_iterations: usize,
    /// norm of the scaled projected gradient at which a start has converged
    pub gradient_tolerance: f64,
    /// pieces into which runs are cut to find where each start begins
    pub multiple_shooting: Option<usize>,
    /// how starts are drawn
    pub sampling: StartSampling,
    /// starts that the user gives, after the file's values: each with a value of every fitted parameter, in their order
    pub start_points: Vec<Vec<f64>>,
    /// points tried for each drawn start; what is best for the algorithm where none is given
    pub candidates: Option<usize>,
    /// whether Levenberg-Marquardt's steps follow geodesics to second order
    pub geodesic_acceleration: bool,
    /// runs of CMA-ES after the first in each start
    pub restarts: usize,
    /// the global method above the local one
    pub global: Option<GlobalMethod>,
    /// most evaluations of the objective by the global method
    pub max_evaluations: Option<usize>,
}

impl Default for FitSettings {
    fn default() -> Self {
        Self {
            algorithm: FitAlgorithm::Auto,
            starts: 1,
            seed: 1,
            max_iterations: 500,
            gradient_tolerance: 1e-6,
            multiple_shooting: None,
            sampling: StartSampling::default(),
            start_points: Vec::new(),
            candidates: None,
            geodesic_acceleration: false,
            restarts: 0,
            global: None,
            max_evaluations: None,
        }
    }
}

/// How starts are spread inside the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartSampling {
    /// each parameter's interval in strata, one point in each
    #[default]
    LatinHypercube,
    /// a scrambled Sobol sequence
    Sobol,
    /// independent uniform points
    Uniform,
}

/// A global method that sends local searches out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobalMethod {
    /// a population that is combined and improved
    ScatterSearch,
}

/// A parameter that a fit takes through some values before its own, each time going on from where it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Smoothing {
    /// index among the parameters
    pub parameter: usize,
    /// its name
    pub name: String,
    /// the values, all above zero
    pub values: Vec<f64>,
}

/// Fit algorithms by their names in scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    missing_docs,
    reason = "named as in scenarios: auto, levenberg-marquardt, l-bfgs, newton-cg, adam, gradient-descent, nelder-mead, cma-es"
)]
pub enum FitAlgorithm {
    #[default]
    Auto,
    LevenbergMarquardt,
    LBfgs,
    NewtonCg,
    Adam,
    GradientDescent,
    NelderMead,
    CmaEs,
}

impl FitAlgorithm {
    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::LevenbergMarquardt => "levenberg-marquardt",
            Self::LBfgs => "l-bfgs",
            Self::NewtonCg => "newton-cg",
            Self::Adam => "adam",
            Self::GradientDescent => "gradient-descent",
            Self::NelderMead => "nelder-mead",
            Self::CmaEs => "cma-es",
        }
    }
}

/// `[[expect]]`: a value the scenario must reproduce.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// a functional: `final(e)`, `initial(e)`, `at(e, time)`, `objective()`, and arithmetic of them
    pub expression: Expression,
    /// its value
    pub value: f64,
    /// allowed error
    pub tolerance: ExpectedTolerance,
    /// experiment it is evaluated in; the first where absent
    pub experiment: Option<String>,
}

/// Allowed error of an expectation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ExpectedTolerance {
    /// relative to the value
    Relative(f64),
    /// absolute
    Absolute(f64),
}

/// A neural network: layers of units, each a function of sums of the layer before with weights.
///
/// Layer k computes h_k = a(W_k h_(k-1) + b_k), h_0 being the arguments and a the activation. W_k and b_k are parameters,
/// arrays named after the network: `growth_w1` over `growth_1` (the units) and `growth_inputs`, `growth_b1` over
/// `growth_1`, `growth_w2` over `growth_2` and `growth_1`, ...
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// its name, used like a function's
    pub name: Name,
    /// number of arguments
    pub inputs: u32,
    /// units of each layer; those of the last are the outputs
    pub layers: Vec<u32>,
    /// what follows each layer but the last
    pub activation: Activation,
    /// what follows the last
    pub output: Activation,
    /// where its weights and biases stand among the arrays of parameters: W_1, b_1, W_2, ...
    pub first_array: usize,
}

/// What follows a layer of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// tanh x
    Tanh,
    /// ln(1 + e^x)
    Softplus,
    /// max(x, 0)
    Relu,
    /// 1/(1 + e^-x)
    Sigmoid,
    /// x/(1 + e^-x)
    Swish,
    /// x
    Identity,
}

impl Activation {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
            Self::Softplus => "softplus",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Swish => "swish",
            Self::Identity => "identity",
        }
    }
}
