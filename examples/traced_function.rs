//! One generic Rust function on numbers, on dual numbers and on the tracing scalar, which writes it down as the same
//! graph that TOML text becomes; the graph is then differentiated as a rewrite and compiled to native code.

use std::cell::RefCell;

use costate::adjoint::Dual;
use costate::compile::{Backend, Function, Output, Scratch};
use costate::model::graph::{PARAMETERS, STATES};
use costate::model::{Graph, NodeId, Traced, jacobian};
use costate::solvers::Real;

/// Lotka and Volterra's equations, x = (prey, predators), p = (a, b, c, d).
fn lotka_volterra<S: Real>(x: &[S], p: &[S]) -> [S; 2] {
    let encounters = x[0] * x[1];
    [
        p[0] * x[0] - p[1] * encounters,
        p[3] * encounters - p[2] * x[1],
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (x, p) = ([1.2, 0.7], [1.5, 1.0, 3.0, 1.0]);
    let plain = lotka_volterra(&x, &p);

    let graph = RefCell::new(Graph::new());
    let traced_x = [0, 1].map(|k| Traced::input(&graph, STATES, k));
    let traced_p = [0, 1, 2, 3].map(|k| Traced::input(&graph, PARAMETERS, k));
    let nodes: Vec<NodeId> = lotka_volterra(&traced_x, &traced_p)
        .map(|f| f.node(&graph))
        .to_vec();
    let states: Vec<NodeId> = traced_x.map(|x| x.node(&graph)).to_vec();
    let mut graph = graph.into_inner();
    let entries = jacobian(&mut graph, &nodes, &states);
    let outputs = [
        Output::store(nodes),
        Output::store(entries.iter().map(|e| e.2).collect()),
    ];
    let function = Function::new(&graph, &outputs, Backend::Auto)?;

    let (mut f, mut j) = ([0.0; 2], vec![0.0; entries.len()]);
    function.call(
        &[&[], &x, &p],
        &mut [&mut f, &mut j],
        &mut Scratch::default(),
    )?;
    println!("f by Rust        {plain:?}");
    println!(
        "f by the graph   {f:?} (native code: {})",
        function.is_native()
    );
    assert_eq!(
        plain, f,
        "the graph holds the very operations of the function"
    );

    for (&(row, column, _), value) in entries.iter().zip(&j) {
        let dual = lotka_volterra(
            &[0, 1].map(|k| {
                if k == column {
                    Dual::<1>::variable(x[k], 0)
                } else {
                    Dual::from(x[k])
                }
            }),
            &p.map(Dual::from),
        );
        println!(
            "df{row}/dx{column}          {value} and {} by dual numbers",
            dual[row].tangent[0]
        );
        assert!((value - dual[row].tangent[0]).abs() < 1e-15 * (1.0 + value.abs()));
    }
    Ok(())
}
