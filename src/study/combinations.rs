//! Directions in the space of parameters, as words: products of powers, or sums where parameters are searched linearly.
//!
//! With N (p x k) a basis of the directions along which nothing measured changes, a combination sum_j c_j x_j is determined
//! where c^T N = 0. Reduced by elimination to N = [I; C], x_j - sum_i C_ji x_i is one for each j outside the k pivots: p - k of
//! them, of few names each. x is the logarithm of a parameter, or its value.

use nalgebra::DMatrix;

/// A part of a direction smaller than this, beside the largest, is left out: it would be rounding.
const SMALL: f64 = 1e-4;

/// Combinations orthogonal to all `open` directions (each of length p), as rows of coefficients: every one has coefficient
/// 1 at a parameter that no other has. Parameters that no open direction touches are in none of them.
pub(super) fn determined(open: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let (k, p) = (open.len(), open.first().map_or(0, Vec::len));
    let mut rows = DMatrix::from_fn(k, p, |i, j| open[i][j]);
    let largest = rows.amax();
    let mut pivots: Vec<usize> = Vec::new();
    for row in 0..k {
        let place = (0..p)
            .filter(|j| !pivots.contains(j))
            .flat_map(|j| (row..k).map(move |i| (i, j)))
            .max_by(|a, b| rows[*a].abs().total_cmp(&rows[*b].abs()));
        let Some((i, j)) = place.filter(|&place| rows[place].abs() > SMALL * largest) else {
            break;
        };
        rows.swap_rows(row, i);
        let pivot = rows[(row, j)];
        rows.row_mut(row).iter_mut().for_each(|x| *x /= pivot);
        for other in (0..k).filter(|&other| other != row) {
            let factor = rows[(other, j)];
            for column in 0..p {
                let change = factor * rows[(row, column)];
                rows[(other, column)] -= change;
            }
        }
        pivots.push(j);
    }
    let touched = |j: usize| (0..pivots.len()).any(|i| rows[(i, j)].abs() > SMALL);
    (0..p)
        .filter(|j| !pivots.contains(j) && touched(*j))
        .map(|j| {
            let mut row = vec![0.0; p];
            row[j] = 1.0;
            for (i, &pivot) in pivots.iter().enumerate() {
                if rows[(i, j)].abs() > SMALL {
                    row[pivot] = -rows[(i, j)];
                }
            }
            row
        })
        .collect()
}

/// `alpha*beta^-1`: the product of powers whose logarithm has these coefficients, small ones left out.
pub(super) fn product(names: &[&str], exponents: &[f64]) -> String {
    parts(names, exponents)
        .map(|(name, exponent)| match number(exponent).as_str() {
            "1" => name.to_owned(),
            exponent => format!("{name}^{exponent}"),
        })
        .collect::<Vec<_>>()
        .join("*")
}

/// `a + 2*b`: the sum with these coefficients, small ones left out.
pub(super) fn sum(names: &[&str], coefficients: &[f64]) -> String {
    let mut text = String::new();
    for (name, coefficient) in parts(names, coefficients) {
        text += match (text.is_empty(), coefficient < 0.0) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        text += &match number(coefficient.abs()).as_str() {
            "1" => name.to_owned(),
            size => format!("{size}*{name}"),
        };
    }
    text
}

/// Names with the coefficients that count, in the order of the names.
fn parts<'n>(
    names: &'n [&str],
    coefficients: &'n [f64],
) -> impl Iterator<Item = (&'n str, f64)> + use<'n> {
    let largest = coefficients.iter().fold(0.0_f64, |a, c| a.max(c.abs()));
    let all = names.iter().copied().zip(coefficients.iter().copied());
    // what would be written as 0 is left out, too
    all.filter(move |(_, c)| c.abs() > SMALL * largest && number(*c) != "0")
}

/// A coefficient to three digits after the point, without trailing zeros.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_orthogonal_to_open_directions_is_named() {
        // y = a b / c: nothing changes along (1, 0, 1) and (0, 1, 1), and a b / c is what is known.
        let open = vec![vec![1.0, 0.0, 1.0, 0.0], vec![0.0, 1.0, 1.0, 0.0]];
        let found = determined(&open);
        assert_eq!(found.len(), 1);
        for direction in &open {
            let inner: f64 = direction.iter().zip(&found[0]).map(|(a, b)| a * b).sum();
            assert!(inner.abs() < 1e-15);
        }
        let scale = found[0][0];
        let scaled: Vec<f64> = found[0].iter().map(|c| c / scale).collect();
        assert_eq!(product(&["a", "b", "c", "d"], &scaled), "a*b*c^-1");
        // one open direction among three leaves two combinations
        assert_eq!(determined(&[vec![1.0, 1.0, -2.0]]).len(), 2);
        // a parameter open by itself is in no combination
        assert_eq!(determined(&[vec![0.0, 1.0]]), Vec::<Vec<f64>>::new());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(product(&["k", "m", "n"], &[0.5, -2.0, 1e-9]), "k^0.5*m^-2");
        assert_eq!(
            sum(&["a", "b", "c"], &[1.0, -2.0, 0.25]),
            "a - 2*b + 0.25*c"
        );
        assert_eq!(sum(&["a", "b"], &[-1.0, 1.0]), "-a + b");
    }
}
