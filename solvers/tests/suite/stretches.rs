//! Stop times: jumps of f cost nothing where they are announced.

use costate_solvers::{
    Bdf, ImplicitSystem, Integrator, Mesh, Method, Ndf, Pattern, Rodas5P, Samples, System, Tsit5,
};

use crate::problems::tolerance;

/// x' = u - x with u = 1, 5, -2 on the stretches between the stop times 1 and 2, decided by the middle.
pub(crate) struct Steps {
    u: f64,
    pattern: Pattern,
    middles: Vec<f64>,
}

impl Steps {
    fn new() -> Self {
        Self {
            u: f64::NAN,
            pattern: Pattern::dense(1),
            middles: Vec::new(),
        }
    }
}

impl System<f64> for Steps {
    fn dim(&self) -> usize {
        1
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        dx[0] = self.u - x[0];
    }
    fn enter_stretch(&mut self, middle: f64) {
        self.middles.push(middle);
        self.u = if middle < 1.0 {
            1.0
        } else if middle < 2.0 {
            5.0
        } else {
            -2.0
        };
    }
}

impl ImplicitSystem<f64> for Steps {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: f64, _x: &[f64], values: &mut [f64]) {
        values[0] = -1.0;
    }
    fn time_derivative(&mut self, _t: f64, _x: &[f64], ft: &mut [f64]) {
        ft[0] = 0.0;
    }
}

fn exact(t: f64) -> f64 {
    let relax = |from: f64, to: f64, t: f64| to + (from - to) * (-t).exp();
    if t <= 1.0 {
        relax(0.0, 1.0, t)
    } else if t <= 2.0 {
        relax(exact(1.0), 5.0, t - 1.0)
    } else {
        relax(exact(2.0), -2.0, t - 2.0)
    }
}

pub(crate) fn jumps<M: Method<f64, Steps>>() {
    let mut system = Steps::new();
    let mut x = [0.0];
    let sampled = [0.5, 1.0, 1.0, 1.5, 2.0, 2.5, 3.0];
    let mut recorder = (
        Mesh::default(),
        Samples::new(sampled.to_vec()).expect("samples"),
    );
    let statistics = Integrator::<f64, M>::new(&system)
        .run(
            &mut system,
            &mut x,
            // a stop time given twice is one stop
            &[0.0, 1.0, 1.0, 2.0, 3.0],
            &tolerance(1e-10, 1e-10),
            &mut recorder,
        )
        .expect("a solve");
    let (mesh, samples) = recorder;
    assert_eq!(system.middles, [0.5, 1.5, 2.5]);
    for (k, &t) in sampled.iter().enumerate() {
        let error = (samples.state(k)[0] - exact(t)).abs();
        assert!(error < 2e-9, "{error:e} at {t}");
    }
    let starts: Vec<f64> = mesh
        .steps
        .iter()
        .filter(|s| s.restarted)
        .map(|s| s.stretch)
        .collect();
    assert_eq!(starts, [0.5, 1.5, 2.5]);
    // announced jumps make for next to no rejections
    assert!(statistics.rejected <= 4, "{statistics:?}");
    // no slivers before a stop time
    for pair in mesh.steps.windows(2) {
        assert!(pair[1].restarted || pair[1].h > 0.3 * pair[0].h);
    }
}

#[test]
fn explicit_and_implicit_methods_stop_at_jumps() {
    jumps::<Tsit5<f64>>();
    jumps::<Rodas5P<f64>>();
    jumps::<Bdf<f64>>();
    jumps::<Ndf<f64>>();
}

#[test]
fn jumps_backward() {
    let mut system = Steps::new();
    let mut x = [exact(3.0)];
    Integrator::<f64, Tsit5<f64>>::new(&system)
        .run(
            &mut system,
            &mut x,
            &[3.0, 2.0, 1.0, 0.0],
            &tolerance(1e-12, 1e-12),
            &mut costate_solvers::NoRecord,
        )
        .expect("a solve");
    assert_eq!(system.middles, [2.5, 1.5, 0.5]);
    assert!(x[0].abs() < 1e-9, "{x:?}");
}
