//! Hessians times vectors of scenarios' models by dual numbers through the discrete adjoint, against the Hessian by dual numbers
//! over dual numbers: derivatives of the same steps.

use std::path::Path;
use std::sync::Arc;

use costate::compile::{Backend, ModelSystem};
use costate::study::{FunctionalStudy, GradientOf, Solving, Study, Variable, hessian};
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
        let whole = hessian(
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
