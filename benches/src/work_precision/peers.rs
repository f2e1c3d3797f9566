//! diffsol 0.18 and ode_solvers 0.6 over the equations by hand.

use std::cell::Cell;

use diffsol::{
    DenseMatrix, MatrixCommon, NalgebraLU, NalgebraMat, OdeBuilder, OdeSolverMethod, Vector,
    VectorView,
};
use ode_solvers::dop_shared::OutputType;
use ode_solvers::{DVector, Dop853, Dopri5, System};

use super::contender::{Answer, Contender, Solve};
use super::equations::{ALL, Equations};
use crate::golden::Problem;

thread_local! {
    static EVALUATIONS: Cell<usize> = const { Cell::new(0) };
}

fn counted(equations: &Equations, x: &[f64], dx: &mut [f64]) {
    EVALUATIONS.set(EVALUATIONS.get() + 1);
    (equations.rhs)(x, dx);
}

/// The peers that can solve a problem.
pub fn contenders(problem: &Problem) -> Vec<Contender> {
    let Some(equations) = ALL.iter().find(|e| e.id == problem.id) else {
        return Vec::new();
    };
    let task = Task {
        equations,
        times: problem.outputs.iter().map(|(t, _)| *t).collect(),
        sizes: problem.sizes(),
    };
    let of = |name: &str, at: fn(&Task, f64) -> Solve| {
        let task = task.clone();
        Contender {
            name: name.to_owned(),
            at: Box::new(move |rtol| at(&task, rtol)),
        }
    };
    match equations.jacobian {
        None => vec![
            of("diffsol tsit45", diffsol_tsit45),
            of("ode_solvers dopri5", dopri5),
            of("ode_solvers dop853", dop853),
        ],
        Some(_) => vec![
            of("diffsol bdf", diffsol_bdf),
            of("diffsol tr_bdf2", diffsol_tr_bdf2),
            of("diffsol esdirk34", diffsol_esdirk34),
        ],
    }
}

#[derive(Clone)]
struct Task {
    equations: &'static Equations,
    times: Vec<f64>,
    sizes: Vec<f64>,
}

impl Task {
    fn atol(&self, rtol: f64) -> Vec<f64> {
        self.sizes.iter().map(|s| rtol * s).collect()
    }
}

fn answer(states: Vec<f64>, before: usize) -> Answer {
    Answer {
        states,
        evaluations: EVALUATIONS.get() - before,
    }
}

fn diffsol_tsit45(task: &Task, rtol: f64) -> Solve {
    let (equations, times) = (task.equations, task.times.clone());
    let problem = OdeBuilder::<NalgebraMat<f64>>::new()
        .rtol(rtol)
        .atol(task.atol(rtol))
        .rhs(move |x, _p, _t, dx| counted(equations, x, dx))
        .init(
            |_p, _t, x| x.copy_from_slice(equations.initial),
            equations.initial.len(),
        )
        .build();
    Box::new(move || {
        let before = EVALUATIONS.get();
        let problem = problem.as_ref().map_err(|e| e.to_string())?;
        let mut solver = problem.tsit45().map_err(|e| e.to_string())?;
        let (states, _) = solver.solve_dense(&times).map_err(|e| e.to_string())?;
        Ok(answer(columns(&states), before))
    })
}

/// A solve by one of diffsol's implicit methods: they differ in type, not in what is asked of them.
macro_rules! implicit {
    ($name:ident, $method:ident) => {
        fn $name(task: &Task, rtol: f64) -> Solve {
            let (equations, times) = (task.equations, task.times.clone());
            let problem = OdeBuilder::<NalgebraMat<f64>>::new()
                .rtol(rtol)
                .atol(task.atol(rtol))
                .rhs_implicit(
                    move |x, _p, _t, dx| counted(equations, x, dx),
                    move |x, _p, _t, v, out| {
                        if let Some(jacobian) = equations.jacobian {
                            jacobian(x, v, out);
                        }
                    },
                )
                .init(
                    |_p, _t, x| x.copy_from_slice(equations.initial),
                    equations.initial.len(),
                )
                .build();
            Box::new(move || {
                let before = EVALUATIONS.get();
                let problem = problem.as_ref().map_err(|e| e.to_string())?;
                let mut solver = problem
                    .$method::<NalgebraLU<f64>>()
                    .map_err(|e| e.to_string())?;
                let (states, _) = solver.solve_dense(&times).map_err(|e| e.to_string())?;
                Ok(answer(columns(&states), before))
            })
        }
    };
}

implicit!(diffsol_bdf, bdf);
implicit!(diffsol_tr_bdf2, tr_bdf2);
implicit!(diffsol_esdirk34, esdirk34);

fn columns(states: &NalgebraMat<f64>) -> Vec<f64> {
    (0..states.ncols())
        .flat_map(|j| states.column(j).into_owned().clone_as_vec())
        .collect()
}

struct Counted(&'static Equations);

impl System<f64, DVector<f64>> for Counted {
    fn system(&self, _t: f64, x: &DVector<f64>, dx: &mut DVector<f64>) {
        counted(self.0, x.as_slice(), dx.as_mut_slice());
    }
}

/// A solve by one of ode_solvers' methods, with its own defaults, from output to output: between output times its dense output of
/// version 0.6.2 extrapolates.
macro_rules! explicit {
    ($name:ident, $method:ident, $beta:literal, $least:literal, $most:literal) => {
        fn $name(task: &Task, rtol: f64) -> Solve {
            let task = task.clone();
            let atol = task.atol(rtol).into_iter().fold(f64::INFINITY, f64::min);
            Box::new(move || {
                let before = EVALUATIONS.get();
                let mut x = DVector::from_column_slice(task.equations.initial);
                let (mut t, mut states) = (0.0, Vec::new());
                for &end in &task.times {
                    let span = end - t;
                    let f = Counted(task.equations);
                    let mut solver = $method::from_param(
                        f,
                        0.0,
                        span,
                        span,
                        x,
                        rtol,
                        atol,
                        0.9,
                        $beta,
                        $least,
                        $most,
                        span,
                        0.0,
                        1_000_000,
                        1000,
                        OutputType::Sparse,
                    );
                    solver.integrate().map_err(|e| e.to_string())?;
                    x = solver.y_out().last().cloned().ok_or("no output")?;
                    states.extend_from_slice(x.as_slice());
                    t = end;
                }
                Ok(answer(states, before))
            })
        }
    };
}

explicit!(dopri5, Dopri5, 0.04, 0.2, 10.0);
explicit!(dop853, Dop853, 0.0, 0.333, 6.0);
