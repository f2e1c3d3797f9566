//! What depends on parameters alone is computed once a solve: f is the same function, and derivatives go through.

use std::path::Path;
use std::sync::Arc;

use costate::compile::{Backend, ModelSystem, RightHandSide, Sizes};
use costate::scenario::{GradientMethod, SolverMethod};
use costate::study::{FunctionalStudy, GradientOf, Solving, Study, Variable, gradient};
use costate_adjoint::AdjointSystem;
use costate_solvers::System;

const SCALARS: &str = r#"
[scenario]
time = { start = 0.0, end = 2.0 }
[parameters]
E = 2.0
T = 1.5
K = 0.7
a = 0.3
b = 1.2
[states]
x = 1.0
y = 0.5
[equations]
x = "-exp(-E/T)*x/K + (a + b)*(a - b)*y"
y = "x/(K + x) - y/K + sin(a*b)*(a + b)*(a - b)*x"
[[events]]
name = "kick"
when = "x - (a + 0.4)"
direction = "falling"
set = { y = "y + a*b/K" }
[observables]
y = "y/K"
"#;

/// Large enough to stay loops: conductivities, sums of neighbors, a sum inside, an outer product, a profile.
const FIELD: &str = r#"
[scenario]
time = { start = 0.0, end = 0.02 }
[indices]
i = { size = 40, boundary = "clamp" }
j = { size = 30, boundary = "periodic" }
m = 30
[parameters]
k = { over = ["i", "j"], value = "0.1*sin(i) + 0.2*cos(j)" }
r = { over = ["i"], value = "0.5 + 0.01*i" }
c = { over = ["j"], value = "1.0 + 0.02*j" }
K = 0.8
w = { over = ["j"], value = "0.1 + 0.01*j" }
[definitions]
D = { over = ["i", "j"], expression = "exp(k)" }
[states]
u = { over = ["i", "j"], initial = "sin(0.3*i)*cos(0.2*j)" }
[equations]
u = "0.5*(D[i+1,j] + D)*(u[i+1,j] - u) - 0.5*(D[i,j-1] + D)*(u - u[i,j-1]) + exp(-r*c)*u/K + sum(m, (w[m]^2 + c[m]/K)*u[i,m])/30 - exp(w)*u^3"
"#;

const ROADS: &str = "from,to,r\n1,2,0.5\n2,3,0.7\n3,1,0.9\n3,4,1.1\n4,1,1.3\n";

const GRAPH: &str = r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[indices]
n = 4
[graphs.roads]
index = "n"
file = "roads.csv"
[parameters]
r = { over = ["roads"], file = "roads.csv" }
g = { over = ["n"], value = "0.2*n" }
K = 2.0
[states]
x = { over = ["n"], initial = "1.0*n" }
[equations]
x = "sum(edges.roads, r/(K + exp(g[from]))*(x[from] - x[to])) - exp(-g)*x/K"
"#;

fn study(text: &str, folder: &Path) -> Study {
    let (study, findings) = Study::from_text(text, folder, Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

/// Scenarios by name, and how many numbers are prepared of each.
fn cases() -> Vec<(&'static str, Study, usize)> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("roads.csv"), ROADS).expect("written");
    vec![
        // exp(-E/T), 1/K, (a + b) (a - b), sin(a b) (a + b) (a - b)
        ("scalars", study(SCALARS, Path::new(".")), 4),
        // 0.5 (D[i+1,j] + D), 0.5 (D[i,j-1] + D), exp(-r c), w^2 + c/K, exp(w), 1/K
        ("field", study(FIELD, Path::new(".")), 3 * 1200 + 2 * 30 + 1),
        // r/(K + exp(g)) by edge and direction, exp(-g), 1/K
        ("graph", study(GRAPH, folder.path()), 2 * 5 + 4 + 1),
    ]
}

/// Numbers between 0.5 and 1.5.
fn random(count: usize, mut seed: u64) -> Vec<f64> {
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 11) as f64 / (1_u64 << 53) as f64 + 0.5
    };
    (0..count).map(|_| next()).collect()
}

/// The very terms of f, each computed from the same numbers: only a quotient by parameters, which becomes a product by
/// their reciprocal, differs, by two roundings.
#[test]
fn f_is_the_same_function() {
    for (name, study, prepared) in cases() {
        let model = study.equations.model();
        let sizes = Sizes {
            states: model.states.len(),
            parameters: model.parameters.len(),
        };
        let plain = RightHandSide::new(&model.graph, &model.rhs, sizes, Backend::Auto);
        let plain = Arc::new(plain.expect("compiles"));
        let rhs = &study.equations.rhs;
        assert_eq!(plain.all_parameters(), sizes.parameters);
        let more = rhs.all_parameters() - sizes.parameters;
        assert_eq!(more, prepared, "{name}");

        let p = study.values();
        let x = random(sizes.states, 7);
        let w = random(sizes.states, 11);
        let evaluate = |rhs: &Arc<RightHandSide>| {
            let mut system = ModelSystem::<f64>::explicit(Arc::clone(rhs));
            system.set_parameters(&p).expect("parameters");
            assert_eq!(system.parameter_values(), p);
            let mut dx = vec![0.0; x.len()];
            system.rhs(0.3, &x, &mut dx);
            let mut x_bar = vec![0.0; x.len()];
            let mut all = vec![0.0; system.parameters()];
            system.vjp(0.3, &x, &w, &mut x_bar, &mut all);
            let mut p_bar = vec![0.0; p.len()];
            system.pull_back_parameters(&all, &mut p_bar);
            [dx, x_bar, p_bar]
        };
        for (ours, theirs) in evaluate(rhs).iter().zip(&evaluate(&plain)) {
            let size = theirs.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            for (k, (a, b)) in ours.iter().zip(theirs).enumerate() {
                // cotangents are sums of as many terms as there are states that read a parameter
                let allowed = 1e-13 * size;
                assert!((a - b).abs() <= allowed, "{name}, {k}: {a} and {b}");
            }
        }
    }
}

#[test]
fn gradients_go_through() {
    for (name, study, _) in cases() {
        let of = match name {
            "scalars" => "final(x)^2 + integral(y/K) + at(y, 0.7)",
            "field" => "final(sum(i, sum(j, u^2*c)))",
            _ => "final(x[2])*final(x[1]) + g[2]/K",
        };
        let functional = FunctionalStudy::parse(&study, of).unwrap_or_else(|f| panic!("{f:?}"));
        let parameters = study.values().len();
        let step = parameters.div_ceil(12);
        let mut variables: Vec<Variable> = (0..parameters)
            .step_by(step)
            .map(Variable::Parameter)
            .collect();
        variables.push(Variable::Initial(0));
        for method in [
            SolverMethod::Tsit5,
            SolverMethod::Rodas5p,
            SolverMethod::Bdf,
            SolverMethod::Kvaerno5,
        ] {
            let mut solving = Solving::choose(&study).expect("a method");
            solving.stepper = method;
            let by = |by| {
                let of = GradientOf::Functional(&functional);
                let found = gradient(&study, &solving, of, by, &study.values(), &variables);
                found.unwrap_or_else(|error| panic!("{name}: {error}"))
            };
            let dual = by(GradientMethod::Dual).gradient;
            let adjoint = by(GradientMethod::Adjoint).gradient;
            let size = dual.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            for (d, a) in dual.iter().zip(&adjoint) {
                let allowed = 1e-11 * size;
                assert!((d - a).abs() <= allowed, "{name}: {dual:?} {adjoint:?}");
            }
            if method == SolverMethod::Tsit5 {
                let differences = by(GradientMethod::FiniteDifference).gradient;
                // rounding of the field's sum, about 300, over a step of 6e-6 of a parameter that may be 0.01
                for (d, f) in dual.iter().zip(&differences) {
                    let allowed = 1e-5 * size;
                    assert!((d - f).abs() <= allowed, "{name}: {dual:?} {differences:?}");
                }
            }
        }
    }
}
