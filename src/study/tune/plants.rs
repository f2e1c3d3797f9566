//! The plants of an ensemble: parameter values drawn from distributions, and all corners of lists.
//!
//! Draws are made parameter by parameter from ChaCha8 streams of the seed, so that a plant does not change when another parameter
//! starts to vary.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::scenario::{Ensemble, Spread, Together};

/// Most plants.
pub(super) const MOST_PLANTS: usize = 10_000;

/// The stream of draws of a fit's parameters, which is no parameter's.
const FITTED: u64 = u64::MAX;
/// Draws for a plant inside the bounds.
const MOST_REDRAWN: usize = 1000;

/// What differs in each plant: parameter and value. One plant without differences where there is no ensemble.
pub(super) fn plants(ensemble: Option<&Ensemble>) -> Option<Vec<Vec<(usize, f64)>>> {
    let Some(ensemble) = ensemble else {
        return Some(vec![Vec::new()]);
    };
    let drawn = |spread: &Spread| !matches!(spread, Spread::List(_));
    let any = ensemble.together.is_some() || ensemble.vary.iter().any(|(_, s)| drawn(s));
    let samples = match any {
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
    let fitted = ensemble.together.as_ref();
    let fitted = fitted.map_or_else(Vec::new, |t| together(t, samples, ensemble.seed));
    let columns: Vec<(usize, Vec<f64>)> = ensemble
        .vary
        .iter()
        .filter(|(_, spread)| drawn(spread))
        .map(|(parameter, spread)| {
            let mut random = ChaCha8Rng::seed_from_u64(ensemble.seed);
            random.set_stream(*parameter as u64);
            let standard = Normal::standard();
            let mut draw = || {
                let uniform = uniform(&mut random);
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
            plant.extend(fitted.get(k).into_iter().flatten());
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

/// In (0, 1), from the 53 high bits of a draw.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Plants as a fit knows them; draws beyond a bound are drawn again.
fn together(together: &Together, samples: usize, seed: u64) -> Vec<Vec<(usize, f64)>> {
    let standard = Normal::standard();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(FITTED);
    let mut draw = || -> Vec<f64> {
        let numbers = together.best.iter();
        let z: Vec<f64> = numbers
            .map(|_| standard.inverse_cdf(uniform(&mut random)))
            .collect();
        let moved = together.factor.iter().enumerate().map(|(i, row)| {
            let by: f64 = row.iter().zip(&z).map(|(l, z)| l * z).sum();
            match together.logarithmic[i] {
                true => together.best[i] * by.exp(),
                false => together.best[i] + by,
            }
        });
        moved.collect()
    };
    let inside = |values: &[f64]| {
        let both = values.iter().zip(&together.bounds);
        both.into_iter().all(|(v, [l, u])| (l..=u).contains(&v))
    };
    let mut plant = || {
        let tried = (0..MOST_REDRAWN)
            .map(|_| draw())
            .find(|values| inside(values));
        let values = tried.unwrap_or_else(|| {
            let bounded = together.best.iter().zip(&together.bounds);
            bounded.map(|(v, [l, u])| v.max(*l).min(*u)).collect()
        });
        together.parameters.iter().copied().zip(values).collect()
    };
    (0..samples).map(|_| plant()).collect()
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
            together: None,
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

    #[test]
    fn plants_have_the_covariance_of_the_fit() {
        let fitted = Together {
            parameters: vec![3, 7],
            best: vec![2.0, 0.5],
            factor: vec![vec![0.3], vec![-0.12, 0.16]],
            logarithmic: vec![false, true],
            bounds: vec![[f64::NEG_INFINITY, f64::INFINITY], [0.0, 10.0]],
        };
        let count = 20_000;
        let all = together(&fitted, count, 4);
        let moved: Vec<[f64; 2]> = all
            .iter()
            .map(|plant| [plant[0].1 - 2.0, (plant[1].1 / 0.5).ln()])
            .collect();
        assert!(all.iter().all(|plant| plant[0].0 == 3 && plant[1].0 == 7));
        let mean = |of: &dyn Fn(&[f64; 2]) -> f64| moved.iter().map(of).sum::<f64>() / count as f64;
        // five standard deviations of a mean of so many: sd/sqrt(n), and about sqrt(2) times the product of the sds for covariances
        let five = 5.0 / (count as f64).sqrt();
        assert!(mean(&|m| m[0]).abs() < five * 0.3 && mean(&|m| m[1]).abs() < five * 0.2);
        assert!((mean(&|m| m[0] * m[0]) - 0.09).abs() < 1.5 * five * 0.09);
        assert!((mean(&|m| m[0] * m[1]) + 0.036).abs() < 1.5 * five * 0.06);
        assert!((mean(&|m| m[1] * m[1]) - 0.04).abs() < 1.5 * five * 0.04);
        // beyond a bound nothing is drawn
        let narrow = Together {
            bounds: vec![[1.9, 2.2], [0.45, 10.0]],
            ..fitted
        };
        let within =
            |plant: &Vec<(usize, f64)>| (1.9..=2.2).contains(&plant[0].1) && plant[1].1 >= 0.45;
        assert!(together(&narrow, 200, 4).iter().all(within));
    }
}
