//! Column colorings: valid, few, and enough to read a Jacobian off its products.

use costate_solvers::{Coloring, Pattern};
use proptest::prelude::*;

use crate::matrices::{Sparse, convection_diffusion, scattered, unsymmetric};

fn assert_valid(pattern: &Pattern, coloring: &Coloring) {
    assert_eq!(coloring.colors.len(), pattern.columns());
    assert!(coloring.colors.iter().all(|&c| c < coloring.count));
    let mut owner = vec![None; pattern.height * coloring.count as usize];
    for j in 0..pattern.columns() {
        for &row in &pattern.rows[pattern.starts[j]..pattern.starts[j + 1]] {
            let place = &mut owner[row * coloring.count as usize + coloring.colors[j] as usize];
            assert!(
                place.replace(j).is_none(),
                "two columns of a color in row {row}"
            );
        }
    }
}

/// Non-zeros of the fullest row: no coloring has fewer colors.
fn fullest_row(pattern: &Pattern) -> u32 {
    let mut counts = vec![0; pattern.height];
    for &row in &pattern.rows {
        counts[row] += 1;
    }
    counts.into_iter().max().unwrap_or(0)
}

proptest! {
    #[test]
    fn reads_back_a_jacobian(matrix in unsymmetric(1..40)) {
        let coloring = Coloring::new(&matrix.pattern);
        assert_valid(&matrix.pattern, &coloring);
        prop_assert!(coloring.count >= fullest_row(&matrix.pattern));
        let mut products = Vec::new();
        let mut direction = vec![0.0; matrix.dim()];
        for color in 0..coloring.count {
            coloring.direction(color, &mut direction);
            products.extend(matrix.times(&direction));
        }
        let mut values = vec![f64::NAN; matrix.values.len()];
        coloring.decompress(&matrix.pattern, &products, &mut values);
        prop_assert_eq!(values, matrix.values);
    }
}

#[test]
fn bands_need_their_width() {
    let n = 100;
    let entries: Vec<_> = (0..n)
        .flat_map(|j: usize| (j.saturating_sub(2)..(j + 4).min(n)).map(move |i| (i, j)))
        .collect();
    let coloring = Coloring::new(&Pattern::from_entries(n, n, &entries));
    assert_eq!(coloring.count, 6);
}

#[test]
fn grids_need_few() {
    let pattern = convection_diffusion(30, 0.0, 1.0).pattern;
    let coloring = Coloring::new(&pattern);
    assert_valid(&pattern, &coloring);
    assert!(coloring.count <= 8, "{}", coloring.count);
}

#[test]
fn an_arrow_and_its_transpose() {
    let n = 50;
    let diagonal = (0..n).map(|k| (k, k));
    let column: Vec<_> = diagonal.clone().chain((1..n).map(|k| (k, 0))).collect();
    assert_eq!(
        Coloring::new(&Pattern::from_entries(n, n, &column)).count,
        2
    );
    let row: Vec<_> = diagonal.chain((1..n).map(|k| (0, k))).collect();
    assert_eq!(
        Coloring::new(&Pattern::from_entries(n, n, &row)).count,
        n as u32
    );
}

#[test]
fn columns_without_entries_and_rectangles() {
    let empty = Coloring::new(&Pattern::from_entries(3, 0, &[]));
    assert_eq!(empty.count, 0);
    let pattern = Pattern::from_entries(2, 4, &[(0, 0), (1, 1), (0, 3)]);
    let coloring = Coloring::new(&pattern);
    assert_valid(&pattern, &coloring);
    assert_eq!(coloring.count, 2);
    let matrix = Sparse {
        pattern,
        values: scattered(3),
    };
    assert_eq!(matrix.values.len(), 3);
}
