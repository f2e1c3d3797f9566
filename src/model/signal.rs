//! Signals as nodes: functions of time, with the times where they are not smooth as stops.
//!
//! A signal with jumps or kinks takes its branch by the middle of the present smooth stretch, so that a step of a
//! method that ends on a switch sees one smooth function, and the next step the other.

use std::sync::Arc;

use costate_solvers::Comparison;

use super::graph::{NodeId, TIME, Unary};
use super::lower::{Context, Lowering};
use super::table::PiecewisePolynomial;
use crate::diagnostic::Diagnostic;
use crate::model::Expression;
use crate::scenario::{Interpolation, Signal, SignalKind};

/// The numbers of a signal.
const NUMBER: Context = Context {
    what: "a number of a signal",
    states: false,
    time: false,
};
/// A signal given as an expression.
const OF_TIME: Context = Context {
    what: "a signal",
    states: false,
    time: true,
};

impl Lowering<'_> {
    /// The node of a signal; `None` where something was reported.
    pub(super) fn signal(&mut self, signal: &Signal) -> Option<NodeId> {
        let t = self.graph.input(TIME, 0);
        let middle = self.graph.input(TIME, 1);
        match &signal.kind {
            SignalKind::Step { at, before, after } => {
                let [at, before, after] = self.numbers([at, before, after])?;
                self.stop(at, None);
                Some(
                    self.graph
                        .select(Comparison::Less, middle, at, before, after),
                )
            }
            SignalKind::Ramp {
                start: first,
                end: last,
                from,
                to,
            } => {
                let [start, end, from, to] = self.numbers([first, last, from, to])?;
                let length = self.graph.sub(end, start);
                self.check_positive(length, last, "a ramp ends after it starts");
                self.stop(start, None);
                self.stop(end, None);
                let passed = self.graph.sub(t, start);
                let fraction = self.graph.div(passed, length);
                let rise = self.graph.sub(to, from);
                let rise = self.graph.mul(rise, fraction);
                let line = self.graph.add(from, rise);
                let later = self.graph.select(Comparison::Less, middle, end, line, to);
                Some(
                    self.graph
                        .select(Comparison::Less, middle, start, from, later),
                )
            }
            SignalKind::Sine {
                amplitude,
                frequency,
                phase,
                offset,
            } => {
                let [amplitude, frequency, phase, offset] =
                    self.numbers([amplitude, frequency, phase, offset])?;
                let cycles = self.graph.mul(frequency, t);
                let radians = self.radians(cycles);
                let angle = self.graph.add(radians, phase);
                let sine = self.sine(angle);
                let wave = self.graph.mul(amplitude, sine);
                Some(self.graph.add(offset, wave))
            }
            SignalKind::Pulse {
                start,
                width: width_expression,
                period: period_expression,
                low,
                high,
            } => {
                let period = period_expression
                    .as_ref()
                    .map(|period| self.lower(period, NUMBER));
                let [start, width, low, high] =
                    self.numbers([start, width_expression, low, high])?;
                self.check_positive(width, width_expression, "a pulse has a positive width");
                let mut since = self.graph.sub(middle, start);
                let mut repeats = None;
                if let (Some(period), Some(expression)) = (period, period_expression) {
                    let period = period?;
                    self.check_positive(period, expression, "a period is positive");
                    let periods = self.graph.div(since, period);
                    let whole = self.graph.unary(Unary::Floor, periods);
                    let shift = self.graph.mul(whole, period);
                    since = self.graph.sub(since, shift);
                    repeats = Some(period);
                }
                let end = self.graph.add(start, width);
                self.stop(start, repeats);
                self.stop(end, repeats);
                let inside = self.graph.select(Comparison::Less, since, width, high, low);
                Some(
                    self.graph
                        .select(Comparison::Less, middle, start, low, inside),
                )
            }
            SignalKind::Expression(expression) => self.lower(expression, OF_TIME),
            SignalKind::Table {
                times,
                values,
                interpolation,
            } => {
                let Some(table) = PiecewisePolynomial::through(times, values, *interpolation)
                else {
                    self.report(
                        Diagnostic::error(
                            "model::table",
                            format!("the table of `{}` cannot be interpolated", signal.name.text),
                            Some(signal.name.span.clone()),
                        )
                        .with_help(
                            "it takes two rows or more, times strictly ascending, all finite",
                        ),
                    );
                    return None;
                };
                let kinked = matches!(interpolation, Interpolation::Hold | Interpolation::Linear);
                let count = table.breaks.len();
                for (k, &time) in table.breaks.iter().enumerate() {
                    // smooth within, with a kink at either end where it is held
                    if kinked || k == 0 || k + 1 == count {
                        let at = self.graph.constant(time);
                        self.stop(at, None);
                    }
                }
                let table = self.graph.add_table(Arc::new(table));
                let place = if kinked { middle } else { t };
                Some(self.graph.table(table, 0, t, place))
            }
            &SignalKind::Knots {
                shape,
                first,
                count,
            } => Some(self.knots(shape, first, count)),
        }
    }

    /// Numbers of a signal, each lowered for its findings.
    fn numbers<const N: usize>(&mut self, expressions: [&Expression; N]) -> Option<[NodeId; N]> {
        let nodes = expressions.map(|expression| self.lower(expression, NUMBER));
        if nodes.iter().any(Option::is_none) {
            return None;
        }
        Some(nodes.map(|node| node.unwrap_or(NodeId(0))))
    }

    /// Reports a number that is known and not above 0.
    fn check_positive(&mut self, node: NodeId, expression: &Expression, rule: &'static str) {
        if self
            .graph
            .constant_value(node)
            .is_some_and(|value| value.is_nan() || value <= 0.0)
        {
            self.report(Diagnostic::error(
                "model::signal",
                rule,
                Some(expression.span.clone()),
            ));
        }
    }
}
