//! Mechanics and contact with known answers (`tests/data/control`): values by the scenarios' own `[[expect]]` entries, derivatives
//! through events here, and the energy of a symplectic method over a thousand periods.

use std::path::{Path, PathBuf};

use costate::compile::Backend;
use costate::scenario::{GradientMethod, SolverMethod};
use costate::study::{
    Choice, FunctionalStudy, GradientOf, Solving, Study, StudyError, Variable, check_expectations,
    gradient, simulate_by,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/control")
}

fn study(name: &str) -> Study {
    let path = folder().join(format!("{name}.toml"));
    let (study, findings) = Study::load(&path, &[], Backend::Auto);
    study.unwrap_or_else(|| panic!("{name}: {findings:#?}"))
}

#[test]
fn every_scenario_meets_its_expectations() {
    let mut seen = 0;
    for name in [
        "bouncing-ball",
        "sliding-block",
        "sticking-oscillator",
        "kepler",
        "euler-top",
        "sampled-pi",
        "sampled-pi-block",
        "two-balls",
        "impact",
        "collision",
    ] {
        for result in check_expectations(&study(name)) {
            println!("{name}: {} = {}", result.text, result.outcome_text());
            assert!(
                result.holds(),
                "{name}: {}: {}",
                result.text,
                result.outcome_text()
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 20);
}

#[test]
fn bounces_are_counted() {
    let study = study("bouncing-ball");
    let solving = Solving::choose(&study).expect("a method");
    let run = simulate_by(&study, &solving, 0, &study.values(), &[3.0]).expect("a run");
    assert_eq!(run.events.len(), 6);
}

const COST: &str = "integral((1 - y)^2) + 0.1*integral((newest - 1/K)^2)";
const COST_OF_BLOCK: &str = "integral((1 - y)^2) + 0.1*integral((regulator_held - 1/K)^2)";
const MISS: &str = "final(bx)^2 + final(by)^2";

/// scenario, functional, parameter, derivative, allowed error
const DERIVATIVES: &[(&str, &str, &str, f64, f64)] = &[
    (
        "bouncing-ball",
        "final(y)",
        "height",
        0.09173866104288286,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(y)",
        "speed",
        0.0015651512114928398,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(y)",
        "gravity",
        -0.00234772681723926,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(y)",
        "restitution",
        1.1638877209850786,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(v)",
        "height",
        14.707322933307628,
        1e-10,
    ),
    ("bouncing-ball", "final(v)", "speed", 1.0, 1e-10),
    (
        "bouncing-ball",
        "final(v)",
        "gravity",
        -1.5007825756057465,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(v)",
        "restitution",
        85.03687628886169,
        1e-10,
    ),
    ("sliding-block", "final(x)", "mu", -5.09683995922528, 1e-9),
    ("sticking-oscillator", "final(x)", "mu", 3.3354, 1e-8),
    ("sticking-oscillator", "final(x)", "x0", -1.0, 1e-9),
    ("sampled-pi", COST, "Kp", 0.02164534366751, 1e-10),
    ("sampled-pi", COST, "Ki", -0.03368267190192, 1e-10),
    ("sampled-pi", COST, "Tt", -0.01619979337044, 1e-10),
    ("sampled-pi", COST, "theta", 0.98635791611542, 1e-9),
    ("sampled-pi", COST, "tau", 0.35383882634877, 1e-9),
    ("sampled-pi", COST, "K", -0.49896230561257, 1e-9),
    ("sampled-pi", COST, "umax", -0.40070494887638, 1e-9),
    (
        "sampled-pi-block",
        COST_OF_BLOCK,
        "Kp",
        0.02164534366751,
        1e-10,
    ),
    (
        "sampled-pi-block",
        COST_OF_BLOCK,
        "Ki",
        -0.03368267190192,
        1e-10,
    ),
    (
        "sampled-pi-block",
        COST_OF_BLOCK,
        "Tt",
        -0.01619979337044,
        1e-10,
    ),
    (
        "sampled-pi-block",
        COST_OF_BLOCK,
        "theta",
        0.98635791611542,
        1e-9,
    ),
    (
        "sampled-pi-block",
        COST_OF_BLOCK,
        "tau",
        0.35383882634877,
        1e-9,
    ),
    (
        "sampled-pi-block",
        COST_OF_BLOCK,
        "K",
        -0.49896230561257,
        1e-9,
    ),
    (
        "sampled-pi-block",
        COST_OF_BLOCK,
        "umax",
        -0.40070494887638,
        1e-9,
    ),
    ("two-balls", MISS, "x1", -0.398668416461417, 1e-8),
    ("two-balls", MISS, "x2", -0.321253115524661, 1e-8),
    ("two-balls", MISS, "v1", -0.497790657365997, 1e-8),
    ("two-balls", MISS, "v2", -0.22213087462008, 1e-8),
    ("two-balls", MISS, "force", -0.248895328682998, 1e-8),
    ("impact", "final(y)", "y0", -1.0, 1e-12),
    ("impact", "final(y)", "v0", -0.406, 1e-12),
    ("collision", "final(y)", "x1", 1.0, 1e-12),
    ("collision", "final(y)", "x2", 0.0, 1e-12),
    ("collision", "final(y)", "v0", 1.0, 1e-12),
    ("collision", "final(y)", "u0", 0.0, 1e-12),
    ("kepler", "final(x)", "mu", 22.633762925084014, 1e-7),
    ("kepler", "final(y)", "mu", -30.70989412252724, 1e-7),
    ("kepler", "final(x)", "start", -66.10073459442202, 1e-6),
    ("kepler", "final(y)", "start", 88.04525824514913, 1e-6),
    ("kepler", "final(x)", "speed", -21.49800926469652, 1e-6),
    ("kepler", "final(y)", "speed", 28.313955331511142, 1e-6),
];

#[test]
fn derivatives_through_events() {
    for &(name, text, parameter, expected, allowed) in DERIVATIVES {
        let study = study(name);
        let solving = Solving::choose(&study).expect("a method");
        let functional = FunctionalStudy::parse(&study, text).expect("a functional");
        let variable = Variable::parse(parameter, &study.scenario).expect("a parameter");
        for method in [GradientMethod::Dual, GradientMethod::Adjoint] {
            let of = GradientOf::Functional(&functional);
            let (p, wrt) = (study.values(), [variable]);
            let result = gradient(&study, &solving, of, method, &p, &wrt);
            let found = result.expect("a gradient").gradient[0];
            let error = (found - expected).abs();
            println!(
                "{name}: d {text} / d {parameter} = {found} by {method:?} (off by {error:.1e})"
            );
            assert!(
                error <= allowed,
                "{name}: d {text} / d {parameter} = {found} by {method:?}, not {expected}"
            );
        }
    }
}

/// However many outputs are read on the way, none included: the steps, and the derivatives, are the same bits.
#[test]
fn readings_do_not_change_derivatives_through_bounces() {
    let study = study("bouncing-ball");
    let solving = Solving::choose(&study).expect("a method");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    for method in [GradientMethod::Dual, GradientMethod::Adjoint] {
        let mut all = Vec::new();
        for readings in [0, 1, 10, 300] {
            let mut text = String::from("final(y)");
            for k in 1..=readings {
                let t = 3.0 * f64::from(k) / f64::from(readings + 1);
                text += &format!(" + 0*at(v, {t})");
            }
            let functional = FunctionalStudy::parse(&study, &text).expect("a functional");
            let mut gradient = vec![0.0; p.len()];
            functional
                .gradient(&study, &solving, method, &p, &variables, &mut gradient)
                .expect("a gradient");
            all.push(gradient.iter().map(|g| g.to_bits()).collect::<Vec<_>>());
        }
        assert!(all.windows(2).all(|w| w[0] == w[1]), "{method:?}");
    }
}

/// The damped oscillator of a fit: the sum of squared differences from samples of x with other parameters.
#[test]
fn the_loss_of_an_identification() {
    let text = "[scenario]\ntime = { start = 0.0, end = 10.0 }\n[parameters]\nc = 0.6\nk = 5.0\n\
                [states]\nx = 1.0\nv = 0.0\n[equations]\nx = \"v\"\nv = \"-c*v - k*x\"\n\
                [solver]\nmethod = \"tsit5\"\nrtol = 1e-12\natol = 1e-12\n";
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    // x(t) at c = 0.4, k = 4
    let (decay, frequency) = (0.2f64, (4.0f64 - 0.04).sqrt());
    let truth = |t: f64| {
        let (sin, cos) = (frequency * t).sin_cos();
        (-decay * t).exp() * (cos + decay / frequency * sin)
    };
    let terms = (1..=100).map(|i| {
        let t = f64::from(i) / 10.0;
        format!("(at(x, {t:?}) - ({:?}))^2", truth(t))
    });
    let text = terms.collect::<Vec<_>>().join(" + ");
    let functional = FunctionalStudy::parse(&study, &text).expect("a functional");
    let solving = Solving::choose(&study).expect("a method");
    let (p, variables) = (study.values(), [0, 1].map(Variable::Parameter));
    for method in [GradientMethod::Dual, GradientMethod::Adjoint] {
        let mut gradient = [0.0; 2];
        let loss = functional
            .gradient(&study, &solving, method, &p, &variables, &mut gradient)
            .expect("a gradient");
        assert!((loss - 3.687802392310179).abs() < 1e-9, "{loss}");
        for (g, expected) in gradient.iter().zip([-5.042228937188497, 5.522815047699397]) {
            assert!(
                (g - expected).abs() < 1e-8,
                "{method:?}: {g} for {expected}"
            );
        }
    }
}

/// The error of the energy stays where it is in the first periods: the map is symplectic, and follows a nearby energy exactly.
#[test]
fn the_energy_of_verlet_does_not_drift() {
    let step = std::f64::consts::TAU / 200.0;
    let mut largest = Vec::new();
    for periods in [10, 1000] {
        let mut study = study("kepler");
        let mut options = Solving::options(&study);
        (options.step, options.max_steps) = (Some(step), 1_000_000);
        let solving = Solving {
            continuous: false,
            delays: false,
            memory: None,
            stepper: SolverMethod::Verlet,
            options,
            choice: Choice::Named,
        };
        let times: Vec<f64> = (0..=200 * periods).map(|i| f64::from(i) * step).collect();
        study.scenario.end = times[times.len() - 1];
        let run = match simulate_by(&study, &solving, 0, &study.values(), &times) {
            Err(StudyError::Unsupported(why)) => return println!("{why}"),
            run => run.expect("a run"),
        };
        println!("{periods} periods: {}", run.invariants[0].relative());
        largest.push(run.invariants[0].relative());
    }
    for drift in largest {
        assert!((drift - 0.007352).abs() < 2e-5, "{drift}");
    }
}

#[test]
fn invariants_of_the_top_hold() {
    let study = study("euler-top");
    let solving = Solving::choose(&study).expect("a method");
    let times: Vec<f64> = (0..=500).map(|i| 0.1 * f64::from(i)).collect();
    let run = simulate_by(&study, &solving, 0, &study.values(), &times).expect("a run");
    for (drift, value) in run.invariants.iter().zip([8.13, 16.37]) {
        assert!((drift.initial - value).abs() < 1e-14 * value);
        assert!(
            drift.largest < 1e-12 * value,
            "{}: {:e}",
            drift.name,
            drift.largest
        );
    }
}
