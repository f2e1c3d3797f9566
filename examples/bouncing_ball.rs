//! Events from Rust: a ball that bounces, and the derivatives of where it is and of when it bounced the third time, through the
//! bounces. The time of each event depends on the parameters, which dual numbers carry along.

use costate::adjoint::{Dual, Dynamics, Handwritten};
use costate::solvers::explicit::tsit5::Tsit5;
use costate::solvers::{
    Action, Direction, Hybrid, Integrator, NoRecord, Options, Real, Scalar, SolveError, Tolerance,
};

/// height' = speed, speed' = -g, with p = (g).
struct Fall;

impl Dynamics for Fall {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        1
    }
    fn rhs<S: Real>(&self, _t: S, x: &[S], p: &[S], dx: &mut [S]) {
        dx[0] = x[1];
        dx[1] = -p[0];
    }
}

/// The ground at height 0, which gives a part of the speed back.
struct Ground<S> {
    restitution: S,
    bounces: Vec<S>,
}

impl<S: Scalar> Hybrid<S> for Ground<S> {
    fn roots(&self) -> usize {
        1
    }
    fn direction(&self, _root: usize) -> Direction {
        Direction::Falling
    }
    fn root_values(&mut self, _t: S, x: &[S], g: &mut [S]) {
        g[0] = x[0];
    }
    fn at_roots(&mut self, t: S, _roots: &[usize], x: &mut [S]) -> Action {
        self.bounces.push(t);
        x[1] = -self.restitution * x[1];
        Action::Jumped
    }
}

/// The height at t = 3, and the times of the bounces, for p = (g, restitution).
fn fall<S: Scalar>(p: [S; 2]) -> Result<(S, Vec<S>), SolveError> {
    let mut system = Handwritten::new(Fall, &p[..1]);
    let mut ground = Ground {
        restitution: p[1],
        bounces: Vec::new(),
    };
    let mut x = [S::from(1.0), S::from(0.0)];
    let options = Options {
        rtol: 1e-10,
        atol: Tolerance::Uniform(1e-10),
        ..Options::default()
    };
    Integrator::<S, Tsit5<S>>::new(&system).run_hybrid(
        &mut system,
        &mut x,
        &[0.0, 3.0].map(S::from),
        &options,
        &mut NoRecord,
        &mut ground,
    )?;
    Ok((x[0], ground.bounces))
}

fn main() -> Result<(), SolveError> {
    let (g, r) = (9.81, 0.9);
    let p = [Dual::<2>::variable(g, 0), Dual::<2>::variable(r, 1)];
    let (height, bounces) = fall(p)?;
    println!(
        "{} bounces; the height at t = 3 is {:.10}",
        bounces.len(),
        height.value
    );
    println!(
        "its derivatives by g and restitution: {:.10} {:.10}",
        height.tangent[0], height.tangent[1]
    );
    let third = bounces[2];
    println!(
        "the third bounce is at {:.12}, its derivatives: {:.12} {:.12}",
        third.value, third.tangent[0], third.tangent[1]
    );

    // t_3 = sqrt(2 / g) (1 + 2 r + 2 r^2)
    let unit = (2.0 / g).sqrt();
    let exact = [
        unit * (1.0 + 2.0 * r + 2.0 * r * r),
        -0.5 * unit / g * (1.0 + 2.0 * r + 2.0 * r * r),
        unit * (2.0 + 4.0 * r),
    ];
    for (found, exact) in [third.value, third.tangent[0], third.tangent[1]]
        .into_iter()
        .zip(exact)
    {
        assert!(
            (found - exact).abs() < 1e-11 * exact.abs(),
            "{found} {exact}"
        );
    }
    Ok(())
}
