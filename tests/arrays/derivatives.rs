//! Derivatives of models with arrays against those of the same models written out element by element.

use crate::random::{Numbers, random_model};
use costate::model::graph::{FIRST_EXTRA, PARAMETERS, STATES};
use costate::model::unroll::unroll;
use costate::model::{Graph, NodeId, evaluate, jvp, vjp};

fn values(graph: &Graph, roots: &[NodeId], groups: &[&[f64]]) -> Vec<f64> {
    let (graph, roots) = unroll(graph, roots);
    evaluate(&graph, &roots, groups)
}

fn close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
    for (k, (x, y)) in a.iter().zip(b).enumerate() {
        // sums in another order: some hundred roundings
        assert!((x - y).abs() <= 1e-12 * scale, "{what} {k}: {x} {y}");
    }
}

/// jvp and vjp as loops, unrolled, against jvp and vjp of the unrolled model; and w . (J v) = (J^T w) . v.
#[test]
fn derivatives_of_loops_are_loops() {
    for seed in 0..300 {
        let model = random_model(seed);
        let mut numbers = Numbers::new(1000 + seed);
        let (n, p) = (model.states, model.parameters);
        let (x, q) = (numbers.vector(n), numbers.vector(p));
        let (v, w) = (numbers.vector(n), numbers.vector(n));
        let t = [0.3, 0.3];
        let groups: [&[f64]; 5] = [&t, &x, &q, &v, &w];
        let w_group = FIRST_EXTRA + 1;

        let mut graph = model.graph.clone();
        let states = graph.inputs(STATES, n);
        let parameters = graph.inputs(PARAMETERS, p);
        let directions = graph.inputs_like(FIRST_EXTRA, &states);
        let seeds: Vec<_> = states.iter().copied().zip(directions).collect();
        let tangents = jvp(&mut graph, &model.rhs, &seeds);
        let weights = graph.inputs_like(w_group, &model.rhs);
        let wrt = [states.clone(), parameters].concat();
        let cotangents = vjp(&mut graph, &model.rhs, &weights, &wrt);
        let mine = [
            values(&graph, &tangents, &groups),
            values(&graph, &cotangents, &groups),
        ];

        let (mut plain, rhs) = unroll(&model.graph, &model.rhs);
        let input = |g: &mut Graph, group, count: usize| -> Vec<NodeId> {
            (0..count as u32).map(|k| g.input(group, k)).collect()
        };
        let states = input(&mut plain, STATES, n);
        let parameters = input(&mut plain, PARAMETERS, p);
        let directions = input(&mut plain, FIRST_EXTRA, n);
        let weights = input(&mut plain, w_group, n);
        let seeds: Vec<_> = states.iter().copied().zip(directions).collect();
        let tangents = jvp(&mut plain, &rhs, &seeds);
        let cotangents = vjp(&mut plain, &rhs, &weights, &[states, parameters].concat());
        close(
            &mine[0],
            &evaluate(&plain, &tangents, &groups),
            &format!("jvp of {seed}"),
        );
        close(
            &mine[1],
            &evaluate(&plain, &cotangents, &groups),
            &format!("vjp of {seed}"),
        );
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
        close(
            &[dot(&w, &mine[0])],
            &[dot(&mine[1][..n], &v)],
            &format!("dot of {seed}"),
        );
    }
}
