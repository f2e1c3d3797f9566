//! `[tune]`, `[[path]]` and `[[terminal]]`: what is to be found, and what must hold.

use super::Name;
use crate::model::Expression;

/// `[tune]` with `[[path]]` and `[[terminal]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneSettings {
    /// what is made small: arithmetic of functionals
    pub minimize: Expression,
    /// bounds on functionals
    pub constraints: Vec<Requirement>,
    /// `[[path]]`: bounds on expressions of the model at all times
    pub path: Vec<Requirement>,
    /// `[[terminal]]`: bounds on expressions of the model at the end
    pub terminal: Vec<Requirement>,
    /// limit of iterations
    pub max_iterations: usize,
    /// scaled KKT residual at which the search has converged
    pub tolerance: f64,
    /// searches, of which the first begins with the file's values; `None`: that one, and others only where nothing moves it
    pub starts: Option<usize>,
    /// seed of the others' starts
    pub seed: u64,
    /// a family of plants
    pub ensemble: Option<Ensemble>,
    /// pieces into which the run is cut, each with initial states of its own
    pub multiple_shooting: Option<usize>,
    /// the states at the cuts to begin with, where they are not those of a run with the file's values
    pub guess: Vec<(Name, Expression)>,
}

/// An expression and the interval in which it must stay; equal ends are an equation.
#[derive(Debug, Clone, PartialEq)]
pub struct Requirement {
    /// what is bounded
    pub expression: Expression,
    /// lower and upper bound, infinite where there is none
    pub bounds: [f64; 2],
}

/// `[tune.ensemble]`: plants that differ in some parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Ensemble {
    /// number of plants drawn where a distribution is varied
    pub samples: usize,
    /// seed of the draws
    pub seed: u64,
    /// parameters by index, and how they vary
    pub vary: Vec<(usize, Spread)>,
    /// parameters that vary as an earlier fit knows them
    pub together: Option<Together>,
    /// what of the plants' objectives is made small
    pub aggregate: Aggregate,
}

/// Parameters that vary together: a normal distribution with the covariance of an earlier fit about its best values, of logarithms where those
/// were estimated on a logarithmic scale, cut off at bounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Together {
    /// by index
    pub parameters: Vec<usize>,
    /// the fit's best values
    pub best: Vec<f64>,
    /// rows of the lower triangle L, the covariance being L L'
    pub factor: Vec<Vec<f64>>,
    /// whether it is the logarithm that is drawn
    pub logarithmic: Vec<bool>,
    /// of the parameters
    pub bounds: Vec<[f64; 2]>,
}

/// How a parameter varies among plants.
#[derive(Debug, Clone, PartialEq)]
pub enum Spread {
    /// uniform between `low` and `high`
    Uniform {
        /// low end
        low: f64,
        /// high end
        high: f64,
    },
    /// normal
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
    /// each of these, with all of other lists: corners of a box
    List(Vec<f64>),
}

/// What of the plants' objectives is made small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    /// their mean
    Mean,
    /// the largest
    Worst,
    /// the mean of the worst fraction 1 - level (conditional value at risk)
    Cvar(f64),
}
