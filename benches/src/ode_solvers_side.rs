//! `ode_solvers`: Dopri5 with dense output at the 200 times, alone and over the equations with their sensitivities.

use std::rc::Rc;

use ode_solvers::{Dopri5, SVector, System};

use crate::clock::Row;
use crate::task::{Answer, Data, INITIAL, PARAMETERS, rhs, rhs_parameter_jvp, rhs_state_jvp};

struct States;

impl System<f64, SVector<f64, 2>> for States {
    fn system(&self, _t: f64, x: &SVector<f64, 2>, dx: &mut SVector<f64, 2>) {
        rhs(x.as_slice(), &PARAMETERS, dx.as_mut_slice());
    }
}

/// x, then the sensitivities dx/dp of each parameter in turn.
struct WithSensitivities;

impl System<f64, SVector<f64, 10>> for WithSensitivities {
    fn system(&self, _t: f64, z: &SVector<f64, 10>, dz: &mut SVector<f64, 10>) {
        let (z, dz) = (z.as_slice(), dz.as_mut_slice());
        rhs(&z[..2], &PARAMETERS, &mut dz[..2]);
        for k in 0..4 {
            let (mut unit, mut direct) = ([0.0; 4], [0.0; 2]);
            unit[k] = 1.0;
            rhs_parameter_jvp(&z[..2], &unit, &mut direct);
            let columns = 2 + 2 * k..4 + 2 * k;
            rhs_state_jvp(&z[..2], &PARAMETERS, &z[columns.clone()], &mut dz[columns]);
            dz[2 + 2 * k] += direct[0];
            dz[3 + 2 * k] += direct[1];
        }
    }
}

/// Its rows at a tolerance, relative and absolute.
pub fn rows(data: &Rc<Data>, tolerance: f64) -> Vec<Row> {
    let spacing = data.times[1] - data.times[0];
    let (solve, forward) = (Rc::clone(data), Rc::clone(data));
    vec![
        Row::new("ode_solvers dopri5", "solve", move || {
            let start = SVector::from(INITIAL);
            let mut solver = Dopri5::new(States, 0.0, 10.0, spacing, start, tolerance, tolerance);
            solver.integrate().expect("a solution");
            let states = solver.y_out();
            Answer {
                objective: solve.objective(|k| states[k].into()),
                gradient: Vec::new(),
            }
        }),
        Row::new(
            "ode_solvers dopri5, sensitivity equations",
            "forward",
            move || {
                let mut start = SVector::<f64, 10>::zeros();
                start.as_mut_slice()[..2].copy_from_slice(&INITIAL);
                let mut solver = Dopri5::new(
                    WithSensitivities,
                    0.0,
                    10.0,
                    spacing,
                    start,
                    tolerance,
                    tolerance,
                );
                solver.integrate().expect("a solution");
                let states = solver.y_out();
                let mut gradient = vec![0.0; 4];
                for (z, y) in states.iter().zip(&forward.values) {
                    for (k, g) in gradient.iter_mut().enumerate() {
                        *g += (z[0] - y[0]) * z[2 + 2 * k] + (z[1] - y[1]) * z[3 + 2 * k];
                    }
                }
                Answer {
                    objective: forward.objective(|k| [states[k][0], states[k][1]]),
                    gradient,
                }
            },
        ),
    ]
}
