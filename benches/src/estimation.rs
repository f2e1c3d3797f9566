//! What the objective of scenarios with data costs, alone and with its gradient: one thread, medians of CPU time.
//!
//! ```sh
//! costate import petab Boehm.yaml --out boehm
//! cargo run --release --manifest-path benches/Cargo.toml -- estimation boehm 1e-8 1e-10
//! ```

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::Override;
use costate::study::{Objective, Solving, Study, Variable};

use crate::work_precision::timing::medians;

/// Times scenarios at their parameters' values; the last two words are the relative and the absolute tolerance.
pub fn run(words: &[String]) -> Result<(), String> {
    let usage = "estimation SCENARIO... RTOL ATOL";
    let [scenarios @ .., rtol, atol] = words else {
        return Err(usage.into());
    };
    if scenarios.is_empty() {
        return Err(usage.into());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|e| e.to_string())?;
    println!("milliseconds of CPU time, rtol {rtol}, atol {atol}");
    println!(
        "{:24} {:>8} {:>10} {:>11} {:>10} {:>10} {:>9} {:>9}",
        "", "method", "parameters", "experiments", "objective", "by duals", "adjoint", "steps"
    );
    for path in scenarios {
        pool.install(|| row(path, rtol, atol))
            .map_err(|e| format!("{path}: {e}"))?;
    }
    Ok(())
}

fn row(path: &str, rtol: &str, atol: &str) -> Result<(), String> {
    let overrides = [("solver.rtol", rtol), ("solver.atol", atol)].map(|(path, value)| Override {
        path: path.into(),
        value: value.into(),
    });
    let (study, findings) = Study::load(Path::new(path), &overrides, Backend::Auto);
    let study = study.ok_or_else(|| format!("{findings:?}"))?;
    let solving = Solving::choose(&study).map_err(|e| e.to_string())?;
    let p = study.values();
    let variables = Variable::fitted(&study.scenario);
    let objective = || Objective::new(&study, solving.clone(), None).map_err(|e| e.to_string());
    let (mut plain, mut dual, mut adjoint) = (objective()?, objective()?, objective()?);
    let mut gradients = [vec![0.0; variables.len()], vec![0.0; variables.len()]];
    let [of_duals, of_adjoint] = &mut gradients;
    // an error is told once, before the clock runs
    plain.value(&p).map_err(|e| e.to_string())?;
    let steps = plain.statistics.steps;
    dual.gradient_dual(&p, &variables, of_duals)
        .map_err(|e| e.to_string())?;
    let has_adjoint = solving.adjoint().is_ok();
    if has_adjoint {
        adjoint
            .gradient_adjoint(&p, &variables, of_adjoint)
            .map_err(|e| e.to_string())?;
    }
    let times = medians(&mut [
        &mut || drop(std::hint::black_box(plain.value(&p))),
        &mut || {
            drop(std::hint::black_box(
                dual.gradient_dual(&p, &variables, of_duals),
            ))
        },
        &mut || {
            if has_adjoint {
                drop(std::hint::black_box(
                    adjoint.gradient_adjoint(&p, &variables, of_adjoint),
                ));
            }
        },
    ]);
    println!(
        "{path:24} {:>8} {:>10} {:>11} {:>10.3} {:>10.3} {:>9.3} {steps:>9}",
        solving.stepper.name(),
        variables.len(),
        study.scenario.experiments.len(),
        1e3 * times[0],
        1e3 * times[1],
        1e3 * times[2],
    );
    Ok(())
}
