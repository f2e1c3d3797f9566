//! What models with arrays cost: compilation, f and its products beside a loop written by hand, threads.
//!
//! The model is the Brusselator of task T4: 2 N^2 states on a periodic grid.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use costate::compile::{Backend, Workspace};
use costate::study::Study;

use crate::work_precision::timing::wall_medians;

/// The scenario for a grid of N by N.
pub fn brusselator(n: usize, solver: &str) -> String {
    format!(
        r#"
[scenario]
time = {{ start = 0.0, end = 11.5 }}
[indices]
i = {{ size = {n}, boundary = "periodic" }}
j = {{ size = {n}, boundary = "periodic" }}
[parameters]
B = 1.0
A = 3.4
alpha = 0.1
[definitions]
x = {{ over = ["i"], expression = "i/{n}" }}
y = {{ over = ["j"], expression = "j/{n}" }}
k = "alpha*{n}^2"
f = {{ over = ["i", "j"], expression = "if((x-0.3)^2 + (y-0.6)^2 <= 0.01 and t >= 1.1, 5, 0)" }}
[states]
u = {{ over = ["i", "j"], initial = "22*(y*(1-y))^1.5" }}
v = {{ over = ["i", "j"], initial = "27*(x*(1-x))^1.5" }}
[equations]
u = "B + u^2*v - (A+1)*u + k*(u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u) + f"
v = "A*u - u^2*v + k*(v[i-1,j] + v[i+1,j] + v[i,j-1] + v[i,j+1] - 4*v)"
[solver]
{solver}
"#
    )
}

fn study(n: usize) -> Result<Study, String> {
    let (study, findings) = Study::from_text(&brusselator(n, ""), Path::new("."), Backend::Auto);
    study.ok_or(format!("{findings:?}"))
}

/// The same right-hand side as a person would write it.
#[inline(never)]
pub fn by_hand(n: usize, t: f64, x: &[f64], p: [f64; 3], dx: &mut [f64]) {
    let [b, a, alpha] = p;
    let (u, v) = x.split_at(n * n);
    let (du, dv) = dx.split_at_mut(n * n);
    let k = alpha * (n * n) as f64;
    for i in 0..n {
        let (up, down) = ((i + n - 1) % n, (i + 1) % n);
        let place = (i + 1) as f64 / n as f64;
        for j in 0..n {
            let (left, right) = (
                if j == 0 { n - 1 } else { j - 1 },
                if j + 1 == n { 0 } else { j + 1 },
            );
            let y = (j + 1) as f64 / n as f64;
            let inside = (place - 0.3) * (place - 0.3) + (y - 0.6) * (y - 0.6) <= 0.01;
            let f = if inside && t >= 1.1 { 5.0 } else { 0.0 };
            let (c, d) = (u[i * n + j], v[i * n + j]);
            let lap_u =
                u[up * n + j] + u[down * n + j] + u[i * n + left] + u[i * n + right] - 4.0 * c;
            let lap_v =
                v[up * n + j] + v[down * n + j] + v[i * n + left] + v[i * n + right] - 4.0 * d;
            du[i * n + j] = b + c * c * d - (a + 1.0) * c + k * lap_u + f;
            dv[i * n + j] = a * c - c * c * d + k * lap_v;
        }
    }
}

/// Prints the tables.
pub fn run() -> Result<(), String> {
    const SIZES: [usize; 3] = [8, 64, 512];
    const ROUNDS: usize = 41;
    println!(
        "Brusselator, 2 N^2 states: from text to the first value of f, milliseconds (medians of {ROUNDS}, sizes in turn)"
    );
    let mut times = [const { Vec::new() }; SIZES.len()];
    for _ in 0..ROUNDS {
        for (n, times) in SIZES.into_iter().zip(&mut times) {
            let text = brusselator(n, "");
            let x = vec![0.5; 2 * n * n];
            let mut dx = x.clone();
            // the second call reads and writes arrays that are as far from the processor as those of the first
            let (x2, mut dx2) = (x.clone(), dx.clone());
            let start = Instant::now();
            let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
            let study = study.ok_or(format!("{findings:?}"))?;
            let read = start.elapsed();
            let mut workspace = Workspace::default();
            let f = study.equations.rhs.f();
            let begun = start.elapsed();
            let mut call = |x: &[f64], dx: &mut [f64]| {
                let done = f.evaluate(&[0.3; 2], x, &[1.0, 3.4, 0.1], dx, &mut workspace);
                done.map_err(|e| e.to_string())
            };
            call(&x, &mut dx)?;
            let first = start.elapsed() - begun + read;
            let before = start.elapsed();
            call(&x2, &mut dx2)?;
            let again = start.elapsed() - before;
            times.push([read, first - read - again, again].map(|t| t.as_secs_f64() * 1e3));
        }
    }
    for (n, times) in SIZES.into_iter().zip(times) {
        let median = |k: usize| {
            let mut of: Vec<f64> = times.iter().map(|t: &[f64; 3]| t[k]).collect();
            of.sort_by(f64::total_cmp);
            of[ROUNDS / 2]
        };
        println!(
            "N = {n:4}: reading {:7.2}, compilation {:7.2}, f {:8.3}",
            median(0),
            median(1),
            median(2)
        );
    }
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| e.to_string())?;
        pool.install(|| evaluations(threads))?;
    }
    network()
}

fn evaluations(threads: usize) -> Result<(), String> {
    println!("\n{threads} threads; medians of the time that passes, microseconds");
    println!(
        "{:>4} {:>10} {:>10} {:>8} {:>10} {:>8}",
        "N", "by hand", "f", "ratio", "vjp", "of f"
    );
    for n in [32, 64, 128, 256, 512] {
        let study = study(n)?;
        let f = study.equations.rhs.f();
        let p = [1.0, 3.4, 0.1];
        let x: Vec<f64> = (0..2 * n * n)
            .map(|k| 1.0 + (k % 17) as f64 / 20.0)
            .collect();
        let w = x.clone();
        let (mut hand, mut ours) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let (mut x_bar, mut p_bar) = (vec![0.0; x.len()], vec![0.0; 3]);
        let (mut one, mut two) = (Workspace::default(), Workspace::default());
        let mut first = || by_hand(n, 2.0, black_box(&x), p, &mut hand);
        let mut second = || {
            let done = f.evaluate(&[2.0; 2], black_box(&x), &p, &mut ours, &mut one);
            black_box(done).unwrap_or(());
        };
        let mut third = || {
            let done = f.vjp(
                &[2.0; 2],
                black_box(&x),
                &p,
                &w,
                &mut x_bar,
                &mut p_bar,
                &mut two,
            );
            black_box(done).unwrap_or(());
        };
        let times = wall_medians(&mut [&mut first, &mut second, &mut third]);
        println!(
            "{n:4} {:10.1} {:10.1} {:8.2} {:10.1} {:8.2}",
            times[0] * 1e6,
            times[1] * 1e6,
            times[1] / times[0],
            times[2] * 1e6,
            times[2] / times[1]
        );
        let difference = hand.iter().zip(&ours).map(|(a, b)| (a - b).abs());
        let largest = difference.fold(0.0, f64::max);
        if largest > 1e-9 {
            return Err(format!("f differs by {largest}"));
        }
    }
    Ok(())
}

/// A network of 2, `units` and 2 units as a person would write it: x' = W2 tanh(W1 x + b1) + b2.
#[inline(never)]
fn network_by_hand(units: usize, x: &[f64], p: &[f64], dx: &mut [f64]) {
    let (w1, rest) = p.split_at(2 * units);
    let (b1, rest) = rest.split_at(units);
    let (w2, b2) = rest.split_at(2 * units);
    let (mut u, mut v) = (b2[0], b2[1]);
    for k in 0..units {
        let h = (w1[2 * k] * x[0] + w1[2 * k + 1] * x[1] + b1[k]).tanh();
        u += w2[k] * h;
        v += w2[units + k] * h;
    }
    dx[0] = u;
    dx[1] = v;
}

fn network() -> Result<(), String> {
    println!("\nx' = a network of 2, units and 2; medians of the time that passes, nanoseconds");
    println!(
        "{:>6} {:>10} {:>10} {:>8} {:>10} {:>8}",
        "units", "by hand", "f", "ratio", "vjp", "of f"
    );
    for units in [16, 50, 200, 1000] {
        let text = format!(
            "[scenario]\ntime = {{ start = 0.0, end = 1.0 }}\n[networks.g]\ninputs = 2\nlayers = [{units}, 2]\n[states]\nu = 1.0\nv = 0.5\n[equations]\nu = \"g(u, v)[1]\"\nv = \"g(u, v)[2]\"\n"
        );
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let study = study.ok_or(format!("{findings:?}"))?;
        let (f, p) = (study.equations.rhs.f(), study.values());
        let (x, w) = ([1.0, 0.5], [0.3, 0.7]);
        let (mut hand, mut ours) = ([0.0; 2], [0.0; 2]);
        let (mut x_bar, mut p_bar) = ([0.0; 2], vec![0.0; p.len()]);
        let (mut one, mut two) = (Workspace::default(), Workspace::default());
        // a thousand calls at a time: a clock is read in a tenth of a call
        const CALLS: usize = 1000;
        let mut first =
            || (0..CALLS).for_each(|_| network_by_hand(units, black_box(&x), &p, &mut hand));
        let mut second = || {
            for _ in 0..CALLS {
                let done = f.evaluate(&[0.0; 2], black_box(&x), &p, &mut ours, &mut one);
                black_box(done).unwrap_or(());
            }
        };
        let mut third = || {
            for _ in 0..CALLS {
                let done = f.vjp(
                    &[0.0; 2],
                    black_box(&x),
                    &p,
                    &w,
                    &mut x_bar,
                    &mut p_bar,
                    &mut two,
                );
                black_box(done).unwrap_or(());
            }
        };
        let times = wall_medians(&mut [&mut first, &mut second, &mut third]);
        let each = |k: usize| times[k] * 1e9 / CALLS as f64;
        println!(
            "{units:6} {:10.1} {:10.1} {:8.2} {:10.1} {:8.2}",
            each(0),
            each(1),
            times[1] / times[0],
            each(2),
            times[2] / times[1]
        );
        if hand.iter().zip(&ours).any(|(a, b)| (a - b).abs() > 1e-12) {
            return Err(format!("f differs: {hand:?} {ours:?}"));
        }
    }
    Ok(())
}
