//! A system written once as a generic Rust function: its solution, and the gradient of a loss by dual numbers and
//! by the discrete adjoint, without a derivative written by hand.

use costate::adjoint::{AdjointError, Dual, Dynamics, Handwritten, Seeds, Tape, Tsit5Adjoint};
use costate::solvers::explicit::tsit5::Tsit5;
use costate::solvers::record::Samples;
use costate::solvers::{Integrator, NoEvents, Options, Real, Scalar, SolveError, Tolerance};

/// A pendulum with friction: angle' = rate, rate' = -(g / l) sin(angle) - c rate, with p = (g / l, c).
struct Pendulum;

impl Dynamics for Pendulum {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        2
    }
    fn rhs<S: Real>(&self, _t: S, x: &[S], p: &[S], dx: &mut [S]) {
        dx[0] = x[1];
        dx[1] = -p[0] * x[0].sin() - p[1] * x[1];
    }
}

const TIMES: [f64; 4] = [1.0, 2.0, 3.0, 4.0];
const DATA: [f64; 4] = [0.1, -0.9, 0.3, 0.4];

fn options() -> Options {
    Options {
        rtol: 1e-9,
        atol: Tolerance::Uniform(1e-9),
        ..Options::default()
    }
}

/// Half the sum of squared differences of the angle to the data, over any scalar.
fn loss<S: Scalar>(p: [S; 2]) -> Result<S, SolveError> {
    let mut system = Handwritten::new(Pendulum, &p);
    let mut samples = Samples::new(TIMES.map(S::from).to_vec())?;
    let mut x = [S::from(1.0), S::from(0.0)];
    Integrator::<S, Tsit5<S>>::new(&system).run(
        &mut system,
        &mut x,
        &[0.0, 4.0].map(S::from),
        &options(),
        &mut samples,
    )?;
    let squares = (0..TIMES.len()).map(|k| {
        let r = samples.state(k)[0] - DATA[k];
        r * r * 0.5
    });
    Ok(squares.fold(S::from(0.0), |sum, s| sum + s))
}

/// The same loss and its gradient by the discrete adjoint.
fn by_adjoint(p: [f64; 2]) -> Result<(f64, [f64; 2]), Box<dyn std::error::Error>> {
    let mut system = Handwritten::new(Pendulum, &p);
    let mut record = (Tape::new(), Samples::new(TIMES.to_vec())?);
    let mut x = [1.0, 0.0];
    Integrator::<f64, Tsit5<f64>>::new(&system).run(
        &mut system,
        &mut x,
        &[0.0, 4.0],
        &options(),
        &mut record,
    )?;
    let (tape, samples) = record;
    let residuals: Vec<f64> = (0..TIMES.len())
        .map(|k| samples.state(k)[0] - DATA[k])
        .collect();
    let sample_bars: Vec<f64> = residuals.iter().flat_map(|r| [*r, 0.0]).collect();
    let seeds = Seeds {
        samples: samples.places(),
        sample_bars: &sample_bars,
        ..Seeds::default()
    };
    let (mut x0_bar, mut p_bar) = ([0.0; 2], [0.0; 2]);
    let swept: Result<(), AdjointError> = Tsit5Adjoint::default().sweep(
        &mut system,
        &mut NoEvents,
        &tape,
        &seeds,
        &mut x0_bar,
        &mut p_bar,
        None,
    );
    swept?;
    Ok((residuals.iter().map(|r| 0.5 * r * r).sum(), p_bar))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let p = [2.0, 0.3];
    let dual = loss(std::array::from_fn(|k| Dual::<2>::variable(p[k], k)))?;
    let (value, adjoint) = by_adjoint(p)?;
    println!("loss {value:.12}");
    println!(
        "by dual numbers  {:.12} {:.12}",
        dual.tangent[0], dual.tangent[1]
    );
    println!("by the adjoint   {:.12} {:.12}", adjoint[0], adjoint[1]);
    // Both differentiate the same accepted steps: they differ by rounding alone.
    let scale = adjoint[0].abs().max(adjoint[1].abs());
    assert!((0..2).all(|k| (dual.tangent[k] - adjoint[k]).abs() < 1e-12 * scale));
    Ok(())
}
