//! Switches at known times: a comparison of time with an expression of parameters (`t < t_on`,
//! `heaviside(t - t_on)`) changes at a time that steps can end on. It is decided by the middle of the present smooth
//! stretch, and its time becomes a stop.

use costate_solvers::Comparison;

use super::graph::{NodeId, Op, TIME};
use super::lower::Lowering;

impl Lowering<'_> {
    /// 1 where the comparison holds, else 0; by the middle of the stretch, with a stop, where it switches at a
    /// time that parameters alone decide.
    pub(super) fn compare(&mut self, comparison: Comparison, a: NodeId, b: NodeId) -> NodeId {
        if !matches!(comparison, Comparison::Equal | Comparison::NotEqual)
            && let Some((a, b, at)) = self.switch(a, b)
        {
            self.stop(at, None);
            return self.graph.compare(comparison, a, b);
        }
        self.graph.compare(comparison, a, b)
    }

    /// Whether a comparison is decided at a stop.
    pub(super) fn is_stop(&mut self, comparison: Comparison, a: NodeId, b: NodeId) -> bool {
        !matches!(comparison, Comparison::Equal | Comparison::NotEqual)
            && self.switch(a, b).is_some()
    }
    /// Where a - b changes sign at a time that parameters alone decide: both sides with t replaced by the middle
    /// of the stretch, and that time. Seen are t, t - c, t + c and c - t on either side.
    pub(super) fn switch(&mut self, a: NodeId, b: NodeId) -> Option<(NodeId, NodeId, NodeId)> {
        if let Some((moved, at)) = self.switch_of(a, b) {
            return Some((moved, b, at));
        }
        let (moved, at) = self.switch_of(b, a)?;
        Some((a, moved, at))
    }

    /// As `switch`, time being in `side` only: `side` with t replaced, and the time when it equals `level`.
    fn switch_of(&mut self, side: NodeId, level: NodeId) -> Option<(NodeId, NodeId)> {
        let (t, middle) = (self.graph.input(TIME, 0), self.graph.input(TIME, 1));
        let mut fixed = |id| self.dependence.on_parameters_only(self.graph, id);
        if !fixed(level) {
            return None;
        }
        Some(match self.graph.op(side) {
            _ if side == t => (middle, level),
            Op::Sub(a, b) if a == t && fixed(b) => {
                (self.graph.sub(middle, b), self.graph.add(level, b))
            }
            Op::Sub(a, b) if b == t && fixed(a) => {
                (self.graph.sub(a, middle), self.graph.sub(a, level))
            }
            Op::Add(a, b) if a == t && fixed(b) => {
                (self.graph.add(middle, b), self.graph.sub(level, b))
            }
            Op::Add(a, b) if b == t && fixed(a) => {
                (self.graph.add(a, middle), self.graph.sub(level, a))
            }
            _ => return None,
        })
    }
}
