//! One chain: started near the best fit, tuned, drawn from.

use std::sync::atomic::{AtomicBool, Ordering};

use nuts_rs::{Chain as _, CpuMath, DiagNutsSettings, Settings as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::density::{Density, NoDensity};
use super::{Divergence, SampleSettings};

/// What a chain drew.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    /// natural values of the fitted parameters, draw by draw
    pub draws: Vec<Vec<f64>>,
    /// -objective of each
    pub log_densities: Vec<f64>,
    pub divergences: Vec<Divergence>,
    /// during tuning
    pub tuning_divergences: usize,
    /// draws whose trajectory was ended by its greatest length
    pub longest: usize,
    /// evaluations of the gradient, tuning included
    pub gradients: u64,
    /// step in whitened coordinates at the end
    pub step: f64,
    /// why it ended early, where not by the user
    pub failure: Option<String>,
}

/// Points tried as a start, each nearer to the best fit.
const MOST_STARTS: i32 = 30;
/// How near each next one is.
const NEARER: f64 = 0.7;

/// Draws. `each` is called after every draw, those for tuning included.
pub(super) fn run(
    mut density: Density<'_>,
    index: usize,
    settings: &SampleSettings,
    stop: &AtomicBool,
    each: &dyn Fn(),
) -> Chain {
    let mut chain = Chain::default();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    random.set_stream(index as u64);
    let whitening = density.whitening;
    let start = match start(&mut density, &mut random) {
        Ok(start) => start,
        Err(NoDensity::Interrupted) => return chain,
        Err(error) => {
            chain.failure = Some(error.to_string());
            return chain;
        }
    };
    let mut options = DiagNutsSettings {
        num_tune: settings.warmup as u64,
        num_draws: settings.draws as u64,
        maxdepth: settings.depth,
        store_divergences: true,
        ..DiagNutsSettings::default()
    };
    options.adapt_options.step_size_settings.target_accept = settings.acceptance;
    let sampler = options.new_chain(index as u64, CpuMath::new(density), &mut random);
    let mut sampler = match sampler.and_then(|mut s| s.set_position(&start).map(|()| s)) {
        Ok(sampler) => sampler,
        Err(error) => {
            chain.failure = Some(error.to_string());
            return chain;
        }
    };
    for draw in 0..settings.warmup + settings.draws {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (z, _, statistics, progress) = match sampler.expanded_draw() {
            Ok(drawn) => drawn,
            Err(_) if stop.load(Ordering::Relaxed) => break,
            Err(error) => {
                chain.failure = Some(error.to_string());
                break;
            }
        };
        chain.gradients += progress.num_gradients;
        chain.step = progress.step_size;
        if draw < settings.warmup {
            chain.tuning_divergences += usize::from(progress.diverging);
        } else {
            let (values, volume) = whitening.natural(&z);
            chain.draws.push(values);
            chain.log_densities.push(statistics.point.logp - volume);
            chain.longest += usize::from(statistics.maxdepth_reached);
            let divergence = statistics.divergence;
            if divergence.diverging {
                let at = divergence.divergence_start.as_deref().unwrap_or(&z);
                chain.divergences.push(Divergence {
                    chain: index,
                    draw: draw - settings.warmup,
                    parameters: whitening.natural(at).0,
                    reason: divergence.divergence_message.unwrap_or_default(),
                });
            }
        }
        each();
    }
    chain
}

/// A point of the normal distribution that the Fisher information foretells, or nearer to the best fit where there is no
/// density.
fn start(density: &mut Density<'_>, random: &mut ChaCha8Rng) -> Result<Vec<f64>, NoDensity> {
    let m = density.whitening.coordinates.len();
    let drawn: Vec<f64> = (0..m).map(|_| standard_normal(random)).collect();
    let mut gradient = vec![0.0; m];
    let mut failure = NoDensity::Interrupted;
    for attempt in 0..=MOST_STARTS {
        let near = match attempt {
            MOST_STARTS => 0.0,
            _ => NEARER.powi(attempt),
        };
        let z: Vec<f64> = drawn.iter().map(|d| near * d).collect();
        match density.evaluate(&z, &mut gradient) {
            Ok(_) => return Ok(z),
            Err(NoDensity::Interrupted) => return Err(NoDensity::Interrupted),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A draw of the standard normal distribution (Box & Muller 1958).
fn standard_normal(random: &mut ChaCha8Rng) -> f64 {
    // 1 - x is in (0, 1]: its logarithm is finite
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * random.random::<f64>()).cos()
}
