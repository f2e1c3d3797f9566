//! A loss of one's own over any number type, and its Hessian times a vector, two ways: dual numbers over dual numbers, one in
//! the direction of the vector, the others in those of the parameters; and dual numbers through the adjoint, whose cost does
//! not grow with the number of parameters. Either gives the gradient and the product in one go.

use costate::adjoint::{Dual, DualOver, Dynamics, ExplicitAdjoint, Handwritten, Seeds, Tape};
use costate::solvers::explicit::vern9::{Coefficients, Vern9};
use costate::solvers::record::Samples;
use costate::solvers::{Integrator, NoEvents, Options, Real, Scalar, SolveError, Tolerance};

/// Van der Pol's oscillator, x'' = mu (1 - x^2) x' - k x, with p = (mu, k).
struct Oscillator;

impl Dynamics for Oscillator {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        2
    }
    fn rhs<S: Real>(&self, _t: S, x: &[S], p: &[S], dx: &mut [S]) {
        dx[0] = x[1];
        dx[1] = p[0] * (S::from(1.0) - x[0] * x[0]) * x[1] - p[1] * x[0];
    }
}

/// A solve, its steps on a tape and its states at eight times.
fn solve<S: Scalar>(
    system: &mut Handwritten<Oscillator, S>,
) -> Result<(Tape<S>, Samples<S>), SolveError> {
    let times = (1..=8).map(f64::from).map(S::from).collect();
    let mut recorder = (Tape::new(), Samples::new(times)?);
    let options = Options {
        rtol: 1e-11,
        atol: Tolerance::Uniform(1e-11),
        ..Options::default()
    };
    let mut x = [S::from(2.0), S::from(0.0)];
    Integrator::<S, Vern9<S>>::new(system).run(
        system,
        &mut x,
        &[0.0, 8.0].map(S::from),
        &options,
        &mut recorder,
    )?;
    Ok(recorder)
}

/// How far the oscillator is from a circle of radius 2, averaged over eight times: a loss that no data table has.
fn loss<S: Scalar>(p: [S; 2]) -> Result<S, SolveError> {
    let (_, samples) = solve(&mut Handwritten::new(Oscillator, &p))?;
    let mut sum = S::from(0.0);
    for state in samples.values().chunks_exact(2) {
        let off = state[0] * state[0] + state[1] * state[1] - S::from(4.0);
        sum += off * off;
    }
    Ok(sum * (1.0 / samples.len() as f64))
}

/// Its gradient by the adjoint, over any number type, too.
fn gradient<S: Scalar>(p: [S; 2]) -> Result<[S; 2], Box<dyn std::error::Error>> {
    let mut system = Handwritten::new(Oscillator, &p);
    let (tape, samples) = solve(&mut system)?;
    let mut bars = Vec::new();
    for state in samples.values().chunks_exact(2) {
        let off = state[0] * state[0] + state[1] * state[1] - S::from(4.0);
        bars.extend([0, 1].map(|i| off * state[i] * (4.0 / samples.len() as f64)));
    }
    let seeds = Seeds {
        samples: samples.places(),
        sample_bars: &bars,
        ..Seeds::default()
    };
    let (mut x0_bar, mut p_bar) = ([S::from(0.0); 2], [S::from(0.0); 2]);
    ExplicitAdjoint::<Coefficients, S>::default().sweep(
        &mut system,
        &mut NoEvents,
        &tape,
        &seeds,
        &mut x0_bar,
        &mut p_bar,
        None,
    )?;
    Ok(p_bar)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (p, v) = ([0.5, 1.2], [1.0, -2.0]);

    // p_k: value, and one inner tangent a parameter; its outer tangent is v_k
    let seeded = std::array::from_fn(|k| DualOver::<Dual<2>, 1> {
        value: Dual::variable(p[k], k),
        tangent: [Dual::from(v[k])],
    });
    let found = loss(seeded)?;
    let slopes = found.value.tangent;
    let [along_v] = found.tangent;
    println!("loss           {:.10}", found.value.value);
    println!("gradient       {:.10} {:.10}", slopes[0], slopes[1]);
    println!(
        "Hessian times v {:.10} {:.10}",
        along_v.tangent[0], along_v.tangent[1]
    );

    let through_adjoint = gradient(std::array::from_fn(|k| Dual::<1> {
        value: p[k],
        tangent: [v[k]],
    }))?;
    for (bar, exact) in through_adjoint.iter().zip(along_v.tangent) {
        let [product] = bar.tangent;
        assert!((product - exact).abs() < 1e-10 * exact.abs());
    }

    // The gradient at p + h v and p - h v says the same, to the digits that a difference leaves.
    let at = |h: f64| {
        loss(std::array::from_fn(|k| {
            Dual::<2>::variable(p[k] + h * v[k], k)
        }))
    };
    let h = 1e-5;
    let (ahead, behind) = (at(h)?, at(-h)?);
    for k in 0..2 {
        let difference = (ahead.tangent[k] - behind.tangent[k]) / (2.0 * h);
        let exact = along_v.tangent[k];
        assert!(
            (exact - difference).abs() < 1e-6 * exact.abs(),
            "{exact} {difference}"
        );
    }
    // and v^T grad is what the outer tangent of the value holds
    let slope = v[0] * slopes[0] + v[1] * slopes[1];
    assert!((along_v.value - slope).abs() < 1e-12 * slope.abs());
    Ok(())
}
