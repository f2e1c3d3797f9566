//! Sweeps: every point is what a single evaluation there gives, in the order of the points, whatever the threads.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::study::{
    Objective, Solving, Study, StudyError, SweepAxis, SweepOf, grid_points, random_points, sweep,
};

fn lynx_and_hare() -> Study {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lynx-hare/scenario.toml");
    let (study, findings) = Study::load(&path, &[], Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn axis(study: &Study, name: &str, from: f64, to: f64, count: usize) -> SweepAxis {
    let mut parameters = study.scenario.parameters.iter();
    SweepAxis {
        parameter: parameters
            .position(|p| p.name.text == name)
            .expect("a name"),
        from,
        to,
        count,
        logarithmic: false,
    }
}

#[test]
fn points_are_single_evaluations() {
    let study = lynx_and_hare();
    let axes = [
        axis(&study, "alpha", 0.4, 0.6, 3),
        axis(&study, "gamma", 0.7, 0.9, 4),
    ];
    let points = grid_points(&axes);
    let stop = AtomicBool::new(false);
    let values = sweep(&study, SweepOf::Data, &axes, &points, &stop, &|_| ()).expect("values");
    assert_eq!(values.len(), 12);
    let solving = Solving::choose(&study).expect("a solver");
    let mut objective = Objective::new(&study, solving, None).expect("data");
    for (point, value) in points.iter().zip(&values) {
        let mut p = study.values();
        (p[axes[0].parameter], p[axes[1].parameter]) = (point[0], point[1]);
        // the same program on the same numbers
        assert_eq!(*value, objective.value(&p));
    }
    let again = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let again = again
        .expect("a thread")
        .install(|| sweep(&study, SweepOf::Data, &axes, &points, &stop, &|_| ()));
    assert_eq!(again.expect("values"), values);
}

#[test]
fn functionals_are_swept_and_points_that_fail_say_why() {
    let text = r#"
        [scenario]
        time = { start = 0.0, end = 1.0 }
        [parameters]
        p = 0.5
        [states]
        x = "p"
        [equations]
        x = "x^2"
        "#;
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let axes = [axis(&study, "p", 0.0, 1.5, 4)];
    let points = grid_points(&axes);
    let stop = AtomicBool::new(false);
    let of = SweepOf::Functional("final(x)");
    let values = sweep(&study, of, &axes, &points, &stop, &|_| ()).expect("values");
    assert_eq!(values[0], Ok(0.0));
    // x = p / (1 - p t): 1 at p = 1/2, solved to the default tolerance of 1e-8
    assert!((values[1].as_ref().expect("a value") - 1.0).abs() < 1e-6);
    // at p = 1.5 there is no solution after t = 2/3
    assert!(
        matches!(values[3], Err(StudyError::Solve { .. })),
        "{:?}",
        values[3]
    );
    let none = sweep(&study, SweepOf::Data, &axes, &points, &stop, &|_| ());
    assert_eq!(none, Err(StudyError::NoData));
    let unknown = sweep(
        &study,
        SweepOf::Functional("final(z)"),
        &axes,
        &points,
        &stop,
        &|_| (),
    );
    assert!(matches!(unknown, Err(StudyError::Unsupported(_))));
    assert_eq!(random_points(&axes, 5, 1).len(), 5);
}
