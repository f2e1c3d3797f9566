//! Choices that are made before a state is known: by the middle of the smooth stretch and by parameters.
//!
//! A control of N knots is a choice among N values, and its cotangents go to one of N parameters; on a stretch it is the same choice in
//! every call. For each outcome of all such choices there is a program of its own, which computes what is chosen and nothing else: of N values
//! a run over dual numbers reads two, however many there are. Terms that are 0 because they were not chosen are left out.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use costate_solvers::{Comparison, Scalar};

use super::interpreter::{Interpreter, compute};
use super::program::{Program, Store, with_operands};
use crate::model::graph::{InputId, NodeId, Op, PARAMETERS, TIME};

/// Choices below which the program is run as it is.
const FEWEST: usize = 12;
/// Most inputs that decide.
const INPUTS: usize = 4;
/// Most values of those inputs of which is remembered what they decide.
const MOST_KNOWN: usize = 8192;

/// Values of the inputs that decide, by their bits.
type Key = [u64; INPUTS];

/// The choices of a program, and the programs that they leave.
#[derive(Debug)]
pub(super) struct Decisions {
    /// what decides
    inputs: Vec<InputId>,
    /// what conditions are computed from, operands being places here
    ops: Vec<Op>,
    /// the choices: place in the program, and the condition
    choices: Vec<(usize, Comparison, u32, u32)>,
    made: RwLock<Made>,
}

#[derive(Debug, Default)]
struct Made {
    by_inputs: HashMap<Key, Arc<Interpreter>>,
    by_outcome: HashMap<Vec<bool>, Arc<Interpreter>>,
}

impl Decisions {
    /// Those of a program, where they are worth it.
    pub fn of(program: &Program) -> Option<Self> {
        let mut decided = vec![false; program.ops.len()];
        let mut choices = Vec::new();
        for (place, op) in program.ops.iter().enumerate() {
            decided[place] = match op {
                Op::Constant(_) => true,
                Op::Input(input) => {
                    input.group == PARAMETERS || (input.group == TIME && input.index == 1)
                }
                Op::Index(_)
                | Op::Listed(..)
                | Op::Gather(_)
                | Op::Sum(..)
                | Op::SumWhere(..)
                | Op::Array(..) => false,
                op => op.operands().all(|operand| decided[operand.0 as usize]),
            };
            if let Op::Select {
                comparison,
                left,
                right,
                ..
            } = *op
                && decided[left.0 as usize]
                && decided[right.0 as usize]
            {
                choices.push((place, comparison, left, right));
            }
        }
        if choices.len() < FEWEST {
            return None;
        }
        // what the conditions need
        let mut needed = vec![false; program.ops.len()];
        for &(_, _, left, right) in &choices {
            needed[left.0 as usize] = true;
            needed[right.0 as usize] = true;
        }
        for place in (0..program.ops.len()).rev() {
            if needed[place] {
                for operand in program.ops[place].operands() {
                    needed[operand.0 as usize] = true;
                }
            }
        }
        let mut own = vec![0_u32; program.ops.len()];
        let (mut ops, mut inputs) = (Vec::new(), Vec::new());
        for (place, op) in program.ops.iter().enumerate().filter(|(k, _)| needed[*k]) {
            if let Op::Input(input) = *op {
                inputs.push(input);
            }
            own[place] = ops.len() as u32;
            ops.push(with_operands(op, |id| NodeId(own[id.0 as usize])));
        }
        if inputs.len() > INPUTS {
            return None;
        }
        let choices = choices.into_iter().map(|(place, comparison, left, right)| {
            let (left, right) = (own[left.0 as usize], own[right.0 as usize]);
            (place, comparison, left, right)
        });
        Some(Self {
            inputs,
            choices: choices.collect(),
            ops,
            made: RwLock::default(),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.choices.len()
    }

    /// The program that these inputs leave.
    pub fn decided<S: Scalar>(&self, program: &Program, inputs: &[&[S]]) -> Arc<Interpreter> {
        let mut key = [0; INPUTS];
        for (key, input) in key.iter_mut().zip(&self.inputs) {
            let value = inputs[usize::from(input.group)][input.index as usize];
            *key = value.value().to_bits();
        }
        {
            let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = made.by_inputs.get(&key) {
                return Arc::clone(known);
            }
        }
        let outcome = self.outcome(program, key);
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        let found = match made.by_outcome.get(&outcome) {
            Some(known) => Arc::clone(known),
            None => {
                let left = Left::of(program, &self.choices, &outcome).program(program);
                let new = Arc::new(Interpreter::new(&left));
                made.by_outcome.insert(outcome, Arc::clone(&new));
                new
            }
        };
        if made.by_inputs.len() >= MOST_KNOWN {
            made.by_inputs.clear();
            made.by_outcome.clear();
        }
        made.by_inputs.insert(key, Arc::clone(&found));
        found
    }

    fn outcome(&self, program: &Program, key: Key) -> Vec<bool> {
        let mut inputs = key.iter().map(|&bits| f64::from_bits(bits));
        let mut values: Vec<f64> = Vec::with_capacity(self.ops.len());
        for op in &self.ops {
            let value = match op {
                Op::Input(_) => inputs.next().unwrap_or(f64::NAN),
                _ => compute::<f64>(op, &[], &values, &program.tables),
            };
            values.push(value);
        }
        let holds = |&(_, comparison, left, right): &(usize, Comparison, u32, u32)| {
            comparison.holds(values[left as usize], values[right as usize])
        };
        self.choices.iter().map(holds).collect()
    }
}

/// A value of what is left.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Number(f64),
    Op(u32),
}

/// What is left of a program once choices are made.
struct Left {
    ops: Vec<Op>,
    /// of each operation of the program
    values: Vec<Value>,
    numbers: HashMap<u64, u32>,
}

impl Left {
    fn of(program: &Program, choices: &[(usize, Comparison, u32, u32)], outcome: &[bool]) -> Self {
        let mut left = Self {
            ops: Vec::new(),
            values: Vec::with_capacity(program.ops.len()),
            numbers: HashMap::new(),
        };
        let mut made = choices.iter().zip(outcome).peekable();
        for (place, op) in program.ops.iter().enumerate() {
            let chosen = made.next_if(|((own, ..), _)| *own == place);
            let value = match (op, chosen) {
                (Op::Select { yes, no, .. }, Some((_, &holds))) => {
                    left.value(if holds { *yes } else { *no })
                }
                _ => left.operation(op),
            };
            left.values.push(value);
        }
        left
    }

    fn value(&self, id: NodeId) -> Value {
        self.values[id.0 as usize]
    }

    /// The operation, or what it is worth where that is known.
    fn operation(&mut self, op: &Op) -> Value {
        let zero = |value: Value| value == Value::Number(0.0);
        let one = |value: Value| value == Value::Number(1.0);
        match *op {
            Op::Constant(bits) => return Value::Number(f64::from_bits(bits)),
            Op::Add(a, b) => {
                let (a, b) = (self.value(a), self.value(b));
                if zero(a) {
                    return b;
                }
                if zero(b) {
                    return a;
                }
            }
            Op::Sub(a, b) if zero(self.value(b)) => return self.value(a),
            Op::Sub(a, b) if zero(self.value(a)) => return self.operation(&Op::Neg(b)),
            Op::Mul(a, b) => {
                let (a, b) = (self.value(a), self.value(b));
                if zero(a) || zero(b) {
                    return Value::Number(0.0);
                }
                if one(a) {
                    return b;
                }
                if one(b) {
                    return a;
                }
            }
            Op::Div(a, _) | Op::Neg(a) if zero(self.value(a)) => return Value::Number(0.0),
            Op::Select {
                comparison,
                left,
                right,
                yes,
                no,
            } => {
                let (yes, no) = (self.value(yes), self.value(no));
                if yes == no {
                    return yes;
                }
                if let (Value::Number(left), Value::Number(right)) =
                    (self.value(left), self.value(right))
                {
                    return if comparison.holds(left, right) {
                        yes
                    } else {
                        no
                    };
                }
            }
            _ => {}
        }
        // (constants among operands become operations first)
        let operands: Vec<(NodeId, u32)> = op
            .operands()
            .map(|id| (id, self.place(self.value(id))))
            .collect();
        let place = |id: NodeId| {
            let found = operands.iter().find(|(own, _)| *own == id);
            found.map_or(id, |&(_, place)| NodeId(place))
        };
        self.ops.push(with_operands(op, place));
        Value::Op(self.ops.len() as u32 - 1)
    }

    fn place(&mut self, value: Value) -> u32 {
        match value {
            Value::Op(place) => place,
            Value::Number(number) => {
                let ops = &mut self.ops;
                *self.numbers.entry(number.to_bits()).or_insert_with(|| {
                    ops.push(Op::Constant(number.to_bits()));
                    ops.len() as u32 - 1
                })
            }
        }
    }

    /// What the stores need of it.
    fn program(mut self, whole: &Program) -> Program {
        let mut stores: Vec<Store> = Vec::with_capacity(whole.stores.len());
        for store in &whole.stores {
            let value = self.values[store.value as usize];
            if store.accumulate && value == Value::Number(0.0) {
                continue;
            }
            let value = self.place(value);
            stores.push(Store { value, ..*store });
        }
        let mut needed = vec![false; self.ops.len()];
        for store in &stores {
            needed[store.value as usize] = true;
        }
        for place in (0..self.ops.len()).rev() {
            if needed[place] {
                for operand in self.ops[place].operands() {
                    needed[operand.0 as usize] = true;
                }
            }
        }
        let mut renamed = vec![0_u32; self.ops.len()];
        let mut ops = Vec::new();
        for (place, op) in self.ops.iter().enumerate().filter(|(k, _)| needed[*k]) {
            renamed[place] = ops.len() as u32;
            ops.push(with_operands(op, |id| NodeId(renamed[id.0 as usize])));
        }
        for store in &mut stores {
            store.value = renamed[store.value as usize];
        }
        stores.sort_by_key(|store| store.value);
        Program {
            ops,
            stores,
            tables: whole.tables.clone(),
            input_lengths: whole.input_lengths.clone(),
            output_lengths: whole.output_lengths.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use costate_adjoint::Dual;

    use super::*;
    use crate::compile::function::{Backend, Function, Output};
    use crate::model::graph::{Graph, STATES};
    use crate::model::vjp;

    /// The k-th of n parameters where the middle says so, by a tree of choices.
    fn pick(graph: &mut Graph, place: NodeId, values: &[NodeId], first: usize) -> NodeId {
        if let [value] = values {
            return *value;
        }
        let half = values.len() / 2;
        let low = pick(graph, place, &values[..half], first);
        let high = pick(graph, place, &values[half..], first + half);
        let border = graph.constant((first + half) as f64);
        graph.select(Comparison::Less, place, border, low, high)
    }

    #[test]
    fn what_is_left_computes_the_same() {
        let n = 40;
        let mut graph = Graph::new();
        let middle = graph.input(TIME, 1);
        let x = graph.input(STATES, 0);
        let p: Vec<NodeId> = (0..n).map(|k| graph.input(PARAMETERS, k)).collect();
        let chosen = pick(&mut graph, middle, &p, 0);
        let square = graph.mul(chosen, chosen);
        let f = graph.mul(square, x);
        // (a choice that the state makes stays)
        let own = graph.select(Comparison::Less, x, chosen, f, square);
        let w = graph.input(3, 0);
        let mut wrt = vec![x];
        wrt.extend(&p);
        let bars = vjp(&mut graph, &[own], &[w], &wrt);
        let outputs = [Output::store(vec![own]), Output::accumulate(bars)];
        let function = Function::new(&graph, &outputs, Backend::Interpreter).expect("compiled");
        let program = Program::new(&graph, &outputs).expect("a program");
        let decisions = Decisions::of(&program).expect("choices");
        let whole = Interpreter::new(&program);
        let number = |value: f64, tangent: f64| Dual::<2> {
            value,
            tangent: [tangent, 1.0 - tangent],
        };
        let parameters: Vec<_> = (0..n)
            .map(|k| number(f64::from(k) * 0.3 - 4.0, f64::from(k % 3)))
            .collect();
        for (middle, x) in [
            (0.5, 1.2),
            (17.5, -3.0),
            (17.5, 2.0),
            (39.5, 0.1),
            (0.5, -9.0),
        ] {
            let (time, x) = ([number(0.0, 0.0), Dual::from(middle)], [number(x, 0.7)]);
            let w = [number(1.5, -0.2)];
            let inputs: [&[Dual<2>]; 4] = [&time, &x, &parameters, &w];
            let run = |by: &dyn Fn(&mut [&mut [Dual<2>]])| {
                let (mut y, mut bars) =
                    ([Dual::from(0.0)], vec![number(0.25, 0.5); 1 + n as usize]);
                by(&mut [&mut y, &mut bars]);
                (y, bars)
            };
            let expected = run(&|outputs| whole.evaluate(&inputs, outputs, &mut Vec::new()));
            let found = run(&|outputs| {
                function
                    .evaluate(&inputs, outputs, &mut Vec::new())
                    .expect("arrays that fit");
            });
            assert_eq!(found, expected, "{middle}");
        }
        let made = decisions.decided(&program, &[&[Dual::<2>::from(0.0), Dual::from(17.5)]]);
        assert!(made.instructions() < 40 && whole.instructions() > 200);
    }
}
