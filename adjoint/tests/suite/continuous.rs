//! The continuous adjoint of hand-written systems against closed forms, one workspace after another system's.

use costate_adjoint::continuous::Kernel;
use costate_adjoint::{
    ContinuousAdjoint, Dynamics, Handwritten, Seeds, StiffContinuousAdjoint, Tape,
};
use costate_solvers::rosenbrock::Rodas5P;
use costate_solvers::{Integrator, NoEvents, Options, Real, Tolerance};

/// A chain x_1' = -p x_1, x_i' = p (x_{i-1} - x_i) of so many states, or the same from its end.
#[derive(Debug, Clone, Copy)]
struct Chain {
    states: usize,
    backward: bool,
}

impl Dynamics for Chain {
    fn states(&self) -> usize {
        self.states
    }
    fn parameters(&self) -> usize {
        1
    }
    fn rhs<S: Real>(&self, _t: S, x: &[S], p: &[S], dx: &mut [S]) {
        let n = self.states;
        let place = |i: usize| if self.backward { n - 1 - i } else { i };
        for i in 0..n {
            let filled = if i == 0 {
                S::from(0.0)
            } else {
                x[place(i - 1)]
            };
            dx[place(i)] = p[0] * (filled - x[place(i)]);
        }
    }
}

/// From x_1 = 1, the sum of the states at t = 1 is that of the first n terms of Poisson's distribution of mean p; its
/// derivative is minus the last of them.
#[test]
fn a_workspace_serves_one_system_after_another() {
    let p = 1.3_f64;
    let chains = [(3, false), (3, true), (5, false), (2, true)];
    let mut explicit = ContinuousAdjoint::from(Kernel::new(1e-10));
    let mut stiff = StiffContinuousAdjoint::from(Kernel::new(1e-10));
    let options = Options {
        rtol: 1e-10,
        atol: Tolerance::Uniform(1e-12),
        ..Options::default()
    };
    for (states, backward) in chains {
        let mut system = Handwritten::new(Chain { states, backward }, &[p]);
        let mut x = vec![0.0; states];
        x[if backward { states - 1 } else { 0 }] = 1.0;
        let mut tape = Tape::new();
        Integrator::<f64, Rodas5P<f64>>::new(&system)
            .run(&mut system, &mut x, &[0.0, 1.0], &options, &mut tape)
            .expect("a solve");
        let ones = vec![1.0; states];
        let seeds = Seeds {
            final_bar: &ones,
            ..Seeds::default()
        };
        let mut terms = 1.0;
        for i in 1..states {
            terms *= p / i as f64;
        }
        let expected = -terms * f64::exp(-p);
        let mut x0 = vec![0.0; states];
        let mut bars = [[0.0]; 2];
        let [by_explicit, by_stiff] = &mut bars;
        let hybrid = &mut NoEvents;
        explicit
            .sweep(
                &mut system,
                hybrid,
                &tape,
                &seeds,
                &mut x0,
                by_explicit,
                None,
            )
            .expect("a sweep");
        stiff
            .sweep(&mut system, hybrid, &tape, &seeds, &mut x0, by_stiff, None)
            .expect("a sweep");
        // a hundred times the tolerance
        for [found] in bars {
            assert!(
                (found - expected).abs() < 1e-8,
                "{states}: {found} {expected}"
            );
        }
    }
}
