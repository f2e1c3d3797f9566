//! `costate-bench work-precision`: what an error costs, by method.
//!
//! ```sh
//! cargo run --release --manifest-path benches/Cargo.toml -- work-precision lotka_volterra rober --out target/work-precision
//! ```
//!
//! Solves reference problems of `tests/data/ode` at a ladder of tolerances and writes, a problem each, `<problem>.csv`, a figure
//! (`.svg` and `.png`) of CPU time and of evaluations of f against the error achieved, and the same as text, with the time that
//! each curve has where it crosses given errors: tools are compared at matched error, not at equal tolerance.
//!
//! Costate solves the TOML text of a problem by its compiled model; compiling is not timed, nor are the buffers, which it keeps.
//! diffsol and ode_solvers solve the problems of [`equations`], written by hand in Rust, over solvers made anew for each solve, as
//! their interfaces have it. All get rtol and, where they take one for each state, atol_i = rtol times the size of the state
//! (`Problem::sizes`); ode_solvers takes one atol, that of the smallest state. Times are CPU times of the one thread, medians of
//! blocks of solves taken in turn.

mod contender;
mod curve;
mod equations;
mod output;
mod peers;
pub mod timing;

use std::path::PathBuf;

use contender::Contender;
use costate::scenario::SolverMethod;

use crate::golden::{self, Problem};
use curve::Curve;

/// Problems without names on the command line: tasks T1 to T3.
const PROBLEMS: [&str; 6] = [
    "lotka_volterra",
    "pleiades",
    "hires",
    "pollu",
    "detest_stiff/F4",
    "rober",
];
const NONSTIFF: [SolverMethod; 5] = [
    SolverMethod::Dopri5,
    SolverMethod::Tsit5,
    SolverMethod::Dop853,
    SolverMethod::Vern7,
    SolverMethod::Vern9,
];
const STIFF: [SolverMethod; 8] = [
    SolverMethod::Rodas4,
    SolverMethod::Rodas5p,
    SolverMethod::TrBdf2,
    SolverMethod::Kvaerno5,
    SolverMethod::KenCarp4,
    SolverMethod::Radau5,
    SolverMethod::Bdf,
    SolverMethod::Ndf,
];

/// What the command line asks for.
struct Request {
    problems: Vec<Problem>,
    methods: Option<Vec<SolverMethod>>,
    tolerances: Vec<f64>,
    errors: Vec<f64>,
    out: PathBuf,
    peers: bool,
}

/// Runs the command over the words after its name.
pub fn run(words: &[String]) -> Result<(), String> {
    let request = parse(words)?;
    std::fs::create_dir_all(&request.out).map_err(|e| format!("{}: {e}", request.out.display()))?;
    for problem in &request.problems {
        let methods = match &request.methods {
            Some(methods) => methods.clone(),
            None if problem.is("stiff") || problem.is("dae") => STIFF.to_vec(),
            None => NONSTIFF.to_vec(),
        };
        let mut contenders: Vec<Contender> = Vec::new();
        for method in methods {
            match contender::costate(problem, method) {
                Ok(contender) => contenders.push(contender),
                Err(why) => eprintln!("{}: {}: {why}", problem.id, method.name()),
            }
        }
        if request.peers {
            contenders.extend(peers::contenders(problem));
        }
        let curves: Vec<Curve> = curve::measure(problem, &contenders, &request.tolerances);
        output::write(problem, &curves, &request.errors, &request.out)?;
    }
    Ok(())
}

fn parse(words: &[String]) -> Result<Request, String> {
    let mut request = Request {
        problems: Vec::new(),
        methods: None,
        tolerances: (6..=20).map(|k| 10_f64.powf(-0.5 * f64::from(k))).collect(),
        errors: vec![1e-4, 1e-6, 1e-8],
        out: PathBuf::from("."),
        peers: true,
    };
    let numbers = |text: &str| -> Result<Vec<f64>, String> {
        let parsed = text
            .split(',')
            .map(|n| n.parse().map_err(|e| format!("`{n}`: {e}")));
        parsed.collect()
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
        match word.as_str() {
            "--methods" => {
                let named = |name: &str| {
                    let mut all = SolverMethod::ALL.iter().copied();
                    all.find(|m| m.name() == name)
                        .ok_or(format!("no method `{name}`"))
                };
                request.methods = Some(value()?.split(',').map(named).collect::<Result<_, _>>()?);
            }
            "--tolerances" => request.tolerances = numbers(value()?)?,
            "--at" => request.errors = numbers(value()?)?,
            "--out" => request.out = value()?.into(),
            "--no-peers" => request.peers = false,
            flag if flag.starts_with('-') => {
                return Err(format!(
                    "unknown option `{flag}`: there are --methods, --tolerances, --at, --out, --no-peers"
                ));
            }
            id => request
                .problems
                .push(golden::find(id).ok_or(format!("no problem `{id}` in tests/data/ode"))?),
        }
    }
    if request.problems.is_empty() {
        request.problems = PROBLEMS.iter().filter_map(|id| golden::find(id)).collect();
    }
    Ok(request)
}
