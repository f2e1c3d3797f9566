//! Gains of linear-quadratic regulators as nodes: functions of weights and of the model's parameters, differentiated like any.
//!
//! The model is opened at the outputs of its controllers and linearized at the operating point, A = df/dx and b = df/du, in
//! the graph. The stabilizing solution P of
//!
//! ```text
//! A^T P + P A - P G P + H = 0,   G = b b^T/r,   H = diag(q),   K = b^T P/r
//! ```
//!
//! comes from doubling, all in nodes: with A_g = A - g I and W = A_g + G A_g^-T H,
//!
//! ```text
//! F = I + 2 g W^-1,   G = 2 g A_g^-1 G W^-T,   H = 2 g W^-T H A_g^-1,
//! F <- F (I + G H)^-1 F,   G <- G + F G (I + H G)^-1 F^T,   H <- H + F^T (I + H G)^-1 H F
//! ```
//!
//! An observer's gains are those of the dual problem, A^T and C^T in place of A and b, where C = dh/dx is of its measurement.
//!
//! H tends to P, its error squared each time. The file's values decide g, how often, and the pivots, from which none of the
//! nodes' values depend but by rounding. As the limit is reached to rounding, so are its derivatives: those of the implicit
//! function theorem, without a solve of their own.
//!
//! E. K.-W. Chu, H.-Y. Fan & W.-W. Lin, A structure-preserving doubling algorithm for continuous-time algebraic Riccati
//! equations, Linear Algebra Appl. 396 (2005) 55-80, doi 10.1016/j.laa.2004.10.010.

use std::collections::{HashMap, HashSet};

use nalgebra::DMatrix;

use super::expression::{Expression, ExpressionKind};
use super::graph::{Graph, InputId, NodeId, Op, PARAMETERS, STATES, TIME};
use super::lower::{Context, Lowering};
use super::scope::signal_expressions;
use super::{evaluate, jacobian};
use crate::diagnostic::Diagnostic;
use crate::scenario::{Controller, Experiment, Name, Parameter, Regulator, Scenario, State};

/// Name of what an observer measures, which no file can give.
const MEASURED: &str = "what is measured";
const WEIGHT: Context = Context {
    what: "a regulator",
    states: false,
    time: false,
};
/// Real part, beside the largest eigenvalue, of one on the axis.
const ON_AXIS: f64 = 1e-9;
/// Times that the iteration is repeated beyond what the file's values need.
const SPARE: usize = 2;
const MOST_DOUBLINGS: usize = 40;

impl Lowering<'_> {
    /// The gains of a regulator by state; `None` where something was reported, here or where the equations are lowered.
    pub(super) fn regulator_gains(
        &mut self,
        controller: &Controller,
        regulator: &Regulator,
        scenario: &Scenario,
    ) -> Option<Vec<NodeId>> {
        let report = |lowering: &mut Self, message: String, help: &str| {
            let span = Some(controller.name.span.clone());
            lowering.report(Diagnostic::error("model::regulator", message, span).with_help(help));
        };
        let name = &controller.name.text;
        let (mut plant, inputs, places) = opened(scenario, regulator.measurement.as_ref());
        if plant.mass.is_some() || plant.states.iter().any(|state| !state.over.is_empty()) {
            let message = format!(
                "`{name}` regulates a model with `[mass]` or with arrays, which is not offered"
            );
            report(
                self,
                message,
                "give gains of your own: `kind = \"state-feedback\"`",
            );
            return None;
        }
        let n = plant.states.len();
        let measured = regulator.measurement.as_ref();
        let own = inputs
            .iter()
            .position(|own| *own == controller.output.text)?;
        // what stands at its operating point: a regulator's own output, or the one other output that an observer knows
        let driven = match measured {
            None => Some(places[own]),
            Some(_) => match inputs.len() {
                2 => Some(places[1 - own]),
                _ => None,
            },
        };
        let given = !matches!(regulator.operating_input.kind, ExpressionKind::Number(0.0));
        if driven.is_none() && given {
            let others = inputs.len() - 1;
            let message = format!(
                "`{name}` has an `operating_input`, which is that of one other controller, and there are {others}"
            );
            report(
                self,
                message,
                "leave it out: the outputs of the other controllers are then 0 there",
            );
            return None;
        }
        if let Some(measurement) = measured {
            // (one more state, whose rate of change is what is measured)
            let name = Name {
                text: MEASURED.to_owned(),
                span: controller.name.span.clone(),
            };
            plant.states.push(State {
                initial: Expression {
                    kind: ExpressionKind::Number(0.0),
                    span: name.span.clone(),
                },
                discrete: false,
                unit: None,
                over: Vec::new(),
                name,
            });
            plant.equations.push(measurement.clone());
        }
        let mut model = super::build::build(&plant).0?;
        let mut wrt: Vec<NodeId> = (0..n as u32)
            .map(|k| model.graph.input(STATES, k))
            .collect();
        wrt.push(model.graph.input(PARAMETERS, places[own] as u32));
        let rhs = model.rhs.clone();
        let entries = jacobian(&mut model.graph, &rhs, &wrt);

        // the weights and the operating point, in this graph
        let lower = |lowering: &mut Self, expression| lowering.lower(expression, WEIGHT);
        let at: Vec<Option<NodeId>> = regulator
            .states
            .iter()
            .map(|state| lower(self, &state.at))
            .collect();
        let weights: Vec<Option<NodeId>> = regulator
            .states
            .iter()
            .map(|state| lower(self, &state.weight))
            .collect();
        let r = lower(self, &regulator.input_weight);
        let u = lower(self, &regulator.operating_input);
        let at = at.into_iter().collect::<Option<Vec<_>>>()?;
        let weights = weights.into_iter().collect::<Option<Vec<_>>>()?;
        let (r, u) = (r?, u?);
        // discrete states are held at their initial values
        let place: HashMap<&str, usize> = (0..)
            .zip(&regulator.states)
            .map(|(k, state)| (state.name.text.as_str(), k))
            .collect();
        let held: Vec<NodeId> = plant
            .states
            .iter()
            .map(|state| match place.get(state.name.text.as_str()) {
                Some(&k) => Some(at[k]),
                None => lower(self, &state.initial),
            })
            .collect::<Option<_>>()?;
        let start = scenario.start;
        let zero = self.graph.constant(0.0);
        let substituted = |graph: &mut Graph, id: InputId| match id.group {
            STATES => held.get(id.index as usize).copied(),
            PARAMETERS if Some(id.index as usize) == driven => Some(u),
            PARAMETERS if places.contains(&(id.index as usize)) => Some(zero),
            PARAMETERS => Some(graph.input(PARAMETERS, id.index)),
            TIME => Some(graph.constant(start)),
            _ => None,
        };
        let nodes: Vec<NodeId> = entries.iter().map(|&(_, _, node)| node).collect();
        let Some(copied) = copy(&model.graph, &nodes, self.graph, substituted) else {
            let message = format!("`{name}` regulates a model with arrays, which is not offered");
            report(
                self,
                message,
                "give gains of your own: `kind = \"state-feedback\"`",
            );
            return None;
        };

        let mut columns: Vec<Option<usize>> = plant.states[..n]
            .iter()
            .map(|state| place.get(state.name.text.as_str()).copied())
            .collect();
        columns.push(Some(regulator.states.len()));
        let parameters: Vec<f64> = scenario.parameters.iter().map(|p| p.value).collect();
        let mut all = copied.clone();
        all.extend(&weights);
        all.push(r);
        let values = evaluate::<f64>(self.graph, &all, &[&[], &[], &parameters]);
        let mut nodes = Nodes { graph: self.graph };
        let m = regulator.states.len();
        let mut a = nodes.constant(m, m, |_, _| 0.0);
        let mut b = nodes.constant(m, 1, |_, _| 0.0);
        for (k, &(row, column, _)) in entries.iter().enumerate() {
            let entry = Entry {
                node: copied[k],
                value: values[k],
            };
            // (m stands for the input among columns, for what is measured among rows)
            let (Some(row), Some(column)) = (columns[row], columns[column]) else {
                continue;
            };
            match measured {
                Some(_) if column == m => {}
                Some(_) if row == m => b.set(column, 0, entry),
                Some(_) => a.set(column, row, entry),
                None if column == m => b.set(row, 0, entry),
                None => a.set(row, column, entry),
            }
        }
        let mut h = nodes.constant(m, m, |_, _| 0.0);
        for k in 0..m {
            let value = values[copied.len() + k];
            let node = weights[k];
            h.set(k, k, Entry { node, value });
        }
        let r = Entry {
            node: r,
            value: values[copied.len() + m],
        };
        match nodes.gains(&a, &b, &h, r) {
            Some(gains) => Some(gains),
            None => {
                let message = format!(
                    "no gains of `{name}` stabilize the model linearized at the operating point"
                );
                let help = match measured {
                    None => {
                        "the input must reach every mode that is not stable by itself, and the weights must see it; is the operating point right?"
                    }
                    Some(_) => {
                        "the measurement must see every mode that is not stable by itself, and the noise must reach it; is the operating point right?"
                    }
                };
                report(self, message, help);
                None
            }
        }
    }
}

/// The scenario without its controllers, their outputs being parameters, with the names of those and their places among the
/// parameters.
fn opened(
    scenario: &Scenario,
    measurement: Option<&Expression>,
) -> (Scenario, Vec<String>, Vec<usize>) {
    let mut plant = scenario.clone();
    let made: HashSet<&str> = scenario
        .controllers
        .iter()
        .flat_map(|c| c.states.iter().chain(&c.definitions))
        .map(String::as_str)
        .collect();
    let keep = |name: &Name| !made.contains(name.text.as_str());
    plant.equations = (scenario.states.iter().zip(&scenario.equations))
        .filter(|(state, _)| keep(&state.name))
        .map(|(_, equation)| equation.clone())
        .collect();
    plant.states.retain(|state| keep(&state.name));
    plant.controllers = Vec::new();
    let mut inputs = Vec::new();
    let mut places = Vec::new();
    for controller in &scenario.controllers {
        let name = &controller.output.text;
        inputs.push(name.clone());
        // a loop that was opened for a linearization has its output among the parameters
        let opened = plant.parameters.iter().position(|p| p.name.text == *name);
        places.push(opened.unwrap_or(plant.parameters.len()));
        if opened.is_some() {
            continue;
        }
        plant
            .parameters
            .push(Parameter::held(controller.output.clone(), 0.0));
    }
    // what reads runs, and what the equations do not need
    plant.events = Vec::new();
    plant.invariants = Vec::new();
    plant.observables = Vec::new();
    plant.expectations = Vec::new();
    plant.experiments = vec![Experiment {
        name: String::new(),
        parameters: Vec::new(),
        initial: Vec::new(),
        before: None,
        data: None,
    }];
    plant.solver.stop_times = Vec::new();
    let mut needed = HashSet::new();
    let mut pending: Vec<&Expression> = plant.equations.iter().chain(measurement).collect();
    if let Some(mechanics) = &plant.mechanics {
        pending.push(&mechanics.kinetic);
        pending.extend(&mechanics.potential);
        pending.extend(&mechanics.dissipation);
        pending.extend(&mechanics.constraints);
        pending.extend(
            mechanics
                .coordinates
                .iter()
                .filter_map(|c| c.force.as_ref()),
        );
    }
    while let Some(expression) = pending.pop() {
        for name in expression.names() {
            if !needed.insert(name.to_owned()) {
                continue;
            }
            let definition = scenario.definitions.iter().find(|d| d.name.text == name);
            pending.extend(definition.map(|d| &d.expression));
            let signal = scenario.signals.iter().find(|s| s.name.text == name);
            pending.extend(signal.iter().flat_map(|s| signal_expressions(&s.kind)));
            let function = scenario.functions.iter().find(|f| f.name.text == name);
            pending.extend(function.map(|f| &f.expression));
        }
    }
    let definitions = scenario.definitions.iter();
    plant.definitions = definitions
        .filter(|d| keep(&d.name) && needed.contains(&d.name.text))
        .cloned()
        .collect();
    (plant, inputs, places)
}

/// Nodes of one graph in another, inputs replaced; `None` where there are arrays, or an input has no replacement.
fn copy(
    from: &Graph,
    nodes: &[NodeId],
    to: &mut Graph,
    input: impl Fn(&mut Graph, InputId) -> Option<NodeId>,
) -> Option<Vec<NodeId>> {
    let mut copies: HashMap<NodeId, NodeId> = HashMap::new();
    let mut tables: HashMap<u32, u32> = HashMap::new();
    for id in from.live(nodes) {
        let of = |id: NodeId| copies.get(&id).copied();
        let node = match from.op(id) {
            Op::Constant(bits) => to.constant(f64::from_bits(bits)),
            Op::Input(id) => input(to, id)?,
            Op::Add(a, b) => to.add(of(a)?, of(b)?),
            Op::Sub(a, b) => to.sub(of(a)?, of(b)?),
            Op::Mul(a, b) => to.mul(of(a)?, of(b)?),
            Op::Div(a, b) => to.div(of(a)?, of(b)?),
            Op::Neg(a) => to.neg(of(a)?),
            Op::Powi(a, n) => to.powi(of(a)?, n),
            Op::Unary(function, a) => to.unary(function, of(a)?),
            Op::Binary(function, a, b) => to.binary(function, of(a)?, of(b)?),
            Op::Select {
                comparison,
                left,
                right,
                yes,
                no,
            } => to.select(comparison, of(left)?, of(right)?, of(yes)?, of(no)?),
            Op::Table {
                table,
                order,
                at,
                place,
            } => {
                let own = *tables
                    .entry(table)
                    .or_insert_with(|| to.add_table(from.tables()[table as usize].clone()));
                to.table(own, order, of(at)?, of(place)?)
            }
            _ => return None,
        };
        copies.insert(id, node);
    }
    nodes.iter().map(|id| copies.get(id).copied()).collect()
}

/// A number of a matrix: its node, and its value at the file's parameters.
#[derive(Debug, Clone, Copy)]
struct Entry {
    node: NodeId,
    value: f64,
}

/// A matrix of nodes, row by row.
#[derive(Debug, Clone)]
struct Matrix {
    rows: usize,
    columns: usize,
    entries: Vec<Entry>,
}

impl Matrix {
    fn get(&self, i: usize, j: usize) -> Entry {
        self.entries[i * self.columns + j]
    }
    fn set(&mut self, i: usize, j: usize, entry: Entry) {
        self.entries[i * self.columns + j] = entry;
    }
    fn transpose(&self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            entries: (0..self.columns)
                .flat_map(|j| (0..self.rows).map(move |i| (i, j)))
                .map(|(i, j)| self.get(i, j))
                .collect(),
        }
    }
    fn values(&self) -> DMatrix<f64> {
        DMatrix::from_fn(self.rows, self.columns, |i, j| self.get(i, j).value)
    }
}

/// Matrix algebra that makes nodes.
struct Nodes<'g> {
    graph: &'g mut Graph,
}

impl Nodes<'_> {
    fn number(&mut self, value: f64) -> Entry {
        Entry {
            node: self.graph.constant(value),
            value,
        }
    }

    fn constant(
        &mut self,
        rows: usize,
        columns: usize,
        of: impl Fn(usize, usize) -> f64,
    ) -> Matrix {
        let mut entries = Vec::with_capacity(rows * columns);
        for i in 0..rows {
            for j in 0..columns {
                entries.push(self.number(of(i, j)));
            }
        }
        Matrix {
            rows,
            columns,
            entries,
        }
    }

    fn add(&mut self, a: Entry, b: Entry) -> Entry {
        Entry {
            node: self.graph.add(a.node, b.node),
            value: a.value + b.value,
        }
    }
    fn sub(&mut self, a: Entry, b: Entry) -> Entry {
        Entry {
            node: self.graph.sub(a.node, b.node),
            value: a.value - b.value,
        }
    }
    fn mul(&mut self, a: Entry, b: Entry) -> Entry {
        Entry {
            node: self.graph.mul(a.node, b.node),
            value: a.value * b.value,
        }
    }
    fn div(&mut self, a: Entry, b: Entry) -> Entry {
        Entry {
            node: self.graph.div(a.node, b.node),
            value: a.value / b.value,
        }
    }
    /// Whether an entry is 0 whatever the parameters are.
    fn is_zero(&self, a: Entry) -> bool {
        self.graph.constant_value(a.node) == Some(0.0)
    }

    fn sum(&mut self, a: &Matrix, b: &Matrix) -> Matrix {
        let pairs = a.entries.iter().zip(&b.entries);
        let entries = pairs.map(|(&a, &b)| self.add(a, b)).collect();
        Matrix { entries, ..*a }
    }

    fn times(&mut self, factor: Entry, a: &Matrix) -> Matrix {
        let entries = a.entries.iter().map(|&a| self.mul(factor, a)).collect();
        Matrix { entries, ..*a }
    }

    fn product(&mut self, a: &Matrix, b: &Matrix) -> Matrix {
        let mut entries = Vec::with_capacity(a.rows * b.columns);
        for i in 0..a.rows {
            for j in 0..b.columns {
                let mut sum = self.number(0.0);
                for k in 0..a.columns {
                    let (left, right) = (a.get(i, k), b.get(k, j));
                    if !self.is_zero(left) && !self.is_zero(right) {
                        let product = self.mul(left, right);
                        sum = self.add(sum, product);
                    }
                }
                entries.push(sum);
            }
        }
        Matrix {
            rows: a.rows,
            columns: b.columns,
            entries,
        }
    }

    /// a^-1 b, by elimination with the pivots that are largest at the file's values.
    fn solve(&mut self, a: &Matrix, b: &Matrix) -> Option<Matrix> {
        let n = a.rows;
        let (mut a, mut b) = (a.clone(), b.clone());
        let mut rows: Vec<usize> = (0..n).collect();
        for k in 0..n {
            let size = |row: usize| a.get(row, k).value.abs();
            let pivot = (k..n).max_by(|&i, &j| size(rows[i]).total_cmp(&size(rows[j])))?;
            rows.swap(k, pivot);
            let own = a.get(rows[k], k);
            if own.value == 0.0 || !own.value.is_finite() {
                return None;
            }
            for &row in &rows[k + 1..] {
                if self.is_zero(a.get(row, k)) {
                    continue;
                }
                let factor = self.div(a.get(row, k), own);
                for j in k + 1..n {
                    let product = self.mul(factor, a.get(rows[k], j));
                    let entry = self.sub(a.get(row, j), product);
                    a.set(row, j, entry);
                }
                for j in 0..b.columns {
                    let product = self.mul(factor, b.get(rows[k], j));
                    let entry = self.sub(b.get(row, j), product);
                    b.set(row, j, entry);
                }
            }
        }
        let mut x = b.clone();
        for k in (0..n).rev() {
            for j in 0..b.columns {
                let mut sum = b.get(rows[k], j);
                for i in k + 1..n {
                    let product = self.mul(a.get(rows[k], i), x.get(i, j));
                    sum = self.sub(sum, product);
                }
                let entry = self.div(sum, a.get(rows[k], k));
                x.set(k, j, entry);
            }
        }
        Some(x)
    }

    /// K = b^T P/r; `None` where nothing stabilizes.
    fn gains(&mut self, a: &Matrix, b: &Matrix, h: &Matrix, r: Entry) -> Option<Vec<NodeId>> {
        let n = a.rows;
        let (shift, doublings) = shift(&a.values(), &b.values(), &h.values(), r.value)?;
        let bt = b.transpose();
        let outer = self.product(b, &bt);
        let one = self.number(1.0);
        let inverse = self.div(one, r);
        let g = self.times(inverse, &outer);
        let identity = self.constant(n, n, |i, j| f64::from(u8::from(i == j)));
        let shifted = self.constant(n, n, |i, j| if i == j { -shift } else { 0.0 });
        let shifted = self.sum(a, &shifted);
        let twice = self.number(2.0 * shift);
        // A_g^-1 G, W^T = A_g^T + H A_g^-1 G
        let ag = self.solve(&shifted, &g)?;
        let hag = self.product(h, &ag);
        let wt = self.sum(&shifted.transpose(), &hag);
        let wt_inverse = self.solve(&wt, &identity)?;
        let doubled = self.times(twice, &wt_inverse.transpose());
        let mut f = self.sum(&identity, &doubled);
        let first = self.product(&ag, &wt_inverse);
        let mut g = self.times(twice, &first);
        let wh = self.product(&wt_inverse, h);
        // H A_g^-1 = (A_g^-T H^T)^T
        let last = self
            .solve(&shifted.transpose(), &wh.transpose())?
            .transpose();
        let mut h = self.times(twice, &last);
        for _ in 0..doublings {
            let gh = self.product(&g, &h);
            let gh = self.sum(&identity, &gh);
            // (I + G H)^-1 F and (I + G H)^-1 G; (I + H G)^-1 H = H (I + G H)^-1
            let of_f = self.solve(&gh, &f)?;
            let of_g = self.solve(&gh, &g)?;
            let ft = f.transpose();
            let fg = self.product(&f, &of_g);
            let fgf = self.product(&fg, &ft);
            let h_of_f = self.product(&h, &of_f);
            let fhf = self.product(&ft, &h_of_f);
            f = self.product(&f, &of_f);
            g = self.sum(&g, &fgf);
            h = self.sum(&h, &fhf);
        }
        let bp = self.product(&bt, &h);
        let gains = self.times(inverse, &bp);
        gains
            .entries
            .iter()
            .all(|gain| gain.value.is_finite())
            .then(|| gains.entries.iter().map(|gain| gain.node).collect())
    }
}

/// The shift g and the number of doublings for values; `None` where no gains stabilize.
fn shift(a: &DMatrix<f64>, b: &DMatrix<f64>, h: &DMatrix<f64>, r: f64) -> Option<(f64, usize)> {
    let n = a.nrows();
    let mut hamiltonian = DMatrix::zeros(2 * n, 2 * n);
    hamiltonian.view_mut((0, 0), (n, n)).copy_from(a);
    let g = b * b.transpose() / r;
    hamiltonian.view_mut((0, n), (n, n)).copy_from(&-g);
    hamiltonian.view_mut((n, 0), (n, n)).copy_from(&-h);
    hamiltonian
        .view_mut((n, n), (n, n))
        .copy_from(&-a.transpose());
    let all = crate::control::eigenvalues(&hamiltonian);
    let largest = all.iter().map(|root| root.norm()).fold(0.0, f64::max);
    // those of the closed loop
    let closed: Vec<_> = all
        .iter()
        .filter(|root| root.re < -ON_AXIS * largest)
        .collect();
    if closed.len() != n || n == 0 {
        return None;
    }
    let mean = closed.iter().map(|root| root.norm().ln()).sum::<f64>() / n as f64;
    let own = crate::control::eigenvalues(a);
    let mut shift = mean.exp();
    // A - g I must not be singular
    while own.iter().any(|root| (*root - shift).norm() < 1e-3 * shift) {
        shift *= 1.1;
    }
    let rate = closed
        .iter()
        .map(|root| ((**root + shift) / (**root - shift)).norm())
        .fold(0.0, f64::max);
    // rate^(2^k) below rounding
    let needed = (40.0 / -rate.ln()).log2().ceil().max(1.0);
    let doublings = needed as usize + SPARE;
    (doublings <= MOST_DOUBLINGS).then_some((shift, doublings))
}
