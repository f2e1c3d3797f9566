//! Controls: functions of time through values at equidistant knots, each value a parameter.
//!
//! With h the distance of knots, k the interval of the present smooth stretch, s = (t - t_k)/h and y the values:
//!
//! ```text
//! constant   y_k
//! linear     y_k + s (y_{k+1} - y_k)
//! cubic      (1-s) y_k + s y_{k+1} + (((1-s)^3 - (1-s)) m_k + (s^3 - s) m_{k+1}) / 6
//! ```
//!
//! m = h^2 u'' solves m_{k-1} + 4 m_k + m_{k+1} = d_k = 6 (y_{k-1} - 2 y_k + y_{k+1}). The third derivative does not jump at the second
//! and the last but one knot (not-a-knot), so that 6 m_1 = d_1 and m_0 = 2 m_1 - m_2, and likewise at the end: without
//! a condition at the ends that the function need not meet, its error is O(h^4) everywhere (de Boor, A Practical Guide to
//! Splines, 1978, ch. IV, doi 10.1007/978-1-4612-6333-3). The recurrence is a chain of nodes of parameters alone, computed
//! once a solve.
//!
//! Knots are stops, and move with the end where that is free.

use costate_solvers::Comparison;

use super::graph::{NodeId, PARAMETERS, TIME, Unary};
use super::lower::Lowering;
use crate::scenario::KnotShape;

impl Lowering<'_> {
    /// The node of a control.
    pub(super) fn knots(&mut self, shape: KnotShape, first: usize, count: usize) -> NodeId {
        let t = self.graph.input(TIME, 0);
        let middle = self.graph.input(TIME, 1);
        let intervals = match shape {
            KnotShape::Constant => count,
            KnotShape::Linear | KnotShape::Cubic => count.saturating_sub(1).max(1),
        };
        let [start, end] = self.span;
        let length = self.graph.sub(end, start);
        let number = self.graph.constant(intervals as f64);
        let h = self.graph.div(length, number);
        for k in 1..intervals {
            let share = self.graph.constant(k as f64 / intervals as f64);
            let passed = self.graph.mul(share, length);
            let at = self.graph.add(start, passed);
            self.stop(at, None);
        }
        let since = self.graph.sub(middle, start);
        let share = self.graph.div(since, h);
        let place = self.graph.unary(Unary::Floor, share);
        let values: Vec<NodeId> = (first..first + count)
            .map(|k| self.graph.input(PARAMETERS, k as u32))
            .collect();
        if shape == KnotShape::Constant {
            return self.pick(place, &values, 0);
        }
        let (left, right) = (
            self.pick(place, &values[..intervals], 0),
            self.pick(place, &values[1..], 0),
        );
        // (the place is held inside: dense output may be read past a knot by a rounding error)
        let last = self.graph.constant(intervals as f64 - 1.0);
        let zero = self.graph.constant(0.0);
        let under = self
            .graph
            .select(Comparison::Less, last, place, last, place);
        let held = self
            .graph
            .select(Comparison::Less, under, zero, zero, under);
        let begun = self.graph.mul(held, h);
        let begun = self.graph.add(start, begun);
        let inside = self.graph.sub(t, begun);
        let s = self.graph.div(inside, h);
        let rise = self.graph.sub(right, left);
        let rise = self.graph.mul(s, rise);
        let line = self.graph.add(left, rise);
        if shape == KnotShape::Linear {
            return line;
        }
        let bends = self.bends(&values);
        let (left, right) = (
            self.pick(place, &bends[..intervals], 0),
            self.pick(place, &bends[1..], 0),
        );
        let one = self.graph.constant(1.0);
        let rest = self.graph.sub(one, s);
        let mut bent = |share: NodeId, bend: NodeId| {
            let cube = self.graph.powi(share, 3);
            let form = self.graph.sub(cube, share);
            self.graph.mul(form, bend)
        };
        let (left, right) = (bent(rest, left), bent(s, right));
        let both = self.graph.add(left, right);
        let six = self.graph.constant(6.0);
        let curve = self.graph.div(both, six);
        self.graph.add(line, curve)
    }

    /// The value at a place, a whole number counted from `first`, by a tree of comparisons; the nearest beyond the ends.
    fn pick(&mut self, place: NodeId, values: &[NodeId], first: usize) -> NodeId {
        match values {
            [] => self.graph.constant(f64::NAN),
            [value] => *value,
            _ => {
                let half = values.len() / 2;
                let low = self.pick(place, &values[..half], first);
                let high = self.pick(place, &values[half..], first + half);
                let border = self.graph.constant((first + half) as f64 - 0.5);
                self.graph
                    .select(Comparison::Less, place, border, low, high)
            }
        }
    }

    /// m of the spline.
    fn bends(&mut self, y: &[NodeId]) -> Vec<NodeId> {
        let n = y.len() - 1;
        let two = self.graph.constant(2.0);
        let six = self.graph.constant(6.0);
        let mut differences = Vec::with_capacity(n);
        for k in 1..n {
            let twice = self.graph.mul(two, y[k]);
            let around = self.graph.add(y[k - 1], y[k + 1]);
            let second = self.graph.sub(around, twice);
            differences.push(self.graph.mul(six, second));
        }
        let d = |k: usize| differences[k - 1];
        let mut m = vec![y[0]; n + 1];
        m[1] = self.graph.div(d(1), six);
        m[n - 1] = self.graph.div(d(n - 1), six);
        // rows 2 to n - 2, solved from both known ends: pivots 4, 4 - 1/4, ...
        let (mut rights, mut pivots) = (Vec::new(), Vec::new());
        for k in 2..n.saturating_sub(1) {
            let mut right = d(k);
            if k == 2 {
                right = self.graph.sub(right, m[1]);
            }
            if k == n - 2 {
                right = self.graph.sub(right, m[n - 1]);
            }
            let mut pivot = 4.0;
            if let (Some(&before), Some(&own)) = (rights.last(), pivots.last()) {
                let own: f64 = own;
                let factor = self.graph.constant(1.0 / own);
                let carried = self.graph.mul(factor, before);
                right = self.graph.sub(right, carried);
                pivot -= 1.0 / own;
            }
            rights.push(right);
            pivots.push(pivot);
        }
        for (i, k) in (2..n.saturating_sub(1)).enumerate().rev() {
            let mut right = rights[i];
            if k < n - 2 {
                right = self.graph.sub(right, m[k + 1]);
            }
            let factor = self.graph.constant(1.0 / pivots[i]);
            m[k] = self.graph.mul(factor, right);
        }
        let mut end = |near: NodeId, next: NodeId| {
            let twice = self.graph.mul(two, near);
            self.graph.sub(twice, next)
        };
        m[0] = end(m[1], m[2]);
        m[n] = end(m[n - 1], m[n - 2]);
        m
    }
}
