//! A loss of one's own over any number type, and its Hessian times a vector: dual numbers over dual numbers, one in the
//! direction of the vector, the others in those of the parameters. One solve gives the gradient and the product.

use costate::adjoint::{Dual, DualOver, Dynamics, Handwritten};
use costate::solvers::explicit::vern9::Vern9;
use costate::solvers::record::Samples;
use costate::solvers::{Integrator, Options, Real, Scalar, SolveError, Tolerance};

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

/// How far the oscillator is from a circle of radius 2, averaged over eight times: a loss that no data table has.
fn loss<S: Scalar>(p: [S; 2]) -> Result<S, SolveError> {
    let mut system = Handwritten::new(Oscillator, &p);
    let times: Vec<f64> = (1..=8).map(f64::from).collect();
    let mut samples = Samples::new(times.iter().map(|&t| S::from(t)).collect())?;
    let options = Options {
        rtol: 1e-11,
        atol: Tolerance::Uniform(1e-11),
        ..Options::default()
    };
    let mut x = [S::from(2.0), S::from(0.0)];
    Integrator::<S, Vern9<S>>::new(&system).run(
        &mut system,
        &mut x,
        &[0.0, 8.0].map(S::from),
        &options,
        &mut samples,
    )?;
    let mut sum = S::from(0.0);
    for k in 0..times.len() {
        let [x, v] = [0, 1].map(|i| samples.state(k)[i]);
        let off = x * x + v * v - S::from(4.0);
        sum += off * off;
    }
    Ok(sum * (1.0 / times.len() as f64))
}

fn main() -> Result<(), SolveError> {
    let (p, v) = ([0.5, 1.2], [1.0, -2.0]);

    // p_k: value, and one inner tangent a parameter; its outer tangent is v_k
    let seeded = std::array::from_fn(|k| DualOver::<Dual<2>, 1> {
        value: Dual::variable(p[k], k),
        tangent: [Dual::from(v[k])],
    });
    let found = loss(seeded)?;
    let gradient = found.value.tangent;
    let [along_v] = found.tangent;
    println!("loss           {:.10}", found.value.value);
    println!("gradient       {:.10} {:.10}", gradient[0], gradient[1]);
    println!(
        "Hessian times v {:.10} {:.10}",
        along_v.tangent[0], along_v.tangent[1]
    );

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
    let slope = v[0] * gradient[0] + v[1] * gradient[1];
    assert!((along_v.value - slope).abs() < 1e-12 * slope.abs());
    Ok(())
}
