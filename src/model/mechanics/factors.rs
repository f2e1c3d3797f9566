//! A symmetric positive definite matrix of nodes factored within its graph: P A P^T = L D L^T, with L unit lower triangular
//! and D diagonal.
//!
//! Such a matrix needs no pivoting for stability, so the order of elimination is free: it is decided from the pattern,
//! by least degree, which leaves the zeros of blocks and arrows zero. What is structurally zero costs nothing.
//!
//! Golub & Van Loan, "Matrix Computations", 4th edition, 2013, section 4.1.2; the order is that of Tinney & Walker,
//! doi:10.1109/PROC.1967.6011.

use crate::model::graph::{Graph, NodeId};

/// A vector of nodes; `None` is a zero known from the structure.
pub(super) type Sparse = Vec<Option<NodeId>>;

/// The factors of a matrix.
pub(super) struct Factors {
    /// rows in the order of elimination
    order: Vec<usize>,
    /// D by row
    pub(super) pivots: Vec<NodeId>,
    /// by row k: the entries below the pivot of its column of L, (row, value)
    columns: Vec<Vec<(usize, NodeId)>>,
}

impl Factors {
    /// Factors the matrix whose lower triangle is `rows` (`rows[i][j]`, j <= i). The row that has no pivot, where one is
    /// structurally zero or the number 0, is the error.
    pub(super) fn new(graph: &mut Graph, mut rows: Vec<Sparse>) -> Result<Self, usize> {
        let n = rows.len();
        // an entry on the diagonal of a positive definite matrix is above zero
        if let Some(row) = (0..n).find(|&k| rows[k][k].is_none()) {
            return Err(row);
        }
        let zero = graph.constant(0.0);
        let mut order = Vec::with_capacity(n);
        let mut pivots = vec![zero; n];
        let mut columns = vec![Vec::new(); n];
        let mut left: Vec<usize> = (0..n).collect();
        while let Some(at) = least_degree(&rows, &left) {
            let k = left.remove(at);
            let pivot = rows[k][k].filter(|&pivot| graph.constant_value(pivot) != Some(0.0));
            let pivot = pivot.ok_or(k)?;
            let below: Vec<(usize, NodeId)> = left
                .iter()
                .filter_map(|&i| Some((i, rows[i.max(k)][i.min(k)]?)))
                .collect();
            for (place, &(i, entry)) in below.iter().enumerate() {
                let factor = graph.div(entry, pivot);
                columns[k].push((i, factor));
                for &(j, other) in &below[..=place] {
                    let update = graph.mul(factor, other);
                    let slot = &mut rows[i.max(j)][i.min(j)];
                    *slot = Some(minus(graph, *slot, update));
                }
            }
            pivots[k] = pivot;
            order.push(k);
        }
        Ok(Self {
            order,
            pivots,
            columns,
        })
    }

    /// L^-1 b.
    pub(super) fn forward(&self, graph: &mut Graph, mut b: Sparse) -> Sparse {
        for &k in &self.order {
            let Some(value) = b[k] else { continue };
            for &(i, factor) in &self.columns[k] {
                let part = graph.mul(factor, value);
                b[i] = Some(minus(graph, b[i], part));
            }
        }
        b
    }

    /// L^-T D^-1 y.
    pub(super) fn backward(&self, graph: &mut Graph, mut y: Sparse) -> Sparse {
        for &k in self.order.iter().rev() {
            let mut sum = y[k].map(|value| graph.div(value, self.pivots[k]));
            for &(i, factor) in &self.columns[k] {
                if let Some(value) = y[i] {
                    let part = graph.mul(factor, value);
                    sum = Some(minus(graph, sum, part));
                }
            }
            y[k] = sum;
        }
        y
    }

    /// A^-1 b.
    pub(super) fn solve(&self, graph: &mut Graph, b: Sparse) -> Sparse {
        let y = self.forward(graph, b);
        self.backward(graph, y)
    }

    /// a^T D^-1 b: with a = L^-1 u and b = L^-1 v, this is u^T A^-1 v.
    pub(super) fn product(
        &self,
        graph: &mut Graph,
        a: &[Option<NodeId>],
        b: &[Option<NodeId>],
    ) -> Option<NodeId> {
        let mut sum = None;
        for &k in &self.order {
            let (Some(left), Some(right)) = (a[k], b[k]) else {
                continue;
            };
            let scaled = graph.div(left, self.pivots[k]);
            let part = graph.mul(scaled, right);
            sum = Some(plus(graph, sum, part));
        }
        sum
    }
}

/// a + b
pub(super) fn plus(graph: &mut Graph, a: Option<NodeId>, b: NodeId) -> NodeId {
    a.map_or(b, |a| graph.add(a, b))
}

/// a - b
pub(super) fn minus(graph: &mut Graph, a: Option<NodeId>, b: NodeId) -> NodeId {
    match a {
        Some(a) => graph.sub(a, b),
        None => graph.neg(b),
    }
}

/// The place in `left` of the row with the fewest entries among the rows left, the first of equals.
fn least_degree(rows: &[Sparse], left: &[usize]) -> Option<usize> {
    let degree = |k: usize| {
        left.iter()
            .filter(|&&i| rows[i.max(k)][i.min(k)].is_some())
            .count()
    };
    (0..left.len()).min_by_key(|&at| degree(left[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evaluate;
    use crate::model::graph::STATES;

    /// A symmetric positive definite matrix of inputs with the given places of its lower triangle.
    fn matrix(graph: &mut Graph, n: usize, places: &[(usize, usize)]) -> (Vec<Sparse>, Vec<f64>) {
        let mut rows = vec![vec![None; n]; n];
        let mut values = Vec::new();
        let diagonal = (0..n).map(|k| (k, k));
        for (k, (i, j)) in (0..).zip(diagonal.chain(places.iter().copied())) {
            rows[i][j] = Some(graph.input(STATES, k));
            // diagonally dominant
            values.push(if i == j {
                n as f64 + 0.3 * i as f64
            } else {
                0.9 - 0.2 * f64::from(k) / n as f64
            });
        }
        (rows, values)
    }

    #[test]
    fn solves_what_a_dense_product_gives() {
        let mut graph = Graph::new();
        let n = 5;
        let places = [(1, 0), (2, 0), (3, 1), (4, 3), (4, 0)];
        let (rows, values) = matrix(&mut graph, n, &places);
        let b: Sparse = (0..n)
            .map(|k| (k != 2).then(|| graph.constant(1.0 + k as f64)))
            .collect();
        let factors = Factors::new(&mut graph, rows.clone()).expect("pivots");
        let x = factors.solve(&mut graph, b.clone());
        let zero = graph.constant(0.0);
        let x: Vec<NodeId> = x.into_iter().map(|x| x.unwrap_or(zero)).collect();
        let x = evaluate(&graph, &x, &[&[], &values]);
        for i in 0..n {
            let entry = |i: usize, j: usize| {
                rows[i.max(j)][i.min(j)]
                    .map_or(0.0, |node| evaluate(&graph, &[node], &[&[], &values])[0])
            };
            let sum: f64 = (0..n).map(|j| entry(i, j) * x[j]).sum();
            let right = if i == 2 { 0.0 } else { 1.0 + i as f64 };
            assert!(
                (sum - right).abs() < 1e-14 * 10.0,
                "row {i}: {sum} for {right}"
            );
        }
    }

    /// An arrow whose first row is full: eliminated last, it leaves no fill.
    #[test]
    fn an_arrow_stays_an_arrow() {
        let mut graph = Graph::new();
        let n = 8;
        let places: Vec<(usize, usize)> = (1..n).map(|i| (i, 0)).collect();
        let (rows, _) = matrix(&mut graph, n, &places);
        let factors = Factors::new(&mut graph, rows).expect("pivots");
        let entries: usize = factors.columns.iter().map(Vec::len).sum();
        assert_eq!(entries, n - 1);
        // the head goes when one other row is left, or last
        assert!(factors.order[n - 2..].contains(&0), "{:?}", factors.order);
    }

    #[test]
    fn blocks_do_not_meet() {
        let mut graph = Graph::new();
        let (rows, _) = matrix(&mut graph, 4, &[(1, 0), (3, 2)]);
        let factors = Factors::new(&mut graph, rows).expect("pivots");
        let b = vec![Some(graph.constant(1.0)), None, None, None];
        let x = factors.solve(&mut graph, b);
        assert!(x[0].is_some() && x[1].is_some() && x[2].is_none() && x[3].is_none());
    }

    #[test]
    fn a_row_without_a_pivot_is_named() {
        let mut graph = Graph::new();
        let one = graph.constant(1.0);
        let rows = vec![vec![Some(one)], vec![None, None]];
        assert_eq!(Factors::new(&mut graph, rows).err(), Some(1));
        // the pivot of the second is 1 - 1 = 0
        let rows = vec![vec![Some(one)], vec![Some(one), Some(one)]];
        assert_eq!(Factors::new(&mut graph, rows).err(), Some(1));
    }
}
