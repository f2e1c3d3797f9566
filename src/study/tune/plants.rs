//! The plants of an ensemble: parameter values drawn from distributions, and all corners of lists.
//!
//! Draws are made parameter by parameter from ChaCha8 streams of the seed, so that a plant does not change when another parameter
//! starts to vary.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::scenario::{Ensemble, Spread};

/// Most plants.
pub(super) const MOST_PLANTS: usize = 10_000;

/// What differs in each plant: parameter and value. One plant without differences where there is no ensemble.
pub(super) fn plants(ensemble: Option<&Ensemble>) -> Option<Vec<Vec<(usize, f64)>>> {
    let Some(ensemble) = ensemble else {
        return Some(vec![Vec::new()]);
    };
    let drawn = |spread: &Spread| !matches!(spread, Spread::List(_));
    let samples = match ensemble.vary.iter().any(|(_, spread)| drawn(spread)) {
        true => ensemble.samples,
        false => 1,
    };
    let mut corners: Vec<Vec<(usize, f64)>> = vec![Vec::new()];
    for (parameter, spread) in &ensemble.vary {
        if let Spread::List(values) = spread {
            if corners
                .len()
                .checked_mul(values.len())?
                .checked_mul(samples)?
                > MOST_PLANTS
            {
                return None;
            }
            corners = corners
                .iter()
                .flat_map(|corner| {
                    values.iter().map(move |&value| {
                        let mut longer = corner.clone();
                        longer.push((*parameter, value));
                        longer
                    })
                })
                .collect();
        }
    }
    if corners.len().checked_mul(samples)? > MOST_PLANTS {
        return None;
    }
    let standard = Normal::standard();
    let columns: Vec<(usize, Vec<f64>)> = ensemble
        .vary
        .iter()
        .filter(|(_, spread)| drawn(spread))
        .map(|(parameter, spread)| {
            let mut random = ChaCha8Rng::seed_from_u64(ensemble.seed);
            random.set_stream(*parameter as u64);
            let mut draw = || {
                // in (0, 1), from the 53 high bits
                let uniform = ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
                match spread {
                    Spread::Uniform { low, high } => low + (high - low) * uniform,
                    Spread::Normal { location, scale } => {
                        location + scale * standard.inverse_cdf(uniform)
                    }
                    Spread::LogNormal { location, scale } => {
                        (location + scale * standard.inverse_cdf(uniform)).exp()
                    }
                    Spread::List(_) => f64::NAN,
                }
            };
            (*parameter, (0..samples).map(|_| draw()).collect())
        })
        .collect();
    let mut all = Vec::new();
    for corner in &corners {
        for k in 0..samples {
            let mut plant = corner.clone();
            plant.extend(
                columns
                    .iter()
                    .map(|(parameter, column)| (*parameter, column[k])),
            );
            all.push(plant);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Aggregate;

    #[test]
    fn lists_make_corners_and_draws_repeat() {
        let ensemble = Ensemble {
            samples: 3,
            seed: 5,
            vary: vec![
                (0, Spread::List(vec![1.0, 2.0])),
                (
                    4,
                    Spread::Uniform {
                        low: 0.5,
                        high: 0.6,
                    },
                ),
            ],
            aggregate: Aggregate::Mean,
        };
        let all = plants(Some(&ensemble)).expect("few");
        assert_eq!(all.len(), 6);
        assert_eq!(all, plants(Some(&ensemble)).expect("few"));
        assert_eq!(all[0][1], all[3][1]);
        assert!(all.iter().all(|plant| (0.5..0.6).contains(&plant[1].1)));
        assert_eq!(plants(None), Some(vec![Vec::new()]));
    }
}
