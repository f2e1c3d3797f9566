//! Loops, interpreted and in native code, against the same model written out element by element: the same bits.

use std::path::Path;
use std::sync::Arc;

use crate::random::{Numbers, RandomModel, random_model, random_model_of};
use costate::compile::{
    Backend, Function, ModelSystem, Output, RightHandSide, Scratch, Sizes, Workspace,
};
use costate::model::graph::{FIRST_EXTRA, Graph, NodeId, PARAMETERS, STATES};
use costate::model::unroll::unroll;
use costate::model::{evaluate, vjp};
use costate::study::Study;
use costate_adjoint::{AdjointImplicitSystem, AdjointSystem, Dual};
use costate_solvers::linalg::Coloring;
use costate_solvers::{Bs3, Dop853, ImplicitSystem, Integrator, NoRecord, Options, System, Tsit5};

fn check(what: &str, graph: &Graph, roots: &[NodeId], groups: &[&[f64]], accumulate: bool) {
    let output = match accumulate {
        true => Output::accumulate(roots.to_vec()),
        false => Output::store(roots.to_vec()),
    };
    let n = graph.total_size(roots);
    let call = |backend| {
        let function = Function::new(graph, std::slice::from_ref(&output), backend).expect(what);
        let (mut y, mut scratch) = (vec![0.5; n], Scratch::default());
        function
            .call(groups, &mut [&mut y], &mut scratch)
            .expect(what);
        y
    };
    let (plain, roots) = unroll(graph, roots);
    let mut expected = evaluate(&plain, &roots, groups);
    if accumulate {
        expected.iter_mut().for_each(|y| *y += 0.5);
    }
    for backend in [Backend::Interpreter, Backend::Native] {
        let y = call(backend);
        for (k, (y, e)) in y.iter().zip(&expected).enumerate() {
            let same = y.to_bits() == e.to_bits() || *y == *e;
            assert!(same, "{what}, {backend:?}, {k}: {y} {e}");
        }
    }
}

fn check_model(what: &str, seed: u64, model: RandomModel) {
    let mut numbers = Numbers::new(seed);
    let t = [0.3, 0.3];
    let (x, p) = (
        numbers.vector(model.states),
        numbers.vector(model.parameters),
    );
    let w = numbers.vector(model.states);
    let groups: [&[f64]; 4] = [&t, &x, &p, &w];
    check(what, &model.graph, &model.rhs, &groups, false);
    let mut graph = model.graph;
    let weights = graph.inputs_like(FIRST_EXTRA, &model.rhs);
    let mut wrt = graph.inputs(STATES, model.states);
    wrt.extend(graph.inputs(PARAMETERS, model.parameters));
    let cotangents = vjp(&mut graph, &model.rhs, &weights, &wrt);
    check(
        &format!("vjp of {what}"),
        &graph,
        &cotangents,
        &groups,
        true,
    );
}

#[test]
fn loops_compute_what_the_elements_say() {
    for seed in 0..200 {
        check_model(&format!("model {seed}"), seed, random_model(seed));
    }
}

/// Rows so long that two lanes run, and enough of them that threads share them.
#[test]
fn long_rows_too() {
    for seed in 0..40 {
        let model = random_model_of(seed, [37, 20, 64], 2);
        check_model(&format!("long model {seed}"), seed, model);
    }
}

/// All that solvers and adjoints ask of a model, with arrays and with each element written out.
#[test]
fn derivatives_agree_with_those_of_elements() {
    for seed in 0..100 {
        let model = random_model(seed);
        let (n, p) = (model.states, model.parameters);
        let sizes = Sizes {
            states: n,
            parameters: p,
        };
        let (plain, rhs) = unroll(&model.graph, &model.rhs);
        let system = |graph: &Graph, nodes: &[NodeId]| {
            let rhs = RightHandSide::new(graph, nodes, sizes, Backend::Auto).expect("compiles");
            Arc::new(rhs)
        };
        let both = [system(&model.graph, &model.rhs), system(&plain, &rhs)];
        let results = both.map(|rhs| everything(&rhs, n, p, seed));
        for (what, (mine, theirs)) in results[0].iter().zip(&results[1]).enumerate() {
            assert_eq!(mine.len(), theirs.len());
            let scale = theirs.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
            for (k, (x, y)) in mine.iter().zip(theirs).enumerate() {
                // the same sums in another order: some hundred roundings
                assert!(
                    (x - y).abs() <= 1e-12 * scale,
                    "model {seed}, result {what}, {k}: {x} {y}"
                );
            }
        }
    }
}

fn everything(rhs: &Arc<RightHandSide>, n: usize, p: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut numbers = Numbers::new(500 + seed);
    let (x, q) = (numbers.vector(n), numbers.vector(p));
    let (v, w) = (numbers.vector(n), numbers.vector(n));
    let mut system = ModelSystem::<f64>::implicit(Arc::clone(rhs))
        .and_then(ModelSystem::with_products)
        .expect("compiles");
    system.set_parameters(&q).expect("parameters");
    let mut results = Vec::new();

    let mut f = vec![0.0; n];
    system.rhs(0.3, &x, &mut f);
    results.push(f);

    let pattern = system.pattern().clone();
    let mut values = vec![0.0; pattern.non_zeros()];
    system.jacobian(0.3, &x, &mut values);
    let mut dense = vec![0.0; n * n];
    for column in 0..n {
        for k in pattern.starts[column]..pattern.starts[column + 1] {
            dense[column * n + pattern.rows[k]] = values[k];
        }
    }
    results.push(dense);

    let mut product = vec![0.0; n];
    system.jvp(0.3, &x, &v, &mut product);
    results.push(product);

    let (mut x_bar, mut p_bar) = (vec![0.0; n], vec![0.0; p]);
    system.vjp(0.3, &x, &w, &mut x_bar, &mut p_bar);
    results.extend([x_bar, p_bar]);

    let (mut x_bar, mut p_bar) = (vec![0.0; n], vec![0.0; p]);
    system.second_order_vjp(0.3, &x, &v, 0.7, &w, &mut x_bar, &mut p_bar);
    results.extend([x_bar, p_bar]);

    let mut dual = ModelSystem::<Dual<2>>::explicit(Arc::clone(rhs));
    let seeded = |x: &[f64], by: &[f64]| -> Vec<Dual<2>> {
        let pairs = x.iter().zip(by);
        pairs
            .map(|(&x, &d)| Dual {
                value: x,
                tangent: [d, 1.0],
            })
            .collect()
    };
    dual.set_parameters(&seeded(&q, &q)).expect("parameters");
    let mut f = vec![Dual::<2>::from(0.0); n];
    dual.rhs(Dual::from(0.3), &seeded(&x, &v), &mut f);
    results.push(
        f.iter()
            .flat_map(|f| [f.value, f.tangent[0], f.tangent[1]])
            .collect(),
    );
    results
}

/// The Jacobian read off its products with the directions of a coloring, the one that its loops compute, and the dense one of
/// products with every unit vector, are one; and outside the pattern there is nothing.
#[test]
fn colored_products_are_the_jacobian() {
    for seed in 0..200 {
        let model = random_model(seed);
        let n = model.states;
        let sizes = Sizes {
            states: n,
            parameters: model.parameters,
        };
        let rhs = RightHandSide::new(&model.graph, &model.rhs, sizes, Backend::Auto);
        let rhs = Arc::new(rhs.expect("compiles"));
        let mut system = ModelSystem::<f64>::implicit(rhs)
            .and_then(ModelSystem::with_products)
            .expect("compiles");
        let mut numbers = Numbers::new(900 + seed);
        let (x, q) = (numbers.vector(n), numbers.vector(model.parameters));
        system.set_parameters(&q).expect("parameters");
        let pattern = system.pattern().clone();
        let mut direct = vec![0.0; pattern.non_zeros()];
        system.jacobian(0.3, &x, &mut direct);

        let mut dense = vec![0.0; n * n];
        for (column, product) in dense.chunks_exact_mut(n).enumerate() {
            let mut unit = vec![0.0; n];
            unit[column] = 1.0;
            system.jvp(0.3, &x, &unit, product);
        }
        let coloring = Coloring::new(&pattern);
        let mut products = vec![0.0; n * coloring.count as usize];
        for (color, product) in (0..).zip(products.chunks_exact_mut(n)) {
            let mut direction = vec![0.0; n];
            coloring.direction(color, &mut direction);
            system.jvp(0.3, &x, &direction, product);
        }
        let mut compressed = vec![0.0; pattern.non_zeros()];
        coloring.decompress(&pattern, &products, &mut compressed);

        let scale = dense.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
        let mut rest = dense.clone();
        for column in 0..n {
            for k in pattern.starts[column]..pattern.starts[column + 1] {
                let place = column * n + pattern.rows[k];
                rest[place] = 0.0;
                // some hundred roundings
                for value in [direct[k], compressed[k]] {
                    let error = (value - dense[place]).abs();
                    assert!(
                        error <= 1e-12 * scale,
                        "model {seed}: {value} {}",
                        dense[place]
                    );
                }
            }
        }
        assert!(rest.iter().all(|&value| value == 0.0), "model {seed}");
    }
}

/// A model called stage by stage, as any system is.
struct Plain(ModelSystem<f64>);

impl System<f64> for Plain {
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn rhs(&mut self, t: f64, x: &[f64], dx: &mut [f64]) {
        self.0.rhs(t, x, dx);
    }
}

/// Waves on a ring of 20,000 places, u'' = c^2 u_xx - u^3, driven at one of them.
const WAVES: &str = r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[indices]
i = { size = 20000, boundary = "periodic" }
[states]
u = { over = ["i"], initial = "exp(-((i-9000)/300)^2)" }
v = { over = ["i"], initial = "0" }
[equations]
u = "v"
v = "4*(u[i-1] - 2*u + u[i+1]) - u^3 + if(i == 70, sin(t), 0) + mean(v)"
"#;

/// Large steps are made block by block and by threads, with the bits of steps made stage by stage by one.
#[test]
fn large_steps_have_the_same_bits_at_any_number_of_threads() {
    let (study, findings) = Study::from_text(WAVES, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let n = study.equations.states();
    let mut start = vec![0.0; n];
    let initial = &study.equations.initial[0];
    initial
        .evaluate(&[0.0; 2], &[], &[], &mut start, &mut Workspace::default())
        .expect("initial values");
    let options = Options::default();
    macro_rules! solve {
        ($method:ident, $system:expr) => {{
            let mut system = $system;
            let mut x = start.clone();
            let mut integrator = Integrator::<f64, $method<f64>>::new(&system);
            let statistics = integrator
                .run(&mut system, &mut x, &[0.0, 1.0], &options, &mut NoRecord)
                .expect("a solution");
            (x, statistics)
        }};
    }
    let model = || ModelSystem::<f64>::explicit(Arc::clone(&study.equations.rhs));
    let pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads")
    };
    macro_rules! check {
        ($($method:ident),*) => {
            $(
                let one = pool(1).install(|| solve!($method, Plain(model())));
                assert!(one.1.steps > 3, "{:?}", one.1);
                for threads in [1, 3] {
                    let many = pool(threads).install(|| solve!($method, model()));
                    assert!(many == one, "{} on {threads} threads", stringify!($method));
                }
            )*
        };
    }
    check!(Tsit5, Dop853, Bs3);
}
