//! Whether chains have converged, and what their draws are worth: rank-normalized split R-hat, and effective sample sizes
//! of the bulk and of the tails (Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, doi 10.1214/20-BA1221).
//!
//! Each chain is split in two. With n draws in each of m half chains, means and variances within (W) and between (B / n):
//!
//! ```text
//! var+ = W (n - 1) / n + B / n,     R-hat = sqrt(var+ / W),     rho_t = 1 - (W - mean autocovariance_t) / var+
//! ESS  = m n / (-1 + 2 sum over pairs of rho),   the sum cut by Geyer's initial monotone sequence
//! ```
//!
//! Draws are replaced by normal scores of their ranks, so that heavy tails do no harm. R-hat is the larger of that and of
//! the distances from the median, which tells chains of different spread apart; the tails are those of the 5 % and the 95 %
//! quantile.

use statrs::distribution::{ContinuousCDF, Normal};

/// Judgments of the draws of one quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convergence {
    /// 1 where all chains tell the same
    pub r_hat: f64,
    /// independent draws that would tell the mean as well
    pub bulk: f64,
    /// independent draws that would tell the 5 % and the 95 % quantile as well, the worse of them
    pub tail: f64,
}

/// Judges chains of draws; the shortest counts. NaN where there are fewer than four draws in it, or all are equal.
pub fn convergence(chains: &[Vec<f64>]) -> Convergence {
    let halves = split(chains);
    let scores = normal_scores(&halves);
    let all: Vec<f64> = halves.iter().flatten().copied().collect();
    let median = quantile(&all, 0.5);
    let folded = map(&halves, |x| (x - median).abs());
    let tail = [0.05, 0.95].map(|level| {
        let edge = quantile(&all, level);
        effective_size(&map(&halves, |x| f64::from(u8::from(x <= edge))))
    });
    Convergence {
        r_hat: larger(r_hat(&scores), r_hat(&normal_scores(&folded))),
        bulk: effective_size(&scores),
        tail: -larger(-tail[0], -tail[1]),
    }
}

/// Independent draws that would tell the mean as well as these, without ranks: for standard errors of the mean.
pub fn mean_size(chains: &[Vec<f64>]) -> f64 {
    effective_size(&split(chains))
}

/// The quantile of a sample by linear interpolation between its order statistics; NaN where there is none.
pub fn quantile(sample: &[f64], level: f64) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = level.clamp(0.0, 1.0) * last as f64;
    let k = (place as usize).min(last);
    let next = sorted[(k + 1).min(last)];
    sorted[k] + (place - k as f64) * (next - sorted[k])
}

/// Not `max`, which passes over NaN.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

fn map(chains: &[Vec<f64>], f: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    let each = |chain: &Vec<f64>| chain.iter().map(|&x| f(x)).collect();
    chains.iter().map(each).collect()
}

/// First and second halves, a middle draw left out where the number is odd.
fn split(chains: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let length = chains.iter().map(Vec::len).min().unwrap_or(0);
    let half = length / 2;
    chains
        .iter()
        .flat_map(|chain| {
            [
                chain[..half].to_vec(),
                chain[length - half..length].to_vec(),
            ]
        })
        .collect()
}

/// The normal score of each draw's rank r among all S: the quantile at (r - 3/8) / (S + 1/4); equal draws share a rank.
fn normal_scores(chains: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let all: Vec<f64> = chains.iter().flatten().copied().collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|&a, &b| all[a].total_cmp(&all[b]));
    let normal = Normal::standard();
    let mut scores = vec![f64::NAN; all.len()];
    let mut first = 0;
    while first < order.len() {
        let mut end = first + 1;
        while end < order.len() && all[order[end]] == all[order[first]] {
            end += 1;
        }
        let rank = 0.5 * (first + 1 + end) as f64;
        let score = normal.inverse_cdf((rank - 0.375) / (all.len() as f64 + 0.25));
        order[first..end].iter().for_each(|&k| scores[k] = score);
        first = end;
    }
    let mut scores = scores.into_iter();
    chains
        .iter()
        .map(|chain| scores.by_ref().take(chain.len()).collect())
        .collect()
}

/// Means of half chains, W, and var+.
struct Variances {
    within: f64,
    plus: f64,
}

fn variances(chains: &[Vec<f64>]) -> Variances {
    let n = chains.first().map_or(0, Vec::len) as f64;
    let means: Vec<f64> = chains.iter().map(|c| mean(c)).collect();
    let within = mean(
        &chains
            .iter()
            .zip(&means)
            .map(|(chain, &m)| sum_of_squares(chain, m) / (n - 1.0))
            .collect::<Vec<f64>>(),
    );
    let between = sum_of_squares(&means, mean(&means)) / (means.len() as f64 - 1.0);
    Variances {
        within,
        plus: within * (n - 1.0) / n + between,
    }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn sum_of_squares(x: &[f64], about: f64) -> f64 {
    x.iter().map(|x| (x - about) * (x - about)).sum()
}

fn r_hat(chains: &[Vec<f64>]) -> f64 {
    let v = variances(chains);
    (v.plus / v.within).sqrt()
}

/// ESS of half chains.
fn effective_size(chains: &[Vec<f64>]) -> f64 {
    let (m, n) = (chains.len(), chains.first().map_or(0, Vec::len));
    if m < 2 || n < 2 {
        return f64::NAN;
    }
    let v = variances(chains);
    if !(v.within > 0.0 && v.plus.is_finite()) {
        return f64::NAN;
    }
    let means: Vec<f64> = chains.iter().map(|c| mean(c)).collect();
    let autocovariance = |lag: usize| {
        let each = chains.iter().zip(&means).map(|(chain, mean)| {
            let pairs = chain.iter().zip(&chain[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n as f64
        });
        each.sum::<f64>() / m as f64
    };
    let rho = |lag: usize| 1.0 - (v.within - autocovariance(lag)) / v.plus;
    // Sums of pairs rho_2k + rho_2k+1 are positive and fall for a reversible chain: what is not is noise.
    let mut pairs: Vec<f64> = Vec::new();
    let mut even = 0.0;
    for lag in (0..n.saturating_sub(2)).step_by(2) {
        even = if lag == 0 { 1.0 } else { rho(lag) };
        let pair = even + rho(lag + 1);
        if pair <= 0.0 || pair.is_nan() {
            break;
        }
        pairs.push(pair.min(pairs.last().copied().unwrap_or(f64::INFINITY)));
        even = 0.0;
    }
    // the first term of the pair that ended the sum still counts where it is positive
    let tau = -1.0 + 2.0 * pairs.iter().sum::<f64>() + even.max(0.0);
    let total = (m * n) as f64;
    // chains that jump back and forth tell the mean better than independent draws, but not without limit
    total / tau.max(1.0 / total.log10())
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Chains of x_t = phi x_t-1 + sqrt(1 - phi^2) e_t, stationary from the start.
    fn autoregressive(phi: f64, chains: usize, draws: usize, seed: u64) -> Vec<Vec<f64>> {
        let normal = Normal::standard();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || normal.inverse_cdf(random.random::<f64>().max(1e-300));
        (0..chains)
            .map(|_| {
                let mut x = draw();
                (0..draws)
                    .map(|_| {
                        x = phi * x + (1.0 - phi * phi).sqrt() * draw();
                        x
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn independent_draws_count_in_full() {
        let c = convergence(&autoregressive(0.0, 4, 2000, 1));
        // R-hat - 1 of converged chains is of the order of the number of half chains over the number of draws, 1e-3
        assert!((c.r_hat - 1.0).abs() < 3e-3, "{c:?}");
        // the sum of autocorrelations of 8000 independent draws is 0 with a standard deviation of a few percent
        assert!((c.bulk / 8000.0 - 1.0).abs() < 0.15, "{c:?}");
        assert!((c.tail / 8000.0 - 1.0).abs() < 0.15, "{c:?}");
    }

    #[test]
    fn the_size_of_an_autoregressive_chain_is_known() {
        // ESS / N = (1 - phi) / (1 + phi). The estimate's own scatter is about sqrt(2 (2 K + 1) / N) with the window
        // K ~ 5 tau (Sokal 1997): below 10 % here. Ranks of a normal variable are nearly itself.
        for (phi, seed) in [(0.5, 2), (0.8, 3), (-0.3, 4)] {
            let chains = autoregressive(phi, 4, 10_000, seed);
            let expected = 40_000.0 * (1.0 - phi) / (1.0 + phi);
            let c = convergence(&chains);
            assert!(
                (c.bulk / expected - 1.0).abs() < 0.15,
                "{phi}: {c:?}, {expected}"
            );
            let plain = mean_size(&chains);
            assert!(
                (plain / expected - 1.0).abs() < 0.15,
                "{phi}: {plain}, {expected}"
            );
        }
    }

    #[test]
    fn chains_of_different_place_or_spread_are_told_apart() {
        let mut chains = autoregressive(0.0, 4, 1000, 5);
        chains[3].iter_mut().for_each(|x| *x += 1.0);
        // Between-chain variance of means 0, 0, 0, 1: eight half chains, sum of squares 1.5, over 7: 0.214; R-hat ~ 1.1
        let moved = convergence(&chains);
        assert!(moved.r_hat > 1.08 && moved.bulk < 100.0, "{moved:?}");
        let mut chains = autoregressive(0.0, 4, 1000, 6);
        chains[3].iter_mut().for_each(|x| *x *= 3.0);
        let spread = convergence(&chains);
        assert!(spread.r_hat > 1.05, "{spread:?}");
    }

    #[test]
    fn small_samples_by_hand() {
        // Four half chains of two draws. Means 1.5, 3.5, 2.5, 4.5 (about 3: squares 2.25, 0.25, 0.25, 2.25, over 3: 5/3), each
        // variance 0.5: W = 1/2, var+ = 1/4 + 5/3 = 23/12.
        let halves = split(&[vec![1.0, 2.0, 3.0, 4.0], vec![2.0, 3.0, 4.0, 5.0]]);
        assert_eq!(halves.len(), 4);
        let v = variances(&halves);
        assert!((v.within - 0.5).abs() < 1e-15);
        assert!((v.plus - 23.0 / 12.0).abs() < 1e-15, "{}", v.plus);
        assert!((r_hat(&halves) - (23.0_f64 / 6.0).sqrt()).abs() < 1e-15);
        // ranks of 10, 20, 20, 40 are 1, 2.5, 2.5, 4 of 4: scores at (r - 3/8) / 4.25
        let scores = normal_scores(&[vec![10.0, 20.0], vec![20.0, 40.0]]);
        assert_eq!(scores[0][1], scores[1][0]);
        assert!(scores[0][1].abs() < 1e-12);
        // the normal quantile at 0.625 / 4.25 = 0.14705882 is -1.0491313979639711
        assert!(
            (scores[0][0] + 1.049_131_397_963_971).abs() < 1e-9,
            "{}",
            scores[0][0]
        );
        assert_eq!(quantile(&[3.0, 1.0, 2.0, 4.0], 0.5), 2.5);
        let none = convergence(&[vec![1.0; 10], vec![1.0; 10]]);
        assert!(none.r_hat.is_nan() && none.bulk.is_nan() && none.tail.is_nan());
        assert!(convergence(&[]).bulk.is_nan());
    }
}
