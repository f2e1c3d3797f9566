//! `[networks]`: against the formulas written out in Rust, their derivatives against differences, what is refused, and a
//! fit whose weights a file brings back.

use std::path::Path;
use std::sync::Arc;

use costate::compile::{Backend, Function, ModelSystem, Output, RightHandSide, Scratch, Sizes};
use costate::model::unroll::unroll;
use costate::model::{Model, build, evaluate};
use costate::study::Study;
use costate_adjoint::AdjointSystem;
use costate_solvers::{ImplicitSystem, System};

fn study(text: &str) -> Study {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    let errors: Vec<_> = findings
        .iter()
        .filter(|f| f.code != "model::non-smooth")
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    study.expect("a study")
}

fn model(study: &Study) -> Model {
    build(&study.scenario).0.expect("a model")
}

fn errors(text: &str) -> Vec<String> {
    let (_, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    findings.into_iter().map(|f| f.message).collect()
}

/// Three layers in each cell of a ring, too wide to be written out.
fn deep(activation: &str) -> String {
    format!(
        r#"
        [scenario]
        time = {{ start = 0.0, end = 1.0 }}
        [indices]
        i = {{ size = 12, boundary = "periodic" }}
        [networks.rate]
        inputs = 2
        layers = [19, 23, 2]
        activation = "{activation}"
        seed = 7
        [states]
        u = {{ over = ["i"], initial = "sin(i)" }}
        v = {{ over = ["i"], initial = "cos(3*i)" }}
        [equations]
        u = "u[i+1] - u + rate(u, v)[1]"
        v = "rate(u, v)[2]*v[i-1]"
        "#
    )
}

fn activate(name: &str, x: f64) -> f64 {
    match name {
        "tanh" => x.tanh(),
        "softplus" => (1.0 + x.exp()).ln(),
        "relu" => x.max(0.0),
        "sigmoid" => 1.0 / (1.0 + (-x).exp()),
        "swish" => x / (1.0 + (-x).exp()),
        _ => x,
    }
}

/// The network with weights in the order of the scenario's parameters.
fn by_hand(activation: &str, weights: &[f64], inputs: &[f64]) -> Vec<f64> {
    let mut values = inputs.to_vec();
    let mut rest = weights;
    for (k, units) in [19, 23, 2].into_iter().enumerate() {
        let (w, after) = rest.split_at(units * values.len());
        let (b, after) = after.split_at(units);
        rest = after;
        let rows = w.chunks_exact(values.len()).zip(b);
        values = rows
            .map(|(row, b)| {
                let sum: f64 = row.iter().zip(&values).map(|(w, x)| w * x).sum();
                if k < 2 {
                    activate(activation, sum + b)
                } else {
                    sum + b
                }
            })
            .collect();
    }
    values
}

#[test]
fn layers_are_what_the_formulas_say() {
    for activation in ["tanh", "softplus", "relu", "sigmoid", "swish", "identity"] {
        let study = study(&deep(activation));
        let p = study.values();
        let x: Vec<f64> = (0..24).map(|k| (f64::from(k) * 0.7).sin()).collect();
        let mut expected = vec![0.0; 24];
        for i in 0..12 {
            let rates = by_hand(activation, &p, &[x[i], x[12 + i]]);
            expected[i] = x[(i + 1) % 12] - x[i] + rates[0];
            expected[12 + i] = rates[1] * x[12 + (i + 11) % 12];
        }
        let model = model(&study);
        let graph = &model.graph;
        let output = Output::store(model.rhs.clone());
        let t = [0.0, 0.0];
        let mut results = Vec::new();
        for backend in [Backend::Interpreter, Backend::Native] {
            let function =
                Function::new(graph, std::slice::from_ref(&output), backend).expect("compiles");
            let (mut y, mut scratch) = (vec![0.0; 24], Scratch::default());
            let groups: [&[f64]; 3] = [&t, &x, &p];
            function
                .call(&groups, &mut [&mut y], &mut scratch)
                .expect("runs");
            results.push(y);
        }
        let (plain, roots) = unroll(graph, &model.rhs);
        results.push(evaluate(&plain, &roots, &[&t, &x, &p]));
        for result in &results {
            assert_eq!(result, &results[0], "{activation}: the same bits");
            for (found, expected) in result.iter().zip(&expected) {
                // 23 terms of order 1, summed in another order
                assert!(
                    (found - expected).abs() < 1e-13,
                    "{activation}: {found} {expected}"
                );
            }
        }
    }
}

/// w J v of both products, and the slope along v of differences.
#[test]
fn derivatives_agree() {
    for activation in ["tanh", "softplus", "sigmoid", "swish"] {
        let study = study(&deep(activation));
        let p = study.values();
        let sizes = Sizes {
            states: 24,
            parameters: p.len(),
        };
        let model = model(&study);
        let rhs = RightHandSide::new(&model.graph, &model.rhs, sizes, Backend::Auto);
        let mut system = ModelSystem::<f64>::implicit(Arc::new(rhs.expect("compiles")))
            .and_then(ModelSystem::with_products)
            .expect("compiles");
        system.set_parameters(&p).expect("parameters");
        let wave = |from: f64, n: usize| -> Vec<f64> {
            (0..n).map(|k| (from + 1.3 * k as f64).sin()).collect()
        };
        let (x, w) = (wave(0.1, 24), wave(0.5, 24));
        let (v, q) = (wave(0.9, 24), wave(0.3, p.len()));
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };

        let mut product = vec![0.0; 24];
        system.jvp(0.0, &x, &v, &mut product);
        let (mut x_bar, mut p_bar) = (vec![0.0; 24], vec![0.0; p.len()]);
        system.vjp(0.0, &x, &w, &mut x_bar, &mut p_bar);
        let (forward, backward) = (dot(&w, &product), dot(&x_bar, &v));
        assert!(
            (forward - backward).abs() < 1e-12,
            "{activation}: {forward} {backward}"
        );

        // central differences along v in the states and q in the weights: errors of h^2 and 1e-16/h
        let h = 1e-5;
        let mut along = |sign: f64| {
            let moved = |x: &[f64], v: &[f64]| -> Vec<f64> {
                x.iter().zip(v).map(|(x, v)| x + sign * h * v).collect()
            };
            system.set_parameters(&moved(&p, &q)).expect("parameters");
            let mut f = vec![0.0; 24];
            system.rhs(0.0, &moved(&x, &v), &mut f);
            dot(&w, &f)
        };
        let slope = (along(1.0) - along(-1.0)) / (2.0 * h);
        let exact = backward + dot(&p_bar, &q);
        assert!(
            (slope - exact).abs() < 1e-7 * exact.abs().max(1.0),
            "{activation}: {slope} {exact}"
        );
    }
}

fn with(network: &str, equation: &str) -> String {
    format!(
        "[scenario]\ntime = {{ start = 0.0, end = 1.0 }}\n[indices]\ni = 3\n{network}\n[states]\nx = 1.0\nz = {{ over = [\"i\"], initial = 0.5 }}\n[equations]\nx = \"{equation}\"\nz = \"-z\"\n"
    )
}

#[test]
fn slips_are_told() {
    let net = "[networks.f]\ninputs = 2\nlayers = [4, 2]";
    let cases = [
        (net, "f(x, x)", "`f` has 2 outputs"),
        (net, "f(x, x)[3]", "`f` has the outputs 1 to 2"),
        (net, "f(x)[1]", "`f` takes 2 arguments, not 1"),
        (net, "f(z)[1]", "`f` takes 2 arguments, not 3"),
        (net, "sin(x)[1]", "`sin(...)` is one number"),
        (net, "f(x, x)[1", "`[` is never closed"),
        ("[networks.f]\ninputs = 2", "x", "a network needs `layers`"),
        (
            "[networks.f]\ninputs = 2\nlayers = []",
            "x",
            "a network has 1 to 16 layers, not 0",
        ),
        (
            "[networks.f]\ninputs = 2\nlayers = [0.5]",
            "x",
            "a layer has a whole number of units, at least 1",
        ),
        (
            "[networks.f]\ninputs = 2\nlayers = [2000, 2000]",
            "x",
            "`f` has 4008000 weights; at most 1000000 are offered",
        ),
        (
            "[networks.f]\ninputs = 2\nlayers = [1]\nactivation = \"tan\"",
            "x",
            "`tan` is no `activation` of a network",
        ),
        (
            "[networks.sin]\ninputs = 1\nlayers = [1]",
            "x",
            "`sin` is a built-in function",
        ),
        (
            "[networks.f]\ninputs = 2\nlayers = [1]\nfile = \"none.csv\"",
            "x",
            "no such data file",
        ),
        (
            "[parameters]\nf_w1 = 2.0\n[networks.f]\ninputs = 1\nlayers = [1]",
            "x",
            "the network `f` has a part `f_w1`, which is a parameter",
        ),
    ];
    for (network, equation, expected) in cases {
        let found = errors(&with(network, equation));
        assert!(
            found.iter().any(|message| message.contains(expected)),
            "{expected}: {found:#?}"
        );
    }
    // a vector fills several inputs, and outputs follow an index
    let text = with("[networks.g]\ninputs = 4\nlayers = [5, 3]", "g(x, z)[2]")
        .replace("\"-z\"", "\"g(x, x, x, z)[i]\"");
    assert_eq!(errors(&text), Vec::<String>::new());
}
