//! The problems as a Rust program would have them: right-hand sides and products of their Jacobians with a vector, by hand.
//!
//! Constants are those of the files in `tests/data/ode`, where the sources are.

/// A system x' = f(x).
pub struct Equations {
    /// its name among the reference problems
    pub id: &'static str,
    /// the state at the start
    pub initial: &'static [f64],
    /// f(x)
    pub rhs: fn(&[f64], &mut [f64]),
    /// J(x) v; there for stiff problems, whose methods need it
    pub jacobian: Option<fn(&[f64], &[f64], &mut [f64])>,
}

/// All of them.
pub const ALL: [Equations; 6] = [
    Equations {
        id: "lotka_volterra",
        initial: &[1.0, 1.0],
        rhs: lotka_volterra,
        jacobian: None,
    },
    Equations {
        id: "pleiades",
        initial: &PLEIADES,
        rhs: pleiades,
        jacobian: None,
    },
    Equations {
        id: "rober",
        initial: &[1.0, 0.0, 0.0],
        rhs: rober,
        jacobian: Some(rober_jacobian),
    },
    Equations {
        id: "detest_stiff/F4",
        initial: &[4.0, 1.1, 4.0],
        rhs: orego,
        jacobian: Some(orego_jacobian),
    },
    Equations {
        id: "hires",
        initial: &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057],
        rhs: hires,
        jacobian: Some(hires_jacobian),
    },
    Equations {
        id: "pollu",
        initial: &POLLU,
        rhs: pollu,
        jacobian: Some(pollu_jacobian),
    },
];

fn lotka_volterra(x: &[f64], dx: &mut [f64]) {
    let encounters = x[0] * x[1];
    dx[0] = 1.5 * x[0] - encounters;
    dx[1] = encounters - 3.0 * x[1];
}

/// Positions x, positions y, velocities x, velocities y of the seven stars.
const PLEIADES: [f64; 28] = [
    3.0, 3.0, -1.0, -3.0, 2.0, -2.0, 2.0, 3.0, -3.0, 2.0, 0.0, 0.0, -4.0, 4.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 1.75, -1.5, 0.0, 0.0, 0.0, -1.25, 1.0, 0.0, 0.0,
];

fn pleiades(x: &[f64], dx: &mut [f64]) {
    let (positions, velocities) = x.split_at(14);
    let (moves, pulls) = dx.split_at_mut(14);
    moves.copy_from_slice(velocities);
    pulls.fill(0.0);
    for i in 0..7 {
        for j in i + 1..7 {
            let (a, b) = (
                positions[j] - positions[i],
                positions[7 + j] - positions[7 + i],
            );
            let square = a * a + b * b;
            let inverse = 1.0 / (square * square.sqrt());
            // star number i has mass i + 1
            let (on_i, on_j) = ((j + 1) as f64 * inverse, (i + 1) as f64 * inverse);
            pulls[i] += on_i * a;
            pulls[7 + i] += on_i * b;
            pulls[j] -= on_j * a;
            pulls[7 + j] -= on_j * b;
        }
    }
}

fn rober(x: &[f64], dx: &mut [f64]) {
    let (first, second, third) = (0.04 * x[0], 3e7 * x[1] * x[1], 1e4 * x[1] * x[2]);
    dx[0] = third - first;
    dx[1] = first - second - third;
    dx[2] = second;
}

fn rober_jacobian(x: &[f64], v: &[f64], out: &mut [f64]) {
    let (first, second) = (0.04 * v[0], 6e7 * x[1] * v[1]);
    let third = 1e4 * (v[1] * x[2] + x[1] * v[2]);
    out[0] = third - first;
    out[1] = first - second - third;
    out[2] = second;
}

fn orego(x: &[f64], dx: &mut [f64]) {
    dx[0] = 77.27 * (x[1] + x[0] * (1.0 - x[1] - 8.375e-6 * x[0]));
    dx[1] = (x[2] - x[1] * (1.0 + x[0])) / 77.27;
    dx[2] = 0.161 * (x[0] - x[2]);
}

fn orego_jacobian(x: &[f64], v: &[f64], out: &mut [f64]) {
    out[0] = 77.27 * (v[0] * (1.0 - x[1] - 2.0 * 8.375e-6 * x[0]) + v[1] * (1.0 - x[0]));
    out[1] = (v[2] - v[0] * x[1] - v[1] * (1.0 + x[0])) / 77.27;
    out[2] = 0.161 * (v[0] - v[2]);
}

/// Phytochrome: the linear reactions of HIRES, and the one product of y6 and y8 given apart.
fn hires_sum(y: &[f64], product: f64, source: f64, out: &mut [f64]) {
    let bound = 280.0 * product;
    out[0] = -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + source;
    out[1] = 1.71 * y[0] - 8.75 * y[1];
    out[2] = -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4];
    out[3] = 8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3];
    out[4] = -1.745 * y[4] + 0.43 * (y[5] + y[6]);
    out[5] = -bound + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6];
    out[6] = bound - 1.81 * y[6];
    out[7] = -out[6];
}

fn hires(x: &[f64], dx: &mut [f64]) {
    hires_sum(x, x[5] * x[7], 0.0007, dx);
}

fn hires_jacobian(x: &[f64], v: &[f64], out: &mut [f64]) {
    hires_sum(v, v[5] * x[7] + x[5] * v[7], 0.0, out);
}

const POLLU: [f64; 20] = [
    0.0, 0.2, 0.0, 0.04, 0.0, 0.0, 0.1, 0.3, 0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.007, 0.0,
    0.0, 0.0,
];

/// Reactions of POLLU: rate constant, species that react, numbered from 0 (one, or two whose product it is).
const REACTIONS: [(f64, usize, Option<usize>); 25] = [
    (0.35, 0, None),
    (26.6, 1, Some(3)),
    (1.23e4, 4, Some(1)),
    (8.6e-4, 6, None),
    (8.2e-4, 6, None),
    (1.5e4, 6, Some(5)),
    (1.3e-4, 8, None),
    (2.4e4, 8, Some(5)),
    (1.65e4, 10, Some(1)),
    (9e3, 10, Some(0)),
    (0.022, 12, None),
    (1.2e4, 9, Some(1)),
    (1.88, 13, None),
    (1.63e4, 0, Some(5)),
    (4.8e6, 2, None),
    (3.5e-4, 3, None),
    (0.0175, 3, None),
    (1e8, 15, None),
    (4.44e11, 15, None),
    (1240.0, 16, Some(5)),
    (2.1, 18, None),
    (5.78, 18, None),
    (0.0474, 0, Some(3)),
    (1780.0, 18, Some(0)),
    (3.12, 19, None),
];

/// What the reactions, at rates r, make and use up.
fn pollu_sum(r: &[f64; 25], out: &mut [f64]) {
    out[0] =
        -r[0] - r[9] - r[13] - r[22] - r[23] + r[1] + r[2] + r[8] + r[10] + r[11] + r[21] + r[24];
    out[1] = -r[1] - r[2] - r[8] - r[11] + r[0] + r[20];
    out[2] = -r[14] + r[0] + r[16] + r[18] + r[21];
    out[3] = -r[1] - r[15] - r[16] - r[22] + r[14];
    out[4] = -r[2] + 2.0 * r[3] + r[5] + r[6] + r[12] + r[19];
    out[5] = -r[5] - r[7] - r[13] - r[19] + r[2] + 2.0 * r[17];
    out[6] = -r[3] - r[4] - r[5] + r[12];
    out[7] = r[3] + r[4] + r[5] + r[6];
    out[8] = -r[6] - r[7];
    out[9] = -r[11] + r[6] + r[8];
    out[10] = -r[8] - r[9] + r[7] + r[10];
    out[11] = r[8];
    out[12] = -r[10] + r[9];
    out[13] = -r[12] + r[11];
    out[14] = r[13];
    out[15] = -r[17] - r[18] + r[15];
    out[16] = -r[19];
    out[17] = r[19];
    out[18] = -r[20] - r[21] - r[23] + r[22] + r[24];
    out[19] = -r[24] + r[23];
}

fn pollu(x: &[f64], dx: &mut [f64]) {
    let rates = REACTIONS.map(|(k, a, b)| k * x[a] * b.map_or(1.0, |b| x[b]));
    pollu_sum(&rates, dx);
}

fn pollu_jacobian(x: &[f64], v: &[f64], out: &mut [f64]) {
    let changes = REACTIONS.map(|(k, a, b)| match b {
        None => k * v[a],
        Some(b) => k * (v[a] * x[b] + x[a] * v[b]),
    });
    pollu_sum(&changes, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use costate::compile::Backend;
    use costate::scenario::SolverMethod;
    use costate::study::Study;
    use costate_solvers::System;

    /// f by hand is the compiled f of the problem's text, and J v its slope.
    #[test]
    fn by_hand_as_from_text() {
        for equations in &ALL {
            let problem = crate::golden::find(equations.id).expect("a problem");
            let (study, findings) =
                Study::from_text(&problem.toml, std::path::Path::new("."), Backend::Auto);
            let study = study.unwrap_or_else(|| panic!("{findings:?}"));
            let mut run = costate::study::Run::<f64>::new(&study.equations);
            let [start, end] = problem.span;
            run.prepare(0, &study.values(), start, end).expect("a run");
            let system = run.system(SolverMethod::Tsit5).expect("a system");
            let n = equations.initial.len();
            let x: Vec<f64> = (0..n)
                .map(|i| equations.initial[i] + 0.1 + 0.01 * i as f64)
                .collect();
            let (mut ours, mut by_hand) = (vec![0.0; n], vec![0.0; n]);
            system.rhs(start, &x, &mut ours);
            (equations.rhs)(&x, &mut by_hand);
            for (a, b) in ours.iter().zip(&by_hand) {
                assert!(
                    (a - b).abs() <= 1e-12 * (a.abs() + 1.0),
                    "{}: {a} {b}",
                    equations.id
                );
            }
            let Some(jacobian) = equations.jacobian else {
                continue;
            };
            let v: Vec<f64> = (0..n).map(|i| 1.0 - 0.07 * i as f64).collect();
            let mut slope = vec![0.0; n];
            jacobian(&x, &v, &mut slope);
            let at = |h: f64| {
                let moved: Vec<f64> = x.iter().zip(&v).map(|(x, v)| x + h * v).collect();
                let mut f = vec![0.0; n];
                (equations.rhs)(&moved, &mut f);
                f
            };
            // All are quadratic, so that central differences are exact but for rounding.
            for ((s, a), b) in slope.iter().zip(at(0.5)).zip(at(-0.5)) {
                assert!((s - (a - b)).abs() <= 1e-12 * (a.abs() + b.abs() + 1.0));
            }
        }
    }
}
