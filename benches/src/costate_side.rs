//! Costate, from the TOML text of `tests/data/lv-t1`: the objective, and its gradient by dual numbers and by the
//! discrete adjoint. Reading, compiling and the first call, which makes the buffers, are not timed here; whole runs of the
//! program are (see `process.rs`).

use costate::compile::Backend;
use costate::scenario::AbsoluteTolerance;
use costate::study::{Objective, Solving, Study, Variable};

use crate::clock::Row;
use crate::task::{Answer, PARAMETERS, folder};

/// Its rows at a tolerance, relative and absolute.
pub fn rows(tolerance: f64) -> Vec<Row> {
    let (study, findings) = Study::load(&folder().join("scenario.toml"), &[], Backend::Auto);
    let mut study = study.unwrap_or_else(|| panic!("tests/data/lv-t1 is refused: {findings:?}"));
    study.scenario.solver.rtol = tolerance;
    study.scenario.solver.atol = AbsoluteTolerance::Uniform(tolerance);
    // The rows live as long as the process, and so does what they borrow.
    let study: &'static Study = Box::leak(Box::new(study));
    let variables = Variable::fitted(&study.scenario);
    let objective = || {
        let solving = Solving::choose(study).expect("a named method");
        Objective::new(study, solving, None).expect("a scenario with data")
    };
    let (mut solve, mut dual, mut adjoint) = (objective(), objective(), objective());
    let by_adjoint = variables.clone();
    vec![
        Row::new("costate tsit5, from TOML", "solve", move || Answer {
            objective: solve.value(&PARAMETERS).expect("a solution"),
            gradient: Vec::new(),
        }),
        Row::new(
            "costate tsit5, from TOML, dual numbers",
            "forward",
            move || {
                let mut gradient = vec![0.0; variables.len()];
                let objective = dual
                    .gradient_dual(&PARAMETERS, &variables, &mut gradient)
                    .expect("a gradient");
                Answer {
                    objective,
                    gradient,
                }
            },
        ),
        Row::new(
            "costate tsit5, from TOML, discrete adjoint",
            "adjoint",
            move || {
                let mut gradient = vec![0.0; by_adjoint.len()];
                let objective = adjoint
                    .gradient_adjoint(&PARAMETERS, &by_adjoint, &mut gradient)
                    .expect("a gradient");
                Answer {
                    objective,
                    gradient,
                }
            },
        ),
    ]
}
