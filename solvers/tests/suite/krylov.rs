//! GMRES and its preconditioners on convection and diffusion.

use costate_solvers::Pattern;
use costate_solvers::linalg::{
    BlockJacobi, DenseLu, Gmres, GmresOptions, GmresOutcome, Ilu0, SparseLu,
};

use crate::matrices::{Sparse, convection_diffusion, scattered};

fn solve(
    matrix: &Sparse,
    restart: usize,
    mut precondition: impl FnMut(&mut [f64]),
    options: &GmresOptions,
) -> (GmresOutcome, Vec<f64>) {
    let n = matrix.dim();
    let mut x = vec![0.0; n];
    let outcome = Gmres::new(n, restart).solve(
        |x, y| y.copy_from_slice(&matrix.times(x)),
        |x, y| {
            y.copy_from_slice(x);
            precondition(y);
        },
        &scattered(n),
        &mut x,
        options,
    );
    (outcome, x)
}

fn residual(matrix: &Sparse, x: &[f64]) -> f64 {
    let b = scattered(matrix.dim());
    let product = matrix.times(x);
    let sum: f64 = product.iter().zip(&b).map(|(p, b)| (p - b).powi(2)).sum();
    sum.sqrt()
}

#[test]
fn converges_and_faster_with_ilu() {
    let matrix = convection_diffusion(24, 4.0, 0.01);
    let options = GmresOptions::default();
    let b: f64 = scattered(matrix.dim()).iter().map(|b| b * b).sum();
    let (plain, x) = solve(&matrix, 30, |_| (), &options);
    assert!(plain.converged, "{plain:?}");
    assert!((residual(&matrix, &x) - plain.residual).abs() < 1e-12);
    assert!(plain.residual <= 1e-8 * b.sqrt());
    let mut ilu = Ilu0::new(&matrix.pattern).expect("a diagonal");
    assert!(ilu.factor(&matrix.values));
    let (with_ilu, x) = solve(&matrix, 30, |v| ilu.solve(v), &options);
    assert!(with_ilu.converged && residual(&matrix, &x) <= 1e-8 * b.sqrt());
    assert!(
        3 * with_ilu.iterations < plain.iterations,
        "{with_ilu:?} {plain:?}"
    );
}

/// In exact arithmetic n iterations suffice; a matrix of k distinct eigenvalues needs k.
#[test]
fn ends_after_as_many_iterations_as_eigenvalues() {
    let n = 40;
    let entries: Vec<_> = (0..n).map(|k| (k, k, [1.0, 2.0, 5.0][k % 3])).collect();
    let matrix = Sparse::new(n, &entries);
    let options = GmresOptions {
        relative: 1e-12,
        ..GmresOptions::default()
    };
    let (outcome, x) = solve(&matrix, 40, |_| (), &options);
    assert!(outcome.converged && outcome.iterations == 3, "{outcome:?}");
    assert!(
        x.iter()
            .zip(scattered(n))
            .enumerate()
            .all(|(k, (x, b))| { (x * [1.0, 2.0, 5.0][k % 3] - b).abs() < 1e-11 })
    );
}

/// With the inverse for a preconditioner one iteration is enough.
#[test]
fn one_iteration_with_an_exact_preconditioner() {
    let matrix = convection_diffusion(10, 2.0, 0.1);
    let mut lu = SparseLu::new(&matrix.pattern);
    assert!(lu.factor(&matrix.values));
    let (outcome, _) = solve(&matrix, 5, |v| lu.solve(v), &GmresOptions::default());
    assert!(outcome.converged && outcome.iterations == 1, "{outcome:?}");
}

/// Without fill to drop, as for a tridiagonal matrix, ILU(0) is LU.
#[test]
fn ilu_of_a_chain_is_exact() {
    let n = 50;
    let mut entries: Vec<_> = (0..n).map(|k| (k, k, 2.5)).collect();
    entries.extend((1..n).flat_map(|k| [(k, k - 1, -1.0), (k - 1, k, -1.2)]));
    let matrix = Sparse::new(n, &entries);
    let mut ilu = Ilu0::new(&matrix.pattern).expect("a diagonal");
    assert!(ilu.factor(&matrix.values));
    let b = scattered(n);
    let mut x = b.clone();
    ilu.solve(&mut x);
    assert!(matrix.backward_error(&x, &b, false) < 10.0 * n as f64 * f64::EPSILON);
}

/// (L U)_ij = a_ij at every place of the pattern, dropped fill or not.
#[test]
fn ilu_agrees_with_the_matrix_on_its_pattern() {
    let matrix = convection_diffusion(6, 1.0, 0.5);
    let n = matrix.dim();
    let mut ilu = Ilu0::new(&matrix.pattern).expect("a diagonal");
    assert!(ilu.factor(&matrix.values));
    // the columns of (L U)^-1, inverted again
    let mut inverse = DenseLu::new(n);
    for j in 0..n {
        let column = &mut inverse.entries_mut()[j * n..(j + 1) * n];
        column[j] = 1.0;
        ilu.solve(column);
    }
    assert!(inverse.factor());
    let mut worst_outside = 0.0f64;
    for j in 0..n {
        let mut column = vec![0.0; n];
        column[j] = 1.0;
        inverse.solve(&mut column);
        let start = matrix.pattern.starts[j];
        let rows = &matrix.pattern.rows[start..matrix.pattern.starts[j + 1]];
        for (i, value) in column.iter().enumerate() {
            match rows.binary_search(&i) {
                Ok(k) => assert!((value - matrix.values[start + k]).abs() < 1e-12),
                Err(_) => worst_outside = worst_outside.max(value.abs()),
            }
        }
    }
    assert!(worst_outside > 0.01, "the test should drop something");
}

#[test]
fn ilu_refuses_what_it_cannot_do() {
    let no_diagonal = Pattern::from_entries(2, 2, &[(0, 1), (1, 0), (1, 1)]);
    assert!(Ilu0::<f64>::new(&no_diagonal).is_none());
    let mut ilu = Ilu0::new(&Pattern::dense(2)).expect("a diagonal");
    assert!(!ilu.factor(&[1.0, 1.0, 1.0, 1.0]));
    assert!(!ilu.factor(&[f64::NAN, 1.0, 1.0, 1.0]));
    assert!(!ilu.factor(&[1.0]));
}

/// Strong reactions of two species at each point, weakly coupled: blocks catch the reactions.
#[test]
fn blocks_catch_local_reactions() {
    let points = 60;
    let mut entries = Vec::new();
    for p in 0..points {
        let (a, b) = (2 * p, 2 * p + 1);
        let fast = 10f64.powi(p as i32 % 7);
        entries.extend([
            (a, a, 3.0 + fast),
            (a, b, -0.9 * fast),
            (b, a, 0.5 * fast),
            (b, b, 3.0 + fast),
        ]);
        if p > 0 {
            entries.extend([(a, a - 2, -1.0), (b - 2, b, -1.0)]);
        }
    }
    let matrix = Sparse::new(2 * points, &entries);
    let mut blocks = BlockJacobi::new(&matrix.pattern, 2);
    assert!(blocks.factor(&matrix.values));
    let options = GmresOptions::default();
    let (outcome, _) = solve(&matrix, 30, |v| blocks.solve(v), &options);
    assert!(outcome.converged && outcome.iterations <= 12, "{outcome:?}");
    let (plain, _) = solve(&matrix, 30, |_| (), &options);
    assert!(plain.iterations > 3 * outcome.iterations, "{plain:?}");
    assert!(!blocks.factor(&vec![0.0; matrix.values.len()]));
    // a last block that is smaller
    let mut blocks = BlockJacobi::new(&Pattern::dense(5), 2);
    let values: Vec<f64> = (0..25)
        .map(|k| if k % 6 == 0 { 4.0 } else { 1.0 })
        .collect();
    assert!(blocks.factor(&values));
    let mut b = [5.0, 5.0, 5.0, 5.0, 4.0];
    blocks.solve(&mut b);
    assert!(b.iter().all(|b| (b - 1.0).abs() < 1e-15));
}

#[test]
fn stops_where_nothing_is_gained() {
    // a singular matrix and a right-hand side outside its range
    let matrix = Sparse::new(2, &[(0, 0, 1.0), (1, 0, 0.0), (1, 1, 0.0)]);
    let (outcome, _) = solve(&matrix, 2, |_| (), &GmresOptions::default());
    assert!(!outcome.converged && outcome.iterations < 10, "{outcome:?}");
    let matrix = Sparse::new(1, &[(0, 0, f64::NAN)]);
    let (outcome, _) = solve(&matrix, 2, |_| (), &GmresOptions::default());
    assert!(!outcome.converged && outcome.iterations < 3, "{outcome:?}");
    let matrix = convection_diffusion(10, 0.0, 0.01);
    let options = GmresOptions {
        max_iterations: 7,
        ..GmresOptions::default()
    };
    let (outcome, _) = solve(&matrix, 5, |_| (), &options);
    assert!(!outcome.converged && outcome.iterations == 7, "{outcome:?}");
    // b = 0: nothing to do
    let outcome = Gmres::new(1, 1).solve(
        |x, y| y.copy_from_slice(x),
        |x, y| y.copy_from_slice(x),
        &[0.0],
        &mut [0.0],
        &GmresOptions::default(),
    );
    assert!(outcome.converged && outcome.iterations == 0);
}
