//! A system that brings its own vector-Jacobian product to the adjoint: a thousand coupled oscillators, whose product costs
//! about what the right-hand side does. One sweep gives the derivatives of a loss by all two thousand parameters.

use costate::adjoint::{AdjointError, AdjointSystem, Seeds, Tape, Tsit5Adjoint};
use costate::solvers::explicit::tsit5::Tsit5;
use costate::solvers::{Integrator, NoEvents, Options, System, Tolerance};

/// A ring of phases, theta_i' = omega_i + k_i sin(theta_{i+1} - theta_i), with p = (omega, k).
struct Ring {
    omega: Vec<f64>,
    k: Vec<f64>,
}

impl System<f64> for Ring {
    fn dim(&self) -> usize {
        self.omega.len()
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        let n = x.len();
        for i in 0..n {
            dx[i] = self.omega[i] + self.k[i] * (x[(i + 1) % n] - x[i]).sin();
        }
    }
}

impl AdjointSystem for Ring {
    fn parameters(&self) -> usize {
        2 * self.omega.len()
    }
    fn vjp(&mut self, _t: f64, x: &[f64], w: &[f64], x_bar: &mut [f64], p_bar: &mut [f64]) {
        let n = x.len();
        let (omega_bar, k_bar) = p_bar.split_at_mut(n);
        for i in 0..n {
            let next = (i + 1) % n;
            let (sin, cos) = (x[next] - x[i]).sin_cos();
            omega_bar[i] += w[i];
            k_bar[i] += w[i] * sin;
            x_bar[next] += w[i] * self.k[i] * cos;
            x_bar[i] -= w[i] * self.k[i] * cos;
        }
    }
    fn time_vjp(&mut self, _t: f64, _x: &[f64], _w: &[f64]) -> f64 {
        0.0
    }
}

fn options() -> Options {
    Options {
        rtol: 1e-9,
        atol: Tolerance::Uniform(1e-9),
        ..Options::default()
    }
}

/// The coherence of the phases at t = 5: the square of the mean of exp(i theta). With its slopes by the phases.
fn coherence(x: &[f64]) -> (f64, Vec<f64>) {
    let n = x.len() as f64;
    let c = x.iter().map(|x| x.cos()).sum::<f64>() / n;
    let s = x.iter().map(|x| x.sin()).sum::<f64>() / n;
    let slopes = x.iter().map(|x| 2.0 * (s * x.cos() - c * x.sin()) / n);
    (c * c + s * s, slopes.collect())
}

fn solved(ring: &mut Ring, tape: &mut Tape) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let n = ring.dim();
    let mut x: Vec<f64> = (0..n).map(|i| (0.7 * i as f64).sin()).collect();
    Integrator::<f64, Tsit5<f64>>::new(ring).run(ring, &mut x, &[0.0, 5.0], &options(), tape)?;
    Ok(x)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let n = 1000;
    let mut ring = Ring {
        omega: (0..n).map(|i| 0.3 * (0.11 * i as f64).cos()).collect(),
        k: (0..n)
            .map(|i| 1.0 + 0.5 * (0.05 * i as f64).sin())
            .collect(),
    };
    let mut tape = Tape::new();
    let x = solved(&mut ring, &mut tape)?;
    let (value, final_bar) = coherence(&x);
    let seeds = Seeds {
        final_bar: &final_bar,
        ..Seeds::default()
    };
    let (mut x0_bar, mut p_bar) = (vec![0.0; n], vec![0.0; 2 * n]);
    let swept: Result<(), AdjointError> = Tsit5Adjoint::default().sweep(
        &mut ring,
        &mut NoEvents,
        &tape,
        &seeds,
        &mut x0_bar,
        &mut p_bar,
        None,
    );
    swept?;
    println!(
        "coherence {value:.12}; its derivative by the first coupling is {:.12e}",
        p_bar[n]
    );

    // Turning all phases changes nothing: the derivatives by the starts, and those by the frequencies, sum to 0.
    for bars in [&x0_bar[..], &p_bar[..n]] {
        let sizes: f64 = bars.iter().map(|b| b.abs()).sum();
        assert!(bars.iter().sum::<f64>().abs() < 1e-12 * sizes);
    }
    // And one coupling is checked by a difference.
    let at = |h: f64, ring: &mut Ring| -> Result<f64, Box<dyn std::error::Error>> {
        ring.k[0] += h;
        let x = solved(ring, &mut Tape::new())?;
        ring.k[0] -= h;
        Ok(coherence(&x).0)
    };
    let h = 1e-4;
    let difference = (at(h, &mut ring)? - at(-h, &mut ring)?) / (2.0 * h);
    let scale = p_bar[n..].iter().fold(0.0, |m: f64, b| m.max(b.abs()));
    assert!(
        (p_bar[n] - difference).abs() < 1e-4 * scale,
        "{} {difference}",
        p_bar[n]
    );
    Ok(())
}
