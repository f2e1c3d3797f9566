//! Optimization under constraints: problems of Hock and Schittkowski, Test Examples for Nonlinear Programming Codes, Lecture Notes in
//! Economics and Mathematical Systems 187, 1981, doi 10.1007/978-3-642-48320-2, by their numbers there, from their starts, with
//! their optimal values; and problems without a feasible point.
//!
//! Functions are written once over numbers that carry first and second derivatives.

use costate::optimize::{
    Constrained, EvaluationError, SqpOutcome, SqpSettings, SqpStatus, descend_kinks, sqp,
};
use costate_adjoint::{Dual, DualOver};
use costate_solvers::Real;
use nalgebra::DMatrix;

/// Seven variables and the direction of a second derivative.
type Number = DualOver<Dual<8>, 1>;

const FREE: f64 = f64::INFINITY;

/// A problem: objective, then constraints.
struct Problem {
    number: &'static str,
    start: &'static [f64],
    optimum: f64,
    bounds: &'static [(f64, f64)],
    /// of the constraints; none: c >= 0; equations: (0, 0)
    equations: usize,
    functions: fn(&[Number]) -> Vec<Number>,
}

fn n(x: f64) -> Number {
    Number::from(x)
}

fn rosenbrock(x: &[Number]) -> Number {
    (x[1] - x[0] * x[0]).powi(2) * 100.0 + (n(1.0) - x[0]).powi(2)
}

#[rustfmt::skip]
const PROBLEMS: &[Problem] = &[
    Problem { number: "1", start: &[-2.0, 1.0], optimum: 0.0, bounds: &[(-FREE, FREE), (-1.5, FREE)], equations: 0,
        functions: |x| vec![rosenbrock(x)] },
    Problem { number: "3", start: &[10.0, 1.0], optimum: 0.0, bounds: &[(-FREE, FREE), (0.0, FREE)], equations: 0,
        functions: |x| vec![x[1] + (x[1] - x[0]).powi(2) * 1e-5] },
    Problem { number: "4", start: &[1.125, 0.125], optimum: 8.0 / 3.0, bounds: &[(1.0, FREE), (0.0, FREE)], equations: 0,
        functions: |x| vec![(x[0] + 1.0).powi(3) / 3.0 + x[1]] },
    Problem { number: "5", start: &[0.0, 0.0], optimum: -1.913_222_954_981_037, bounds: &[(-1.5, 4.0), (-3.0, 3.0)], equations: 0,
        functions: |x| vec![(x[0] + x[1]).sin() + (x[0] - x[1]).powi(2) - x[0] * 1.5 + x[1] * 2.5 + 1.0] },
    Problem { number: "6", start: &[-1.2, 1.0], optimum: 0.0, bounds: &[], equations: 1,
        functions: |x| vec![(n(1.0) - x[0]).powi(2), (x[1] - x[0] * x[0]) * 10.0] },
    Problem { number: "7", start: &[2.0, 2.0], optimum: -1.732_050_807_568_877_2, bounds: &[], equations: 1,
        functions: |x| vec![(x[0] * x[0] + 1.0).ln() - x[1], (x[0] * x[0] + 1.0).powi(2) + x[1] * x[1] - 4.0] },
    Problem { number: "9", start: &[0.0, 0.0], optimum: -0.5, bounds: &[], equations: 1,
        functions: |x| vec![(x[0] * (std::f64::consts::PI / 12.0)).sin() * (x[1] * (std::f64::consts::PI / 16.0)).cos(), x[0] * 4.0 - x[1] * 3.0] },
    Problem { number: "10", start: &[-10.0, 10.0], optimum: -1.0, bounds: &[], equations: 0,
        functions: |x| vec![x[0] - x[1], -x[0] * x[0] * 3.0 + x[0] * x[1] * 2.0 - x[1] * x[1] + 1.0] },
    Problem { number: "11", start: &[4.9, 0.1], optimum: -8.498_464_223, bounds: &[], equations: 0,
        functions: |x| vec![(x[0] - 5.0).powi(2) + x[1] * x[1] - 25.0, x[1] - x[0] * x[0]] },
    Problem { number: "12", start: &[0.0, 0.0], optimum: -30.0, bounds: &[], equations: 0,
        functions: |x| vec![x[0] * x[0] * 0.5 + x[1] * x[1] - x[0] * x[1] - x[0] * 7.0 - x[1] * 7.0, n(25.0) - x[0] * x[0] * 4.0 - x[1] * x[1]] },
    Problem { number: "14", start: &[2.0, 2.0], optimum: 1.393_464_976, bounds: &[], equations: 1,
        functions: |x| vec![(x[0] - 2.0).powi(2) + (x[1] - 1.0).powi(2), x[0] - x[1] * 2.0 + 1.0, n(1.0) - x[0] * x[0] * 0.25 - x[1] * x[1]] },
    Problem { number: "15", start: &[-2.0, 1.0], optimum: 306.5, bounds: &[(-FREE, 0.5), (-FREE, FREE)], equations: 0,
        functions: |x| vec![rosenbrock(x), x[0] * x[1] - 1.0, x[0] + x[1] * x[1]] },
    Problem { number: "16", start: &[-2.0, 1.0], optimum: 0.25, bounds: &[(-0.5, 0.5), (-FREE, 1.0)], equations: 0,
        functions: |x| vec![rosenbrock(x), x[0] + x[1] * x[1], x[0] * x[0] + x[1]] },
    Problem { number: "17", start: &[-2.0, 1.0], optimum: 1.0, bounds: &[(-0.5, 0.5), (-FREE, 1.0)], equations: 0,
        functions: |x| vec![rosenbrock(x), x[1] * x[1] - x[0], x[0] * x[0] - x[1]] },
    Problem { number: "18", start: &[2.0, 2.0], optimum: 5.0, bounds: &[(2.0, 50.0), (0.0, 50.0)], equations: 0,
        functions: |x| vec![x[0] * x[0] * 0.01 + x[1] * x[1], x[0] * x[1] - 25.0, x[0] * x[0] + x[1] * x[1] - 25.0] },
    Problem { number: "19", start: &[20.1, 5.84], optimum: -6_961.813_81, bounds: &[(13.0, 100.0), (0.0, 100.0)], equations: 0,
        functions: |x| vec![(x[0] - 10.0).powi(3) + (x[1] - 20.0).powi(3), (x[0] - 5.0).powi(2) + (x[1] - 5.0).powi(2) - 100.0,
            n(82.81) - (x[1] - 5.0).powi(2) - (x[0] - 6.0).powi(2)] },
    Problem { number: "20", start: &[-2.0, 1.0], optimum: 38.198_729_81, bounds: &[(-0.5, 0.5), (-FREE, FREE)], equations: 0,
        functions: |x| vec![rosenbrock(x), x[0] + x[1] * x[1], x[0] * x[0] + x[1], x[0] * x[0] + x[1] * x[1] - 1.0] },
    Problem { number: "21", start: &[-1.0, -1.0], optimum: -99.96, bounds: &[(2.0, 50.0), (-50.0, 50.0)], equations: 0,
        functions: |x| vec![x[0] * x[0] * 0.01 + x[1] * x[1] - 100.0, x[0] * 10.0 - x[1] - 10.0] },
    Problem { number: "22", start: &[2.0, 2.0], optimum: 1.0, bounds: &[], equations: 0,
        functions: |x| vec![(x[0] - 2.0).powi(2) + (x[1] - 1.0).powi(2), n(2.0) - x[0] - x[1], x[1] - x[0] * x[0]] },
    Problem { number: "23", start: &[3.0, 1.0], optimum: 2.0, bounds: &[(-50.0, 50.0), (-50.0, 50.0)], equations: 0,
        functions: |x| vec![x[0] * x[0] + x[1] * x[1], x[0] + x[1] - 1.0, x[0] * x[0] + x[1] * x[1] - 1.0,
            x[0] * x[0] * 9.0 + x[1] * x[1] - 9.0, x[0] * x[0] - x[1], x[1] * x[1] - x[0]] },
    Problem { number: "24", start: &[1.0, 0.5], optimum: -1.0, bounds: &[(0.0, FREE), (0.0, FREE)], equations: 0,
        functions: |x| { let r = 3f64.sqrt(); vec![((x[0] - 3.0).powi(2) - 9.0) * x[1].powi(3) / (27.0 * r), x[0] / r - x[1], x[0] + x[1] * r, n(6.0) - x[0] - x[1] * r] } },
    Problem { number: "27", start: &[2.0, 2.0, 2.0], optimum: 0.04, bounds: &[], equations: 1,
        functions: |x| vec![(x[0] - 1.0).powi(2) * 0.01 + (x[1] - x[0] * x[0]).powi(2), x[0] + x[2] * x[2] + 1.0] },
    Problem { number: "28", start: &[-4.0, 1.0, 1.0], optimum: 0.0, bounds: &[], equations: 1,
        functions: |x| vec![(x[0] + x[1]).powi(2) + (x[1] + x[2]).powi(2), x[0] + x[1] * 2.0 + x[2] * 3.0 - 1.0] },
    Problem { number: "29", start: &[1.0, 1.0, 1.0], optimum: -22.627_416_998, bounds: &[], equations: 0,
        functions: |x| vec![-x[0] * x[1] * x[2], n(48.0) - x[0] * x[0] - x[1] * x[1] * 2.0 - x[2] * x[2] * 4.0] },
    Problem { number: "30", start: &[1.0, 1.0, 1.0], optimum: 1.0, bounds: &[(1.0, 10.0), (-10.0, 10.0), (-10.0, 10.0)], equations: 0,
        functions: |x| vec![x[0] * x[0] + x[1] * x[1] + x[2] * x[2], x[0] * x[0] + x[1] * x[1] - 1.0] },
    Problem { number: "31", start: &[1.0, 1.0, 1.0], optimum: 6.0, bounds: &[(-10.0, 10.0), (1.0, 10.0), (-10.0, 1.0)], equations: 0,
        functions: |x| vec![x[0] * x[0] * 9.0 + x[1] * x[1] + x[2] * x[2] * 9.0, x[0] * x[1] - 1.0] },
    Problem { number: "32", start: &[0.1, 0.7, 0.2], optimum: 1.0, bounds: &[(0.0, FREE), (0.0, FREE), (0.0, FREE)], equations: 1,
        functions: |x| vec![(x[0] + x[1] * 3.0 + x[2]).powi(2) + (x[0] - x[1]).powi(2) * 4.0, n(1.0) - x[0] - x[1] - x[2],
            x[1] * 6.0 + x[2] * 4.0 - x[0].powi(3) - 3.0] },
    Problem { number: "34", start: &[0.0, 1.05, 2.9], optimum: -0.834_032_445, bounds: &[(0.0, 100.0), (0.0, 100.0), (0.0, 10.0)], equations: 0,
        functions: |x| vec![-x[0], x[1] - x[0].exp(), x[2] - x[1].exp()] },
    Problem { number: "35", start: &[0.5, 0.5, 0.5], optimum: 1.0 / 9.0, bounds: &[(0.0, FREE), (0.0, FREE), (0.0, FREE)], equations: 0,
        functions: |x| vec![n(9.0) - x[0] * 8.0 - x[1] * 6.0 - x[2] * 4.0 + x[0] * x[0] * 2.0 + x[1] * x[1] * 2.0 + x[2] * x[2]
            + x[0] * x[1] * 2.0 + x[0] * x[2] * 2.0, n(3.0) - x[0] - x[1] - x[2] * 2.0] },
    Problem { number: "36", start: &[10.0, 10.0, 10.0], optimum: -3300.0, bounds: &[(0.0, 20.0), (0.0, 11.0), (0.0, 42.0)], equations: 0,
        functions: |x| vec![-x[0] * x[1] * x[2], n(72.0) - x[0] - x[1] * 2.0 - x[2] * 2.0] },
    Problem { number: "37", start: &[10.0, 10.0, 10.0], optimum: -3456.0, bounds: &[(0.0, 42.0), (0.0, 42.0), (0.0, 42.0)], equations: 0,
        functions: |x| vec![-x[0] * x[1] * x[2], n(72.0) - x[0] - x[1] * 2.0 - x[2] * 2.0, x[0] + x[1] * 2.0 + x[2] * 2.0] },
    Problem { number: "38", start: &[-3.0, -1.0, -3.0, -1.0], optimum: 0.0, bounds: &[(-10.0, 10.0), (-10.0, 10.0), (-10.0, 10.0), (-10.0, 10.0)], equations: 0,
        functions: |x| vec![rosenbrock(x) + (x[3] - x[2] * x[2]).powi(2) * 90.0 + (n(1.0) - x[2]).powi(2)
            + ((x[1] - 1.0).powi(2) + (x[3] - 1.0).powi(2)) * 10.1 + (x[1] - 1.0) * (x[3] - 1.0) * 19.8] },
    Problem { number: "39", start: &[2.0, 2.0, 2.0, 2.0], optimum: -1.0, bounds: &[], equations: 2,
        functions: |x| vec![-x[0], x[1] - x[0].powi(3) - x[2] * x[2], x[0] * x[0] - x[1] - x[3] * x[3]] },
    Problem { number: "40", start: &[0.8, 0.8, 0.8, 0.8], optimum: -0.25, bounds: &[], equations: 3,
        functions: |x| vec![-x[0] * x[1] * x[2] * x[3], x[0].powi(3) + x[1] * x[1] - 1.0, x[0] * x[0] * x[3] - x[2], x[3] * x[3] - x[1]] },
    Problem { number: "42", start: &[1.0, 1.0, 1.0, 1.0], optimum: 13.857_864_376, bounds: &[], equations: 2,
        functions: |x| vec![(x[0] - 1.0).powi(2) + (x[1] - 2.0).powi(2) + (x[2] - 3.0).powi(2) + (x[3] - 4.0).powi(2), x[0] - 2.0, x[2] * x[2] + x[3] * x[3] - 2.0] },
    Problem { number: "43", start: &[0.0, 0.0, 0.0, 0.0], optimum: -44.0, bounds: &[], equations: 0,
        functions: |x| { let s = |k: usize| x[k] * x[k]; vec![
            s(0) + s(1) + s(2) * 2.0 + s(3) - x[0] * 5.0 - x[1] * 5.0 - x[2] * 21.0 + x[3] * 7.0,
            n(8.0) - s(0) - s(1) - s(2) - s(3) - x[0] + x[1] - x[2] + x[3],
            n(10.0) - s(0) - s(1) * 2.0 - s(2) - s(3) * 2.0 + x[0] + x[3],
            n(5.0) - s(0) * 2.0 - s(1) - s(2) - x[0] * 2.0 + x[1] + x[3]] } },
    Problem { number: "48", start: &[3.0, 5.0, -3.0, 2.0, -2.0], optimum: 0.0, bounds: &[], equations: 2,
        functions: |x| vec![(x[0] - 1.0).powi(2) + (x[1] - x[2]).powi(2) + (x[3] - x[4]).powi(2), x[0] + x[1] + x[2] + x[3] + x[4] - 5.0, x[2] - (x[3] + x[4]) * 2.0 + 3.0] },
    Problem { number: "51", start: &[2.5, 0.5, 2.0, -1.0, 0.5], optimum: 0.0, bounds: &[], equations: 3,
        functions: |x| vec![(x[0] - x[1]).powi(2) + (x[1] + x[2] - 2.0).powi(2) + (x[3] - 1.0).powi(2) + (x[4] - 1.0).powi(2),
            x[0] + x[1] * 3.0 - 4.0, x[2] + x[3] - x[4] * 2.0, x[1] - x[4]] },
    Problem { number: "52", start: &[2.0, 2.0, 2.0, 2.0, 2.0], optimum: 5.326_647_564, bounds: &[], equations: 3,
        functions: |x| vec![(x[0] * 4.0 - x[1]).powi(2) + (x[1] + x[2] - 2.0).powi(2) + (x[3] - 1.0).powi(2) + (x[4] - 1.0).powi(2),
            x[0] + x[1] * 3.0, x[2] + x[3] - x[4] * 2.0, x[1] - x[4]] },
    Problem { number: "60", start: &[2.0, 2.0, 2.0], optimum: 0.032_568_200_25, bounds: &[(-10.0, 10.0), (-10.0, 10.0), (-10.0, 10.0)], equations: 1,
        functions: |x| vec![(x[0] - 1.0).powi(2) + (x[0] - x[1]).powi(2) + (x[1] - x[2]).powi(4),
            x[0] * (x[1] * x[1] + 1.0) + x[2].powi(4) - 4.0 - 3.0 * 2f64.sqrt()] },
    Problem { number: "63", start: &[2.0, 2.0, 2.0], optimum: 961.715_172_1, bounds: &[(0.0, FREE), (0.0, FREE), (0.0, FREE)], equations: 2,
        functions: |x| vec![n(1000.0) - x[0] * x[0] - x[1] * x[1] * 2.0 - x[2] * x[2] - x[0] * x[1] - x[0] * x[2],
            x[0] * 8.0 + x[1] * 14.0 + x[2] * 7.0 - 56.0, x[0] * x[0] + x[1] * x[1] + x[2] * x[2] - 25.0] },
    Problem { number: "65", start: &[-5.0, 5.0, 0.0], optimum: 0.953_528_856_7, bounds: &[(-4.5, 4.5), (-4.5, 4.5), (-5.0, 5.0)], equations: 0,
        functions: |x| vec![(x[0] - x[1]).powi(2) + (x[0] + x[1] - 10.0).powi(2) / 9.0 + (x[2] - 5.0).powi(2), n(48.0) - x[0] * x[0] - x[1] * x[1] - x[2] * x[2]] },
    Problem { number: "66", start: &[0.0, 1.05, 2.9], optimum: 0.518_163_274_1, bounds: &[(0.0, 100.0), (0.0, 100.0), (0.0, 10.0)], equations: 0,
        functions: |x| vec![x[2] * 0.2 - x[0] * 0.8, x[1] - x[0].exp(), x[2] - x[1].exp()] },
    Problem { number: "71", start: &[1.0, 5.0, 5.0, 1.0], optimum: 17.014_017_3, bounds: &[(1.0, 5.0), (1.0, 5.0), (1.0, 5.0), (1.0, 5.0)], equations: 1,
        functions: |x| vec![x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2], x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3] - 40.0, x[0] * x[1] * x[2] * x[3] - 25.0] },
    Problem { number: "76", start: &[0.5, 0.5, 0.5, 0.5], optimum: -4.681_818_181, bounds: &[(0.0, FREE), (0.0, FREE), (0.0, FREE), (0.0, FREE)], equations: 0,
        functions: |x| vec![x[0] * x[0] + x[1] * x[1] * 0.5 + x[2] * x[2] + x[3] * x[3] * 0.5 - x[0] * x[2] + x[2] * x[3] - x[0] - x[1] * 3.0 + x[2] - x[3],
            n(5.0) - x[0] - x[1] * 2.0 - x[2] - x[3], n(4.0) - x[0] * 3.0 - x[1] - x[2] * 2.0 + x[3], x[1] + x[2] * 4.0 - 1.5] },
    Problem { number: "78", start: &[-2.0, 1.5, 2.0, -1.0, -1.0], optimum: -2.919_700_41, bounds: &[], equations: 3,
        functions: |x| vec![x[0] * x[1] * x[2] * x[3] * x[4], x.iter().fold(n(-10.0), |s, &x| s + x * x), x[1] * x[2] - x[3] * x[4] * 5.0, x[0].powi(3) + x[1].powi(3) + 1.0] },
    Problem { number: "80", start: &[-2.0, 2.0, 2.0, -1.0, -1.0], optimum: 0.053_949_847_8,
        bounds: &[(-2.3, 2.3), (-2.3, 2.3), (-3.2, 3.2), (-3.2, 3.2), (-3.2, 3.2)], equations: 3,
        functions: |x| vec![(x[0] * x[1] * x[2] * x[3] * x[4]).exp(), x.iter().fold(n(-10.0), |s, &x| s + x * x), x[1] * x[2] - x[3] * x[4] * 5.0, x[0].powi(3) + x[1].powi(3) + 1.0] },
    Problem { number: "100", start: &[1.0, 2.0, 0.0, 4.0, 0.0, 1.0, 1.0], optimum: 680.630_057_3, bounds: &[], equations: 0,
        functions: |x| vec![
            (x[0] - 10.0).powi(2) + (x[1] - 12.0).powi(2) * 5.0 + x[2].powi(4) + (x[3] - 11.0).powi(2) * 3.0 + x[4].powi(6) * 10.0
                + x[5] * x[5] * 7.0 + x[6].powi(4) - x[5] * x[6] * 4.0 - x[5] * 10.0 - x[6] * 8.0,
            n(127.0) - x[0] * x[0] * 2.0 - x[1].powi(4) * 3.0 - x[2] - x[3] * x[3] * 4.0 - x[4] * 5.0,
            n(282.0) - x[0] * 7.0 - x[1] * 3.0 - x[2] * x[2] * 10.0 - x[3] + x[4],
            n(196.0) - x[0] * 23.0 - x[1] * x[1] - x[5] * x[5] * 6.0 + x[6] * 8.0,
            -x[0] * x[0] * 4.0 - x[1] * x[1] + x[0] * x[1] * 3.0 - x[2] * x[2] * 2.0 - x[5] * 5.0 + x[6] * 11.0] },
];

/// A second minimum that lies nearer to the start: (-1/2, sqrt(1/2)) and (-1/2, sqrt(3)/2), each with the bound and a constraint
/// active.
fn local(number: &str) -> Option<f64> {
    let f = |y: f64| 100.0 * (y - 0.25).powi(2) + 2.25;
    match number {
        "16" => Some(f(0.5f64.sqrt())),
        "20" => Some(f(0.75f64.sqrt())),
        _ => None,
    }
}

/// A problem with its derivatives.
struct Smooth {
    functions: fn(&[Number]) -> Vec<Number>,
    count: usize,
    lower: Vec<f64>,
    upper: Vec<f64>,
    c_lower: Vec<f64>,
    c_upper: Vec<f64>,
    /// whether the Hessian is given
    exact: bool,
}

impl Smooth {
    fn new(p: &Problem, exact: bool) -> Self {
        let count = p.start.len();
        let constraints = (p.functions)(&vec![n(1.0); count]).len() - 1;
        let side = |of: fn(&(f64, f64)) -> f64, free: f64| match p.bounds.is_empty() {
            true => vec![free; count],
            false => p.bounds.iter().map(of).collect(),
        };
        Self {
            functions: p.functions,
            count,
            lower: side(|b| b.0, -FREE),
            upper: side(|b| b.1, FREE),
            c_lower: vec![0.0; constraints],
            c_upper: (0..constraints)
                .map(|i| if i < p.equations { 0.0 } else { FREE })
                .collect(),
            exact,
        }
    }

    /// Objective and constraints with all first derivatives, and second ones along variable `k`.
    fn at(&self, x: &[f64], k: Option<usize>) -> Vec<Number> {
        let inputs: Vec<Number> = (0..self.count)
            .map(|j| {
                let mut own = n(x[j]);
                own.value = Dual::variable(x[j], j);
                if k == Some(j) {
                    own.tangent[0] = Dual::constant(1.0);
                }
                own
            })
            .collect();
        (self.functions)(&inputs)
    }
}

impl Constrained for Smooth {
    fn dim(&self) -> usize {
        self.count
    }
    fn constraints(&self) -> usize {
        self.c_lower.len()
    }
    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.lower, &self.upper)
    }
    fn constraint_bounds(&self) -> (&[f64], &[f64]) {
        (&self.c_lower, &self.c_upper)
    }
    fn values(&mut self, x: &[f64], c: &mut [f64]) -> Result<f64, EvaluationError> {
        let all = self.at(x, None);
        for (c, own) in c.iter_mut().zip(&all[1..]) {
            *c = own.value.value;
        }
        Ok(all[0].value.value)
    }
    fn derivatives(
        &mut self,
        x: &[f64],
        gradient: &mut [f64],
        jacobian: &mut DMatrix<f64>,
    ) -> Result<(), EvaluationError> {
        let all = self.at(x, None);
        for j in 0..self.count {
            gradient[j] = all[0].value.tangent[j];
            for i in 0..self.c_lower.len() {
                jacobian[(i, j)] = all[i + 1].value.tangent[j];
            }
        }
        Ok(())
    }
    fn hessian(
        &mut self,
        x: &[f64],
        multipliers: &[f64],
        hessian: &mut DMatrix<f64>,
    ) -> Result<bool, EvaluationError> {
        for k in 0..self.count {
            let all = self.at(x, Some(k));
            for j in 0..self.count {
                let rows = all[1..].iter().zip(multipliers);
                hessian[(j, k)] = all[0].tangent[0].tangent[j]
                    + rows.map(|(c, l)| l * c.tangent[0].tangent[j]).sum::<f64>();
            }
        }
        Ok(self.exact)
    }
}

fn solve(p: &Problem, exact: bool) -> SqpOutcome {
    let settings = SqpSettings::default();
    sqp(
        &mut Smooth::new(p, exact),
        p.start,
        &settings,
        &mut |_, _| true,
    )
}

/// Optimal values as printed, to nine or ten digits; a zero optimum within what a gradient of 1e-8 leaves.
#[test]
fn hock_schittkowski_problems_reach_their_optima() {
    let mut wrong = Vec::new();
    for exact in [false, true] {
        for p in PROBLEMS {
            let o = solve(p, exact);
            let from = |optimum: f64| (o.value - optimum).abs() / optimum.abs().max(1.0);
            let error =
                local(p.number).map_or(from(p.optimum), |local| from(local).min(from(p.optimum)));
            println!(
                "HS{:4} {} {:4} {:5} {:20.12} {error:9.1e} {:9.1e} {:?}",
                p.number,
                if exact { "exact" } else { "bfgs " },
                o.iterations,
                o.evaluations,
                o.value,
                o.kkt.residual(),
                o.status
            );
            if o.status != SqpStatus::Converged || error > 1e-8 {
                wrong.push((p.number, exact, o.value, o.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// HS71's multipliers as IPOPT's documentation prints them: of the product -0.552294, of the sum of squares 0.161469, of the
/// lower bound of the first variable 1.087871.
#[test]
fn multipliers_follow_the_sign_of_their_bound() {
    let p = PROBLEMS.iter().find(|p| p.number == "71").expect("71");
    let o = solve(p, true);
    assert!(
        (o.multipliers[0] - 0.161_469).abs() < 1e-5,
        "{:?}",
        o.multipliers
    );
    assert!(
        (o.multipliers[1] + 0.552_294).abs() < 1e-5,
        "{:?}",
        o.multipliers
    );
    assert!(
        (o.bound_multipliers[0] + 1.087_871).abs() < 1e-5,
        "{:?}",
        o.bound_multipliers
    );
}

/// x^2 + y^2 <= 1 and x + y >= 3: the least violation is between the circle and the line, and no step repairs it.
#[test]
fn constraints_that_contradict_each_other_are_called_infeasible() {
    #[rustfmt::skip]
    let p = Problem { number: "none", start: &[0.1, 0.3], optimum: 0.0, bounds: &[], equations: 0,
        functions: |x| vec![x[0], n(1.0) - x[0] * x[0] - x[1] * x[1], x[0] + x[1] - 3.0] };
    for exact in [false, true] {
        let o = solve(&p, exact);
        assert_eq!(o.status, SqpStatus::Infeasible, "{o:?}");
        assert!(o.kkt.feasibility > 0.1);
        assert!(o.x.iter().all(|x| x.is_finite()));
    }
}

#[test]
fn a_start_without_a_value_is_an_error_in_words() {
    #[rustfmt::skip]
    let p = Problem { number: "none", start: &[-1.0], optimum: 0.0, bounds: &[], equations: 0,
        functions: |x| vec![x[0].ln()] };
    let o = solve(&p, false);
    assert!(
        matches!(o.status, SqpStatus::Failed { .. }),
        "{:?}",
        o.status
    );
}

/// Pieces, the largest of which is the objective, and constraints; derivatives by dual numbers.
struct Pieces {
    start: Vec<f64>,
    pieces: fn(&[Dual<4>]) -> Vec<Dual<4>>,
    constraint: Option<fn(&[Dual<4>]) -> Dual<4>>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Pieces {
    fn at(&self, x: &[f64]) -> (Dual<4>, Option<Dual<4>>) {
        let seeded = x.iter().enumerate().map(|(k, &x)| {
            let mut x = Dual::<4>::from(x);
            x.tangent[k] = 1.0;
            x
        });
        let seeded: Vec<Dual<4>> = seeded.collect();
        let pieces = (self.pieces)(&seeded).into_iter();
        let largest = pieces.reduce(|a, b| if b.value > a.value { b } else { a });
        let constraint = self.constraint.map(|c| c(&seeded));
        (largest.expect("a piece"), constraint)
    }
}

impl Constrained for Pieces {
    fn dim(&self) -> usize {
        self.start.len()
    }
    fn constraints(&self) -> usize {
        usize::from(self.constraint.is_some())
    }
    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.lower, &self.upper)
    }
    fn constraint_bounds(&self) -> (&[f64], &[f64]) {
        let m = self.constraints();
        (&[0.0][..m], &[f64::INFINITY][..m])
    }
    fn values(&mut self, x: &[f64], c: &mut [f64]) -> Result<f64, EvaluationError> {
        let (f, constraint) = self.at(x);
        if let Some(constraint) = constraint {
            c[0] = constraint.value;
        }
        Ok(f.value)
    }
    fn derivatives(
        &mut self,
        x: &[f64],
        gradient: &mut [f64],
        jacobian: &mut DMatrix<f64>,
    ) -> Result<(), EvaluationError> {
        let (f, constraint) = self.at(x);
        gradient.copy_from_slice(&f.tangent[..x.len()]);
        if let Some(constraint) = constraint {
            for (j, to) in jacobian.iter_mut().enumerate() {
                *to = constraint.tangent[j];
            }
        }
        Ok(())
    }
}

/// Problems of Luksan and Vlcek, Test problems for nonsmooth unconstrained and linearly constrained optimization, 2000, with their
/// optima.
#[test]
fn minima_on_kinks_are_found_and_certified() {
    type Case = (
        &'static str,
        &'static [f64],
        fn(&[Dual<4>]) -> Vec<Dual<4>>,
        Option<fn(&[Dual<4>]) -> Dual<4>>,
        f64,
    );
    let cases: [Case; 6] = [
        ("Crescent", &[-1.5, 2.0], crescent, None, 0.0),
        ("CB2", &[2.0, 2.0], cb2, None, 1.952_224_493_8),
        ("LQ", &[-0.5, -0.5], lq, None, -std::f64::consts::SQRT_2),
        ("Mifflin 1", &[0.8, 0.6], mifflin, None, -1.0),
        ("Rosen-Suzuki", &[0.0; 4], rosen_suzuki, None, -44.0),
        ("MAD 1", &[1.0, 2.0], mad1, Some(mad1_row), -0.389_659_516),
    ];
    for (name, start, pieces, constraint, optimum) in cases {
        let mut problem = Pieces {
            start: start.to_vec(),
            pieces,
            constraint,
            lower: vec![-10.0; start.len()],
            upper: vec![10.0; start.len()],
        };
        let settings = SqpSettings::default();
        let before = sqp(&mut problem, start, &settings, &mut |_, _| true);
        let after = descend_kinks(&mut problem, &before, &settings, &|| true);
        let error = (after.value - optimum).abs();
        println!(
            "{name}: {} -> {} ({}), {} + {} evaluations, error {error:.1e}",
            before.value,
            after.value,
            after.status,
            before.evaluations,
            after.evaluations - before.evaluations
        );
        // optima are given to nine digits
        assert!(error < 2e-9, "{name}: {} not {optimum}", after.value);
        assert!(
            matches!(after.status, SqpStatus::Kink { .. }),
            "{name}: {}",
            after.status
        );
        let total: f64 = after.shares.iter().map(|share| share.weight).sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert!(after.shares.len() > 1 || constraint.is_some(), "{name}");
    }
}

fn crescent(x: &[Dual<4>]) -> Vec<Dual<4>> {
    let (a, b) = (x[0], x[1]);
    let round = a * a + (b - 1.0) * (b - 1.0);
    vec![round + b - 1.0, -round + b + 1.0]
}

fn cb2(x: &[Dual<4>]) -> Vec<Dual<4>> {
    let (a, b) = (x[0], x[1]);
    let (p, q) = (-a + 2.0, -b + 2.0);
    vec![a * a + b * b * b * b, p * p + q * q, (b - a).exp() * 2.0]
}

fn lq(x: &[Dual<4>]) -> Vec<Dual<4>> {
    let line = -x[0] - x[1];
    vec![line, line + x[0] * x[0] + x[1] * x[1] - 1.0]
}

fn mifflin(x: &[Dual<4>]) -> Vec<Dual<4>> {
    vec![-x[0], -x[0] + (x[0] * x[0] + x[1] * x[1] - 1.0) * 20.0]
}

fn rosen_suzuki(x: &[Dual<4>]) -> Vec<Dual<4>> {
    let (a, b, c, d) = (x[0], x[1], x[2], x[3]);
    let f = a * a + b * b + c * c * 2.0 + d * d - a * 5.0 - b * 5.0 - c * 21.0 + d * 7.0;
    let rows = [
        a * a + b * b + c * c + d * d + a - b + c - d - 8.0,
        a * a + b * b * 2.0 + c * c + d * d * 2.0 - a - d - 10.0,
        a * a + b * b + c * c + a * 2.0 - b - d - 5.0,
    ];
    let mut pieces = vec![f];
    pieces.extend(rows.map(|row| f + row * 10.0));
    pieces
}

fn mad1(x: &[Dual<4>]) -> Vec<Dual<4>> {
    let (a, b) = (x[0], x[1]);
    vec![a * a + b * b + a * b - 1.0, a.sin(), -b.cos()]
}

fn mad1_row(x: &[Dual<4>]) -> Dual<4> {
    x[0] + x[1] - 0.5
}
