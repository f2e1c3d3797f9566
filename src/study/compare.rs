//! Which of several models the data speak for: information criteria, and likelihood-ratio tests of nested pairs.
//!
//! ```text
//! T = 2 (nll_smaller - nll_larger)     chi-squared with as many degrees of freedom as the larger model has parameters more
//! ```
//!
//! where the smaller model is a special case of the larger inside its bounds, and right (Wilks 1938, doi
//! 10.1214/aoms/1177732360). At a bound the distribution is a mixture of chi-squared ones, and the test keeps too much to the
//! smaller model (Self & Liang 1987, doi 10.1080/01621459.1987.10478472). By names alone a model is taken for a special case where
//! its fitted parameters are some of the other's.

use statrs::distribution::{ChiSquared, ContinuousCDF};
use thiserror::Error;

use super::identifiability::{Criteria, is_plain};
use super::{Fit, Study};

/// Two objectives of nested models in the wrong order by more than this part of them are no rounding.
const ROUNDING: f64 = 1e-8;

/// A fitted model among others.
#[derive(Debug, Clone)]
pub struct Contender {
    /// its fitted parameters
    pub names: Vec<String>,
    /// likelihood and information criteria
    pub criteria: Criteria,
    /// fitted parameters at one of their bounds
    pub at_bound: Vec<String>,
    /// whether the fit converged
    pub converged: bool,
    /// why the criteria are none, where the objective is no likelihood, or not at its maximum
    pub doubt: Option<Doubt>,
    measured: Vec<Measured>,
}

/// A measurement as it is told from others: experiment and observable by name, time, value, standard deviation of a data column.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
struct Measured(String, String, [f64; 3]);

/// Why an objective is no likelihood at its maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Doubt {
    /// some observables have a noise model, others not
    #[error("its objective is no likelihood: some of its observables have no noise model")]
    Mixed,
    /// a robust loss
    #[error("its objective is no likelihood: it has a robust loss")]
    Loss,
    /// priors on fitted parameters
    #[error("its estimate is not that of maximum likelihood: it has priors")]
    Priors,
}

/// Two models beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// index of the model with fewer parameters
    pub smaller: usize,
    /// index of the other
    pub larger: usize,
    /// the test, or why there is none
    pub test: Result<RatioTest, NoTest>,
}

/// A likelihood-ratio test.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioTest {
    /// T
    pub statistic: f64,
    /// degrees of freedom
    pub degrees_of_freedom: usize,
    /// the probability of a T as large where the smaller model is right
    pub p_value: f64,
    /// parameters of either model at a bound: the p-value is then too large, as T is of a mixture
    pub at_bound: Vec<String>,
}

/// Why two models have no likelihood-ratio test.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NoTest {
    /// they are of different data
    #[error("their data differ, so that no criterion compares them")]
    OtherData,
    /// neither's parameters are some of the other's
    #[error("not nested: each fits parameters that the other does not ({}; {})", .smaller.join(", "), .larger.join(", "))]
    NotNested {
        /// parameters of the smaller alone
        smaller: Vec<String>,
        /// of the larger alone
        larger: Vec<String>,
    },
    /// the same parameters
    #[error("not nested: they fit the same parameters")]
    SameParameters,
    /// a model without a maximum of a likelihood
    #[error("model {}: {doubt}", .model + 1)]
    NoLikelihood {
        /// index of the model
        model: usize,
        /// why
        doubt: Doubt,
    },
    /// the larger model fits worse
    #[error(
        "the larger model fits worse, by {by:.3e} in -2 log L: it is no generalization of the smaller one, or its fit has not found the best"
    )]
    LargerIsWorse {
        /// by how much
        by: f64,
    },
}

impl Contender {
    /// A model with its fit.
    pub fn new(study: &Study, fit: &Fit) -> Self {
        let scenario = &study.scenario;
        let plain = is_plain(study);
        let used = || {
            let measurements = study.plans.iter().flat_map(|plan| &plan.measurements);
            measurements.map(|m| &study.misfits[m.observable])
        };
        let fitted = || scenario.parameters.iter().filter(|p| p.fit);
        let doubt = if used().any(|misfit| misfit.loss.is_some()) {
            Some(Doubt::Loss)
        } else if !plain && used().any(|misfit| misfit.model.is_none()) {
            Some(Doubt::Mixed)
        } else if fitted().any(|p| p.prior.is_some()) {
            Some(Doubt::Priors)
        } else {
            None
        };
        let at_bound = fitted()
            .zip(&fit.best)
            .filter(|(parameter, value)| parameter.bounds.contains(value))
            .map(|(parameter, _)| parameter.name.text.clone());
        let count = fit.names.len();
        Self {
            names: fit.names.clone(),
            criteria: Criteria::new(study, fit.objective, &fit.parameters, count, plain),
            at_bound: at_bound.collect(),
            converged: fit.converged,
            doubt,
            measured: measured(study),
        }
    }
}

fn measured(study: &Study) -> Vec<Measured> {
    let mut all = Vec::with_capacity(study.measurements());
    for (experiment, plan) in study.plans.iter().enumerate() {
        for m in &plan.measurements {
            let observable = study.scenario.observables[m.observable].name.text.clone();
            let numbers = [plan.times[m.sample], m.value, m.sigma.unwrap_or(-1.0)];
            // the name of an only experiment says nothing
            let name = if study.plans.len() == 1 {
                String::new()
            } else {
                study.experiment_name(experiment)
            };
            all.push(Measured(name, observable, numbers));
        }
    }
    all.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    all
}

/// Every pair of the models.
pub fn compare(models: &[Contender]) -> Vec<Comparison> {
    let pairs = (0..models.len()).flat_map(|i| (i + 1..models.len()).map(move |j| (i, j)));
    pairs
        .map(|(i, j)| {
            let fewer = models[j].names.len() < models[i].names.len();
            let (smaller, larger) = if fewer { (j, i) } else { (i, j) };
            Comparison {
                smaller,
                larger,
                test: test(models, smaller, larger),
            }
        })
        .collect()
}

fn test(models: &[Contender], smaller: usize, larger: usize) -> Result<RatioTest, NoTest> {
    let (small, large) = (&models[smaller], &models[larger]);
    if small.measured != large.measured {
        return Err(NoTest::OtherData);
    }
    let without = |a: &Contender, b: &Contender| -> Vec<String> {
        let own = a.names.iter().filter(|name| !b.names.contains(name));
        own.cloned().collect()
    };
    let (missing, more) = (without(small, large), without(large, small));
    if !missing.is_empty() {
        return Err(NoTest::NotNested {
            smaller: missing,
            larger: more,
        });
    }
    if more.is_empty() {
        return Err(NoTest::SameParameters);
    }
    for model in [smaller, larger] {
        if let Some(doubt) = models[model].doubt {
            return Err(NoTest::NoLikelihood { model, doubt });
        }
    }
    let likelihood = |model: &Contender| 2.0 * model.criteria.negative_log_likelihood;
    let statistic = likelihood(small) - likelihood(large);
    let in_order = statistic >= -ROUNDING * likelihood(small).abs().max(1.0);
    if !in_order {
        return Err(NoTest::LargerIsWorse { by: -statistic });
    }
    let statistic = statistic.max(0.0);
    let mut at_bound = small.at_bound.clone();
    for name in &large.at_bound {
        if !at_bound.contains(name) {
            at_bound.push(name.clone());
        }
    }
    Ok(RatioTest {
        statistic,
        degrees_of_freedom: more.len(),
        p_value: ChiSquared::new(more.len() as f64).map_or(f64::NAN, |chi| chi.sf(statistic)),
        at_bound,
    })
}
