//! `[design]`: experiments to plan.

/// What is to be planned, and how good a plan is.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// what is to be small
    pub criterion: DesignCriterion,
    /// parameters of interest, by their places among the scenario's; all that are fitted where none is named
    pub interest: Vec<usize>,
    /// whether standard errors are compared relative to the parameters' values
    pub relative: bool,
    /// whether the data that there are count
    pub include_data: bool,
    /// measurements to place in time
    pub sampling: Vec<Sampling>,
    /// parameters to choose inside their bounds, such as doses, by their places among the scenario's
    pub optimize: Vec<usize>,
    /// starts of the search
    pub starts: usize,
    /// seed of the starts
    pub seed: u64,
}

/// Times of measurements to be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// the experiment, by its place
    pub experiment: usize,
    /// what is measured each time, by places among the observables
    pub observables: Vec<usize>,
    /// how many times
    pub number: usize,
    /// the earliest and the latest
    pub bounds: [f64; 2],
}

/// Criteria of optimal designs, of the covariance C of the estimates of interest: the inverse of the Fisher information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DesignCriterion {
    /// det C: the volume of the confidence ellipsoid
    #[default]
    D,
    /// trace C: the mean variance
    A,
    /// the largest eigenvalue of C: the worst variance of a combination
    E,
}

impl DesignCriterion {
    /// The word in a scenario.
    pub const fn name(self) -> &'static str {
        match self {
            Self::D => "D",
            Self::A => "A",
            Self::E => "E",
        }
    }
}
