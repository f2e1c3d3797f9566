//! Starting points inside the bounds, the same bits for the same seed: a Latin hypercube, a scrambled Sobol sequence
//! (`sobol`), or independent uniform points.
//!
//! With n sampled starts of a Latin hypercube, each variable's interval is cut into n equal strata and each stratum is used once, at a
//! uniform place inside it, the strata paired between variables by independent random permutations (McKay, Beckman &
//! Conover, Technometrics 21, 1979). Work in scaled variables (log where positive), so that equal strata mean what they
//! should.
//!
//! A variable without two finite bounds has no interval to cut. It is sampled within max(1, |start|) of its given start,
//! cut off at the bound it has, so the spread follows the start's size where nothing else is known.
//!
//! Randomness is ChaCha8, one stream for each variable's permutation and one for each start's places: a start's bits
//! depend on the seed, the count and its index, never on the order or the thread in which starts run.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sobol::Sobol;

/// How points are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sampling {
    /// each axis in as many strata as there are points, one in each
    #[default]
    LatinHypercube,
    /// a scrambled Sobol sequence, even in all blocks of 2^k points and in projections on any two axes; a Latin hypercube
    /// beyond [`super::sobol::DIMENSIONS`] variables
    Sobol,
    /// independent and uniform
    Uniform,
}

/// `count` starting points; the first is `start` itself (projected on the bounds), the others are sampled.
///
/// `start`, `lower` and `upper` have one length, of which the shortest counts.
pub fn latin_hypercube(
    start: &[f64],
    lower: &[f64],
    upper: &[f64],
    count: usize,
    seed: u64,
) -> Vec<Vec<f64>> {
    spread(Sampling::LatinHypercube, start, (lower, upper), count, seed)
}

/// The same with points spread as asked for.
pub fn spread(
    sampling: Sampling,
    start: &[f64],
    (lower, upper): (&[f64], &[f64]),
    count: usize,
    seed: u64,
) -> Vec<Vec<f64>> {
    let m = start.len().min(lower.len()).min(upper.len());
    let sampled = count.saturating_sub(1);
    let intervals: Vec<(f64, f64)> = (0..m)
        .map(|i| interval(start[i], lower[i], upper[i]))
        .collect();
    let sobol = match sampling {
        Sampling::Sobol => Sobol::new(m, seed),
        Sampling::LatinHypercube | Sampling::Uniform => None,
    };
    let strata: Vec<Vec<usize>> = match (sampling, &sobol) {
        (Sampling::Uniform, _) | (_, Some(_)) => Vec::new(),
        _ => (0..m)
            .map(|i| permutation(sampled, &mut stream(seed, 2 * i as u64)))
            .collect(),
    };

    let mut starts = Vec::with_capacity(count);
    if count > 0 {
        starts.push(
            (0..m)
                .map(|i| start[i].max(lower[i]).min(upper[i]))
                .collect(),
        );
    }
    starts.extend((0..sampled).map(|n| {
        let mut random = stream(seed, 2 * n as u64 + 1);
        let place = |(i, &(from, to)): (usize, &(f64, f64))| {
            let place = match (&sobol, strata.get(i)) {
                (Some(sobol), _) => sobol.coordinate(n as u64, i),
                (None, Some(strata)) => (strata[n] as f64 + uniform(&mut random)) / sampled as f64,
                (None, None) => uniform(&mut random),
            };
            // Written so that neither end overflows or is passed by rounding.
            (from * (1.0 - place) + to * place).max(from).min(to)
        };
        intervals.iter().enumerate().map(place).collect()
    }));
    starts
}

fn interval(start: f64, lower: f64, upper: f64) -> (f64, f64) {
    if lower.is_finite() && upper.is_finite() {
        return (lower, upper);
    }
    let center = start.max(lower).min(upper);
    let reach = center.abs().max(1.0);
    ((center - reach).max(lower), (center + reach).min(upper))
}

fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}

/// In [0, 1), from the 53 high bits.
pub(super) fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON)
}

/// Fisher and Yates; the bias of the product's high half is below n / 2^64.
fn permutation(n: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let high = (u128::from(random.next_u64()) * (i as u128 + 1)) >> 64;
        order.swap(i, high as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stratum_is_used_once() {
        let (lower, upper) = ([0.0, -3.0, 10.0], [1.0, 5.0, 20.0]);
        let starts = latin_hypercube(&[0.5, 0.0, 11.0], &lower, &upper, 41, 7);
        assert_eq!(starts.len(), 41);
        assert_eq!(starts[0], [0.5, 0.0, 11.0]);
        for i in 0..3 {
            let mut used: Vec<usize> = starts[1..]
                .iter()
                .map(|s| (40.0 * (s[i] - lower[i]) / (upper[i] - lower[i])) as usize)
                .collect();
            used.sort_unstable();
            assert_eq!(used, (0..40).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_seed_decides_and_bounds_hold() {
        let start = [4.0, -2.0, 0.0];
        let lower = [f64::NEG_INFINITY, -2.5, f64::NEG_INFINITY];
        let upper = [f64::INFINITY, f64::INFINITY, 0.0];
        let a = latin_hypercube(&start, &lower, &upper, 20, 1);
        assert_eq!(a, latin_hypercube(&start, &lower, &upper, 20, 1));
        assert_ne!(a, latin_hypercube(&start, &lower, &upper, 20, 2));
        for s in &a {
            assert!((0.0..=8.0).contains(&s[0]));
            assert!((-2.5..=0.0).contains(&s[1]));
            assert!((-1.0..=0.0).contains(&s[2]));
        }
    }

    #[test]
    fn each_sampling_has_its_evenness() {
        let (lower, upper) = ([0.0; 4], [1.0; 4]);
        let points = |sampling, seed| spread(sampling, &[0.5; 4], (&lower, &upper), 65, seed);
        // The largest number of the 64 points in one of 8 slices along an axis: 8 where they are even.
        let crowd = |points: &[Vec<f64>]| {
            let most = |axis: usize| {
                (0..8).map(move |slice| {
                    let inside = points[1..]
                        .iter()
                        .filter(move |p| (8.0 * p[axis]) as usize == slice);
                    inside.count()
                })
            };
            (0..4).flat_map(most).max()
        };
        for seed in 0..5 {
            assert_eq!(crowd(&points(Sampling::Sobol, seed)), Some(8));
            assert_eq!(crowd(&points(Sampling::LatinHypercube, seed)), Some(8));
            assert!(crowd(&points(Sampling::Uniform, seed)) > Some(8));
            assert_eq!(points(Sampling::Uniform, seed)[0], [0.5; 4]);
        }
        assert_eq!(
            points(Sampling::Uniform, 1)[7],
            spread(Sampling::Uniform, &[0.5; 4], (&lower, &upper), 30, 1)[7],
            "a uniform or Sobol point depends on its number alone"
        );
        // Beyond the direction numbers: strata again.
        let many = vec![0.0; 150];
        let wide = spread(Sampling::Sobol, &many, (&many, &vec![1.0; 150]), 9, 3);
        assert_eq!(wide, latin_hypercube(&many, &many, &vec![1.0; 150], 9, 3));
    }

    #[test]
    fn no_start_and_one_start() {
        assert!(latin_hypercube(&[1.0], &[0.0], &[2.0], 0, 1).is_empty());
        assert_eq!(latin_hypercube(&[3.0], &[0.0], &[2.0], 1, 1), [[2.0]]);
    }
}
