//! Derivatives of graphs against finite differences, against one another, and at their kinks.

use costate::model::graph::{Binary, PARAMETERS, STATES, TIME, Unary};
use costate::model::{Graph, NodeId, evaluate, jacobian, jvp, second_order_vjp, vjp};
use costate_solvers::Comparison;
use proptest::prelude::*;

/// A recipe for a graph on three inputs: operations that take earlier nodes.
#[derive(Debug, Clone)]
struct Recipe {
    steps: Vec<(u8, usize, usize, f64)>,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    prop::collection::vec((0u8..34, 0usize..50, 0usize..50, 0.3..1.7_f64), 1..14)
        .prop_map(|steps| Recipe { steps })
}

/// Smooth on all of R where `smooth`; arguments are kept inside domains.
fn grow(graph: &mut Graph, recipe: &Recipe) -> (Vec<NodeId>, Vec<NodeId>) {
    let inputs = vec![
        graph.input(STATES, 0),
        graph.input(STATES, 1),
        graph.input(PARAMETERS, 0),
    ];
    let mut nodes = inputs.clone();
    for &(kind, i, j, number) in &recipe.steps {
        let (a, b) = (nodes[i % nodes.len()], nodes[j % nodes.len()]);
        let c = graph.constant(number);
        // bounded and positive forms of a for functions with a domain
        let bounded = {
            let s = graph.unary(Unary::Tanh, a);
            let half = graph.constant(0.5);
            graph.mul(half, s)
        };
        let positive = graph.add(c, bounded);
        let positive = {
            let half = graph.constant(0.5);
            graph.add(half, positive)
        };
        let node = match kind {
            0 => graph.add(a, b),
            1 => graph.sub(a, b),
            2 => graph.mul(a, bounded),
            3 => graph.div(b, positive),
            4 => graph.neg(a),
            5 => graph.powi(positive, -3),
            6 => graph.powi(bounded, 5),
            7 => graph.unary(Unary::Exp, bounded),
            8 => graph.unary(Unary::Expm1, bounded),
            9 => graph.unary(Unary::Log, positive),
            10 => graph.unary(Unary::Log1p, bounded),
            11 => graph.unary(Unary::Log2, positive),
            12 => graph.unary(Unary::Log10, positive),
            13 => graph.unary(Unary::Sqrt, positive),
            14 => graph.unary(Unary::Cbrt, positive),
            15 => graph.unary(Unary::Sin, a),
            16 => graph.unary(Unary::Cos, a),
            17 => graph.unary(Unary::Tan, bounded),
            18 => graph.unary(Unary::Asin, bounded),
            19 => graph.unary(Unary::Acos, bounded),
            20 => graph.unary(Unary::Atan, a),
            21 => graph.unary(Unary::Sinh, bounded),
            22 => graph.unary(Unary::Cosh, bounded),
            23 => graph.unary(Unary::Tanh, a),
            24 => graph.unary(Unary::Asinh, a),
            25 => {
                let one = graph.constant(1.0);
                let above = graph.add(one, positive);
                graph.unary(Unary::Acosh, above)
            }
            26 => graph.unary(Unary::Atanh, bounded),
            27 => graph.unary(Unary::Erf, a),
            28 => graph.pow(positive, bounded),
            29 => graph.binary(Binary::Atan2, bounded, positive),
            30 => graph.binary(Binary::Hypot, positive, b),
            31 => graph.mul(c, a),
            32 => {
                // both branches agree in value and slope: a choice that is smooth
                let square = graph.powi(bounded, 2);
                let cube = graph.powi(bounded, 3);
                let more = graph.add(square, cube);
                let zero = graph.constant(0.0);
                graph.select(Comparison::Less, bounded, zero, square, more)
            }
            _ => graph.div(a, c),
        };
        nodes.push(node);
    }
    let outputs = nodes[nodes.len().saturating_sub(2)..].to_vec();
    (inputs, outputs)
}

fn values(graph: &Graph, nodes: &[NodeId], at: &[f64; 3]) -> Vec<f64> {
    evaluate(graph, nodes, &[&[], &at[..2], &at[2..]])
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

/// f'(x) v by central differences extrapolated once: error O(h^4) + eps/h.
fn difference(f: impl Fn(&[f64; 3]) -> Vec<f64>, at: &[f64; 3], v: &[f64; 3]) -> Vec<f64> {
    let central = |h: f64| -> Vec<f64> {
        let moved = |s: f64| std::array::from_fn(|k| at[k] + s * h * v[k]);
        let (plus, minus) = (f(&moved(1.0)), f(&moved(-1.0)));
        plus.iter()
            .zip(&minus)
            .map(|(p, m)| (p - m) / (2.0 * h))
            .collect()
    };
    let (wide, narrow) = (central(2e-3), central(1e-3));
    wide.iter()
        .zip(&narrow)
        .map(|(w, n)| (4.0 * n - w) / 3.0)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn tangents_cotangents_and_jacobian_agree(
        recipe in recipe(),
        at in prop::array::uniform3(-1.5..1.5_f64),
        v in prop::array::uniform3(-1.0..1.0_f64),
        w in prop::array::uniform2(-1.0..1.0_f64),
    ) {
        let mut graph = Graph::new();
        let (inputs, outputs) = grow(&mut graph, &recipe);
        let seeds: Vec<_> = inputs
            .iter()
            .zip(v)
            .map(|(&input, v)| (input, graph.constant(v)))
            .collect();
        let tangents = jvp(&mut graph, &outputs, &seeds);
        let w_nodes: Vec<_> = w[..outputs.len()].iter().map(|&w| graph.constant(w)).collect();
        let cotangents = vjp(&mut graph, &outputs, &w_nodes, &inputs);
        let entries = jacobian(&mut graph, &outputs, &inputs);

        let numeric = difference(|x| values(&graph, &outputs, x), &at, &v);
        let tangents = values(&graph, &tangents, &at);
        // curvature of such recipes can be large; the difference is the weaker side
        let size = values(&graph, &outputs, &at).iter().map(|y| y.abs()).fold(1.0, f64::max);
        prop_assume!(size < 1e3);
        for (t, n) in tangents.iter().zip(&numeric) {
            prop_assert!(close(*t, *n, 1e-5 * size), "{t} {n}");
        }
        let cotangents = values(&graph, &cotangents, &at);
        let forward: f64 = tangents.iter().zip(w).map(|(t, w)| t * w).sum();
        let back: f64 = cotangents.iter().zip(v).map(|(c, v)| c * v).sum();
        let scale: f64 = cotangents.iter().map(|c| c.abs()).fold(0.0, f64::max);
        prop_assert!((forward - back).abs() <= 1e-11 * (1.0 + scale), "{forward} {back}");
        let nodes: Vec<_> = entries.iter().map(|e| e.2).collect();
        let numbers = values(&graph, &nodes, &at);
        let mut product = vec![0.0; outputs.len()];
        for ((row, column, _), number) in entries.iter().zip(numbers) {
            product[*row] += number * v[*column];
        }
        for (p, t) in product.iter().zip(&tangents) {
            prop_assert!((p - t).abs() <= 1e-11 * (1.0 + scale + t.abs()), "{p} {t}");
        }
    }

    #[test]
    fn second_order_products_are_derivatives_of_first(
        recipe in recipe(),
        at in prop::array::uniform3(-1.5..1.5_f64),
        v in prop::array::uniform3(-1.0..1.0_f64),
        d in prop::array::uniform3(-1.0..1.0_f64),
    ) {
        let mut graph = Graph::new();
        let (inputs, outputs) = grow(&mut graph, &recipe);
        let output = [*outputs.last().expect("one output")];
        let seeds: Vec<_> = inputs
            .iter()
            .zip(v)
            .map(|(&input, v)| (input, graph.constant(v)))
            .collect();
        let one = [graph.constant(1.0)];
        let gradient = second_order_vjp(&mut graph, &output, &seeds, &one, &inputs);
        let first = jvp(&mut graph, &output, &seeds);
        let numeric = difference(|x| values(&graph, &first, x), &at, &d)[0];
        let exact: f64 = values(&graph, &gradient, &at).iter().zip(d).map(|(g, d)| g * d).sum();
        let size = values(&graph, &gradient, &at).iter().map(|y| y.abs()).fold(1.0, f64::max);
        prop_assume!(size < 1e3);
        // a choice smooth to first order has a jump in its second derivative; away from it
        let near_jump = recipe.steps.iter().any(|s| s.0 == 32);
        prop_assert!(near_jump || close(exact, numeric, 1e-5 * size), "{exact} {numeric}");
    }
}

#[test]
fn kinks_follow_the_conventions() {
    let mut graph = Graph::new();
    let x = graph.input(STATES, 0);
    let y = graph.input(STATES, 1);
    let one = graph.constant(1.0);
    let abs = graph.unary(Unary::Abs, x);
    let max = graph.binary(Binary::Max, x, y);
    let min = graph.binary(Binary::Min, x, y);
    let floor = graph.unary(Unary::Floor, x);
    let sign = graph.unary(Unary::Sign, x);
    let remainder = graph.binary(Binary::Mod, x, y);
    let outputs = [abs, max, min, floor, sign, remainder];
    let tangents = jvp(&mut graph, &outputs, &[(x, one)]);
    let at = |graph: &Graph, a: f64, b: f64| evaluate(graph, &tangents, &[&[], &[a, b]]);
    assert_eq!(at(&graph, 0.0, 0.0)[..5], [0.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!(at(&graph, -2.0, 3.0), [-1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    for k in 0..3 {
        let back = vjp(&mut graph, &outputs[k..=k], &[one], &[x, y]);
        let values = evaluate(&graph, &back, &[&[], &[0.0, 0.0]]);
        assert_eq!(values, [if k == 0 { 0.0 } else { 1.0 }, 0.0]);
    }
}

#[test]
fn powers_have_derivatives_at_zero() {
    let mut graph = Graph::new();
    let (x, n) = (graph.input(STATES, 0), graph.input(PARAMETERS, 0));
    let power = graph.pow(x, n);
    let one = graph.constant(1.0);
    let gradient = vjp(&mut graph, &[power], &[one], &[x, n]);
    for (base, exponent, expected) in [
        (0.0, 2.0, [0.0, 0.0]),
        (0.0, 1.0, [1.0, 0.0]),
        (0.0, 0.0, [0.0, 0.0]),
        (-2.0, 3.0, [12.0, 0.0]),
        (2.0, 3.0, [12.0, 8.0 * 2.0_f64.ln()]),
    ] {
        let values = evaluate(&graph, &gradient, &[&[], &[base], &[exponent]]);
        assert_eq!(values, expected, "{base}^{exponent}");
    }
}

#[test]
fn a_branch_not_taken_cannot_spoil_the_derivative() {
    // if(x > 0, sqrt(x) y, 0) at x = 0: slope 0, not 0 times infinity
    let mut graph = Graph::new();
    let (x, y) = (graph.input(STATES, 0), graph.input(STATES, 1));
    let (zero, one) = (graph.constant(0.0), graph.constant(1.0));
    let root = graph.unary(Unary::Sqrt, x);
    let product = graph.mul(root, y);
    let value = graph.select(Comparison::Greater, x, zero, product, zero);
    let tangent = jvp(&mut graph, &[value], &[(x, one)]);
    let gradient = vjp(&mut graph, &[value], &[one], &[x, y]);
    let second = second_order_vjp(&mut graph, &[value], &[(x, one)], &[one], &[x, y]);
    for nodes in [tangent, gradient, second] {
        let values = evaluate(&graph, &nodes, &[&[], &[0.0, 2.0]]);
        assert!(values.iter().all(|v| *v == 0.0), "{values:?}");
    }
}

#[test]
fn a_jacobian_is_sparse_and_shares() {
    // Lotka-Volterra: four entries, and nothing that depends on neither state
    let mut graph = Graph::new();
    let (x, y) = (graph.input(STATES, 0), graph.input(STATES, 1));
    let p: Vec<_> = (0..4).map(|k| graph.input(PARAMETERS, k)).collect();
    let product = graph.mul(x, y);
    let (a, b) = (graph.mul(p[0], x), graph.mul(p[1], product));
    let (c, d) = (graph.mul(p[2], product), graph.mul(p[3], y));
    let rhs = [graph.sub(a, b), graph.sub(c, d)];
    let before = graph.len();
    let entries = jacobian(&mut graph, &rhs, &[x, y]);
    assert_eq!(
        entries.iter().map(|e| (e.0, e.1)).collect::<Vec<_>>(),
        [(0, 0), (0, 1), (1, 0), (1, 1)]
    );
    // beta y, alpha - beta y, beta x, -beta x, delta y, delta x, delta x - gamma; and the constant 1
    assert_eq!(graph.len() - before, 8);
    let values = evaluate(
        &graph,
        &entries.iter().map(|e| e.2).collect::<Vec<_>>(),
        &[&[], &[2.0, 3.0], &[0.5, 0.25, 0.125, 1.0]],
    );
    assert_eq!(values, [0.5 - 0.75, -0.5, 0.375, 0.25 - 1.0]);
}

#[test]
fn long_chains_and_many_terms_do_not_overflow() {
    let mut graph = Graph::new();
    let x = graph.input(STATES, 0);
    let t = graph.input(TIME, 0);
    let mut node = x;
    for _ in 0..100_000 {
        let sine = graph.unary(Unary::Sin, node);
        node = graph.add(sine, t);
    }
    let one = graph.constant(1.0);
    assert_eq!(jvp(&mut graph, &[node], &[(x, one)]).len(), 1);
    assert_eq!(vjp(&mut graph, &[node], &[one], &[x]).len(), 1);
    let columns: Vec<_> = (0..2000).map(|k| graph.input(STATES, k)).collect();
    let mut sum = columns[0];
    for &column in &columns[1..] {
        sum = graph.add(sum, column);
    }
    assert_eq!(jacobian(&mut graph, &[sum], &columns).len(), 2000);
}
