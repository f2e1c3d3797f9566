//! Which order and size the next step gets.
//!
//! After an accepted step of order k the local errors that orders k - 1, k and k + 1 would have made at the
//! same size are known: e_q = C_q |nabla^{q+1} x|, in units of the tolerance. Order q allows the factor
//!
//! ```text
//! (bias_q e_q)^(-1/(q+1))
//! ```
//!
//! on the step size; the order with the largest factor wins. Nothing changes until order and size were the
//! same for k + 1 steps, since before that the differences are those of the rescaled polynomial, nor for a
//! factor below [`LEAST_GROWTH`]: a change costs a factorization and the accuracy of the differences.

use super::formula::MAX_ORDER;

/// No smaller growth is worth a new factorization.
const LEAST_GROWTH: f64 = 1.15;
/// An order that allows steps larger by this is taken at the same size.
const BETTER: f64 = 1.2;
/// Largest growth in one go; after the first step, whose size is a guess, more.
const MOST_GROWTH: f64 = 5.0;
const MOST_FIRST_GROWTH: f64 = 100.0;
/// Safety of each choice, as factors on the error: lower, same and higher order.
const BIAS: [f64; 3] = [6.0, 6.0, 7.0];
/// Rejections of one step after which its history is given up.
const PATIENCE: u32 = 3;

/// What the choice of order and size remembers.
#[derive(Debug, Clone, Default)]
pub struct OrderAndSize {
    /// accepted steps of the same order and size
    equal_steps: u32,
    /// rejections since the last accepted step
    rejections: u32,
}

/// Order and factor on the size of the next step; `cold`: without history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub order: usize,
    pub factor: f64,
    pub cold: bool,
}

impl OrderAndSize {
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// After an accepted step of order `k`, first of its size and order or not; `first` without history.
    /// `error(q)` is e_q.
    pub fn accepted(
        &mut self,
        k: usize,
        max_order: usize,
        (changed, first): (bool, bool),
        error: impl Fn(usize) -> f64,
    ) -> Choice {
        self.equal_steps = if changed { 1 } else { self.equal_steps + 1 };
        let rejections = std::mem::take(&mut self.rejections);
        let stay = Choice {
            order: k,
            factor: 1.0,
            cold: false,
        };
        if first && rejections == 0 {
            let factor = growth(error(1), BIAS[1], 1).exp().min(MOST_FIRST_GROWTH);
            return if factor < LEAST_GROWTH {
                stay
            } else {
                Choice { factor, ..stay }
            };
        }
        if self.equal_steps < k as u32 + 1 {
            return stay;
        }
        let same = growth(error(k), BIAS[1], k);
        let (mut order, mut best) = (k, same);
        if k > 1 {
            let lower = growth(error(k - 1), BIAS[0], k - 1);
            if lower > best {
                (order, best) = (k - 1, lower);
            }
        }
        if k < max_order.min(MAX_ORDER) {
            let higher = growth(error(k + 1), BIAS[2], k + 1);
            if higher > best {
                (order, best) = (k + 1, higher);
            }
        }
        let factor = best.exp();
        if factor >= LEAST_GROWTH {
            Choice {
                order,
                factor: factor.min(MOST_GROWTH),
                cold: false,
            }
        } else if factor > BETTER * same.exp() {
            // a better order is worth having at the same size, too, which may be imposed from outside
            Choice { order, ..stay }
        } else {
            stay
        }
    }

    /// After the error test rejected a step of order `k`.
    pub fn rejected(&mut self, k: usize, error: impl Fn(usize) -> f64) -> Choice {
        self.rejections += 1;
        if self.rejections >= PATIENCE {
            return Choice {
                order: 1,
                factor: 0.2,
                cold: true,
            };
        }
        let mut order = k;
        let mut factor = growth(error(k), BIAS[1], k);
        if k > 1 {
            let lower = growth(error(k - 1), BIAS[0], k - 1);
            if lower > factor {
                (order, factor) = (k - 1, lower);
            }
        }
        Choice {
            order,
            factor: factor.exp().clamp(0.2, 0.9),
            cold: false,
        }
    }

    /// After a step of order `k` that could not be computed.
    pub fn failed(&mut self, k: usize) -> Choice {
        self.rejections += 1;
        let cold = self.rejections >= PATIENCE;
        Choice {
            order: if cold { 1 } else { k },
            factor: 0.25,
            cold,
        }
    }
}

/// The logarithm of the factor on the step size that an error of order `order` allows.
#[inline]
fn growth(error: f64, bias: f64, order: usize) -> f64 {
    -f64::max(bias * error, 1e-30).ln() / (order + 1) as f64
}
