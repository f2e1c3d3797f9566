//! Measurements, not assertions: `cargo test --release --test compiler speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use costate::compile::{Backend, Function, ModelSystem, Output, RightHandSide, Scratch, Sizes};
use costate::model::graph::{Graph, InputId, NodeId, Op};
use costate_adjoint::{AdjointImplicitSystem, AdjointSystem, Dual};
use costate_solvers::{ImplicitSystem, System};

/// Seconds a call takes, the least of several rounds.
fn seconds(mut call: impl FnMut()) -> f64 {
    let mut rounds = 100_usize;
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..rounds {
            call();
        }
        let elapsed = start.elapsed().as_secs_f64();
        best = best.min(elapsed / rounds as f64);
        if elapsed < 2e-3 {
            rounds *= 4;
        }
    }
    best
}

/// x' = a x - b x y, y' = c x y - d y.
fn lotka_volterra() -> (Graph, Vec<NodeId>) {
    let mut g = Graph::new();
    let input = |g: &mut Graph, group, index| g.intern(Op::Input(InputId { group, index }));
    let (x, y) = (input(&mut g, 1, 0), input(&mut g, 1, 1));
    let p: Vec<NodeId> = (0..4).map(|k| input(&mut g, 2, k)).collect();
    let xy = g.intern(Op::Mul(x, y));
    let growth = g.intern(Op::Mul(p[0], x));
    let eaten = g.intern(Op::Mul(p[1], xy));
    let born = g.intern(Op::Mul(p[2], xy));
    let died = g.intern(Op::Mul(p[3], y));
    let dx = g.intern(Op::Sub(growth, eaten));
    let dy = g.intern(Op::Sub(born, died));
    (g, vec![dx, dy])
}

#[test]
#[ignore = "a measurement"]
fn lotka_volterra_call_and_compile() {
    let (graph, nodes) = lotka_volterra();
    let outputs = [Output::store(nodes)];
    for backend in [Backend::Native, Backend::Interpreter] {
        let function = Function::new(&graph, &outputs, backend).expect("compiles");
        let mut scratch = Scratch::default();
        let (t, x, p) = ([0.0, 0.0], [1.0, 0.5], [1.5, 1.0, 1.0, 3.0]);
        let mut dx = [0.0; 2];
        let time = seconds(|| {
            let inputs: [&[f64]; 3] = [&t, black_box(&x), &p];
            let _ = function.call(&inputs, &mut [black_box(&mut dx)], &mut scratch);
        });
        println!("LV rhs, {backend:?}: {:.2} ns", time * 1e9);
    }
    let time = seconds(|| {
        black_box(Function::new(&graph, &outputs, Backend::Native).expect("compiles"));
    });
    println!("compile LV's rhs: {:.3} ms", time * 1e3);
    #[inline(never)]
    fn by_hand(_t: &[f64], x: &[f64], p: &[f64], dx: &mut [f64]) {
        dx[0] = p[0] * x[0] - p[1] * (x[0] * x[1]);
        dx[1] = p[2] * (x[0] * x[1]) - p[3] * x[1];
    }
    let (t, x, p) = ([0.0, 0.0], [1.0, 0.5], [1.5, 1.0, 1.0, 3.0]);
    let mut dx = [0.0; 2];
    let time = seconds(|| by_hand(&t, black_box(&x), &p, black_box(&mut dx)));
    println!("LV rhs, a Rust function: {:.2} ns", time * 1e9);
}

/// Products and sums of inputs and earlier values, `length` of them.
fn arithmetic(length: u32) -> (Graph, Vec<NodeId>) {
    let mut g = Graph::new();
    let mut nodes: Vec<NodeId> = (0..20)
        .map(|index| g.intern(Op::Input(InputId { group: 1, index })))
        .collect();
    let mut state = 1_u32;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    while nodes.len() < length as usize + 20 {
        let recent = nodes.len().saturating_sub(60);
        let a = nodes[recent + draw(nodes.len() - recent)];
        let b = nodes[draw(nodes.len())];
        let op = if draw(2) == 0 {
            Op::Add(a, b)
        } else {
            Op::Mul(a, b)
        };
        nodes.push(g.intern(op));
        nodes.dedup();
    }
    let last = nodes.split_off(nodes.len() - 20);
    (g, last)
}

#[test]
#[ignore = "a measurement"]
fn compile_time_by_length() {
    for length in [50, 200, 500, 1_000, 1_400, 2_000, 4_000, 10_000, 50_000] {
        let (graph, nodes) = arithmetic(length);
        let outputs = [Output::store(nodes)];
        let function = Function::new(&graph, &outputs, Backend::Native).expect("compiles");
        let start = Instant::now();
        let _again = Function::new(&graph, &outputs, Backend::Native).expect("compiles");
        let compile = start.elapsed().as_secs_f64();
        let x = [0.01; 20];
        let mut out = [0.0; 20];
        let mut scratch = Scratch::default();
        let call = seconds(|| {
            let _ = function.call(&[&[], black_box(&x)], &mut [&mut out], &mut scratch);
        });
        println!(
            "{} operations: {:.3} ms to compile, {:.0} ns a call",
            function.operations(),
            compile * 1e3,
            call * 1e9
        );
    }
}

/// Reactions (rate constant times up to two concentrations, numbered from 1) and the equations' terms of POLLU,
/// the air pollution problem: Verwer, SIAM J. Sci. Comput. 15 (1994) 1243, doi 10.1137/0915076.
fn pollution() -> (Graph, Vec<NodeId>) {
    const REACTIONS: [&[u32]; 25] = [
        &[1],
        &[2, 4],
        &[5, 2],
        &[7],
        &[7],
        &[7, 6],
        &[9],
        &[9, 6],
        &[11, 2],
        &[11, 1],
        &[13],
        &[10, 2],
        &[14],
        &[1, 6],
        &[3],
        &[4],
        &[4],
        &[16],
        &[16],
        &[17, 6],
        &[19],
        &[19],
        &[1, 4],
        &[19, 1],
        &[20],
    ];
    const TERMS: [&[i32]; 20] = [
        &[-1, -10, -14, -23, -24, 2, 3, 9, 11, 12, 22, 25],
        &[-2, -3, -9, -12, 1, 21],
        &[-15, 1, 17, 19, 22],
        &[-2, -16, -17, -23, 15],
        &[-3, 4, 4, 6, 7, 13, 20],
        &[-6, -8, -14, -20, 3, 18, 18],
        &[-4, -5, -6, 13],
        &[4, 5, 6, 7],
        &[-7, -8],
        &[-12, 7, 9],
        &[-9, -10, 8, 11],
        &[9],
        &[-11, 10],
        &[-13, 12],
        &[14],
        &[-18, -19, 16],
        &[-20],
        &[20],
        &[-21, -22, -24, 23, 25],
        &[-25, 24],
    ];
    let mut g = Graph::new();
    let rates: Vec<NodeId> = REACTIONS
        .iter()
        .enumerate()
        .map(|(k, species)| {
            let rate = g.input(2, k as u32);
            species.iter().fold(rate, |product, &j| {
                let x = g.input(1, j - 1);
                g.mul(product, x)
            })
        })
        .collect();
    let nodes = TERMS
        .iter()
        .map(|terms| {
            let zero = g.constant(0.0);
            terms.iter().fold(zero, |sum, &term| {
                let rate = rates[term.unsigned_abs() as usize - 1];
                if term > 0 {
                    g.add(sum, rate)
                } else {
                    g.sub(sum, rate)
                }
            })
        })
        .collect();
    (g, nodes)
}

/// Times every form of a right-hand side, and its compilation (the first call).
fn measure_forms(name: &str, graph: Graph, nodes: Vec<NodeId>, parameters: usize) {
    let states = nodes.len();
    let sizes = Sizes { states, parameters };
    let rhs = RightHandSide::new(&graph, &nodes, sizes, Backend::Auto).expect("compiles");
    let rhs = Arc::new(rhs);
    let (x, w, p) = (vec![0.7; states], vec![0.3; states], vec![1.1; parameters]);
    let report = |form: &str, call: &mut dyn FnMut()| {
        let start = Instant::now();
        call();
        let first = start.elapsed().as_secs_f64();
        let time = seconds(call);
        println!(
            "{name} {form}: first call {:.3} ms, then {:.1} ns",
            first * 1e3,
            time * 1e9
        );
    };
    let mut explicit = ModelSystem::<f64>::explicit(Arc::clone(&rhs));
    explicit.set_parameters(&p).expect("as many as there are");
    let (mut x_bar, mut p_bar) = (vec![0.0; states], vec![0.0; parameters]);
    report("rhs", &mut || explicit.rhs(0.0, black_box(&x), &mut x_bar));
    report("vjp", &mut || {
        explicit.vjp(0.0, black_box(&x), &w, &mut x_bar, &mut p_bar)
    });
    let start = Instant::now();
    let mut system = ModelSystem::<f64>::implicit(Arc::clone(&rhs)).expect("a Jacobian");
    println!(
        "{name} Jacobian's graph: {:.3} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    system.set_parameters(&p).expect("as many as there are");
    let mut values = vec![0.0; system.pattern().non_zeros()];
    report("Jacobian", &mut || {
        system.jacobian(0.0, black_box(&x), &mut values)
    });
    report("second-order vjp", &mut || {
        system.second_order_vjp(0.0, black_box(&x), &w, 1.0, &w, &mut x_bar, &mut p_bar);
    });
    fn dual<const N: usize>(rhs: &Arc<RightHandSide>, x: &[f64], p: &[f64]) -> impl FnMut() {
        let mut system = ModelSystem::<Dual<N>>::explicit(Arc::clone(rhs));
        let p: Vec<Dual<N>> = p.iter().map(|&p| Dual::from(p)).collect();
        system.set_parameters(&p).expect("as many as there are");
        let x: Vec<Dual<N>> = x.iter().map(|&x| Dual::from(x)).collect();
        let mut dx = x.clone();
        move || system.rhs(Dual::from(0.0), black_box(&x), &mut dx)
    }
    report("dual 1 rhs", &mut dual::<1>(&rhs, &x, &p));
    report("dual 3 rhs, interpreted", &mut dual::<3>(&rhs, &x, &p));
    report("dual 4 rhs", &mut dual::<4>(&rhs, &x, &p));
    report("dual 8 rhs", &mut dual::<8>(&rhs, &x, &p));
}

#[test]
#[ignore = "a measurement"]
fn forms_of_lotka_volterra_and_pollution() {
    let (graph, nodes) = lotka_volterra();
    measure_forms("LV", graph, nodes, 4);
    let (graph, nodes) = pollution();
    measure_forms("POLLU", graph, nodes, 25);
}
