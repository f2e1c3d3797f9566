//! Random smooth models, solved by random methods: the gradient by dual numbers and that by the discrete adjoint agree to 1e-9
//! in norm, and nothing panics.

use std::fmt::Write as _;
use std::path::Path;

use costate::compile::Backend;
use costate::scenario::{GradientMethod, SolverMethod};
use costate::study::{FunctionalStudy, Solving, Study, Variable};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// An expression of the names, bounded or growing slowly, so that solutions stay finite.
fn expression(random: &mut ChaCha8Rng, names: &[String], depth: usize) -> String {
    let leaf = |random: &mut ChaCha8Rng| match random.random_range(0..5) {
        0 => format!("{:.3}", random.random_range(-2.0..2.0)),
        _ => names[random.random_range(0..names.len())].clone(),
    };
    if depth == 0 {
        return leaf(random);
    }
    let kind = random.random_range(0..14);
    let a = expression(random, names, depth - 1);
    let mut b = || expression(random, names, depth - 1);
    match kind {
        0 | 1 => format!("({a} + {})", b()),
        2 => format!("({a} - {})", b()),
        3 => format!("tanh({a})*{}", leaf(random)),
        4 => format!("sin({a})"),
        5 => format!("cos({a} + {})", b()),
        6 => format!("exp(-({a})^2)"),
        7 => format!("logistic({a})"),
        8 => format!("({a})/(1 + ({})^2)", b()),
        9 => format!("sqrt(1 + ({a})^2)"),
        10 => format!("log(2 + ({a})^2)"),
        11 => format!("atan({a})"),
        12 => format!("erf({a})"),
        _ => leaf(random),
    }
}

/// A scenario but for its `[solver]`, and a functional of it.
fn scenario(random: &mut ChaCha8Rng) -> (String, String) {
    let states: Vec<String> = (1..=random.random_range(1..=4))
        .map(|i| format!("x{i}"))
        .collect();
    let parameters: Vec<String> = (1..=random.random_range(1..=5))
        .map(|i| format!("p{i}"))
        .collect();
    let all = [&states[..], &parameters[..], &["t".to_owned()]].concat();
    let end: f64 = random.random_range(0.5..2.5);
    let mut text = format!("[scenario]\ntime = {{ start = 0.0, end = {end:.3} }}\n[parameters]\n");
    let mut line = |entry: std::fmt::Arguments<'_>| writeln!(text, "{entry}").expect("a string");
    for p in &parameters {
        line(format_args!("{p} = {:.3}", random.random_range(0.2..1.5)));
    }
    line(format_args!("[states]"));
    for x in &states {
        let start = expression(random, &parameters, 1);
        line(format_args!("{x} = \"{start}\""));
    }
    line(format_args!("[equations]"));
    for x in &states {
        let damping = random.random_range(0.1..3.0);
        let drive = expression(random, &all, 3);
        line(format_args!("{x} = \"-{damping:.3}*{x} + {drive}\""));
    }
    if random.random_range(0..3) == 0 {
        // a time that moves with a parameter
        let (k, x) = (random.random_range(0.1..0.9) * end, &states[0]);
        line(format_args!(
            "[[events]]\nname = \"kick\"\nat = [\"{k:.3} + 0.01*sin(p1)\"]"
        ));
        line(format_args!("set = {{ {x} = \"0.5*{x} + tanh(p1 + t)\" }}"));
    }
    if random.random_range(0..3) == 0 {
        // a level that some runs cross
        let (level, x) = (random.random_range(-1.0..1.0), &states[states.len() - 1]);
        line(format_args!(
            "[[events]]\nname = \"level\"\nwhen = \"{x} - {level:.3} + 0.1*p1\""
        ));
        line(format_args!(
            "set = {{ {x} = \"{x} + 0.3 + 0.1*p1*{x}\" }}\ndirection = \"falling\""
        ));
    }
    let read = |random: &mut ChaCha8Rng| {
        let x = &states[random.random_range(0..states.len())];
        format!("at({x}, {:.4})", random.random_range(0.05..0.95) * end)
    };
    let functional = format!(
        "final({})^2 + {}*{} + integral({})",
        states[0],
        read(random),
        read(random),
        expression(random, &all, 2)
    );
    (text, functional)
}

fn methods() -> Vec<SolverMethod> {
    use SolverMethod as M;
    let unfit = [
        M::Verlet,
        M::Yoshida4,
        M::Yoshida6,
        M::Yoshida8,
        M::OdeSolversDopri5,
        M::OdeSolversDop853,
    ];
    let all = SolverMethod::ALL.iter().copied();
    all.filter(|m| !unfit.contains(m)).collect()
}

#[test]
fn adjoint_and_dual_numbers_agree_on_random_models() {
    let methods = methods();
    let (mut compared, mut wrong) = (0, Vec::new());
    for seed in 0..200 {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let (text, functional) = scenario(random);
        let method = methods[random.random_range(0..methods.len())];
        let text = match method.needs_step() {
            true => format!(
                "{text}[solver]\nmethod = \"{}\"\nstep = 0.02\n",
                method.name()
            ),
            false => format!(
                "{text}[solver]\nmethod = \"{}\"\nrtol = 1e-6\natol = 1e-8\n",
                method.name()
            ),
        };
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let study = study.unwrap_or_else(|| panic!("seed {seed}: {findings:#?}\n{text}"));
        let solving = match method {
            SolverMethod::Auto => Solving::for_simulation(&study),
            _ => Solving::choose(&study),
        };
        let solving = solving.expect("a method");
        let p = study.values();
        let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
        let functional = FunctionalStudy::parse(&study, &functional)
            .unwrap_or_else(|findings| panic!("seed {seed}: {findings:#?}\n{functional}"));
        let by = |how| {
            let mut gradient = vec![0.0; p.len()];
            functional
                .gradient(&study, &solving, how, &p, &variables, &mut gradient)
                .map(|_| gradient)
        };
        match (by(GradientMethod::Dual), by(GradientMethod::Adjoint)) {
            (Ok(dual), Ok(adjoint)) => {
                let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
                let size = norm(&mut dual.iter().copied());
                let off = norm(&mut dual.iter().zip(&adjoint).map(|(a, b)| a - b));
                compared += 1;
                if off.is_nan() || off > 1e-9 * size.max(1e-3) {
                    wrong.push(format!(
                        "seed {seed} by {}: {dual:?} {adjoint:?}\n{text}",
                        method.name()
                    ));
                }
            }
            // a run that cannot be made is no matter of gradients, but then neither may be
            (Err(dual), Err(adjoint)) => println!("seed {seed}: {dual}; {adjoint}"),
            (dual, adjoint) => wrong.push(format!(
                "seed {seed} by {}: {:?} {:?}\n{text}",
                method.name(),
                dual.map_err(|e| e.to_string()),
                adjoint.map_err(|e| e.to_string())
            )),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared >= 190, "{compared} compared");
}
