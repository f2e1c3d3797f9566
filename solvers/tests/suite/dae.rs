//! Orders that methods keep on differential-algebraic systems of index 1. (References: `stiff`.)

use costate_solvers::{Integrator, Mesh, Method, NoRecord, Options, Rodas3, Rodas4, Rodas5P};

use crate::conformance::extrapolated_order;
use crate::problems::{Problem, algebraic};

/// Linear of index 1 with coefficients and inhomogeneities that depend on t:
/// x' = -x + (2 + sin t) z + p(t), 0 = x + cos(t) x / 2 - 2 z + q(t), solved by x = e^-t, z = sin 2 t.
fn linear() -> Problem {
    fn p(t: f64) -> f64 {
        -(2.0 + t.sin()) * (2.0 * t).sin()
    }
    fn q(t: f64) -> f64 {
        2.0 * (2.0 * t).sin() - (1.0 + 0.5 * t.cos()) * (-t).exp()
    }
    Problem::with_mass(
        algebraic(2, &[1]),
        |t, x, f| {
            f[0] = -x[0] + (2.0 + t.sin()) * x[1] + p(t);
            f[1] = (1.0 + 0.5 * t.cos()) * x[0] - 2.0 * x[1] + q(t);
        },
        |t, _, j| j.copy_from_slice(&[-1.0, 1.0 + 0.5 * t.cos(), 2.0 + t.sin(), -2.0]),
        |t, x, ft| {
            let p_t = -t.cos() * (2.0 * t).sin() - (2.0 + t.sin()) * 2.0 * (2.0 * t).cos();
            let q_t = 4.0 * (2.0 * t).cos()
                + 0.5 * t.sin() * (-t).exp()
                + (1.0 + 0.5 * t.cos()) * (-t).exp();
            ft[0] = t.cos() * x[1] + p_t;
            ft[1] = -0.5 * t.sin() * x[0] + q_t;
        },
    )
}

/// Orders of x and z over [0, 2] in equal steps.
fn orders<M: Method<f64, Problem>>() -> [f64; 2] {
    let errors = [40, 80, 160].map(|steps| {
        let times = [0.0, 2.0];
        let mut dae = linear();
        let mut x = [1.0, 0.0];
        Integrator::<f64, M>::new(&dae)
            .replay(
                &mut dae,
                &mut x,
                &times,
                &Mesh::uniform(&times, steps),
                &Options::default(),
                &mut NoRecord,
            )
            .expect("a solve");
        [(x[0] - (-2.0f64).exp()).abs(), (x[1] - 4.0f64.sin()).abs()]
    });
    [0, 1].map(|i| extrapolated_order(errors.map(|e| e[i])))
}

/// All three satisfy the conditions for algebraic states up to their order: nothing is lost at index 1.
#[test]
fn orders_are_kept_on_a_linear_system_of_index_1() {
    for (observed, order) in [
        (orders::<Rodas3<f64>>(), 3.0),
        (orders::<Rodas4<f64>>(), 4.0),
        (orders::<Rodas5P<f64>>(), 5.0),
    ] {
        for o in observed {
            assert!((o - order).abs() < 0.2, "{observed:?} for {order}");
        }
    }
}
