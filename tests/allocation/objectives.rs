//! Once its buffers are made, an objective and its derivatives allocate nothing, whatever the number of steps: counted
//! by the allocator itself, alone in its process.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::Override;

use costate::study::{Objective, Solving, Study, Variable};

use crate::counting::second_round;

fn study(path: &str, method: &str) -> Study {
    let overrides = [Override {
        path: "solver.method".into(),
        value: method.into(),
    }];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let (study, findings) = Study::load(&path, &overrides, Backend::Auto);
    assert!(study.is_some(), "{findings:?}");
    study.expect("checked")
}

// One test only: another one's allocations would be counted, too.
#[test]
fn value_gradients_and_rows_allocate_nothing_again() {
    // experiments in parallel gather their shares in a vector; one thread's work is what is counted
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    alone.expect("a thread").install(count_all);
}

fn count_all() {
    // Formulas of states as observables (pinene has five states), several experiments (theophylline), signals.
    for scenario in ["lynx-hare", "pinene", "theophylline", "dc-motor"] {
        for method in ["tsit5", "rodas5p"] {
            let study = study(&format!("scenarios/{scenario}/scenario.toml"), method);
            let solving = Solving::choose(&study).expect("a method");
            let variables = Variable::fitted(&study.scenario);
            let m = variables.len();
            let p = study.values();
            let mut objective = Objective::new(&study, solving, None).expect("an objective");
            let mut gradient = vec![0.0; m];
            let height = 2 * study.measurements() + m;
            let (mut rows, mut jacobian) = (vec![0.0; height], vec![0.0; height * m]);
            let expect_none = |what: &str, count: usize| {
                assert_eq!(count, 0, "{scenario} by {method}: {what}");
            };
            expect_none(
                "value",
                second_round(|| {
                    objective.value(&p).expect("a value");
                }),
            );
            expect_none(
                "adjoint",
                second_round(|| {
                    objective
                        .gradient_adjoint(&p, &variables, &mut gradient)
                        .expect("a gradient");
                }),
            );
            expect_none(
                "dual",
                second_round(|| {
                    objective
                        .gradient_dual(&p, &variables, &mut gradient)
                        .expect("a gradient");
                }),
            );
            expect_none(
                "rows",
                second_round(|| {
                    objective
                        .rows(&p, &variables, &mut rows, &mut jacobian)
                        .expect("rows");
                }),
            );
        }
    }
}
