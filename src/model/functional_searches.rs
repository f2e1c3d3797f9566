//! Functionals that look for a place along a run: extremes, crossings, and what is made of them.
//!
//! Where a search ends is found on the dense output of a plain solve, by the roots of e's rate of change
//! `e' = de/dt + de/dx f`, a node of the graph like any other. The value is then written with what is read at that
//! time T, held fixed, so that its derivatives come out exact to second order with no derivative of T itself:
//!
//! ```text
//! extreme of e       e - e'^2 / (2 e'')     (e' = 0 at T: the derivative is that of e, the second one knows that T moves)
//! time of an extreme T - e'/e''
//! time of a crossing T + (level - e)/e'
//! ```
//!
//! | functional | is |
//! |---|---|
//! | `maximum(e)`, `minimum(e)` | the extreme over the whole run |
//! | `mean(e)` | integral over length |
//! | `overshoot(e, target)` | how far e goes beyond the target, in fractions of the way from e's initial to the target's final value |
//! | `undershoot(e, target)` | how far e first goes the wrong way, in the same fractions |
//! | `rise_time(e, target)` | from 10 % of that way to 90 % |
//! | `settling_time(e, target, band)` | until e stays within band (a fraction of that way) of the target |
//! | `peak_time(e)` | from the start to the maximum |
//! | `total_variation(e)` | integral of abs(e'): what an actuator travels, jumps left out |
//!
//! At an extreme in a kink, at a jump, or at an end of the run, the time is held as it is.

use super::functional::{PathBounds, Samples, When, input};
use super::functions::Arity;
use super::graph::{FIFTH_EXTRA, FIRST_EXTRA, Graph, NodeId, STATES, THIRD_EXTRA, TIME, Unary};
use super::lower::Lowering;
use super::{Expression, Model, jvp};
use crate::diagnostic::Diagnostic;
use costate_solvers::Comparison;

/// A search along a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// what is looked at
    pub value: NodeId,
    /// its rate of change along the run, where the model gives it
    pub rate: Option<NodeId>,
    /// what is looked for
    pub what: SearchFor,
    /// in which part of the span, from and to, in fractions of it
    pub window: [f64; 2],
}

/// What a search looks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SearchFor {
    /// the highest value
    Highest,
    /// the lowest value
    Lowest,
    /// the first crossing of the level a + fraction (b - a), a and b being samples
    Crossing {
        /// sample a
        from: usize,
        /// sample b
        to: usize,
        /// fraction of the way
        fraction: f64,
    },
    /// the last time at which the value's size is band |b - a|
    LastOutside {
        /// sample a
        from: usize,
        /// sample b
        to: usize,
        /// fraction of the way
        band: f64,
        /// side of the band: 1 above, -1 below
        side: f64,
    },
}

/// Whether a functional looks for something, or is made of such.
pub(super) fn is_search(name: &str) -> bool {
    matches!(
        name,
        "maximum"
            | "minimum"
            | "mean"
            | "overshoot"
            | "undershoot"
            | "rise_time"
            | "settling_time"
            | "peak_time"
            | "total_variation"
    )
}

/// Numbers of arguments.
pub(super) fn arity(name: &str) -> Arity {
    match name {
        "overshoot" | "undershoot" | "rise_time" => Arity::Exactly(2),
        "settling_time" => Arity::Exactly(3),
        _ => Arity::Exactly(1),
    }
}

/// Time and states, each with its rate of change; `None` where f is not that rate, or in arrays.
pub(super) fn rates(model: &mut Model) -> Option<Vec<(NodeId, NodeId)>> {
    let arrays = model.rhs.len() != model.states.len();
    if model.mass.is_some() || arrays || model.rhs.iter().any(|&f| model.graph.size(f) != 1) {
        return None;
    }
    let time = model.graph.input(TIME, 0);
    let one = model.graph.constant(1.0);
    let mut seeds = vec![(time, one)];
    for (k, &f) in (0..).zip(&model.rhs) {
        seeds.push((model.graph.input(STATES, k), f));
    }
    Some(seeds)
}

impl Samples {
    /// The rate of change of a node along the run.
    fn rate(&self, graph: &mut Graph, node: NodeId) -> Option<NodeId> {
        let seeds = self.rates.as_ref()?;
        jvp(graph, &[node], seeds).first().copied()
    }

    fn take(&mut self, graph: &mut Graph, when: When, node: NodeId) -> NodeId {
        input(graph, FIRST_EXTRA, &mut self.taken, (when, node))
    }

    fn place_of(&mut self, graph: &mut Graph, when: When, node: NodeId) -> usize {
        self.take(graph, when, node);
        let wanted = (when, node);
        self.taken
            .iter()
            .position(|taken| *taken == wanted)
            .unwrap_or(0)
    }

    /// The place of a search among all, its time, and whether it is inside.
    fn search(&mut self, graph: &mut Graph, search: Search) -> (usize, NodeId, NodeId) {
        let known = self.searches.iter().position(|known| *known == search);
        let k = known.unwrap_or_else(|| {
            self.searches.push(search);
            self.searches.len() - 1
        });
        let place = 2 * u32::try_from(k).unwrap_or(u32::MAX / 4);
        let time = graph.input(FIFTH_EXTRA, place);
        let inside = graph.input(FIFTH_EXTRA, place + 1);
        (k, time, inside)
    }

    /// The extreme of a node in a window; what stands in its place where that is at an edge, or the value there.
    fn extreme(
        &mut self,
        graph: &mut Graph,
        node: NodeId,
        what: SearchFor,
        window: [f64; 2],
        at_edge: Option<NodeId>,
    ) -> NodeId {
        let rate = self.rate(graph, node);
        let search = Search {
            value: node,
            rate,
            what,
            window,
        };
        let (k, _, inside) = self.search(graph, search);
        let value = self.take(graph, When::Found(k), node);
        let Some(rate) = rate else { return value };
        let mut exact = value;
        if let Some(bend) = self.rate(graph, rate) {
            let rate = self.take(graph, When::Found(k), rate);
            let bend = self.take(graph, When::Found(k), bend);
            let square = graph.mul(rate, rate);
            let two = graph.constant(2.0);
            let twice = graph.mul(two, bend);
            let moves = divided(graph, square, twice);
            exact = graph.sub(value, moves);
        }
        let half = graph.constant(0.5);
        graph.select(
            Comparison::Less,
            half,
            inside,
            exact,
            at_edge.unwrap_or(value),
        )
    }

    /// Where the extreme is.
    fn extreme_time(&mut self, graph: &mut Graph, node: NodeId, what: SearchFor) -> Option<NodeId> {
        let rate = self.rate(graph, node)?;
        let bend = self.rate(graph, rate)?;
        let search = Search {
            value: node,
            rate: Some(rate),
            what,
            window: [0.0, 1.0],
        };
        let (k, time, inside) = self.search(graph, search);
        let rate = self.take(graph, When::Found(k), rate);
        let bend = self.take(graph, When::Found(k), bend);
        let moves = divided(graph, rate, bend);
        let exact = graph.sub(time, moves);
        let half = graph.constant(0.5);
        Some(graph.select(Comparison::Less, half, inside, exact, time))
    }

    /// When a node crosses a level, as found.
    fn crossing_time(
        &mut self,
        graph: &mut Graph,
        node: NodeId,
        level: NodeId,
        what: SearchFor,
    ) -> Option<NodeId> {
        let rate = self.rate(graph, node)?;
        let search = Search {
            value: node,
            rate: Some(rate),
            what,
            window: [0.0, 1.0],
        };
        let (k, time, inside) = self.search(graph, search);
        let value = self.take(graph, When::Found(k), node);
        let rate = self.take(graph, When::Found(k), rate);
        let missing = graph.sub(level, value);
        let moves = divided(graph, missing, rate);
        let exact = graph.add(time, moves);
        let half = graph.constant(0.5);
        Some(graph.select(Comparison::Less, half, inside, exact, time))
    }

    fn start(&mut self, graph: &mut Graph) -> NodeId {
        let time = graph.input(TIME, 0);
        self.take(graph, When::Initial, time)
    }
}

/// a / b, and a where b is 0.
fn divided(graph: &mut Graph, a: NodeId, b: NodeId) -> NodeId {
    let (zero, one) = (graph.constant(0.0), graph.constant(1.0));
    let safe = graph.select(Comparison::Equal, b, zero, one, b);
    graph.div(a, safe)
}

impl Lowering<'_> {
    /// The node of a functional that [`is_search`].
    pub(super) fn searched(
        &mut self,
        name: &str,
        inner: &[Expression],
        whole: &Expression,
        samples: &mut Samples,
    ) -> Option<NodeId> {
        let value = self.along_the_run(&inner[0])?;
        let all = [0.0, 1.0];
        let (highest, lowest) = (SearchFor::Highest, SearchFor::Lowest);
        match name {
            "maximum" => Some(samples.extreme(self.graph, value, highest, all, None)),
            "minimum" => Some(samples.extreme(self.graph, value, lowest, all, None)),
            "mean" => {
                let total = input(self.graph, THIRD_EXTRA, &mut samples.integrals, value);
                let time = self.graph.input(TIME, 0);
                let end = samples.take(self.graph, When::Final, time);
                let start = samples.start(self.graph);
                let length = self.graph.sub(end, start);
                Some(self.graph.div(total, length))
            }
            "total_variation" => {
                let Some(rate) = samples.rate(self.graph, value) else {
                    self.no_rate(name, whole);
                    return None;
                };
                let speed = self.graph.unary(Unary::Abs, rate);
                Some(input(
                    self.graph,
                    THIRD_EXTRA,
                    &mut samples.integrals,
                    speed,
                ))
            }
            "peak_time" => {
                let Some(time) = samples.extreme_time(self.graph, value, highest) else {
                    self.no_rate(name, whole);
                    return None;
                };
                let start = samples.start(self.graph);
                Some(self.graph.sub(time, start))
            }
            _ => {
                let target = self.along_the_run(&inner[1])?;
                let from = samples.place_of(self.graph, When::Initial, value);
                let to = samples.place_of(self.graph, When::Final, target);
                let first = samples.take(self.graph, When::Initial, value);
                let last = samples.take(self.graph, When::Final, target);
                let way = self.graph.sub(last, first);
                match name {
                    "overshoot" | "undershoot" => {
                        Some(self.overshot(name, value, target, first, way, samples))
                    }
                    "rise_time" => {
                        let mut crossing = |lowering: &mut Self, fraction: f64| {
                            let share = lowering.graph.constant(fraction);
                            let part = lowering.graph.mul(share, way);
                            let level = lowering.graph.add(first, part);
                            let what = SearchFor::Crossing { from, to, fraction };
                            samples.crossing_time(lowering.graph, value, level, what)
                        };
                        let (begun, risen) = (crossing(self, 0.1), crossing(self, 0.9));
                        let (Some(begun), Some(risen)) = (begun, risen) else {
                            self.no_rate(name, whole);
                            return None;
                        };
                        Some(self.graph.sub(risen, begun))
                    }
                    _ => self.settled(value, target, (from, to), way, &inner[2], whole, samples),
                }
            }
        }
    }

    /// `overshoot` and `undershoot`.
    fn overshot(
        &mut self,
        name: &str,
        value: NodeId,
        target: NodeId,
        first: NodeId,
        way: NodeId,
        samples: &mut Samples,
    ) -> NodeId {
        let graph = &mut *self.graph;
        let all = [0.0, 1.0];
        let (node, reference, sides) = match name {
            "overshoot" => {
                let error = graph.sub(value, target);
                let zero = graph.constant(0.0);
                (error, zero, [SearchFor::Highest, SearchFor::Lowest])
            }
            _ => (value, first, [SearchFor::Lowest, SearchFor::Highest]),
        };
        let mut part = |side: SearchFor| {
            let extreme = samples.extreme(graph, node, side, all, None);
            let far = graph.sub(extreme, reference);
            divided(graph, far, way)
        };
        let (rising, falling) = (part(sides[0]), part(sides[1]));
        let zero = graph.constant(0.0);
        let own = graph.select(Comparison::Less, way, zero, falling, rising);
        let own = match name {
            "overshoot" => own,
            _ => graph.neg(own),
        };
        graph.select(Comparison::Less, own, zero, zero, own)
    }

    /// `settling_time`: the later of the last times above and below the band.
    #[expect(clippy::too_many_arguments, reason = "the parts of one functional")]
    fn settled(
        &mut self,
        value: NodeId,
        target: NodeId,
        (from, to): (usize, usize),
        way: NodeId,
        band: &Expression,
        whole: &Expression,
        samples: &mut Samples,
    ) -> Option<NodeId> {
        let width = self.along_the_run(band)?;
        let Some(band) = self.graph.constant_value(width).filter(|band| *band > 0.0) else {
            self.report(
                Diagnostic::error(
                    "model::band",
                    "the band of `settling_time` must be a number above 0",
                    Some(band.span.clone()),
                )
                .with_help("0.02 is 2 % of the way from the initial to the final value"),
            );
            return None;
        };
        let error = self.graph.sub(value, target);
        let size = self.graph.unary(Unary::Abs, way);
        let share = self.graph.constant(band);
        let height = self.graph.mul(share, size);
        let depth = self.graph.neg(height);
        let mut side = |lowering: &mut Self, level: NodeId, side: f64| {
            let what = SearchFor::LastOutside {
                from,
                to,
                band,
                side,
            };
            samples.crossing_time(lowering.graph, error, level, what)
        };
        let (above, below) = (side(self, height, 1.0), side(self, depth, -1.0));
        let (Some(above), Some(below)) = (above, below) else {
            self.no_rate("settling_time", whole);
            return None;
        };
        let later = self
            .graph
            .select(Comparison::Less, above, below, below, above);
        let start = samples.start(self.graph);
        Some(self.graph.sub(later, start))
    }

    fn no_rate(&mut self, name: &str, whole: &Expression) {
        self.report(
            Diagnostic::error(
                "model::not-offered",
                format!("`{name}` needs the rate of change of a state, which a model with [mass] or arrays does not give"),
                Some(whole.span.clone()),
            )
            .with_help("`maximum` and `minimum` are offered for every model"),
        );
    }

    /// The roots of a path constraint.
    pub(super) fn path(&mut self, path: &PathBounds<'_>) -> Option<Vec<NodeId>> {
        let mut samples = self.functional.take()?;
        let Some(node) = self.along_the_run(path.expression) else {
            self.functional = Some(samples);
            return None;
        };
        let windows = path.windows.max(1);
        let share = |k: usize| k as f64 / windows as f64;
        let mut roots = Vec::new();
        for k in 0..=windows {
            let when = self.share_of_span(share(k), &mut samples);
            roots.push(samples.take(self.graph, when, node));
        }
        let [lower, upper] = path.bounds;
        for (bound, what, off) in [
            (upper, SearchFor::Highest, -1.0),
            (lower, SearchFor::Lowest, 1.0),
        ] {
            if !bound.is_finite() || lower == upper {
                continue;
            }
            // an extreme at an edge is read there already: a value that binds nothing stands in its place
            let idle = self.graph.constant(bound + off);
            for k in 0..windows {
                let window = [share(k), share(k + 1)];
                roots.push(samples.extreme(self.graph, node, what, window, Some(idle)));
            }
        }
        self.functional = Some(samples);
        Some(roots)
    }
}
