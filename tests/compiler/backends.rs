//! Native code and the interpreter compute the same bits, whatever the graph and whatever the numbers.

use std::sync::Arc;

use costate::compile::{Backend, CallError, CompileError, Function, Output, Scratch};
use costate::model::graph::{Binary, Graph, InputId, NodeId, Op, Unary};
use costate::model::table::PiecewisePolynomial;
use costate_solvers::Comparison;
use proptest::prelude::*;

const UNARY: [Unary; 25] = [
    Unary::Exp,
    Unary::Expm1,
    Unary::Log,
    Unary::Log1p,
    Unary::Log2,
    Unary::Log10,
    Unary::Sqrt,
    Unary::Cbrt,
    Unary::Sin,
    Unary::Cos,
    Unary::Tan,
    Unary::Asin,
    Unary::Acos,
    Unary::Atan,
    Unary::Sinh,
    Unary::Cosh,
    Unary::Tanh,
    Unary::Asinh,
    Unary::Acosh,
    Unary::Atanh,
    Unary::Abs,
    Unary::Sign,
    Unary::Floor,
    Unary::Ceil,
    Unary::Erf,
];
const BINARY: [Binary; 6] = [
    Binary::Pow,
    Binary::Atan2,
    Binary::Min,
    Binary::Max,
    Binary::Mod,
    Binary::Hypot,
];
const COMPARISONS: [Comparison; 6] = [
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
    Comparison::Equal,
    Comparison::NotEqual,
];
const INPUTS: u32 = 4;

/// What one random operation is drawn from: a kind, four operands as fractions of what exists, an exponent.
type Draw = (u8, [u16; 4], i32, f64);

fn draw() -> impl Strategy<Value = Draw> {
    let constant = prop_oneof![
        4 => -3.0..3.0,
        1 => prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, 1e-310])
    ];
    (any::<u8>(), any::<[u16; 4]>(), -40..40_i32, constant)
}

fn table() -> Arc<PiecewisePolynomial> {
    Arc::new(PiecewisePolynomial {
        breaks: vec![-1.0, 0.5, 2.0],
        coefficients: vec![[1.0, -2.0, 0.5, 0.25], [-1.0, 0.3, 0.7, -0.2]],
        last: 4.5,
    })
}

/// A graph with one node a draw after two arrays of inputs.
fn graph_of(draws: &[Draw]) -> (Graph, Vec<NodeId>) {
    let mut graph = Graph::new();
    let mut nodes = Vec::new();
    for group in 0..2 {
        for index in 0..INPUTS {
            nodes.push(graph.intern(Op::Input(InputId { group, index })));
        }
    }
    let table = graph.add_table(table());
    for &(kind, operands, n, constant) in draws {
        let pick = |k: usize| nodes[operands[k] as usize % nodes.len()];
        let (a, b) = (pick(0), pick(1));
        let variant = operands[3] as usize;
        let op = match kind % 14 {
            0 => Op::Add(a, b),
            1 => Op::Sub(a, b),
            2 | 3 => Op::Mul(a, b),
            4 => Op::Div(a, b),
            5 => Op::Neg(a),
            6 => Op::Powi(a, n),
            7..=9 => Op::Unary(UNARY[variant % UNARY.len()], a),
            10 => Op::Binary(BINARY[variant % BINARY.len()], a, b),
            11 => Op::Select {
                comparison: COMPARISONS[variant % COMPARISONS.len()],
                left: a,
                right: b,
                yes: pick(2),
                no: pick(3),
            },
            12 => Op::Table {
                table,
                order: (variant % 5) as u8,
                at: a,
                place: b,
            },
            _ => Op::Constant(constant.to_bits()),
        };
        nodes.push(graph.intern(op));
    }
    (graph, nodes)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -3.0..3.0,
        1 => prop::sample::select(vec![
            0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324
        ]),
        1 => any::<f64>()
    ]
}

/// Equal bits; any NaN equals any NaN, whose sign and payload nobody promises.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Runs a function over two arrays of inputs, with outputs that hold 1 before.
fn run(function: &Function, a: &[f64], b: &[f64], outputs: &[Output]) -> Vec<Vec<f64>> {
    let mut results: Vec<Vec<f64>> = outputs.iter().map(|o| vec![1.0; o.nodes.len()]).collect();
    let mut slices: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    function
        .call(&[a, b], &mut slices, &mut Scratch::default())
        .expect("lengths fit");
    results
}

fn compare(graph: &Graph, outputs: &[Output], a: &[f64], b: &[f64]) {
    let native = Function::new(graph, outputs, Backend::Native).expect("native code");
    let interpreted = Function::new(graph, outputs, Backend::Interpreter).expect("a program");
    assert!(native.is_native() && !interpreted.is_native());
    let (got, expected) = (
        run(&native, a, b, outputs),
        run(&interpreted, a, b, outputs),
    );
    for (output, (got, expected)) in got.iter().zip(&expected).enumerate() {
        for (k, (&got, &expected)) in got.iter().zip(expected).enumerate() {
            assert!(
                same(got, expected),
                "output {output}[{k}] = {:?}: {got:e} native, {expected:e} interpreted",
                graph.op(outputs[output].nodes[k])
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn native_code_and_interpreter_agree_bit_for_bit(
        draws in prop::collection::vec(draw(), 1..60),
        a in prop::collection::vec(number(), INPUTS as usize),
        b in prop::collection::vec(number(), INPUTS as usize),
    ) {
        let (graph, nodes) = graph_of(&draws);
        // every node is an output, some of them twice, so that no difference is hidden by a later operation
        let accumulated: Vec<NodeId> = nodes.iter().copied().rev().step_by(3).collect();
        let outputs = [Output::store(nodes), Output::accumulate(accumulated)];
        compare(&graph, &outputs, &a, &b);
    }
}

proptest! {
    // large graphs are slow to make
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn programs_of_many_chunks_carry_values_between_them(
        draws in prop::collection::vec(draw(), 2500..3000),
        a in prop::collection::vec(-2.0..2.0, INPUTS as usize),
        b in prop::collection::vec(-2.0..2.0, INPUTS as usize),
    ) {
        let (graph, nodes) = graph_of(&draws);
        let outputs = [Output::store(nodes.into_iter().step_by(7).collect())];
        compare(&graph, &outputs, &a, &b);
    }
}

/// x1 = 1 - a x0^2 + b, iterated: a chain whose every value depends on all before it, and a sum of them all.
fn long_graph(length: usize) -> (Graph, Vec<NodeId>) {
    let mut graph = Graph::new();
    let input = |graph: &mut Graph, index| graph.intern(Op::Input(InputId { group: 0, index }));
    let a = input(&mut graph, 0);
    let mut x = input(&mut graph, 1);
    let one = graph.intern(Op::Constant(1.0_f64.to_bits()));
    let mut sum = one;
    let mut kept = Vec::new();
    for k in 0..length / 4 {
        let square = graph.intern(Op::Mul(x, x));
        let scaled = graph.intern(Op::Mul(a, square));
        x = graph.intern(Op::Sub(one, scaled));
        sum = graph.intern(Op::Add(sum, x));
        if k % 97 == 0 {
            kept.push(x);
        }
    }
    // used long after they were made: they must survive every chunk in between
    for &early in &kept {
        sum = graph.intern(Op::Sub(sum, early));
    }
    (graph, vec![sum, x])
}

#[test]
fn long_programs_compile_and_agree_with_plain_rust() {
    for length in [1_000, 10_000, 50_000, 200_000] {
        let (graph, nodes) = long_graph(length);
        let outputs = [Output::store(nodes)];
        let start = std::time::Instant::now();
        let function = Function::new(&graph, &outputs, Backend::Native).expect("native code");
        println!("{length} operations: {:?} to compile", start.elapsed());
        let (a, mut x) = (1.37, 0.2);
        let (mut sum, mut kept) = (1.0, Vec::new());
        for k in 0..length / 4 {
            x = 1.0 - a * (x * x);
            sum += x;
            if k % 97 == 0 {
                kept.push(x);
            }
        }
        for early in kept {
            sum -= early;
        }
        let mut result = [0.0; 2];
        function
            .call(&[&[a, 0.2]], &mut [&mut result], &mut Scratch::default())
            .expect("lengths fit");
        assert_eq!(result, [sum, x]);
    }
}

fn sum_of_inputs() -> (Graph, NodeId) {
    let mut graph = Graph::new();
    let a = graph.intern(Op::Input(InputId { group: 0, index: 0 }));
    let b = graph.intern(Op::Input(InputId { group: 2, index: 1 }));
    let sum = graph.intern(Op::Add(a, b));
    (graph, sum)
}

#[test]
fn arrays_too_short_or_missing_are_refused() {
    let (graph, sum) = sum_of_inputs();
    for backend in [Backend::Native, Backend::Interpreter] {
        let function =
            Function::new(&graph, &[Output::store(vec![sum, sum])], backend).expect("compiles");
        assert_eq!(function.required_lengths(), (&[1, 0, 2][..], &[2][..]));
        let mut scratch = Scratch::default();
        let mut out = [7.0; 3];
        assert_eq!(
            function.call(&[&[1.0], &[], &[2.0]], &mut [&mut out], &mut scratch),
            Err(CallError::Input {
                array: 2,
                length: 1,
                required: 2
            })
        );
        assert_eq!(
            function.call(&[&[1.0]], &mut [&mut out], &mut scratch),
            Err(CallError::Input {
                array: 1,
                length: 0,
                required: 0
            })
        );
        assert_eq!(
            function.call(
                &[&[1.0], &[], &[2.0, 3.0]],
                &mut [&mut out[..1]],
                &mut scratch
            ),
            Err(CallError::Output {
                array: 0,
                length: 1,
                required: 2
            })
        );
        assert_eq!(out, [7.0; 3], "a refused call writes nothing");
        let done = function.call(&[&[1.0], &[], &[2.0, 3.0]], &mut [&mut out], &mut scratch);
        assert_eq!((done, out), (Ok(()), [4.0, 4.0, 7.0]));
    }
}

#[test]
fn malformed_graphs_are_refused() {
    let mut graph = Graph::new();
    let loose = graph.intern(Op::Neg(NodeId(3)));
    let refused = Function::new(&graph, &[Output::store(vec![loose])], Backend::Auto);
    assert_eq!(
        refused.err(),
        Some(CompileError::NodeOutOfRange { node: 3, nodes: 0 })
    );
    let refused = Function::new(&graph, &[Output::store(vec![NodeId(9)])], Backend::Auto);
    assert_eq!(
        refused.err(),
        Some(CompileError::NodeOutOfRange { node: 9, nodes: 1 })
    );
    let t = graph.intern(Op::Input(InputId { group: 0, index: 0 }));
    let look_up = |table| Op::Table {
        table,
        order: 0,
        at: t,
        place: t,
    };
    let missing = graph.intern(look_up(0));
    let refused = Function::new(&graph, &[Output::store(vec![missing])], Backend::Auto);
    assert_eq!(
        refused.err(),
        Some(CompileError::TableOutOfRange {
            table: 0,
            tables: 0
        })
    );
    graph.add_table(Arc::new(PiecewisePolynomial {
        breaks: vec![0.0],
        coefficients: vec![],
        last: 0.0,
    }));
    let refused = Function::new(&graph, &[Output::store(vec![missing])], Backend::Auto);
    assert_eq!(
        refused.err(),
        Some(CompileError::MalformedTable {
            table: 0,
            pieces: 0,
            breaks: 1
        })
    );
    let far = graph.intern(Op::Input(InputId {
        group: 12,
        index: 0,
    }));
    let refused = Function::new(&graph, &[Output::store(vec![far])], Backend::Auto);
    assert_eq!(
        refused.err(),
        Some(CompileError::TooManyArrays {
            arrays: 13,
            most: 12
        })
    );
}

#[test]
fn functions_are_shared_between_threads() {
    let (graph, sum) = sum_of_inputs();
    let outputs = [Output::store(vec![sum])];
    let function = Function::new(&graph, &outputs, Backend::Native).expect("native code");
    let kept = Arc::new(function);
    let threads: Vec<_> = (0..4)
        .map(|k| {
            let function = Arc::clone(&kept);
            std::thread::spawn(move || {
                let mut out = [0.0];
                let done = function.call(
                    &[&[f64::from(k)], &[], &[0.0, 1.0]],
                    &mut [&mut out],
                    &mut Scratch::default(),
                );
                (done, out[0])
            })
        })
        .collect();
    for (k, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().expect("no panic"), (Ok(()), k as f64 + 1.0));
    }
}

/// Half-integer powers go by a square root: within two units in the last place of the library's power, the same bits in both
/// backends, and right at the edges.
#[test]
fn half_integer_powers_are_accurate_and_the_same_everywhere() {
    let exponents = [0.5, 1.5, 2.5, 7.5, -0.5, -1.5, -3.5];
    let mut graph = Graph::new();
    let x = graph.input(costate::model::graph::STATES, 0);
    let nodes: Vec<_> = exponents
        .iter()
        .map(|&e| {
            let exponent = graph.constant(e);
            graph.pow(x, exponent)
        })
        .collect();
    let output = [Output::store(nodes)];
    let native = Function::new(&graph, &output, Backend::Native).expect("native code");
    let interpreted = Function::new(&graph, &output, Backend::Interpreter).expect("a program");
    for x in [
        0.0,
        1e-300,
        0.3,
        1.0,
        7.25,
        1e200,
        f64::INFINITY,
        -1.0,
        f64::NAN,
    ] {
        let (mut a, mut b) = ([0.0; 7], [0.0; 7]);
        for (function, out) in [(&native, &mut a), (&interpreted, &mut b)] {
            function
                .call(&[&[], &[x]], &mut [out], &mut Scratch::default())
                .expect("a call");
        }
        for ((&a, &b), &e) in a.iter().zip(&b).zip(&exponents) {
            assert!(
                a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
                "{x}^{e}: {a} {b}"
            );
            let library = x.powf(e);
            let close = (a - library).abs() <= 4.0 * f64::EPSILON * library.abs();
            assert!(
                close || a == library || a.is_nan() && library.is_nan(),
                "{x}^{e}: {a} {library}"
            );
        }
    }
}

/// Quotients and roots on one level run two at a time: each kind three times over (a pair and a single one), the second
/// layer on top of the first, stored in order, against the order, added, and not at all.
#[test]
fn quotients_and_roots_in_pairs_keep_their_bits() {
    let mut graph = Graph::new();
    let mut layer: Vec<NodeId> = (0..3).map(|k| graph.input(0, k)).collect();
    let factor = graph.input(1, 0);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let mut next = Vec::new();
        for &x in &layer {
            let (power, exponent) = (graph.powi(x, -3), graph.constant(1.5));
            let root = graph.unary(Unary::Sqrt, x);
            let root_power = graph.pow(x, exponent);
            let quotient = graph.div(factor, x);
            let ratio = graph.div(x, factor);
            nodes.extend([power, root, root_power, quotient, ratio]);
            let sum = graph.add(root_power, quotient);
            next.push(graph.add(sum, ratio));
        }
        layer = next;
    }
    let backwards = nodes.iter().rev().copied().collect();
    let outputs = [
        Output::store(nodes.clone()),
        Output::store(backwards),
        Output::accumulate(nodes[..9].to_vec()),
        Output::store(layer),
    ];
    for x in [[0.3, 2.0, 7.1], [0.0, -1.0, 1e300], [1e-200, f64::NAN, 4.0]] {
        compare(&graph, &outputs, &x, &[1.7]);
    }
}
