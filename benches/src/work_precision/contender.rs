//! A tool with a method, ready to solve one problem at any tolerance; and Costate's own.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::SolverMethod;
use costate::study::{Run, Solving, Study};
use costate_solvers::{Samples, Tolerance};

use crate::golden::Problem;

/// A solve's outcome.
pub struct Answer {
    /// states at the problem's output times, row after row
    pub states: Vec<f64>,
    /// evaluations of f
    pub evaluations: usize,
}

/// Solves once and says what came out.
pub type Solve = Box<dyn FnMut() -> Result<Answer, String>>;

/// A tool with a method.
pub struct Contender {
    /// such as `costate tsit5`
    pub name: String,
    /// sets up a solve at a tolerance
    pub at: Box<dyn Fn(f64) -> Solve>,
}

/// Costate by a method, from the problem's TOML text.
pub fn costate(problem: &Problem, method: SolverMethod) -> Result<Contender, String> {
    let (study, findings) = Study::from_text(&problem.toml, Path::new("."), Backend::Auto);
    // Solves live as long as the process, and so does what they borrow.
    let study: &'static Study = Box::leak(Box::new(study.ok_or(format!("{findings:?}"))?));
    let sizes = problem.sizes();
    let [start, end] = problem.span;
    let times: Vec<f64> = problem.outputs.iter().map(|(t, _)| *t).collect();
    let at = move |rtol: f64| -> Solve {
        let mut options = Solving::options(study);
        options.rtol = rtol;
        options.atol = Tolerance::PerState(sizes.iter().map(|s| rtol * s).collect());
        options.max_steps = 1_000_000;
        let (mut run, times) = (Run::<f64>::new(&study.equations), times.clone());
        let values = study.values();
        Box::new(move || {
            run.prepare(0, &values, start, end)
                .map_err(|e| e.to_string())?;
            let mut samples = Samples::new(times.clone()).map_err(|e| e.to_string())?;
            let statistics = run
                .solve(method, &options, None, &mut samples)
                .map_err(|e| e.to_string())?;
            Ok(Answer {
                states: samples.values().to_vec(),
                evaluations: statistics.rhs_evaluations,
            })
        })
    };
    // Whether there is such a method shows at the first solve.
    if let Err(why) = at(1e-3)()
        && why.contains("no solver")
    {
        return Err(why);
    }
    Ok(Contender {
        name: format!("costate {}", method.name()),
        at: Box::new(at),
    })
}
