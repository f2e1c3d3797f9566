//! The command line's grammar, from which parsing, help, completions and the manual page are made.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use costate::scenario::SolverMethod;

/// Differentiable dynamical systems from one TOML file: simulate, fit, differentiate.
#[derive(Debug, Parser)]
#[command(
    name = "costate",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(after_help = "Example:\n  costate new my-model && costate fit my-model/scenario.toml")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What every command on a scenario takes.
#[derive(Debug, Args)]
pub struct Common {
    /// The scenario: a TOML file, a folder with scenario.toml, or a built-in scenario's name
    #[arg(value_hint = ValueHint::FilePath)]
    pub scenario: PathBuf,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Print results only, no progress
    #[arg(long, short)]
    pub quiet: bool,
    /// Change a parameter, or any scalar key by its path (`solver.rtol`, `states.x.initial`)
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Threads to use; all by default. The answer does not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Evaluate the model by the interpreter instead of native code
    #[arg(long)]
    pub interpret: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a working scenario folder
    #[command(after_help = "Example:\n  costate new decay --template influenza-sir")]
    New {
        /// Name of the folder to make
        name: PathBuf,
        /// Built-in scenario to start from (see `costate list`)
        #[arg(long, default_value = "lotka-volterra")]
        template: String,
        /// Print one JSON document on standard output
        #[arg(long)]
        json: bool,
    },
    /// Parse, resolve and judge a scenario, and evaluate its [[expect]] values
    #[command(after_help = "Example:\n  costate check scenarios/lynx-hare/scenario.toml")]
    Check {
        #[command(flatten)]
        common: Common,
    },
    /// Solve and write the trajectory
    #[command(
        after_help = "Examples:\n  costate simulate lynx-hare --plot lynx.svg --csv lynx.csv\n  costate simulate double-pendulum --phase theta1,theta2 --animate pendulum.gif"
    )]
    Simulate(SimulateArguments),
    /// The objective and its gradient, by any method or all of them
    #[command(after_help = "Example:\n  costate gradient lynx-hare --method all")]
    Gradient(GradientArguments),
    /// Estimate parameters from data
    #[command(
        after_help = "Examples:\n  costate fit lynx-hare --starts 20\n  costate fit one-rate.toml two-rates.toml"
    )]
    Fit(FitArguments),
    /// What the data know of the parameters: profiles, confidence intervals, Fisher information
    #[command(
        after_help = "Examples:\n  costate profile lynx-hare\n  costate profile lynx-hare --only alpha,beta --level 0.99 --from runs/lynx-hare/2026-11-23T11-22-33Z"
    )]
    Profile(ProfileArguments),
    /// When to measure, and with which doses, to learn most of the parameters
    #[command(
        after_help = "Example:\n  costate design scenario.toml --from runs/my-model/2026-11-23T11-22-33Z"
    )]
    Design(DesignArguments),
    /// Draw from the posterior of the parameters (NUTS)
    #[command(after_help = "Example:\n  costate sample lynx-hare --draws 2000 --chains 4 --seed 3")]
    Sample(SampleArguments),
    /// A quantity over ranges of parameters
    #[command(
        after_help = "Examples:\n  costate sweep lynx-hare --over alpha=0.4:0.7:50 --over gamma=0.6:1.1:50\n  costate sweep dc-motor --over supply=1:24:50:log --of \"final(speed)\""
    )]
    Sweep(SweepArguments),
    /// Linear behavior at an operating point: A, B, C, D, poles, frequency response, margins
    #[command(
        after_help = "Examples:\n  costate linearize inverted-pendulum-lqr --loop balance\n  costate linearize dc-motor --input supply --output speed --over inertia=3e-5:3e-4:40:log"
    )]
    Linearize(LinearizeArguments),
    /// Find gains, controls and designs that minimize [tune] under its constraints
    #[command(
        after_help = "Examples:\n  costate tune van-der-pol-control\n  costate tune cart-pole-swing-up --set mass=0.4 --out runs/swing-up"
    )]
    Tune(TuneArguments),
    /// Make a scenario folder of another tool's problem
    #[command(subcommand)]
    Import(ImportFormat),
    /// The built-in scenarios
    #[command(after_help = "Example:\n  costate list")]
    List {
        /// Print one JSON document on standard output
        #[arg(long)]
        json: bool,
    },
    /// A scenario as understood
    #[command(after_help = "Example:\n  costate show lynx-hare")]
    Show {
        #[command(flatten)]
        common: Common,
    },
    /// Shell completions on standard output
    #[command(after_help = "Example:\n  costate completions bash > /etc/bash_completion.d/costate")]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// The manual page on standard output
    #[command(after_help = "Example:\n  costate man | man -l -")]
    Man {
        /// Manual page of one command; all in one where absent
        command: Option<String>,
    },
}

/// `import`: what is imported.
#[derive(Debug, Subcommand)]
pub enum ImportFormat {
    /// A PEtab v1 parameter estimation problem: its YAML file, with the tables and the SBML model it names
    #[command(
        after_help = "Example:\n  costate import petab Boehm_JProteomeRes2014.yaml --out boehm && costate fit boehm"
    )]
    Petab {
        #[command(flatten)]
        common: ImportArguments,
    },
    /// An SBML model, Level 2 or 3 core
    #[command(
        after_help = "Example:\n  costate import sbml model.xml --out model && costate simulate model --plot model.svg"
    )]
    Sbml {
        #[command(flatten)]
        common: ImportArguments,
        /// End of the run, which SBML does not say [default: 100]
        #[arg(long, value_name = "TIME")]
        end: Option<f64>,
    },
}

/// What every import takes.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The file to import
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Folder to write, new or empty
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Print one JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Print results and errors only, no warnings
    #[arg(long, short)]
    pub quiet: bool,
}

/// Options that override the scenario's `[solver]`.
#[derive(Debug, Args)]
pub struct SolverArguments {
    /// Relative tolerance
    #[arg(long)]
    pub rtol: Option<f64>,
    /// Absolute tolerance
    #[arg(long)]
    pub atol: Option<f64>,
}

/// `gradient --method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]

pub enum GradientChoice {
    Auto,
    Dual,
    Adjoint,
    ContinuousAdjoint,
    FiniteDifference,
    All,
}

/// `fit --algorithm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]

pub enum AlgorithmChoice {
    Auto,
    LevenbergMarquardt,
    LBfgs,
    NewtonCg,
    Adam,
    GradientDescent,
    NelderMead,
    CmaEs,
}

/// A number above zero.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("expected a number above zero".into()),
    }
}

/// What `--help` says of solvers: their names, those that cannot be differentiated where asked for.
fn solvers(all: bool) -> String {
    let names = SolverMethod::NAMES.iter().copied();
    let names: Vec<&str> = names
        .filter(|name| all || !name.starts_with("ode_solvers."))
        .collect();
    format!("Solver: {}", names.join(", "))
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long, value_name = "NAME", help = solvers(true))]
    pub method: Option<String>,
    /// Number of equidistant output times; 201 where absent, fewer where arrays have millions of elements, 1001 where paths are drawn and nothing is written beside
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub points: Option<u32>,
    /// Experiment to simulate; the first where absent
    #[arg(long, value_name = "NAME")]
    pub experiment: Option<String>,
    /// Solve again by an independent method at a tighter tolerance, and say how many digits agree
    #[arg(long)]
    pub verify: bool,
    // last, since its heading holds for all options that follow
    #[command(flatten)]
    pub look: LookArguments,
}

/// `simulate --plot-as`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]

pub enum PlotKind {
    /// A line for each element, over time
    Lines,
    /// Index across, time up, values as colors; for one index
    Heatmap,
    /// The array at several times: as heat maps; for one index as lines over it
    Snapshots,
    /// Paths of the positions that two arrays tell
    Orbits,
}

/// What of a simulation is drawn and written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures and files")]
pub struct LookArguments {
    /// Draw (.svg or .png): numbers as lines; arrays of one index as heat maps over index and time, small ones as lines; of two as snapshots; arrays `x` and `y` (or `q1` and `q2`) as orbits
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plot: Option<PathBuf>,
    /// Draw an animation (.gif): fields as they change, points with their trails
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub animate: Option<PathBuf>,
    /// Write the trajectories as CSV; more than 2000 columns only where `--states` names them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub csv: Option<PathBuf>,
    /// Write the trajectories for NumPy: t.npy and one file a state, times first, then its indices
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub npy: Option<PathBuf>,
    /// Draw and write these alone: states, elements such as `u[3,4]`, observables, comma separated; all where absent
    #[arg(long, value_name = "NAMES")]
    pub states: Vec<String>,
    /// Draw the second against the first, a pair of numbers or of arrays of one size, such as `theta,omega`
    #[arg(long, value_name = "ACROSS,UP")]
    pub phase: Vec<String>,
    /// Draw arrays so, those that can be
    #[arg(long, value_enum, value_name = "KIND", requires = "plot")]
    pub plot_as: Option<PlotKind>,
    /// Frames of the animation at most, at output times
    #[arg(long, value_name = "N", default_value_t = 100, requires = "animate", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub frames: u32,
    /// Frames a second
    #[arg(long, value_name = "N", default_value_t = 15.0, requires = "animate")]
    pub fps: f64,
}

/// Arguments of `gradient`.
#[derive(Debug, Args)]
pub struct GradientArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long = "solver", value_name = "NAME", help = solvers(false))]
    pub solver_method: Option<String>,
    /// How to differentiate
    #[arg(long = "method", value_enum)]
    pub gradient_method: Option<GradientChoice>,
    /// Parameters, initial values as `initial.x`, arrays or elements such as `k[3]`, `time.start` and `time.end`, comma separated [default: those marked fit, all where none is]
    #[arg(long, value_name = "NAMES")]
    pub wrt: Vec<String>,
    /// A functional of the trajectory instead of the data misfit, such as "final(x)"
    #[arg(long, value_name = "FUNCTIONAL")]
    pub of: Option<String>,
    /// The second derivatives, too
    #[arg(long)]
    pub hessian: bool,
    /// Check the gradient by other roads and say how far it can be trusted; exit code 3 where it cannot
    #[arg(long)]
    pub certify: bool,
    /// Seed of the directions that --certify tries
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Arguments of `fit`.
#[derive(Debug, Args)]
pub struct FitArguments {
    #[command(flatten)]
    pub common: Common,
    /// Further scenarios of the same data: each is fitted, and the models are compared
    #[arg(value_name = "OTHER", conflicts_with = "resume", value_hint = ValueHint::FilePath)]
    pub others: Vec<PathBuf>,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long = "solver", value_name = "NAME", help = solvers(false))]
    pub solver_method: Option<String>,
    /// Number of starts: the file's values, those of `[fit] start_points`, then the most promising of points drawn inside the bounds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub starts: Option<u32>,
    /// Optimizer
    #[arg(long, value_enum)]
    pub algorithm: Option<AlgorithmChoice>,
    /// Seed of the starts
    #[arg(long)]
    pub seed: Option<u64>,
    /// Afterwards, count what methods with and without derivatives need to come near the best fit, by the number of parameters
    #[arg(long)]
    pub compare_derivative_free: bool,
    /// How near, in units of the objective
    #[arg(long, value_name = "AMOUNT", default_value_t = 0.01, requires = "compare_derivative_free", value_parser = positive)]
    pub within: f64,
    /// Folder for the results [default: runs/<scenario>/<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Go on with a fit that was cut short, in this run folder; in the newest of the scenario's where none is named. Scenario and options
    /// must be those it began with
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "", conflicts_with = "out", value_hint = ValueHint::DirPath)]
    pub resume: Option<String>,
    /// Write no plots
    #[arg(long)]
    pub no_plots: bool,
}

/// Arguments of `tune`.
#[derive(Debug, Args)]
pub struct TuneArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long = "solver", value_name = "NAME", help = solvers(false))]
    pub solver_method: Option<String>,
    /// Number of searches: from the file's values, then from points inside the bounds [default: the file's, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub starts: Option<u32>,
    /// Seed of the other starts
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A second objective: find what a unit less of it costs the first, from one's minimum to the other's
    #[arg(long, value_name = "FUNCTIONAL")]
    pub against: Option<String>,
    /// Points of that front, both ends among them
    #[arg(long, value_name = "N", default_value_t = 11, requires = "against", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub points: u32,
    /// Folder for the results [default: runs/<scenario>/<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write no plots
    #[arg(long)]
    pub no_plots: bool,
}

/// Where a study of a fitted model begins.
#[derive(Debug, Args)]
pub struct BestArguments {
    /// Take the best fit from the folder of an earlier run instead of fitting first
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub from: Option<PathBuf>,
    /// Starts of the fit that comes first
    #[arg(long, value_name = "N", conflicts_with = "from", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub starts: Option<u32>,
}

/// Arguments of `profile`.
#[derive(Debug, Args)]
pub struct ProfileArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long = "solver", value_name = "NAME", help = solvers(false))]
    pub solver_method: Option<String>,
    #[command(flatten)]
    pub best: BestArguments,
    /// Confidence level, between 0 and 1
    #[arg(long, value_name = "LEVEL", default_value_t = 0.95)]
    pub level: f64,
    /// Profile these parameters alone, comma separated
    #[arg(long, value_name = "NAMES")]
    pub only: Vec<String>,
    /// Folder for the results [default: runs/<scenario>/<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write no plots
    #[arg(long)]
    pub no_plots: bool,
}

/// Arguments of `design`.
#[derive(Debug, Args)]
pub struct DesignArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long = "solver", value_name = "NAME", help = solvers(false))]
    pub solver_method: Option<String>,
    /// Plan for the best fit in the folder of an earlier run instead of the file's values
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub from: Option<PathBuf>,
    /// Starts of the search
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub starts: Option<u32>,
    /// Folder for the results [default: runs/<scenario>/<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write no plots
    #[arg(long)]
    pub no_plots: bool,
}

/// Arguments of `sample`.
#[derive(Debug, Args)]
pub struct SampleArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long = "solver", value_name = "NAME", help = solvers(false))]
    pub solver_method: Option<String>,
    #[command(flatten)]
    pub best: BestArguments,
    /// Draws of each chain
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(4..=10_000_000))]
    pub draws: u32,
    /// Draws of each chain before those, to tune the sampler
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(20..=10_000_000))]
    pub warmup: u32,
    /// Chains; two at least, as one alone cannot show that it has not converged
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub chains: u16,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Acceptance to tune for, between 0 and 1: nearer to 1 means shorter steps and fewer divergences
    #[arg(long, value_name = "RATE", default_value_t = 0.8)]
    pub acceptance: f64,
    /// Folder for the results [default: runs/<scenario>/<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write no plots
    #[arg(long)]
    pub no_plots: bool,
}

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    #[arg(long = "solver", value_name = "NAME", help = solvers(false))]
    pub solver_method: Option<String>,
    /// The range of a parameter: `kp=0.1:10`, with a number of values `kp=0.1:10:50` [default: 21], with equal ratios `kp=0.1:10:50:log`; several make a grid
    #[arg(long, value_name = "NAME=FROM:TO", required = true)]
    pub over: Vec<String>,
    /// A functional of the trajectory instead of the data misfit, such as "final(x)"
    #[arg(long, value_name = "FUNCTIONAL")]
    pub of: Option<String>,
    /// So many points of a Latin hypercube in the ranges, instead of a grid
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub random: Option<u32>,
    /// Seed of those points
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    pub seed: u64,
    /// Folder for the results [default: runs/<scenario>/<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write no plots
    #[arg(long)]
    pub no_plots: bool,
}

/// Arguments of `linearize`.
#[derive(Debug, Args)]
pub struct LinearizeArguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub solver: SolverArguments,
    /// Where: `equilibrium`, found from the initial values with time held at the end of the run, or a time on the trajectory
    #[arg(
        long,
        value_name = "WHERE",
        default_value = "equilibrium",
        allow_hyphen_values = true
    )]
    pub at: String,
    /// What goes in: a parameter, a signal, a definition or a discrete state; what made it is cut off
    #[arg(long, value_name = "NAME")]
    pub input: Option<String>,
    /// What comes out: an expression
    #[arg(long, value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub output: Option<String>,
    /// The loop of this controller, opened at its output [default: that of the only continuous controller, where neither input nor output is named]
    #[arg(long = "loop", value_name = "CONTROLLER")]
    pub around: Option<String>,
    /// Dead time in the channel besides: an exact factor exp(-s TIME) of the frequency response and of margins
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub dead_time: Option<f64>,
    /// Root locus over a parameter: `kp=0.1:10`, with a number of values `kp=0.1:10:50` [default: 21], with equal ratios `kp=0.1:10:50:log`
    #[arg(long, value_name = "NAME=FROM:TO")]
    pub over: Option<String>,
    /// Folder for the results [default: runs/<scenario>/<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Write no plots
    #[arg(long)]
    pub no_plots: bool,
}
