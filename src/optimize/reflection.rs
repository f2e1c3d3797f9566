//! Steps that stay inside the bounds: cut short, reflected, or along the gradient.
//!
//! The trust-region step p is tried as it is. Where theta + D p leaves the box, three kinds of steps compete for the
//! lowest model value, all strictly inside:
//!
//! 1. p up to a fraction `short` of the way to the first bound;
//! 2. the path that continues from there with the component that hit the bound turned round, up to four bounds, each
//!    stretch ending at the ball of the trust region (Coleman & Li, SIAM J. Optim. 6, 1996; Frohlich & Sorger, Fides,
//!    PLoS Comput. Biol. 18, 2022);
//! 3. the scaled steepest descent, which keeps the method convergent when the other two are blocked.

use nalgebra::{DMatrix, DVector};

use super::trust_region::Model;

/// How far the variables may move, and their scaling s = D p.
pub(super) struct Room<'a> {
    /// lower - theta, negative (m)
    pub below: DVector<f64>,
    /// upper - theta, positive (m)
    pub above: DVector<f64>,
    /// D's diagonal (m)
    pub d: &'a DVector<f64>,
}

impl Room<'_> {
    /// The scaled step p with |p| <= `radius`, strictly inside; `gradient` is D g and `basis` the model's V.
    pub fn step(
        &self,
        model: &Model,
        basis: &DMatrix<f64>,
        gradient: &DVector<f64>,
        radius: f64,
        short: f64,
    ) -> DVector<f64> {
        let m = self.d.len();
        let coordinates = |p: &DVector<f64>| basis.tr_mul(p);
        let origin = DVector::zeros(m);
        let p = basis * DVector::from_vec(model.minimize(radius));
        let (reach, mut hit) = self.reach(&origin, &p);
        if reach > 1.0 {
            return p;
        }

        let mut best = &p * (short * reach);
        let mut lowest = model.value(coordinates(&best).as_slice());
        let mut consider = |candidate: DVector<f64>| {
            let value = model.value(coordinates(&candidate).as_slice());
            if value < lowest {
                lowest = value;
                best = candidate;
            }
        };

        let mut corner = &p * reach;
        let mut direction = p;
        for _ in 0..m.min(4) {
            for &j in &hit {
                direction[j] = -direction[j];
            }
            let in_ball = to_sphere(&corner, &direction, radius);
            let (in_box, next_hit) = self.reach(&corner, &direction);
            let limit = in_ball.min(short * in_box);
            if !limit.is_finite() || limit <= 0.0 {
                break;
            }
            // Not from the corner itself, which lies on the bound.
            let t = model.minimize_along(
                coordinates(&corner).as_slice(),
                coordinates(&direction).as_slice(),
                (1.0 - short) * limit,
                limit,
            );
            consider(&corner + &direction * t);
            if in_box >= in_ball {
                break;
            }
            corner += &direction * in_box;
            hit = next_hit;
        }

        let steep = gradient.norm();
        if steep > 0.0 {
            let downhill = -gradient;
            let (in_box, _) = self.reach(&origin, &downhill);
            let limit = (radius / steep).min(short * in_box);
            let t = model.minimize_along(
                origin.as_slice(),
                coordinates(&downhill).as_slice(),
                0.0,
                limit,
            );
            consider(downhill * t);
        }
        best
    }

    /// How many times `direction` fits from `offset` into the box, and which variables stop it.
    fn reach(&self, offset: &DVector<f64>, direction: &DVector<f64>) -> (f64, Vec<usize>) {
        let times = |j: usize| {
            let pace = direction[j] * self.d[j];
            let room = if pace > 0.0 {
                self.above[j]
            } else if pace < 0.0 {
                self.below[j]
            } else {
                return f64::INFINITY;
            };
            ((room - offset[j] * self.d[j]) / pace).max(0.0)
        };
        let all: Vec<f64> = (0..self.d.len()).map(times).collect();
        let reach = all.iter().copied().fold(f64::INFINITY, f64::min);
        let hit = if reach.is_finite() {
            // Bounds met together to rounding are met together.
            let together = reach * (1.0 + 1e-14);
            (0..all.len()).filter(|&j| all[j] <= together).collect()
        } else {
            Vec::new()
        };
        (reach, hit)
    }
}

/// The t > 0 at which `origin + t * direction` leaves the ball; 0 where it is outside already.
fn to_sphere(origin: &DVector<f64>, direction: &DVector<f64>, radius: f64) -> f64 {
    let c = origin.norm_squared() - radius * radius;
    leaves_ball(direction.norm_squared(), origin.dot(direction), c)
}

/// The larger t with a t^2 + 2 b t + c = 0, where the way from o along d leaves a ball of radius r: a = |d|^2, b = o.d and
/// c = |o|^2 - r^2. 0 where o is outside already.
pub(super) fn leaves_ball(a: f64, b: f64, c: f64) -> f64 {
    if a == 0.0 || c >= 0.0 {
        return 0.0;
    }
    let root = (b * b - a * c).sqrt();
    // The form without cancellation.
    if b > 0.0 {
        -c / (b + root)
    } else {
        (root - b) / a
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minimizing 1/2 |p - (3, 1)|^2 within x <= 1, y <= 10: the best candidate comes near the bound, not across it.
    #[test]
    fn steps_stay_strictly_inside_and_go_down() {
        let d = DVector::from_element(2, 1.0);
        let room = Room {
            below: DVector::from_vec(vec![-10.0, -10.0]),
            above: DVector::from_vec(vec![1.0, 10.0]),
            d: &d,
        };
        let model = Model {
            lambda: vec![1.0, 1.0],
            slope: vec![-3.0, -1.0],
        };
        let gradient = DVector::from_vec(vec![-3.0, -1.0]);
        let basis = DMatrix::identity(2, 2);
        let p = room.step(&model, &basis, &gradient, 100.0, 0.995);
        assert!(p[0] < 1.0 && p[0] > 0.5 && p[1] < 10.0);
        let cut = [0.995, 0.995 / 3.0];
        assert!(model.value(p.as_slice()) <= model.value(&cut));

        let inside = room.step(&model, &basis, &gradient, 0.1, 0.995);
        assert!((inside.norm() - 0.1).abs() < 2e-4);
    }

    #[test]
    fn the_sphere_is_met_where_it_is() {
        let origin = DVector::from_vec(vec![0.6, 0.0]);
        for direction in [[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [-1.0, 3.0]] {
            let direction = DVector::from_column_slice(&direction);
            let t = to_sphere(&origin, &direction, 1.0);
            assert!(t > 0.0);
            assert!(((&origin + direction * t).norm() - 1.0).abs() < 1e-15);
        }
        assert_eq!(to_sphere(&origin, &origin, 0.5), 0.0);
    }
}
