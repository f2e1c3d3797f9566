//! Curves of cost against error, and where they cross an error.

use super::contender::{Answer, Contender, Solve};
use super::timing::medians;
use crate::golden::Problem;

/// One solve of a curve.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// relative tolerance
    pub rtol: f64,
    /// error achieved (`Problem::error`)
    pub error: f64,
    /// CPU seconds
    pub cpu: f64,
    /// evaluations of f
    pub evaluations: usize,
}

/// A contender's points, from loose tolerances to tight ones.
pub struct Curve {
    /// the contender
    pub name: String,
    /// its solves that came to an end
    pub points: Vec<Point>,
}

/// Solves at each tolerance by each contender.
pub fn measure(problem: &Problem, contenders: &[Contender], tolerances: &[f64]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = contenders
        .iter()
        .map(|c| Curve {
            name: c.name.clone(),
            points: Vec::new(),
        })
        .collect();
    for &rtol in tolerances {
        let mut ready: Vec<(usize, Solve, Answer)> = Vec::new();
        for (i, contender) in contenders.iter().enumerate() {
            let mut solve = (contender.at)(rtol);
            match solve() {
                Ok(answer) => ready.push((i, solve, answer)),
                Err(why) => eprintln!("{}: {} at {rtol:e}: {why}", problem.id, contender.name),
            }
        }
        let times = {
            let mut works: Vec<Box<dyn FnMut() + '_>> = ready
                .iter_mut()
                .map(|(_, solve, _)| {
                    Box::new(move || {
                        std::hint::black_box(solve().is_ok());
                    }) as Box<dyn FnMut()>
                })
                .collect();
            let mut works: Vec<&mut dyn FnMut()> =
                works.iter_mut().map(|w| &mut **w as _).collect();
            medians(&mut works)
        };
        for ((i, _, answer), cpu) in ready.iter().zip(times) {
            curves[*i].points.push(Point {
                rtol,
                error: problem.error(&answer.states),
                cpu,
                evaluations: answer.evaluations,
            });
        }
    }
    curves
}

impl Curve {
    /// CPU seconds where the curve crosses an error: linear in the logarithms between neighbors, the cheapest crossing of
    /// several; `None` where it does not.
    pub fn cpu_at(&self, error: f64) -> Option<f64> {
        let crossings = self.points.windows(2).filter_map(|pair| {
            let [a, b] = [pair[0], pair[1]];
            let inside = (a.error >= error) != (b.error >= error);
            let (x0, x1) = (a.error.ln(), b.error.ln());
            if !inside || !x0.is_finite() || !x1.is_finite() {
                return None;
            }
            let share = (error.ln() - x0) / (x1 - x0);
            Some((a.cpu.ln() + share * (b.cpu.ln() - a.cpu.ln())).exp())
        });
        // Where the loosest solve is already better, its time is what there is.
        let loosest = self
            .points
            .first()
            .filter(|p| p.error < error)
            .map(|p| p.cpu);
        crossings.chain(loosest).min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_law_is_interpolated_exactly() {
        let point = |rtol: f64| Point {
            rtol,
            error: 3.0 * rtol,
            cpu: rtol.powf(-0.2),
            evaluations: 1,
        };
        let curve = Curve {
            name: String::new(),
            points: [1e-3, 1e-5, 1e-9].map(point).to_vec(),
        };
        let cpu = curve.cpu_at(3e-7).expect("a crossing");
        assert!((cpu / 1e-7_f64.powf(-0.2) - 1.0).abs() < 1e-12);
        assert_eq!(curve.cpu_at(1e-12), None);
    }
}
