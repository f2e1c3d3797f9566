//! What is particular to ESDIRK methods and Radau5: stiff accuracy, and matrices kept from step to step.

use costate_solvers::method::Trial;
use costate_solvers::{
    Integrator, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, Mesh, Method, NoRecord, Options, Radau5,
    Statistics, TrBdf2,
};

use crate::problems::{Problem, coupled, coupled_solution, largest, none, tolerance};
use crate::stiff_problems::{Hires, Model, stiff};
use crate::stretches::jumps;

/// Runs a generic test for each method.
macro_rules! each {
    ($test:ident) => {
        $test::<TrBdf2<f64>>();
        $test::<Kvaerno3<f64>>();
        $test::<Kvaerno4<f64>>();
        $test::<Kvaerno5<f64>>();
        $test::<KenCarp4<f64>>();
        $test::<Radau5<f64>>();
    };
}

/// Tolerances at which Newton's iteration leaves no more than rounding.
fn tight() -> Options {
    tolerance(1e-13, 1e-13)
}

#[test]
fn announced_jumps_are_stepped_to() {
    jumps::<Kvaerno5<f64>>();
    jumps::<KenCarp4<f64>>();
    jumps::<Radau5<f64>>();
}

/// Steps tried from one point do not disturb each other.
fn tries_are_independent<M: Method<f64, Problem>>() {
    let mut problem = coupled();
    let mut method = M::new(&problem);
    let mut statistics = Statistics::default();
    let options = tight();
    let (mut x, mut t) = (coupled_solution(0.3), 0.3);
    let mut x_new = [0.0; 2];
    method.restart(&mut problem, t, &x, &mut statistics);
    for _ in 0..3 {
        let mut results = Vec::new();
        for h in [0.05, 0.01, 0.08, 0.05] {
            let trial = method.step(
                &mut problem,
                t,
                h,
                &x,
                &mut x_new,
                &options,
                &mut statistics,
            );
            assert!(matches!(trial, Trial::Computed { .. }), "{trial:?}");
            results.push(x_new);
        }
        let off = largest((0..2).map(|i| results[0][i] - results[3][i]));
        assert!(off < 1e-14, "{off:e}");
        t += 0.05;
        method.accept(&mut problem, t, &x_new, &mut statistics);
        x = x_new;
    }
}

#[test]
fn tries_from_one_point() {
    each!(tries_are_independent);
}

/// Prothero & Robinson's x' = lambda (x - sin t) + cos t: the error of a stiffly accurate method falls with
/// 1 / lambda at a fixed step size, however stiff.
fn stiffly_accurate<M: Method<f64, Problem>>() {
    fn problem(weak: bool) -> Problem {
        if weak {
            Problem::new(
                1,
                |t, x, dx| dx[0] = -1e4 * (x[0] - t.sin()) + t.cos(),
                |_, _, j| j[0] = -1e4,
                none,
            )
        } else {
            Problem::new(
                1,
                |t, x, dx| dx[0] = -1e8 * (x[0] - t.sin()) + t.cos(),
                |_, _, j| j[0] = -1e8,
                none,
            )
        }
    }
    let errors = [true, false].map(|weak| {
        let mut problem = problem(weak);
        let times = [0.0, 2.0];
        let mut x = [0.0];
        Integrator::<f64, M>::new(&problem)
            .replay(
                &mut problem,
                &mut x,
                &times,
                &Mesh::uniform(&times, 20),
                &tight(),
                &mut NoRecord,
            )
            .expect("a solve");
        (x[0] - f64::sin(2.0)).abs()
    });
    let name = std::any::type_name::<M>();
    // a stage order of 2 leaves h^2 / lambda
    assert!(errors[0] < 0.01 / 1e4, "{name}: {errors:?}");
    assert!(
        errors[1] < f64::max(1e-3 * errors[0], 1e-14),
        "{name}: {errors:?}"
    );
}

#[test]
fn methods_are_stiffly_accurate() {
    each!(stiffly_accurate);
}

/// With constant J one evaluation is enough, and h is kept for many steps at a time.
fn matrices_are_kept<M: Method<f64, Problem>>() {
    let mut problem = Problem::new(
        2,
        |t, x, dx| {
            dx[0] = -100.0 * (x[0] - t.cos());
            dx[1] = t.cos() - x[1];
        },
        |_, _, j| j.copy_from_slice(&[-100.0, 0.0, 0.0, -1.0]),
        |t, _, ft| ft.copy_from_slice(&[-100.0 * t.sin(), -t.sin()]),
    );
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut [1.0, 0.0],
            &[0.0, 50.0],
            &tolerance(1e-6, 1e-6),
            &mut NoRecord,
        )
        .expect("a solve");
    assert!(statistics.jacobians <= 6, "{statistics:?}");
    assert!(
        2 * statistics.factorizations < statistics.steps + statistics.rejected,
        "{statistics:?}"
    );
    assert!(statistics.newton_iterations >= statistics.steps);
    assert_eq!(statistics.newton_failures, 0);
}

#[test]
fn jacobians_and_factors_are_kept() {
    each!(matrices_are_kept);
}

/// TR-BDF2 holds its estimate against tol^(3/2) of a relative tolerance; an absolute one alone has no scale for that.
#[test]
fn an_absolute_tolerance_alone_is_taken_as_it_is() {
    let steps = |rtol| {
        let mut problem = coupled();
        let mut x = coupled_solution(0.0);
        Integrator::<f64, TrBdf2<f64>>::new(&problem)
            .run(
                &mut problem,
                &mut x,
                &[0.0, 2.0],
                &tolerance(rtol, 1e-6),
                &mut NoRecord,
            )
            .expect("a solve")
            .steps
    };
    // 1e-6 and 1e-9 with states of size 1: a factor of (1e3 / 2)^(1/3) or more
    assert!(
        5 * steps(0.0) < steps(1e-6),
        "{} {}",
        steps(0.0),
        steps(1e-6)
    );
}

/// Steps, Jacobians, factorizations and corrections on HIRES at 1e-6: some more mean a loss of efficiency.
#[test]
fn costs_stay_low() {
    fn cost<M: Method<f64, Problem>>(most: [usize; 4]) {
        let mut problem = stiff::<Hires>();
        let mut x = Hires::START.to_vec();
        let s = Integrator::<f64, M>::new(&problem)
            .run(
                &mut problem,
                &mut x,
                &[0.0, 321.8122],
                &tolerance(1e-6, 1e-9),
                &mut NoRecord,
            )
            .expect("a solve");
        let tried = s.steps + s.rejected;
        let counts = [tried, s.jacobians, s.factorizations, s.newton_iterations];
        let name = std::any::type_name::<M>();
        // a tenth for the last digits of another linear algebra
        assert!(
            counts
                .iter()
                .zip(most)
                .all(|(&c, most)| 10 * c <= 11 * most),
            "{name}: {counts:?}"
        );
    }
    cost::<Kvaerno5<f64>>([214, 70, 115, 2430]);
    cost::<KenCarp4<f64>>([269, 97, 136, 2381]);
    cost::<Radau5<f64>>([125, 49, 78, 331]);
}
