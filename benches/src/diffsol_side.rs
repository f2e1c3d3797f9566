//! `diffsol` 0.18, tsit45 over closures with hand-written derivatives: forward sensitivities, the continuous adjoint,
//! and the transposed steps (`step_vjp`).

use std::rc::Rc;

use diffsol::{
    AdjointOdeSolverMethod, DenseMatrix, NalgebraContext, NalgebraMat, NalgebraVec, OdeBuilder,
    OdeEquationsImplicitAdjoint, OdeEquationsImplicitSens, OdeSolverMethod, OdeSolverProblem,
    OdeSolverState, OdeSolverStopReason, SensitivitiesOdeSolverMethod, StepVjp, Vector,
};

use crate::clock::Row;
use crate::task::{
    Answer, Data, INITIAL, PARAMETERS, rhs, rhs_parameter_jvp, rhs_parameter_vjp, rhs_state_jvp,
    rhs_state_vjp,
};

type Matrix = NalgebraMat<f64>;
type Column = NalgebraVec<f64>;

fn negated(out: &mut [f64]) {
    for value in out {
        *value = -*value;
    }
}

/// The problem with forward derivatives; error control of the sensitivities is off, diffsol's fastest way.
fn forward_problem(
    tolerance: f64,
) -> OdeSolverProblem<
    impl OdeEquationsImplicitSens<M = Matrix, V = Column, T = f64, C = NalgebraContext>,
> {
    OdeBuilder::<Matrix>::new()
        .rtol(tolerance)
        .atol([tolerance])
        .p(PARAMETERS.to_vec())
        .rhs_sens_implicit(
            |x, p, _t, dx| rhs(x, p, dx),
            |x, p, _t, v, out| rhs_state_jvp(x, p, v, out),
            |x, _p, _t, v, out| rhs_parameter_jvp(x, v, out),
        )
        .init_sens(
            |_p, _t, x| x.copy_from_slice(&INITIAL),
            |_p, _t, _v, out| out.fill(0.0),
            2,
        )
        .build()
        .expect("a problem")
}

/// The problem with transposed derivatives; diffsol asks for them negated.
fn adjoint_problem(
    tolerance: f64,
) -> OdeSolverProblem<
    impl OdeEquationsImplicitAdjoint<M = Matrix, V = Column, T = f64, C = NalgebraContext>,
> {
    OdeBuilder::<Matrix>::new()
        .rtol(tolerance)
        .atol([tolerance])
        .p(PARAMETERS.to_vec())
        .rhs_adjoint_implicit(
            |x, p, _t, dx| rhs(x, p, dx),
            |x, p, _t, v, out| rhs_state_jvp(x, p, v, out),
            |x, p, _t, l, out| {
                rhs_state_vjp(x, p, l, out);
                negated(out);
            },
            |x, _p, _t, l, out| {
                rhs_parameter_vjp(x, l, out);
                negated(out);
            },
        )
        .init_adjoint(
            |_p, _t, x| x.copy_from_slice(&INITIAL),
            |_p, _t, _l, out| out.fill(0.0),
            2,
        )
        .build()
        .expect("a problem")
}

/// Its rows at a tolerance, relative and absolute.
pub fn rows(data: &Rc<Data>, tolerance: f64) -> Vec<Row> {
    let problem = forward_problem(tolerance);
    let at = Rc::clone(data);
    let solve = Row::new("diffsol tsit45", "solve", move || {
        let mut solver = problem.tsit45().expect("a solver");
        let (x, _) = solver.solve_dense(&at.times).expect("a solution");
        Answer {
            objective: at.objective(|k| [x.get_index(0, k), x.get_index(1, k)]),
            gradient: Vec::new(),
        }
    });

    let problem = forward_problem(tolerance);
    let at = Rc::clone(data);
    let forward = Row::new(
        "diffsol tsit45, forward sensitivities",
        "forward",
        move || {
            let mut solver = problem.tsit45_sens().expect("a solver");
            let (x, sensitivities, _) = solver
                .solve_dense_sensitivities(&at.times)
                .expect("a solution");
            let gradient = sensitivities
                .iter()
                .map(|s| {
                    let terms = at.values.iter().enumerate().map(|(k, y)| {
                        (x.get_index(0, k) - y[0]) * s.get_index(0, k)
                            + (x.get_index(1, k) - y[1]) * s.get_index(1, k)
                    });
                    terms.sum()
                })
                .collect();
            Answer {
                objective: at.objective(|k| [x.get_index(0, k), x.get_index(1, k)]),
                gradient,
            }
        },
    );

    let problem = adjoint_problem(tolerance);
    let at = Rc::clone(data);
    let continuous = Row::new("diffsol tsit45, continuous adjoint", "adjoint", move || {
        let mut solver = problem.tsit45().expect("a solver");
        let (path, x, _) = solver
            .solve_dense_with_checkpointing(&at.times, None)
            .expect("a solution");
        let mut residuals = x.clone();
        for (k, y) in at.values.iter().enumerate() {
            for (i, value) in y.iter().enumerate() {
                residuals.set_index(i, k, x.get_index(i, k) - value);
            }
        }
        let adjoint = problem
            .tsit45_solver_adjoint(path, Some(solver), Some(1))
            .expect("an adjoint solver");
        let (state, _) = adjoint
            .solve_adjoint_backwards_pass(&at.times, &[&residuals])
            .expect("an adjoint solution");
        let gradient = state.as_ref().sg.clone_as_vec();
        Answer {
            objective: at.objective(|k| [x.get_index(0, k), x.get_index(1, k)]),
            gradient,
        }
    });

    let problem = adjoint_problem(tolerance);
    let at = Rc::clone(data);
    let discrete = Row::new("diffsol tsit45, transposed steps", "adjoint", move || {
        let mut solver = problem.tsit45().expect("a solver");
        // Steps end at the data times; `saved` holds how many steps lie before each.
        let (mut steps, mut saved) = (Vec::new(), Vec::with_capacity(at.times.len()));
        for &time in &at.times {
            if time > solver.state().t {
                solver.set_stop_time(time).expect("a stop time ahead");
                loop {
                    let reason = solver.step().expect("a step");
                    steps.push(solver.state_clone());
                    if matches!(reason, OdeSolverStopReason::TstopReached) {
                        break;
                    }
                }
            }
            saved.push(steps.len());
        }
        let state_at = |k: usize| match saved[k] {
            0 => INITIAL,
            steps_before => {
                let x = &steps[steps_before - 1].as_ref().y;
                [x.get_index(0), x.get_index(1)]
            }
        };
        let objective = at.objective(state_at);
        let mut cotangent = steps[steps.len() - 1].zeros_like();
        let mut gradient = Column::zeros(4, NalgebraContext::default());
        let mut next = saved.len();
        for end in (1..=steps.len()).rev() {
            while next > 0 && saved[next - 1] == end {
                next -= 1;
                let x = state_at(next);
                let into = cotangent.as_mut();
                for (i, value) in at.values[next].iter().enumerate() {
                    let sum = into.y.get_index(i) + x[i] - value;
                    into.y.set_index(i, sum);
                }
            }
            solver
                .step_vjp(&steps[end - 1], &mut cotangent, &mut gradient)
                .expect("a transposed step");
        }
        // The first step starts from f(x0, p) too, whose dependence on p is left to the caller.
        let (slope, mut direct) = (cotangent.as_ref().dy.clone_as_vec(), [0.0; 4]);
        rhs_parameter_vjp(&INITIAL, &slope, &mut direct);
        let gradient = gradient
            .clone_as_vec()
            .iter()
            .zip(direct)
            .map(|(g, d)| g + d)
            .collect();
        Answer {
            objective,
            gradient,
        }
    });
    vec![solve, forward, continuous, discrete]
}
