//! The mass matrix M of M x' = f(t, x, p) as nodes: constant along a run, singular where rows are algebraic.

use super::graph::NodeId;
use super::lower::{Context, Lowering};
use super::names::Names;
use crate::diagnostic::Diagnostic;
use crate::scenario::{MassRow, Name, State};

/// An entry of the mass matrix that is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MassEntry {
    /// its row, the state whose equation it belongs to
    pub row: usize,
    /// its column, the state whose derivative it multiplies
    pub column: usize,
    /// its value, a function of the experiment's parameters
    pub node: NodeId,
}

const COEFFICIENT: Context = Context {
    what: "a coefficient of `[mass]`",
    states: false,
    time: false,
};

impl Lowering<'_> {
    /// The entries of the whole matrix, row by row: those given, and a 1 on the diagonal of every row that is not,
    /// those of discrete states among them. `None` where something was reported.
    pub(super) fn mass(
        &mut self,
        rows: &[MassRow],
        states: &[State],
        names: &Names,
    ) -> Option<Vec<MassEntry>> {
        let slots = names.slots();
        let one = self.graph.constant(1.0);
        let mut given: Vec<Option<Vec<MassEntry>>> = vec![None; states.len()];
        let mut failed = false;
        for row in rows {
            let index = self.single_state(&row.state, states);
            let mut entries = Vec::new();
            for (name, value) in &row.coefficients {
                let node = self.lower(value, COEFFICIENT);
                let column = self.single_state(name, states);
                let (Some(row), Some(column), Some(node)) = (index, column, node) else {
                    failed = true;
                    continue;
                };
                if self.graph.constant_value(node) != Some(0.0) {
                    let (row, column) = (slots[row].first, slots[column].first);
                    entries.push(MassEntry { row, column, node });
                }
            }
            match index {
                Some(index) => given[index] = Some(entries),
                None => failed = true,
            }
        }
        let all = given
            .into_iter()
            .enumerate()
            .flat_map(|(state, entries)| {
                let own = slots[state].first..slots[state].first + slots[state].len();
                entries.unwrap_or_else(|| {
                    own.map(|row| MassEntry {
                        row,
                        column: row,
                        node: one,
                    })
                    .collect()
                })
            })
            .collect();
        (!failed).then_some(all)
    }

    /// The index of a state that is no array.
    fn single_state(&mut self, name: &Name, states: &[State]) -> Option<usize> {
        let index = self.state_index(name, states)?;
        if states[index].over.is_empty() {
            return Some(index);
        }
        self.report(
            Diagnostic::error(
                "model::mass",
                format!(
                    "`{}` is an array, and `[mass]` is for single states",
                    name.text
                ),
                Some(name.span.clone()),
            )
            .with_help("divide its equation by the coefficient instead"),
        );
        None
    }
}
