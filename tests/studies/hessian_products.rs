//! Hessians, and Hessians times vectors, of scenarios by dual numbers through the discrete adjoint, against those by dual
//! numbers over dual numbers: derivatives of the same steps, so that rounding alone lies between them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use costate::compile::{Backend, ModelSystem};
use costate::scenario::Override;
use costate::study::{
    FunctionalStudy, GradientOf, Hessian, HessianMethod, Objective, Solving, Study, StudyError,
    Variable, fit, hessian_by,
};
use costate_adjoint::{AdjointSystem, Dual, ExplicitAdjoint, Seeds, Tape};
use costate_solvers::explicit::tsit5;
use costate_solvers::{Integrator, NoEvents, Tsit5};

/// A pendulum with drag and a neural term in the drive, and a row of coupled cells: scalars and arrays, and expressions of
/// parameters alone, which are prepared once a solve.
const SCENARIOS: [(&str, &str); 2] = [
    (
        r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[parameters]
g = 9.81
l = 0.7
c = 0.3
[states]
angle = 0.5
rate = -0.2
[equations]
angle = "rate"
rate = "-sqrt(g/l)^2*sin(angle) - exp(-c)*rate*abs(rate) + cos(t)"
[solver]
method = "tsit5"
"#,
        "final(angle)^2 + final(rate)^2",
    ),
    (
        r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[indices]
i = { size = 40, boundary = "periodic" }
[parameters]
d = 0.0005
k = 1.5
[states]
u = { over = ["i"], initial = "1 + 0.5*sin(2*pi*i/40)" }
[equations]
u = "k*u*(1 - u^2) + d*1600*(u[i-1] + u[i+1] - 2*u)"
[solver]
method = "tsit5"
"#,
        "final(sum(i, u^2))",
    ),
];

#[test]
fn products_are_rows_of_the_hessian() {
    for (text, of) in SCENARIOS {
        let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
        let study = study.unwrap_or_else(|| panic!("{findings:?}"));
        let solving = Solving::choose(&study).expect("a solver");
        let functional =
            FunctionalStudy::parse(&study, of).unwrap_or_else(|findings| panic!("{findings:?}"));
        let p = study.values();
        let n = study.equations.states();
        // parameters; and two initial values, which the functional reads all of at the end
        let mut variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
        variables.extend([Variable::Initial(0), Variable::Initial(1)]);
        let whole = hessian_by(
            HessianMethod::DualOverDual,
            &study,
            &solving,
            GradientOf::Functional(&functional),
            &p,
            &variables,
        )
        .expect("a Hessian");

        let v: Vec<f64> = (0..variables.len()).map(|k| 0.4 - 0.3 * k as f64).collect();
        let mut system = ModelSystem::<Dual<1>>::explicit(Arc::clone(&study.equations.rhs));
        let moving = |value: f64, speed: f64| Dual::<1> {
            value,
            tangent: [speed],
        };
        let parameters: Vec<_> = p.iter().zip(&v).map(|(&p, &v)| moving(p, v)).collect();
        system.set_parameters(&parameters).expect("parameters");
        let mut start = costate::study::Run::<f64>::new(&study.equations);
        start
            .prepare(0, &p, study.scenario.start, study.scenario.end)
            .expect("a start");
        let mut x: Vec<_> = start.x.iter().map(|&x| moving(x, 0.0)).collect();
        for (x, v) in x.iter_mut().zip(&v[p.len()..]) {
            x.tangent[0] = *v;
        }
        let mut tape = Tape::new();
        let times = [study.scenario.start, study.scenario.end].map(Dual::from);
        Integrator::<_, Tsit5<_>>::new(&system)
            .run(&mut system, &mut x, &times, &solving.options, &mut tape)
            .expect("a solution");
        let final_bar: Vec<_> = x.iter().map(|&x| x * 2.0).collect();
        let seeds = Seeds {
            final_bar: &final_bar,
            ..Seeds::default()
        };
        let zero = Dual::from(0.0);
        let mut x0_bar = vec![zero; n];
        let mut all = vec![zero; AdjointSystem::parameters(&system)];
        ExplicitAdjoint::<tsit5::Coefficients, Dual<1>>::default()
            .sweep(
                &mut system,
                &mut NoEvents,
                &tape,
                &seeds,
                &mut x0_bar,
                &mut all,
                None,
            )
            .expect("a sweep");
        let mut p_bar = vec![zero; p.len()];
        system.pull_back_parameters(&all, &mut p_bar);

        let m = variables.len();
        let bars: Vec<Dual<1>> = p_bar.into_iter().chain(x0_bar).take(m).collect();
        let size = whole.matrix.iter().fold(0.0_f64, |a, h| a.max(h.abs()));
        let steepest = whole.gradient.iter().fold(0.0_f64, |a, g| a.max(g.abs()));
        assert!(size > 0.1 && steepest > 0.1, "{size} {steepest}");
        for (k, bar) in bars.iter().enumerate() {
            let row = &whole.matrix[k * m..(k + 1) * m];
            let product: f64 = row.iter().zip(&v).map(|(h, v)| h * v).sum();
            assert!(
                (bar.tangent[0] - product).abs() < 1e-11 * size,
                "{k}: {} {product}",
                bar.tangent[0]
            );
            let slope = whole.gradient[k];
            assert!(
                (bar.value - slope).abs() < 1e-11 * steepest,
                "{k}: {} {slope}",
                bar.value
            );
        }
    }
}

/// A reaction with a slow and a fast state, a dose at a time that a parameter gives, and an amount at which a part is taken
/// out: stiff, and with all kinds of times that move.
const REACTOR: &str = r#"
[scenario]
time = { start = 0.2, end = 3.0 }
[parameters]
k = 0.8
fast = 300.0
dose = 0.7
when = 1.1
part = 0.4
[states]
a = 1.2
b = 0.3
[equations]
a = "-k*a*b + 0.5*exp(-t)"
b = "fast*(a/(1 + a) - b) + cos(t)"
[[events]]
name = "dose"
at = ["when"]
set = { a = "a + dose" }
[[events]]
name = "drawn"
when = "a - 1.5"
direction = "rising"
set = { a = "a - part*b" }
"#;

/// The same with the fast state at rest, and a weight on the slow one that is a parameter.
const ALGEBRAIC: &str = r#"
[scenario]
time = { start = 0.2, end = 3.0 }
[parameters]
k = 0.8
weight = 1.3
dose = 0.7
[states]
a = 1.2
b = 0.3
[equations]
a = "-k*a*b + 0.5*exp(-t)"
b = "a/(1 + a) - b"
[mass]
a = { a = "weight" }
b = { b = 0 }
[[events]]
name = "drawn"
when = "a - 1.1"
direction = "falling"
set = { a = "a + dose" }
"#;

fn largest(of: &[f64]) -> f64 {
    of.iter().fold(0.0, |a, h| f64::max(a, h.abs()))
}

/// Rounding over a hundred steps and through the iterations of implicit stages leaves 1e-12 to 1e-11 of the largest entry.
fn assert_same(a: &Hessian, b: &Hessian, what: &str) {
    for (a, b) in [(&a.matrix, &b.matrix), (&a.gradient, &b.gradient)] {
        let size = largest(a);
        assert!(size > 1e-2, "{what}");
        for (k, (x, y)) in a.iter().zip(b).enumerate() {
            assert!((x - y).abs() <= 1e-10 * size, "{what}, {k}: {x} {y}");
        }
    }
}

#[test]
fn both_ways_are_one_with_every_method() {
    let everything = |text: &str| {
        (
            text.to_owned(),
            [
                "final(a)*final(b) + integral(a^2) + event_time(drawn)",
                "at(a, 2.5) + initial(b)^2",
            ],
        )
    };
    let explicit = SCENARIOS.map(|(text, of)| {
        (
            text.replace("\n[solver]\nmethod = \"tsit5\"\n", ""),
            [of, of],
        )
    });
    let cases = [
        (
            everything(REACTOR),
            vec![
                "rodas3", "rodas4", "rodas5p", "tr-bdf2", "kvaerno3", "kvaerno4", "kvaerno5",
                "kencarp4", "radau5", "bdf", "ndf", "auto",
            ],
        ),
        (
            everything(ALGEBRAIC),
            vec!["rodas3", "rodas4", "rodas5p", "radau5", "bdf"],
        ),
        (
            explicit[0].clone(),
            vec![
                "euler",
                "midpoint",
                "heun",
                "rk4",
                "bs3",
                "dopri5",
                "tsit5",
                "dop853",
                "vern7",
                "vern9",
                "implicit-midpoint",
            ],
        ),
        (explicit[1].clone(), vec!["tsit5", "rodas5p", "bdf"]),
    ];
    for ((text, functionals), methods) in cases {
        for method in methods {
            let fixed = ["euler", "midpoint", "heun", "rk4", "implicit-midpoint"].contains(&method);
            let step = if fixed { "step = 0.01\n" } else { "" };
            let text = format!("{text}\n[solver]\nmethod = \"{method}\"\n{step}");
            let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
            let study = study.unwrap_or_else(|| panic!("{findings:?}"));
            let solving = Solving::choose(&study).expect("a solver");
            let mut variables: Vec<Variable> =
                (0..study.values().len()).map(Variable::Parameter).collect();
            variables.extend([Variable::Initial(0), Variable::Initial(1), Variable::End]);
            // what is read at the start, where states are made consistent, does not go with it
            if study.equations.mass.is_none() {
                variables.push(Variable::Start);
            }
            for of in functionals {
                let what = format!("{of} by {method}");
                let functional = FunctionalStudy::parse(&study, of)
                    .unwrap_or_else(|findings| panic!("{findings:?}"));
                let by = |way| {
                    let of = GradientOf::Functional(&functional);
                    let found = hessian_by(way, &study, &solving, of, &study.values(), &variables);
                    found.unwrap_or_else(|error| panic!("{what}: {error}"))
                };
                let duals = by(HessianMethod::DualOverDual);
                assert_same(&duals, &by(HessianMethod::DualOverAdjoint), &what);
            }
        }
    }
}

/// Data of the gallery: one and several experiments, formulas and states observed, a standard deviation that is fitted, priors.
#[test]
fn products_of_the_objective() {
    for (scenario, method) in [
        ("lynx-hare", "tsit5"),
        ("lynx-hare", "rodas5p"),
        ("lynx-hare", "radau5"),
        ("theophylline", "dop853"),
        ("pinene", "tsit5"),
        ("pinene", "kvaerno5"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{scenario}"));
        let overrides = [Override {
            path: "solver.method".into(),
            value: method.into(),
        }];
        let (study, findings) = Study::load(&path.join("scenario.toml"), &overrides, Backend::Auto);
        let study = study.unwrap_or_else(|| panic!("{findings:?}"));
        let mut variables = Variable::fitted(&study.scenario);
        variables.push(Variable::Initial(0));
        let solving = Solving::choose(&study).expect("a solver");
        let (p, what) = (study.values(), format!("{scenario} by {method}"));
        let by = |way| {
            let found = hessian_by(way, &study, &solving, GradientOf::Data, &p, &variables);
            found.unwrap_or_else(|error| panic!("{what}: {error}"))
        };
        let whole = by(HessianMethod::DualOverDual);
        assert_same(&whole, &by(HessianMethod::DualOverAdjoint), &what);
        let m = variables.len();
        let v: Vec<f64> = (0..m).map(|k| (1.0 + k as f64).sin()).collect();
        let mut product = vec![f64::NAN; m];
        let mut objective = Objective::new(&study, solving, None).expect("data");
        objective
            .hessian_product(&p, &variables, &v, &mut product)
            .expect("a product");
        for (row, product) in whole.matrix.chunks(m).zip(&product) {
            let expected: f64 = row.iter().zip(&v).map(|(h, v)| h * v).sum();
            let off = (expected - product).abs();
            assert!(
                off <= 1e-10 * largest(&whole.matrix),
                "{what}: {expected} {product}"
            );
        }
    }
}

/// Where there is no adjoint to sweep, the product comes by dual numbers over dual numbers.
#[test]
fn products_without_an_adjoint() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lynx-hare/scenario.toml");
    let overrides = [Override {
        path: "gradient.error_control".into(),
        value: "true".into(),
    }];
    let (study, findings) = Study::load(&path, &overrides, Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let variables = Variable::fitted(&study.scenario);
    let solving = Solving::choose(&study).expect("a solver");
    let (p, m) = (study.values(), variables.len());
    let of = GradientOf::Data;
    let refused = hessian_by(
        HessianMethod::DualOverAdjoint,
        &study,
        &solving,
        of,
        &p,
        &variables,
    );
    assert!(
        matches!(refused, Err(StudyError::Unsupported(_))),
        "{refused:?}"
    );
    let whole = hessian_by(
        HessianMethod::DualOverDual,
        &study,
        &solving,
        of,
        &p,
        &variables,
    );
    let whole = whole.expect("a Hessian");
    let v: Vec<f64> = (0..m).map(|k| 0.3 + k as f64).collect();
    let mut product = vec![f64::NAN; m];
    let mut objective = Objective::new(&study, solving, None).expect("data");
    objective
        .hessian_product(&p, &variables, &v, &mut product)
        .expect("a product");
    for (row, product) in whole.matrix.chunks(m).zip(&product) {
        let expected: f64 = row.iter().zip(&v).map(|(h, v)| h * v).sum();
        // steps follow the tangents of both, which are others
        let off = (expected - product).abs();
        assert!(off <= 1e-5 * largest(&whole.matrix), "{expected} {product}");
    }
}

/// Newton's method on products of the Hessian, on logarithmic scales and beside bounds, ends where Levenberg-Marquardt does. Both
/// stop at a projected gradient of 1e-6 or what rounding leaves of it: far less than 1e-9 of the objective.
#[test]
fn fits_by_newton_cg_end_at_the_minimum() {
    for (scenario, method) in [
        ("lynx-hare", "tsit5"),
        ("lynx-hare", "rodas5p"),
        ("pinene", "kvaerno5"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{scenario}"));
        let best = ["levenberg-marquardt", "newton-cg"].map(|algorithm| {
            let set = |path: &str, value: &str| Override {
                path: path.into(),
                value: value.into(),
            };
            let overrides = [
                set("solver.method", method),
                set("fit.algorithm", algorithm),
                set("fit.starts", "1"),
            ];
            let (study, findings) =
                Study::load(&path.join("scenario.toml"), &overrides, Backend::Auto);
            let study = study.unwrap_or_else(|| panic!("{findings:?}"));
            let found = fit(&study, &AtomicBool::new(false), &|_| {}).expect("a fit");
            assert!(found.converged, "{scenario} by {algorithm}: {found:?}");
            println!(
                "{scenario} {method} {algorithm}: {} iterations, {} evaluations, {}",
                found.starts[0].outcome.iterations,
                found.starts[0].outcome.evaluations,
                found.objective
            );
            found.objective
        });
        let off = (best[0] - best[1]).abs();
        assert!(off <= 1e-9 * best[0].abs().max(1.0), "{scenario}: {best:?}");
    }
}
