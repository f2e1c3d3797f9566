//! Nodes of a model back to an expression that can be read: for what was derived, and so was never written.
//!
//! The names of definitions and signals stand for their nodes, numbers of a product are multiplied and stand first, equal
//! factors become powers and equal terms of a sum are added up: `0.5*m*2*v` reads `m*v`. Where it is shorter, products of sums are
//! multiplied out and sines and cosines joined by the addition theorems. Derivatives of a signal s read `s'`. What is
//! printed equals what is computed but for rounding.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use costate_solvers::Comparison;

use super::Model;
use super::expression::{Arithmetic, Expression, ExpressionKind};
use super::graph::{Binary, Graph, InputId, NodeId, Op, PARAMETERS, STATES, TIME};
use crate::diagnostic::{SourceFile, Span};

/// Most products looked at on the way to an expression.
const MOST_PARTS: usize = 3000;

/// Most terms of a sum that is multiplied out.
const MOST_TERMS: usize = 100;

/// Deepest nesting.
const MOST_DEPTH: usize = 100;

/// Most letters of an expression that is worth reading.
const MOST_LETTERS: usize = 1500;

/// The expression of a node, the shortest of three: as it was made, with products multiplied out, and with definitions
/// multiplied out, too. `None` where all would be too long to read.
pub fn readable(model: &Model, node: NodeId) -> Option<Expression> {
    let nowhere = Span {
        file: Arc::new(SourceFile {
            path: PathBuf::new(),
            text: String::new(),
        }),
        start: 0,
        end: 0,
    };
    let forms = [(true, false), (true, true), (false, true)];
    let written = forms.into_iter().filter_map(|(defined, expands)| {
        let definitions = model.definitions.iter().filter(|_| defined);
        let mut names: HashMap<NodeId, String> = HashMap::new();
        for (name, node) in definitions.chain(&model.signals) {
            if !matches!(model.graph.op(*node), Op::Input(_) | Op::Constant(_)) {
                names.entry(*node).or_insert_with(|| name.clone());
            }
        }
        let mut writer = Writer {
            model,
            graph: &model.graph,
            names,
            expands,
            parts: 0,
            depth: 0,
            nowhere: nowhere.clone(),
        };
        writer.expression(node)
    });
    let letters = |expression: &Expression| expression.to_string().len();
    let shortest = written.min_by_key(letters);
    shortest.filter(|expression| letters(expression) <= MOST_LETTERS)
}

struct Writer<'a> {
    model: &'a Model,
    graph: &'a Graph,
    names: HashMap<NodeId, String>,
    /// whether products of sums are multiplied out
    expands: bool,
    parts: usize,
    depth: usize,
    nowhere: Span,
}

/// A number times powers.
#[derive(Clone)]
struct Term {
    number: f64,
    /// sorted, so that equal products are equal
    factors: Vec<Factor>,
}

/// A power in a product.
#[derive(Clone, PartialEq)]
struct Factor {
    /// where it stands: parameters, then states, in the order of the model, then all else
    place: (usize, String),
    base: Expression,
    power: i32,
}

impl Term {
    fn times(mut self, other: Self, sign: i32) -> Self {
        self.number = if sign > 0 {
            self.number * other.number
        } else {
            self.number / other.number
        };
        for mut factor in other.factors {
            factor.power = factor.power.saturating_mul(sign);
            match self
                .factors
                .iter_mut()
                .find(|known| known.base == factor.base)
            {
                Some(known) => known.power = known.power.saturating_add(factor.power),
                None => self.factors.push(factor),
            }
        }
        self.factors.retain(|factor| factor.power != 0);
        self.factors.sort_by(|a, b| a.place.cmp(&b.place));
        self
    }
}

/// Adds a term to a sum, where the same product has one number.
fn collect(terms: &mut Vec<Term>, term: Term) {
    match terms.iter_mut().find(|known| known.factors == term.factors) {
        Some(known) => known.number += term.number,
        None => terms.push(term),
    }
}

/// Whether an expression is a sine, where it is one or a cosine, and its angle.
fn angle(expression: &Expression) -> Option<(bool, &Expression)> {
    match &expression.kind {
        ExpressionKind::Call(name, _, arguments) => match (name.as_str(), &arguments[..]) {
            ("sin", [angle]) => Some((true, angle)),
            ("cos", [angle]) => Some((false, angle)),
            _ => None,
        },
        _ => None,
    }
}

impl Writer<'_> {
    fn make(&self, kind: ExpressionKind) -> Expression {
        Expression {
            kind,
            span: self.nowhere.clone(),
        }
    }

    fn name(&self, name: impl Into<String>) -> Expression {
        self.make(ExpressionKind::Name(name.into()))
    }

    fn number(&self, size: f64) -> Expression {
        self.make(ExpressionKind::Number(size))
    }

    fn arithmetic(&self, operator: Arithmetic, a: Expression, b: Expression) -> Expression {
        self.make(ExpressionKind::Arithmetic(
            operator,
            Box::new(a),
            Box::new(b),
        ))
    }

    fn call(&self, name: &str, arguments: Vec<Expression>) -> Expression {
        self.make(ExpressionKind::Call(
            name.to_owned(),
            self.nowhere.clone(),
            arguments,
        ))
    }

    fn expression(&mut self, id: NodeId) -> Option<Expression> {
        let terms = self.terms(id)?;
        Some(self.sum(terms))
    }

    /// The terms of a sum.
    fn terms(&mut self, id: NodeId) -> Option<Vec<Term>> {
        if self.depth == MOST_DEPTH {
            return None;
        }
        self.depth += 1;
        let terms = self.gathered(id);
        self.depth -= 1;
        terms
    }

    fn gathered(&mut self, id: NodeId) -> Option<Vec<Term>> {
        let mut terms: Vec<Term> = Vec::new();
        let mut open = vec![(id, 1.0)];
        while let Some((id, sign)) = open.pop() {
            match self.graph.op(id) {
                Op::Add(a, b) if !self.names.contains_key(&id) => {
                    open.extend([(b, sign), (a, sign)]);
                }
                Op::Sub(a, b) if !self.names.contains_key(&id) => {
                    open.extend([(b, -sign), (a, sign)]);
                }
                Op::Neg(a) if !self.names.contains_key(&id) => open.push((a, -sign)),
                _ => {
                    for mut term in self.expanded(id)? {
                        term.number *= sign;
                        collect(&mut terms, term);
                    }
                }
            }
        }
        terms.retain(|term| term.number != 0.0);
        if self.expands {
            if terms.len() > MOST_TERMS {
                return None;
            }
            self.join_angles(&mut terms);
        }
        Some(terms)
    }

    /// The terms of what is no sum: those of a product, where it is multiplied out.
    fn expanded(&mut self, id: NodeId) -> Option<Vec<Term>> {
        if !self.expands || self.names.contains_key(&id) {
            return Some(vec![self.term(id)?]);
        }
        let mut terms = match self.graph.op(id) {
            Op::Mul(a, b) => {
                let (a, b) = (self.terms(a)?, self.terms(b)?);
                self.multiplied(&a, &b)?
            }
            Op::Powi(a, n @ 2..=3) => {
                let factor = self.terms(a)?;
                let mut power = factor.clone();
                for _ in 1..n {
                    power = self.multiplied(&power, &factor)?;
                }
                power
            }
            Op::Div(a, b) => {
                let (above, below) = (self.terms(a)?, self.term(b)?);
                let divided = above.into_iter().map(|term| term.times(below.clone(), -1));
                divided.collect()
            }
            _ => vec![self.term(id)?],
        };
        terms.retain(|term| term.number != 0.0);
        Some(terms)
    }

    fn multiplied(&mut self, a: &[Term], b: &[Term]) -> Option<Vec<Term>> {
        let mut product = Vec::new();
        for left in a {
            for right in b {
                self.parts += 1;
                if self.parts > MOST_PARTS {
                    return None;
                }
                collect(&mut product, left.clone().times(right.clone(), 1));
            }
        }
        Some(product)
    }

    /// Joins pairs of terms by the addition theorems: c r sin a sin b + c r cos a cos b is c r cos(a - b), and so on.
    fn join_angles(&self, terms: &mut Vec<Term>) {
        let join = |terms: &[Term]| {
            (0..terms.len()).find_map(|i| {
                let (j, joined) = self.joined(terms, i)?;
                Some((i, j, joined))
            })
        };
        while let Some((i, j, joined)) = join(terms) {
            terms.remove(i.max(j));
            terms.remove(i.min(j));
            collect(terms, joined);
            terms.retain(|term| term.number != 0.0);
        }
    }

    /// A term that joins with term `i`, and what they become.
    fn joined(&self, terms: &[Term], i: usize) -> Option<(usize, Term)> {
        let term = &terms[i];
        let angles: Vec<(bool, &Expression)> = term
            .factors
            .iter()
            .filter(|factor| factor.power > 0)
            .flat_map(|factor| {
                let angle = angle(&factor.base);
                // a square is two of them
                angle.into_iter().chain(angle.filter(|_| factor.power > 1))
            })
            .collect();
        for (place, &(first_sine, first)) in angles.iter().enumerate() {
            for &(second_sine, second) in &angles[place + 1..] {
                let wave = |sine: bool, angle: &Expression, power: i32| {
                    let name = if sine { "sin" } else { "cos" };
                    self.single(self.call(name, vec![angle.clone()]), power)
                };
                let rest = term
                    .clone()
                    .times(wave(first_sine, first, -1), 1)
                    .times(wave(second_sine, second, -1), 1);
                let other = rest
                    .clone()
                    .times(wave(!first_sine, first, 1), 1)
                    .times(wave(!second_sine, second, 1), 1);
                let Some(j) = terms.iter().position(|t| t.factors == other.factors) else {
                    continue;
                };
                let same = terms[j].number == term.number;
                if j == i || !same && terms[j].number != -term.number {
                    continue;
                }
                if first == second {
                    if same && first_sine == second_sine {
                        return Some((j, rest));
                    }
                    continue;
                }
                let other_sign = if same { 1.0 } else { -1.0 };
                // a term of sines is c sin a sin b, one of both c sin a cos b
                let ([a, b], number) = match (first_sine, second_sine) {
                    (true, true) => ([first, second], term.number * other_sign),
                    (false, true) => ([second, first], term.number),
                    _ => ([first, second], term.number),
                };
                // cos a cos b + sin a sin b and sin a cos b - cos a sin b are of the difference
                let operator = if same == (first_sine == second_sine) {
                    Arithmetic::Subtract
                } else {
                    Arithmetic::Add
                };
                let angle = self.arithmetic(operator, a.clone(), b.clone());
                let mut joined = rest.times(wave(first_sine != second_sine, &angle, 1), 1);
                joined.number = number;
                return Some((j, joined));
            }
        }
        None
    }

    fn sum(&self, terms: Vec<Term>) -> Expression {
        let mut sum: Option<Expression> = None;
        for mut term in terms {
            let negative = term.number < 0.0;
            sum = Some(match sum {
                Some(sum) => {
                    term.number = term.number.abs();
                    let operator = if negative {
                        Arithmetic::Subtract
                    } else {
                        Arithmetic::Add
                    };
                    self.arithmetic(operator, sum, self.product(term))
                }
                None => self.product(term),
            });
        }
        sum.unwrap_or_else(|| self.number(0.0))
    }

    fn product(&self, term: Term) -> Expression {
        let size = term.number.abs();
        let (above, below): (Vec<_>, Vec<_>) = term
            .factors
            .into_iter()
            .partition(|factor| factor.power > 0);
        let written = |factor: Factor| match factor.power.unsigned_abs() {
            1 => factor.base,
            power => {
                let power = self.number(f64::from(power));
                self.arithmetic(Arithmetic::Power, factor.base, power)
            }
        };
        let leading = (size != 1.0 || above.is_empty()).then(|| self.number(size));
        let mut factors = leading.into_iter().chain(above.into_iter().map(written));
        // the sign is that of the first factor
        let first = factors.next().unwrap_or_else(|| self.number(size));
        let first = if term.number < 0.0 {
            self.make(ExpressionKind::Negate(Box::new(first)))
        } else {
            first
        };
        let mut product = factors.fold(first, |a, b| self.arithmetic(Arithmetic::Multiply, a, b));
        for factor in below {
            product = self.arithmetic(Arithmetic::Divide, product, written(factor));
        }
        product
    }

    fn term(&mut self, id: NodeId) -> Option<Term> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return None;
        }
        if !self.names.contains_key(&id) {
            match self.graph.op(id) {
                Op::Constant(bits) => {
                    return Some(Term {
                        number: f64::from_bits(bits),
                        factors: Vec::new(),
                    });
                }
                Op::Neg(a) => {
                    let mut term = self.term(a)?;
                    term.number = -term.number;
                    return Some(term);
                }
                Op::Mul(a, b) => return Some(self.term(a)?.times(self.term(b)?, 1)),
                Op::Div(a, b) => return Some(self.term(a)?.times(self.term(b)?, -1)),
                Op::Powi(a, n) => {
                    let base = self.expression(a)?;
                    return Some(self.single(base, n));
                }
                Op::Add(..) | Op::Sub(..) => {
                    // a sum of one term is that term, so that its factors meet those around it
                    let mut terms = self.terms(id)?;
                    return Some(match terms.len() {
                        0 => Term {
                            number: 0.0,
                            factors: Vec::new(),
                        },
                        1 => terms.swap_remove(0),
                        _ => self.single(self.sum(terms), 1),
                    });
                }
                _ => {}
            }
        }
        let base = self.atom(id)?;
        Some(self.single(base, 1))
    }

    fn single(&self, base: Expression, power: i32) -> Term {
        let known = |name: &str| {
            let parameters = &self.model.parameters;
            let state = || Some(parameters.len() + self.model.states.position(name)?);
            parameters.iter().position(|k| k == name).or_else(state)
        };
        let (place, text) = match &base.kind {
            ExpressionKind::Name(name) => (known(name), name.clone()),
            _ => (None, base.to_string()),
        };
        Term {
            number: 1.0,
            factors: vec![Factor {
                place: (place.unwrap_or(usize::MAX), text),
                base,
                power,
            }],
        }
    }

    /// What is neither a sum nor a product.
    fn atom(&mut self, id: NodeId) -> Option<Expression> {
        if let Some(name) = self.names.get(&id) {
            return Some(self.name(name.clone()));
        }
        Some(match self.graph.op(id) {
            Op::Input(_) | Op::Gather(_) if let Some(input) = self.graph.input_of(id) => {
                self.name(self.input(input))
            }
            Op::Unary(function, a) => {
                let a = self.expression(a)?;
                self.call(&format!("{function:?}").to_lowercase(), vec![a])
            }
            Op::Binary(Binary::Pow, a, b) => {
                let (a, b) = (self.expression(a)?, self.expression(b)?);
                self.arithmetic(Arithmetic::Power, a, b)
            }
            Op::Binary(function, a, b) => {
                let arguments = vec![self.expression(a)?, self.expression(b)?];
                self.call(&format!("{function:?}").to_lowercase(), arguments)
            }
            Op::Select {
                comparison,
                left,
                right,
                yes,
                no,
            } => self.choice(comparison, [left, right], [yes, no])?,
            Op::Table { table, order, .. } => {
                self.name(self.table(table) + &"'".repeat(order.into()))
            }
            // sums and products are terms
            _ => self.expression(id)?,
        })
    }

    fn choice(
        &mut self,
        comparison: Comparison,
        [left, right]: [NodeId; 2],
        [yes, no]: [NodeId; 2],
    ) -> Option<Expression> {
        let sides = (self.expression(left)?, self.expression(right)?);
        let condition = self.make(ExpressionKind::Compare(
            comparison,
            Box::new(sides.0),
            Box::new(sides.1),
        ));
        let arguments = vec![condition, self.expression(yes)?, self.expression(no)?];
        Some(self.call("if", arguments))
    }

    fn input(&self, input: InputId) -> String {
        let place = input.index as usize;
        let name = match input.group {
            TIME => return "t".to_owned(),
            STATES => self.model.states.name(place),
            PARAMETERS => self
                .model
                .parameters
                .get(place)
                .cloned()
                .unwrap_or_default(),
            _ => String::new(),
        };
        if name.is_empty() {
            "?".to_owned()
        } else {
            name
        }
    }

    /// The signal that reads a table.
    fn table(&self, table: u32) -> String {
        let reads = |node: NodeId| matches!(self.graph.op(node), Op::Table { table: known, .. } if known == table);
        let signal = self.model.signals.iter().find(|(_, node)| reads(*node));
        signal.map_or_else(|| "table".to_owned(), |(name, _)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::{build, jvp};
    use crate::scenario;

    fn model(definition: &str) -> Model {
        let text = format!(
            "[scenario]\ntime = {{ start = 0, end = 1 }}\n[parameters]\nm = 1.0\nl = 1.0\n[states]\nx = 1.0\nv = 1.0\n[definitions]\nlength = \"x + l\"\n[signals]\ns = {{ kind = \"ramp\", start = 0.2, end = 0.7 }}\n[equations]\nx = \"v\"\nv = \"{definition}\"\n"
        );
        let (scenario, findings) =
            scenario::read_text(Path::new("scenario.toml"), &text, Path::new("."), &[]);
        assert!(findings.is_empty(), "{findings:?}");
        let (model, findings) = build(&scenario.expect("a scenario"));
        assert!(findings.is_empty(), "{findings:?}");
        model.expect("a model")
    }

    fn text(model: &Model, node: NodeId) -> String {
        readable(model, node).map_or_else(|| "too long".to_owned(), |e| e.to_string())
    }

    #[test]
    fn numbers_stand_first_and_terms_meet() {
        for (written, read) in [
            ("0.5*m*2*v", "m*v"),
            ("x*m*x/l", "m*x^2/l"),
            ("-(x - v) + 2*x - 3", "v + x - 3"),
            ("x*v - v*x", "0"),
            ("-2*sin(x)*length^2", "-2*length^2*sin(x)"),
            ("x/(m*v)/3", "0.3333333333333333*x/m/v"),
            ("if(x > v, s, max(x, t))", "if(x > v, s, max(x, t))"),
            ("1/v", "1/v"),
            ("m^x", "m^x"),
            ("m*sin(x)^2 + m*cos(x)^2", "m"),
            ("m*(cos(x)*cos(v) + sin(v)*sin(x))", "m*cos(v - x)"),
            ("cos(x)*cos(v) - sin(v)*sin(x)", "cos(v + x)"),
            ("sin(x)*sin(v) - cos(x)*cos(v)", "-cos(v + x)"),
            ("sin(x)*cos(v) - cos(x)*sin(v)", "sin(x - v)"),
            ("sin(v)*cos(x) - cos(v)*sin(x)", "sin(v - x)"),
            ("sin(x)*cos(v) + cos(x)*sin(v)", "sin(x + v)"),
            ("x*(m + v) - m*x", "x*v"),
            ("(x + v)^2 - x^2 - v^2", "2*x*v"),
        ] {
            let model = model(written);
            assert_eq!(text(&model, model.rhs[1]), read, "{written}");
        }
    }

    #[test]
    fn derivatives_of_energies_read_as_written_by_hand() {
        let mut model = model("0.5*m*v^2 + m*v*l*cos(x)");
        let one = model.graph.constant(1.0);
        let (x, v) = (model.graph.input(STATES, 0), model.graph.input(STATES, 1));
        let energy = model.rhs[1];
        let by_v = jvp(&mut model.graph, &[energy], &[(v, one)])[0];
        assert_eq!(text(&model, by_v), "m*v + m*l*cos(x)");
        let by_x = jvp(&mut model.graph, &[energy], &[(x, one)])[0];
        assert_eq!(text(&model, by_x), "-m*l*v*sin(x)");
    }

    #[test]
    fn what_is_long_is_left_out() {
        let many: Vec<String> = (1..400).map(|k| format!("sin({k}*x)")).collect();
        let model = model(&many.join(" + "));
        assert!(readable(&model, model.rhs[1]).is_none());
    }
}
