//! Convex quadratic programs: Clarabel's interior point, then the exact solution on the active set that it found.
//!
//! ```text
//! minimize g'd + d'Bd/2   subject to   lower <= A d <= upper,   d_lower <= d <= d_upper
//! ```
//!
//! An interior point ends some 1e-9 from the active bounds. The polish solves the equations of the active rows
//!
//! ```text
//! [ B   A_a' ] [ d      ]   [ -g  ]
//! [ A_a  0   ] [ lambda ] = [ b_a ]
//! ```
//!
//! once, regularized and refined (as OSQP does: Stellato et al. 2020, doi 10.1007/s12532-020-00179-2, sec. 5.2), lets go of rows
//! whose multiplier has the wrong sign, takes in rows that are violated, and keeps the result if all conditions hold.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus, SupportedConeT,
    ZeroConeT,
};
use nalgebra::{DMatrix, DVector};

/// A quadratic program.
pub(super) struct Quadratic<'a> {
    pub b: &'a DMatrix<f64>,
    pub g: &'a [f64],
    pub a: &'a DMatrix<f64>,
    pub lower: &'a [f64],
    pub upper: &'a [f64],
    pub d_lower: &'a [f64],
    pub d_upper: &'a [f64],
}

/// Its solution.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub d: Vec<f64>,
    /// multipliers of the rows, positive at upper bounds
    pub lambda: Vec<f64>,
    /// what holds it, where that is known exactly
    pub active: Active,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NoSolution {
    Infeasible,
    Failed(String),
}

/// Rows of A and variables at bounds: (row or m + variable, at upper).
pub(super) type Active = Vec<(usize, bool)>;

/// Changes of the active set by which a polish finds the solution.
const CORRECTIONS: usize = 12;
/// The same where the set is that of another program.
const CORRECTIONS_NEAR: usize = 4;

/// Most unknowns of the equations of a polish.
const MOST_POLISHED: usize = 1200;

impl Quadratic<'_> {
    fn sizes(&self) -> (usize, usize) {
        (self.g.len(), self.lower.len())
    }

    /// Lower and upper bound of a row, or of a variable behind the rows.
    fn bounds_of(&self, k: usize) -> [f64; 2] {
        let m = self.lower.len();
        match k.checked_sub(m) {
            None => [self.lower[k], self.upper[k]],
            Some(j) => [self.d_lower[j], self.d_upper[j]],
        }
    }

    fn value_of(&self, k: usize, d: &[f64]) -> f64 {
        match k.checked_sub(self.lower.len()) {
            None => (0..d.len()).map(|j| self.a[(k, j)] * d[j]).sum(),
            Some(j) => d[j],
        }
    }

    pub fn solve(&self) -> Result<Solution, NoSolution> {
        self.interior(None).map(|(solution, _)| solution)
    }

    /// The same from the active set of a program like it, which is often this one's, too, or nearly: then no interior point is needed.
    pub fn solve_near(&self, active: &Active) -> Result<Solution, NoSolution> {
        match self.polished(active.clone(), CORRECTIONS_NEAR) {
            Some(solution) => Ok(solution),
            None => self.solve(),
        }
    }

    /// The program whose rows may be violated at a price for each unit; also how much they are in all.
    pub fn solve_elastic(&self, price: f64) -> Result<(Solution, f64), NoSolution> {
        self.interior(Some(price))
    }

    fn interior(&self, price: Option<f64>) -> Result<(Solution, f64), NoSolution> {
        let (n, m) = self.sizes();
        let slacks = if price.is_some() { 2 * m } else { 0 };
        let columns = n + slacks;
        let mut p = Triplets::new(columns);
        for j in 0..n {
            for i in 0..=j {
                p.push(i, j, self.b[(i, j)]);
            }
        }
        let mut q = self.g.to_vec();
        q.resize(columns, price.unwrap_or(0.0));
        let (mut a, mut rhs) = (Triplets::new(columns), Vec::new());
        // (row or variable, sign): equations first, then one a finite bound
        let mut rows: Vec<(usize, f64)> = Vec::new();
        let equal = |[l, u]: [f64; 2]| l == u;
        let mut equations = 0;
        for pass in 0..2 {
            for k in 0..m + n {
                let bounds = self.bounds_of(k);
                if equal(bounds) != (pass == 0) {
                    continue;
                }
                let sides = [(1.0, bounds[1]), (-1.0, -bounds[0])];
                let count = if pass == 0 { 1 } else { 2 };
                for &(sign, bound) in &sides[..count] {
                    if !bound.is_finite() {
                        continue;
                    }
                    let row = rows.len();
                    match k.checked_sub(m) {
                        None => {
                            for j in 0..n {
                                a.push(row, j, sign * self.a[(k, j)]);
                            }
                            if slacks > 0 {
                                a.push(row, n + 2 * k, -sign);
                                a.push(row, n + 2 * k + 1, sign);
                            }
                        }
                        Some(j) => a.push(row, j, sign),
                    }
                    rhs.push(bound);
                    rows.push((k, sign));
                    equations += usize::from(pass == 0);
                }
            }
        }
        let inequalities = rows.len() - equations;
        for k in 0..slacks {
            a.push(rows.len() + k, n + k, -1.0);
            rhs.push(0.0);
        }
        let mut cones: Vec<SupportedConeT<f64>> = Vec::new();
        if equations > 0 {
            cones.push(ZeroConeT(equations));
        }
        if inequalities + slacks > 0 {
            cones.push(NonnegativeConeT(inequalities + slacks));
        }
        let settings = DefaultSettings {
            verbose: false,
            tol_gap_abs: 1e-10,
            tol_gap_rel: 1e-10,
            tol_feas: 1e-10,
            ..DefaultSettings::default()
        };
        let (p, a) = (p.matrix(columns), a.matrix(rhs.len()));
        let mut solver = DefaultSolver::new(&p, &q, &a, &rhs, &cones, settings)
            .map_err(|error| NoSolution::Failed(error.to_string()))?;
        solver.solve();
        let found = &solver.solution;
        match found.status {
            SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible => {
                return Err(NoSolution::Infeasible);
            }
            SolverStatus::Solved
            | SolverStatus::AlmostSolved
            | SolverStatus::InsufficientProgress
            | SolverStatus::MaxIterations => {}
            status => return Err(NoSolution::Failed(format!("{status:?}"))),
        }
        if found.x.iter().any(|x| !x.is_finite()) {
            return Err(NoSolution::Failed("not finite".to_owned()));
        }
        let mut solution = Solution {
            d: found.x[..n].to_vec(),
            lambda: vec![0.0; m],
            active: Active::new(),
        };
        let mut active: Active = Vec::new();
        for (row, &(k, sign)) in rows.iter().enumerate() {
            if k < m {
                solution.lambda[k] += sign * found.z[row];
            }
            if row < equations || found.z[row] > found.s[row] {
                active.push((k, sign > 0.0));
            }
        }
        let sloppy = found.status != SolverStatus::Solved;
        if price.is_some() {
            let paid = found.x[n..].iter().map(|s| s.max(0.0)).sum();
            self.clip(&mut solution.d);
            return Ok((solution, paid));
        }
        match self.polished(active, CORRECTIONS) {
            Some(exact) => Ok((exact, 0.0)),
            None if sloppy && self.violation(&solution.d) > 1e-5 => Err(NoSolution::Infeasible),
            None => {
                self.clip(&mut solution.d);
                Ok((solution, 0.0))
            }
        }
    }

    fn clip(&self, d: &mut [f64]) {
        for ((d, &l), &u) in d.iter_mut().zip(self.d_lower).zip(self.d_upper) {
            *d = d.max(l).min(u);
        }
    }

    /// The largest violation, relative to the size of the bounds.
    fn violation(&self, d: &[f64]) -> f64 {
        let (n, m) = self.sizes();
        let of = |k: usize| {
            let [l, u] = self.bounds_of(k);
            let out = super::outside(self.value_of(k, d), l, u);
            let bound = if out > 0.0 { u } else { l };
            if out == 0.0 {
                0.0
            } else {
                out.abs() / bound.abs().max(1.0)
            }
        };
        (0..m + n).map(of).fold(0.0, f64::max)
    }

    /// The solution on an active set, which is corrected a few times.
    fn polished(&self, mut active: Active, corrections: usize) -> Option<Solution> {
        let (n, m) = self.sizes();
        for _ in 0..corrections {
            if n + active.len() > MOST_POLISHED {
                return None;
            }
            let (mut d, y) = self.on(&active)?;
            let size = y.iter().fold(1.0_f64, |s, y| s.max(y.abs()));
            let wrong = |&(k, upper): &(usize, bool), y: f64| {
                let [l, u] = self.bounds_of(k);
                l != u && (if upper { y } else { -y }) < -1e-9 * size
            };
            let mut next: Active = Vec::new();
            for (row, &y) in active.iter().zip(&y) {
                if !wrong(row, y) {
                    next.push(*row);
                }
            }
            let mut changed = next.len() != active.len();
            for k in 0..m + n {
                let [l, u] = self.bounds_of(k);
                let out = super::outside(self.value_of(k, &d), l, u);
                let bound = if out > 0.0 { u } else { l };
                if out.abs() > 1e-9 * bound.abs().max(1.0)
                    && !next.iter().any(|&(held, _)| held == k)
                {
                    next.push((k, out > 0.0));
                    changed = true;
                }
            }
            if !changed {
                // held rows are met only if they do not contradict each other
                if self.violation(&d) > 1e-8 || self.stationarity(&d, &active, &y) > 1e-7 {
                    return None;
                }
                let mut lambda = vec![0.0; m];
                for (&(k, upper), &y) in active.iter().zip(&y) {
                    match k.checked_sub(m) {
                        None => lambda[k] += y,
                        Some(j) => d[j] = self.bounds_of(k)[usize::from(upper)],
                    }
                }
                self.clip(&mut d);
                return Some(Solution { d, lambda, active });
            }
            active = next;
        }
        None
    }

    /// How far g + B d + A_a' y is from zero, relative to the size of its terms.
    fn stationarity(&self, d: &[f64], active: &Active, y: &[f64]) -> f64 {
        let (n, m) = self.sizes();
        let mut r: Vec<f64> = (self.b * DVector::from_column_slice(d)).as_slice().to_vec();
        let mut size = 1.0_f64;
        for (r, g) in r.iter_mut().zip(self.g) {
            *r += g;
            size = size.max(g.abs());
        }
        for (&(k, _), y) in active.iter().zip(y) {
            match k.checked_sub(m) {
                None => (0..n).for_each(|j| r[j] += y * self.a[(k, j)]),
                Some(j) => r[j] += y,
            }
        }
        r.iter().fold(0.0_f64, |s, r| s.max(r.abs())) / size
    }

    /// d and the multipliers with these rows as equations.
    fn on(&self, active: &Active) -> Option<(Vec<f64>, Vec<f64>)> {
        let (n, m) = self.sizes();
        let total = n + active.len();
        let mut k = DMatrix::zeros(total, total);
        k.view_mut((0, 0), (n, n)).copy_from(self.b);
        let mut rhs = DVector::zeros(total);
        for j in 0..n {
            rhs[j] = -self.g[j];
        }
        for (i, &(row, upper)) in active.iter().enumerate() {
            for j in 0..n {
                let entry = match row.checked_sub(m) {
                    None => self.a[(row, j)],
                    Some(own) => f64::from(own == j),
                };
                k[(n + i, j)] = entry;
                k[(j, n + i)] = entry;
            }
            rhs[n + i] = self.bounds_of(row)[usize::from(upper)];
        }
        let size = self.b.amax().max(1.0);
        let mut shifted = k.clone();
        for i in 0..total {
            shifted[(i, i)] += if i < n { 1e-11 * size } else { -1e-11 / size };
        }
        let factors = shifted.lu();
        let mut solution = factors.solve(&rhs)?;
        for _ in 0..6 {
            let rest = &rhs - &k * &solution;
            solution += factors.solve(&rest)?;
        }
        let finite = solution.iter().all(|v| v.is_finite());
        let (d, y) = solution.as_slice().split_at(n);
        finite.then(|| (d.to_vec(), y.to_vec()))
    }
}

/// A sparse matrix, entry by entry, columns in order.
struct Triplets {
    columns: Vec<Vec<(usize, f64)>>,
}

impl Triplets {
    fn new(columns: usize) -> Self {
        Self {
            columns: vec![Vec::new(); columns],
        }
    }
    fn push(&mut self, row: usize, column: usize, value: f64) {
        if value != 0.0 {
            self.columns[column].push((row, value));
        }
    }
    fn matrix(mut self, rows: usize) -> CscMatrix<f64> {
        let count = self.columns.len();
        let (mut starts, mut places, mut values) = (vec![0], Vec::new(), Vec::new());
        for column in &mut self.columns {
            column.sort_by_key(|&(row, _)| row);
            for &(row, value) in column.iter() {
                places.push(row);
                values.push(value);
            }
            starts.push(places.len());
        }
        CscMatrix::new(rows, count, starts, places, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(
        b: &'a DMatrix<f64>,
        g: &'a [f64],
        a: &'a DMatrix<f64>,
        rows: (&'a [f64], &'a [f64]),
        d: (&'a [f64], &'a [f64]),
    ) -> Quadratic<'a> {
        Quadratic {
            b,
            g,
            a,
            lower: rows.0,
            upper: rows.1,
            d_lower: d.0,
            d_upper: d.1,
        }
    }

    /// Nocedal and Wright, example 16.2: x = (2, -1, 1), multipliers (3, -2) of their sign convention.
    #[test]
    fn equations_are_met_exactly() {
        let b = DMatrix::from_row_slice(3, 3, &[6.0, 2.0, 1.0, 2.0, 5.0, 2.0, 1.0, 2.0, 4.0]);
        let a = DMatrix::from_row_slice(2, 3, &[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
        let free = ([f64::NEG_INFINITY; 3], [f64::INFINITY; 3]);
        let rows = [3.0, 0.0];
        let g = [-8.0, -3.0, -3.0];
        let s = of(&b, &g, &a, (&rows, &rows), (&free.0, &free.1))
            .solve()
            .expect("a solution");
        for (d, exact) in s.d.iter().zip([2.0, -1.0, 1.0]) {
            assert!((d - exact).abs() < 1e-12, "{:?}", s.d);
        }
        for (l, exact) in s.lambda.iter().zip([-3.0, 2.0]) {
            assert!((l - exact).abs() < 1e-11, "{:?}", s.lambda);
        }
    }

    /// Nocedal and Wright, example 16.4: x = (1.4, 1.7).
    #[test]
    fn inequalities_are_met_exactly() {
        let b = DMatrix::from_diagonal_element(2, 2, 2.0);
        let a = DMatrix::from_row_slice(3, 2, &[-1.0, 2.0, 1.0, 2.0, 1.0, -2.0]);
        let low = [f64::NEG_INFINITY; 3];
        let g = [-2.0, -5.0];
        let s = of(
            &b,
            &g,
            &a,
            (&low, &[2.0, 6.0, 2.0]),
            (&[0.0; 2], &[f64::INFINITY; 2]),
        )
        .solve()
        .expect("a solution");
        assert!((s.d[0] - 1.4).abs() < 1e-12 && (s.d[1] - 1.7).abs() < 1e-12);
        assert!((s.lambda[0] - 0.8).abs() < 1e-11 && s.lambda[1].abs() < 1e-12);
    }

    #[test]
    fn contradictions_are_found_and_paid_for() {
        let b = DMatrix::identity(1, 1);
        let a = DMatrix::from_row_slice(2, 1, &[1.0, 1.0]);
        let (low, high) = ([1.0, f64::NEG_INFINITY], [f64::INFINITY, 0.0]);
        let free = ([f64::NEG_INFINITY], [f64::INFINITY]);
        let program = of(&b, &[0.0], &a, (&low, &high), (&free.0, &free.1));
        assert!(matches!(program.solve(), Err(NoSolution::Infeasible)));
        let (s, paid) = program.solve_elastic(100.0).expect("a solution");
        assert!((paid - 1.0).abs() < 1e-6, "{paid}");
        assert!(s.d[0].abs() < 1.0 + 1e-6);
    }
}
