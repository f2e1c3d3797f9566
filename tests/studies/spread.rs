//! Many experiments: the same bits at any number of threads, before and after other threads are woken.

use std::fmt::Write as _;
use std::fs;

use costate::compile::Backend;
use costate::study::{Objective, Solving, Study, Variable, row_count};
use rayon::ThreadPoolBuilder;

/// 100 experiments with a damped oscillator whose stiffness each sets for itself.
fn study(folder: &std::path::Path) -> Study {
    fs::write(folder.join("d.csv"), "t,x\n1,0.5\n5,0.1\n40,-0.2\n").expect("written");
    let mut text = r#"
[scenario]
time = { start = 0.0, end = 40.0 }
[parameters]
damping = { value = 0.02, bounds = [0.0, 1.0], fit = true }
scale = { value = 3.0, bounds = [0.1, 30.0], scale = "log", fit = true, prior = { distribution = "log-normal", location = 1.0, scale = 0.3 } }
s = { value = 0.3, bounds = [0.01, 3.0], scale = "log", fit = true }
stiffness = 1.0
[states]
x = 1.0
v = 0.0
[equations]
x = "v"
v = "-scale*stiffness*x - damping*v - 0.1*x^3"
[observables]
x = { expression = "x", noise = { sigma = "s" } }
[solver]
method = "tsit5"
rtol = 1e-9
atol = 1e-9
"#
    .to_owned();
    for k in 0..100 {
        write!(
            text,
            "[[experiments]]\nname = \"{k}\"\nparameters = {{ stiffness = {} }}\ndata = {{ file = \"d.csv\", time = \"t\" }}\n",
            1.0 + 0.01 * f64::from(k)
        )
        .expect("written");
    }
    let (study, findings) = Study::from_text(&text, folder, Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

/// Everything an objective can be asked, twice: the second time, with several threads, they have been woken.
fn asked(study: &Study, threads: usize) -> Vec<u64> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads").install(|| {
        let solving = Solving::choose(study).expect("a solver");
        let mut objective = Objective::new(study, solving, None).expect("an objective");
        let variables = Variable::fitted(&study.scenario);
        let p = study.values();
        let mut all = Vec::new();
        for _ in 0..2 {
            let mut gradient = vec![0.0; variables.len()];
            all.push(objective.value(&p).expect("a value"));
            all.push(
                objective
                    .gradient_dual(&p, &variables, &mut gradient)
                    .expect("dual"),
            );
            all.extend(&gradient);
            all.push(
                objective
                    .gradient_adjoint(&p, &variables, &mut gradient)
                    .expect("adjoint"),
            );
            all.extend(&gradient);
            let height = row_count(study, &variables);
            let mut r = vec![0.0; height];
            let mut jacobian = vec![0.0; height * variables.len()];
            all.push(
                objective
                    .rows(&p, &variables, &mut r, &mut jacobian)
                    .expect("rows"),
            );
            // the gradient once more, as J^T r
            let columns = jacobian.chunks_exact(height);
            all.extend(
                columns.map(|column| column.iter().zip(&r).map(|(a, b)| a * b).sum::<f64>()),
            );
            all.extend(r);
            all.extend(jacobian);
        }
        all.into_iter().map(f64::to_bits).collect()
    })
}

#[test]
fn many_experiments_have_the_same_bits_at_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let study = study(folder.path());
    let alone = asked(&study, 1);
    let half = alone.len() / 2;
    assert_eq!(alone[..half], alone[half..], "asked again");
    for threads in [2, 3, 8] {
        assert_eq!(asked(&study, threads), alone, "{threads} threads");
    }
    let number = |k: usize| f64::from_bits(alone[k]);
    // value; dual: value, 3 slopes; adjoint: value, 3 slopes; rows: value, J^T r
    for k in 0..3 {
        let (dual, adjoint, rows) = (number(2 + k), number(6 + k), number(10 + k));
        assert!(
            (dual - adjoint).abs() < 1e-10 * dual.abs(),
            "{dual} {adjoint}"
        );
        assert!((dual - rows).abs() < 1e-10 * dual.abs(), "{dual} {rows}");
    }
}
