//! Bounds: against SciPy, and against the first-order conditions themselves.

use costate::optimize::{
    EvaluationError, Problem, SecondOrder, Settings, latin_hypercube, projected_gradient_norm,
};
use serde_json::Value;

use super::problems::{
    CLASSICS, Fit, Residuals, bard, brown_dennis, freudenstein_roth, jennrich_sampson,
    kowalik_osborne, rosenbrock, wood,
};
use super::{run, silent};

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("an array")
        .iter()
        .map(|x| x.as_f64().expect("a number"))
        .collect()
}

#[test]
fn bounded_fits_agree_with_scipy() {
    let document: Value =
        serde_json::from_str(include_str!("../../data/scipy_bounded.json")).expect("valid JSON");
    for case in document["problems"].as_array().expect("problems") {
        let name = case["problem"].as_str().expect("a name");
        let residuals: Residuals = match name {
            "rosenbrock" => rosenbrock,
            "freudenstein_roth" => freudenstein_roth,
            "jennrich_sampson" => jennrich_sampson,
            "bard" => bard,
            "kowalik_osborne" => kowalik_osborne,
            "wood" => wood,
            "brown_dennis" => brown_dennis,
            other => panic!("no problem named {other}"),
        };
        let (lower, upper) = (numbers(&case["lower"]), numbers(&case["upper"]));
        let theta = numbers(&case["theta"]);
        let value = case["value"].as_f64().expect("a number");
        let digits = case["agreement"].as_f64().expect("a number");
        for method in ["lm", "lbfgsb", "newton-cg"] {
            let mut fit = Fit::new(residuals, theta.len()).within(&lower, &upper);
            let settings = Settings {
                gradient_tolerance: 1e-9,
                ..Settings::default()
            };
            let o = run(method, &mut fit, &numbers(&case["start"]), &settings);
            let worst = o
                .theta
                .iter()
                .zip(&theta)
                .map(|(a, b)| (a - b).abs() / b.abs().max(1.0))
                .fold(0.0, f64::max);
            println!(
                "{name:18}{method:8}{:4}{:5} theta {worst:8.1e} value {:9.1e} pg {:8.1e} {:?}",
                o.iterations,
                o.evaluations,
                o.value - value,
                o.projected_gradient_norm,
                o.status
            );
            assert!(o.is_finished(), "{method} {name}: {:?}", o.status);
            assert!(
                o.value <= value * (1.0 + 1e-12),
                "{method} {name}: {}",
                o.value
            );
            assert!(
                worst <= 10.0 * digits + 1e-6,
                "{method} {name}: {:?}",
                o.theta
            );
            assert!(o.projected_gradient_norm <= 1e-6);
            // Held variables lie on their bounds exactly.
            for (i, side) in numbers(&case["active"]).iter().enumerate() {
                if *side < 0.0 {
                    assert_eq!(o.theta[i], lower[i], "{method} {name}");
                } else if *side > 0.0 {
                    assert_eq!(o.theta[i], upper[i], "{method} {name}");
                }
            }
        }
    }
}

/// 1/2 x.H x - b.x with H = tridiag(-1, 2.5, -1): strictly convex, so the point with a zero projected gradient is the one
/// minimizer.
struct Quadratic {
    b: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl SecondOrder for Quadratic {
    fn hessian_product(
        &mut self,
        _x: &[f64],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), EvaluationError> {
        let b = std::mem::replace(&mut self.b, vec![0.0; v.len()]);
        let done = self.value_gradient(v, product);
        self.b = b;
        done.map(|_| ())
    }
}

impl Problem for Quadratic {
    fn dim(&self) -> usize {
        self.b.len()
    }
    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.lower, &self.upper)
    }
    fn value(&mut self, x: &[f64]) -> Result<f64, EvaluationError> {
        self.value_gradient(x, &mut vec![0.0; x.len()])
    }
    fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> Result<f64, EvaluationError> {
        let n = x.len();
        let mut value = 0.0;
        for i in 0..n {
            let mut h = 2.5 * x[i];
            if i > 0 {
                h -= x[i - 1];
            }
            if i + 1 < n {
                h -= x[i + 1];
            }
            g[i] = h - self.b[i];
            value += x[i] * (0.5 * h - self.b[i]);
        }
        Ok(value)
    }
}

#[test]
fn a_quadratic_is_built_around_its_solution() {
    // Choose the solution and the multipliers, and derive b: thirds at the lower bound, inside, at the upper bound.
    let n = 60;
    let (lower, upper) = (vec![-1.0; n], vec![2.0; n]);
    let solution: Vec<f64> = (0..n)
        .map(|i| match i % 3 {
            0 => -1.0,
            1 => 0.1 * (i as f64).sin(),
            _ => 2.0,
        })
        .collect();
    let mut quadratic = Quadratic {
        b: vec![0.0; n],
        lower,
        upper,
    };
    let mut b = vec![0.0; n];
    quadratic
        .value_gradient(&solution, &mut b)
        .expect("defined");
    for (i, b) in b.iter_mut().enumerate() {
        let multiplier = [0.5, 0.0, -0.25][i % 3] * (1.0 + i as f64 / 10.0);
        *b -= multiplier;
    }
    quadratic.b = b;
    type Method = fn(&mut Quadratic, &[f64], &Settings) -> costate::optimize::Outcome;
    let methods: [(&str, Method); 3] = [
        ("lbfgsb", |p, x, s| {
            costate::optimize::lbfgsb(p, x, s, &mut silent)
        }),
        ("newton-cg", |p, x, s| {
            costate::optimize::newton_cg(p, x, s, &mut silent)
        }),
        ("gradient descent", |p, x, s| {
            costate::optimize::gradient_descent(p, x, s, &mut silent)
        }),
    ];
    for (name, method) in methods {
        for start in [vec![0.0; n], vec![2.0; n], vec![-1.0; n]] {
            let o = method(&mut quadratic, &start, &Settings::default());
            println!("{name}: {} {} {:?}", o.iterations, o.evaluations, o.status);
            assert!(o.projected_gradient_norm <= 1e-8, "{name}: {:?}", o.status);
            // The Hessian's eigenvalues are at least 0.5.
            for (x, s) in o.theta.iter().zip(&solution) {
                assert!((x - s).abs() <= 2e-7, "{name}: {x} instead of {s}");
            }
            for i in (0..n).filter(|i| i % 3 != 1) {
                assert_eq!(o.theta[i], solution[i], "{name}: variable {i}");
            }
        }
    }
}

#[test]
fn fixed_variables_stay_and_the_rest_is_solved() {
    for method in ["lm", "lbfgsb", "newton-cg", "gradient descent"] {
        let mut fit = Fit::new(rosenbrock, 2).within(&[-5.0, 0.25], &[5.0, 0.25]);
        let o = run(method, &mut fit, &[2.0, 3.0], &Settings::default());
        assert_eq!(o.theta[1], 0.25);
        // d/dx: -400 x (1/4 - x^2) - 2 (1 - x) = 0
        let x = o.theta[0];
        let slope = -400.0 * x * (0.25 - x * x) - 2.0 * (1.0 - x);
        assert!(slope.abs() < 1e-6, "{method}: {x} {:?}", o.status);

        let mut all = Fit::new(rosenbrock, 2).within(&[1.5, 0.25], &[1.5, 0.25]);
        let o = run(method, &mut all, &[2.0, 3.0], &Settings::default());
        assert_eq!(o.theta, [1.5, 0.25], "{method}");
        assert_eq!(o.projected_gradient_norm, 0.0);
    }
}

#[test]
fn the_projected_gradient_is_the_first_order_condition() {
    let (l, u) = ([0.0, 0.0, 0.0], [1.0, 1.0, f64::INFINITY]);
    assert_eq!(
        projected_gradient_norm(&[0.0, 1.0, 5.0], &[3.0, -2.0, 0.0], &l, &u),
        0.0
    );
    assert_eq!(
        projected_gradient_norm(&[0.0, 1.0, 5.0], &[-3.0, 2.0, 0.5], &l, &u),
        1.0
    );
    assert_eq!(
        projected_gradient_norm(&[0.0, 1.0, 5.0], &[3.0, -2.0, -7.0], &l, &u),
        7.0
    );
    assert!(projected_gradient_norm(&[0.0], &[f64::NAN], &l, &u).is_nan());
}

/// Boxes of many sizes around and beside the usual starts: every run must end at a first-order point.
#[test]
fn random_boxes_end_at_first_order_points() {
    for (name, residuals, start, _) in CLASSICS {
        let m = start.len();
        // Exponentials of 10 theta and scales 1e10 apart leave no digits for an absolute measure.
        if name.ends_with("badly scaled") {
            continue;
        }
        let corners = latin_hypercube(
            &vec![0.0; 2 * m],
            &vec![0.0; 2 * m],
            &vec![1.0; 2 * m],
            21,
            5,
        );
        for corner in &corners[1..] {
            let width = |i: usize| 2.0 * (start[i].abs() + 0.2);
            let lower: Vec<f64> = (0..m).map(|i| start[i] - corner[i] * width(i)).collect();
            let upper: Vec<f64> = (0..m)
                .map(|i| start[i] + corner[m + i] * width(i))
                .collect();
            for method in ["lm", "lbfgsb"] {
                let mut fit = Fit::new(residuals, m).within(&lower, &upper);
                let settings = Settings {
                    max_iterations: 2000,
                    ..Settings::default()
                };
                let o = run(method, &mut fit, start, &settings);
                let steepest = o.history[0].gradient_norm.max(1.0);
                assert!(
                    o.is_finished() && o.projected_gradient_norm <= 1e-8 * steepest,
                    "{method} {name} within {lower:?} and {upper:?}: {:e}, {:?}",
                    o.projected_gradient_norm,
                    o.status
                );
            }
        }
    }
}
