//! Scenarios solved by GMRES, from TOML text through the library.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{
    FunctionalStudy, Simulation, Solving, Study, Variable, simulate, simulate_by, verify,
};

/// The Brusselator on a line of points with no flux through its ends, both species of a point side by side.
fn scenario(solver: &str) -> String {
    const POINTS: usize = 20;
    let mut states = String::new();
    let mut equations = String::new();
    for k in 0..POINTS {
        states += &format!("u{k} = {}\nv{k} = 3\n", 1.0 + 0.5 * (0.3 * k as f64).sin());
        let (left, right) = (k.saturating_sub(1), (k + 1).min(POINTS - 1));
        equations += &format!(
            "u{k} = \"1 + u{k}^2*v{k} - (b + 1)*u{k} + d*(u{left} - 2*u{k} + u{right})\"\n\
             v{k} = \"b*u{k} - u{k}^2*v{k} + d*(v{left} - 2*v{k} + v{right})\"\n"
        );
    }
    format!(
        "[scenario]\ntime = {{ start = 0, end = 3 }}\n[parameters]\nb = 3\nd = 40\n[states]\n{states}\
         [equations]\n{equations}[solver]\nrtol = 1e-7\natol = 1e-9\n{solver}"
    )
}

const PRECONDITIONERS: [&str; 3] = [
    "preconditioner = \"none\"",
    "preconditioner = \"ilu\"",
    "preconditioner = \"block-jacobi\"\nblock_size = 2",
];

fn study(solver: &str) -> Study {
    let (study, findings) = Study::from_text(&scenario(solver), Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn by_gmres(method: &str, preconditioner: &str) -> Study {
    study(&format!(
        "method = \"{method}\"\nlinear_solver = \"gmres\"\n{preconditioner}"
    ))
}

fn run(study: &Study) -> Simulation {
    simulate(study, 0, &study.values(), &[0.0, 1.0, 3.0]).unwrap_or_else(|error| panic!("{error}"))
}

/// Largest difference of two runs in units of the tolerance.
fn difference(a: &Simulation, b: &Simulation) -> f64 {
    let pairs = a.states.iter().flatten().zip(b.states.iter().flatten());
    pairs.fold(0.0, |largest, (a, b)| {
        f64::max(largest, (a - b).abs() / (1e-9 + 1e-7 * b.abs()))
    })
}

#[test]
fn solutions_are_those_by_factors() {
    // of order 5 by steps of 1/500: 1e-11
    let exact = run(&study("method = \"radau5\"\nmax_step = 0.002"));
    for method in [
        "bdf", "ndf", "tr-bdf2", "kvaerno3", "kvaerno4", "kvaerno5", "kencarp4",
    ] {
        let direct = run(&study(&format!(
            "method = \"{method}\"\nlinear_solver = \"sparse\""
        )));
        assert_eq!(direct.statistics.linear_iterations, 0);
        let allowed = 2.0 * difference(&direct, &exact) + 3.0;
        for preconditioner in PRECONDITIONERS {
            let result = run(&by_gmres(method, preconditioner));
            let found = difference(&result, &exact);
            assert!(
                found < allowed,
                "{method}, {preconditioner}: {found} for {allowed}"
            );
            let s = result.statistics;
            assert!(s.linear_iterations >= s.steps, "{s:?}");
            // without a preconditioner the Jacobian is not even compiled
            assert_eq!(s.jacobians == 0, preconditioner.contains("none"), "{s:?}");
        }
    }
}

#[test]
fn another_method_verifies_by_factors() {
    let study = by_gmres("bdf", PRECONDITIONERS[0]);
    let solving = Solving::for_simulation(&study).expect("a method");
    let (p, times) = (study.values(), [0.0, 1.0, 3.0]);
    let first = simulate_by(&study, &solving, 0, &p, &times).expect("a run");
    let second = verify(&study, &solving, 0, &p, &times, &first).expect("another");
    assert_eq!(second.method, "radau5");
    assert_eq!(second.simulation.statistics.linear_iterations, 0);
    assert!(second.states.iter().all(|s| s.digits() > 4.0));
}

#[test]
fn gradients_are_those_by_factors() {
    let gradient = |study: &Study| {
        let solving = Solving::choose(study).expect("a method");
        let variables: Vec<Variable> = (0..2).map(Variable::Parameter).collect();
        let mut gradient = [0.0; 2];
        FunctionalStudy::parse(study, "final(u3 + v11)")
            .unwrap_or_else(|findings| panic!("{findings:?}"))
            .gradient(
                study,
                &solving,
                GradientMethod::Dual,
                &study.values(),
                &variables,
                &mut gradient,
            )
            .unwrap_or_else(|error| panic!("{error}"));
        gradient
    };
    for method in ["bdf", "kvaerno5"] {
        let direct = gradient(&study(&format!("method = \"{method}\"")));
        for preconditioner in PRECONDITIONERS {
            let by_gmres = gradient(&by_gmres(method, preconditioner));
            for (a, b) in by_gmres.iter().zip(direct) {
                // derivatives of two sequences of steps at a tolerance of 1e-7
                assert!((a / b - 1.0).abs() < 1e-4, "{method}: {a} {b}");
            }
        }
    }
}
