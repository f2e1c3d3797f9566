//! Compiled derivatives against dual numbers run through the interpreter, which know nothing of graph rewrites.

use std::sync::Arc;

use costate::compile::{
    Backend, Derived, Function, ModelScalar, ModelSystem, Output, RightHandSide, Sizes, Workspace,
};
use costate::model::graph::{Binary, Graph, InputId, NodeId, Op, Unary};
use costate::model::table::PiecewisePolynomial;
use costate_adjoint::{AdjointImplicitSystem, AdjointSystem, Dual, DualOver};
use costate_solvers::{ImplicitSystem, Real, Scalar, System};
use proptest::prelude::*;

const STATES: usize = 3;
const PARAMETERS: usize = 2;
const SIZES: Sizes = Sizes {
    states: STATES,
    parameters: PARAMETERS,
};

/// Kind, operands, variant.
type Draw = (u8, [u16; 2], u16);

/// A smooth right-hand side whose values and slopes stay moderate, so that rounding does: t, the table's
/// argument, products and bounded functions of states and parameters.
fn right_hand_side(draws: &[Draw]) -> (Graph, Vec<NodeId>) {
    let mut graph = Graph::new();
    let input = |graph: &mut Graph, group, index| graph.intern(Op::Input(InputId { group, index }));
    let t = input(&mut graph, 0, 0);
    let middle = input(&mut graph, 0, 1);
    let mut nodes = vec![t];
    nodes.extend((0..STATES as u32).map(|k| input(&mut graph, 1, k)));
    nodes.extend((0..PARAMETERS as u32).map(|k| input(&mut graph, 2, k)));
    let table = graph.add_table(Arc::new(PiecewisePolynomial {
        breaks: vec![-1.0, 0.5, 2.0],
        coefficients: vec![[1.0, -0.2, 0.5, 0.25], [-1.0, 0.3, 0.7, -0.2]],
        last: 0.5,
    }));
    nodes.push(graph.intern(Op::Table {
        table,
        order: 0,
        at: t,
        place: middle,
    }));
    let two = graph.intern(Op::Constant(2.0_f64.to_bits()));
    for &(kind, [a, b], variant) in draws {
        let (a, b) = (
            nodes[a as usize % nodes.len()],
            nodes[b as usize % nodes.len()],
        );
        let bounded = |graph: &mut Graph, a| graph.intern(Op::Unary(Unary::Tanh, a));
        let op = match kind % 8 {
            0 => Op::Add(a, b),
            1 => Op::Sub(a, b),
            2 => Op::Mul(bounded(&mut graph, a), b),
            3 => {
                let c = bounded(&mut graph, b);
                Op::Div(a, graph.intern(Op::Add(two, c)))
            }
            4 => Op::Powi(bounded(&mut graph, a), i32::from(variant % 5)),
            5 => {
                let c = bounded(&mut graph, a);
                let positive = graph.intern(Op::Add(two, c));
                match variant % 6 {
                    0 => Op::Unary(Unary::Log, positive),
                    1 => Op::Unary(Unary::Sqrt, positive),
                    2 => Op::Unary(Unary::Cbrt, positive),
                    3 => Op::Binary(Binary::Pow, positive, bounded(&mut graph, b)),
                    4 => Op::Binary(Binary::Atan2, positive, b),
                    _ => Op::Binary(Binary::Hypot, positive, bounded(&mut graph, b)),
                }
            }
            6 => Op::Unary(
                [
                    Unary::Sin,
                    Unary::Cos,
                    Unary::Atan,
                    Unary::Erf,
                    Unary::Asinh,
                ][variant as usize % 5],
                a,
            ),
            _ => Op::Neg(a),
        };
        nodes.push(graph.intern(op));
    }
    let last = nodes.split_off(nodes.len() - STATES);
    (graph, last)
}

fn numbers(count: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.5..1.5, count)
}

/// Both sides sum the same products in other orders; entries are O(1) and a dozen operations deep, so their
/// rounding errors are some hundreds of units in the last place at most.
fn assert_close(a: f64, b: f64, what: &str) {
    let scale = 1.0_f64.max(a.abs()).max(b.abs());
    assert!(
        (a - b).abs() <= 1e-11 * scale,
        "{what}: {a:e} and {b:e} differ by {:e}",
        a - b
    );
}

/// A model with its arguments and vectors to multiply by.
struct Case {
    rhs: Arc<RightHandSide>,
    /// f as the interpreter runs it on any scalar
    plain: Function,
    t: f64,
    middle: f64,
    x: Vec<f64>,
    p: Vec<f64>,
}

impl Case {
    fn new(draws: &[Draw], u: &[f64], backend: Backend) -> Self {
        let (graph, nodes) = right_hand_side(draws);
        // what a right-hand side makes of it first
        let (shared, entries) = costate::model::share(&graph, &nodes);
        let plain = Function::new(&shared, &[Output::store(entries)], Backend::Interpreter)
            .expect("a program");
        let rhs = RightHandSide::new(&graph, &nodes, SIZES, backend).expect("compiles");
        Self {
            rhs: Arc::new(rhs),
            plain,
            t: u[0],
            middle: u[1],
            x: u[2..2 + STATES].to_vec(),
            p: u[2 + STATES..].to_vec(),
        }
    }
    /// f over any scalar, each argument of (t, x, p) made by `seed` from its place in that list and its value.
    fn reference<S: Scalar>(&self, seed: impl Fn(usize, f64) -> S) -> Vec<S> {
        let time = [seed(0, self.t), S::from(self.middle)];
        let x: Vec<S> = (0..STATES).map(|k| seed(1 + k, self.x[k])).collect();
        let p: Vec<S> = (0..PARAMETERS)
            .map(|k| seed(1 + STATES + k, self.p[k]))
            .collect();
        let mut dx = vec![S::from(0.0); STATES];
        self.plain
            .evaluate(&[&time, &x, &p], &mut [&mut dx], &mut Vec::new())
            .expect("lengths fit");
        dx
    }
    fn system<S: ModelScalar>(&self) -> ModelSystem<S> {
        let system = ModelSystem::implicit(Arc::clone(&self.rhs)).expect("a Jacobian");
        let mut system = system.with_products().expect("a product");
        let p: Vec<S> = self.p.iter().map(|&p| S::from(p)).collect();
        system.set_parameters(&p).expect("as many as there are");
        system.enter_stretch(self.middle);
        system
    }
    /// Columns of df/d(t, x, p).
    fn columns(&self) -> Vec<Vec<f64>> {
        (0..1 + STATES + PARAMETERS)
            .map(|place| {
                self.reference(|k, value| Dual::<1> {
                    value,
                    tangent: [f64::from(u8::from(k == place))],
                })
                .iter()
                .map(|y| y.tangent[0])
                .collect()
            })
            .collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Dual native code against dual interpretation: same values to the bit, tangents to rounding.
fn check_dual<const N: usize>(case: &Case, tangents: &[f64]) {
    let seed = |k: usize, value: f64| Dual::<N> {
        value,
        tangent: std::array::from_fn(|j| tangents[(k * N + j) % tangents.len()]),
    };
    let expected = case.reference(seed);
    let time = [seed(0, case.t), Dual::from(case.middle)];
    let x: Vec<Dual<N>> = (0..STATES).map(|k| seed(1 + k, case.x[k])).collect();
    let p: Vec<Dual<N>> = (0..PARAMETERS)
        .map(|k| seed(1 + STATES + k, case.p[k]))
        .collect();
    let mut got = vec![Dual::<N>::from(0.0); STATES];
    case.rhs
        .f()
        .evaluate(&time, &x, &p, &mut got, &mut Workspace::default())
        .expect("lengths fit");
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got.value.to_bits(), expected.value.to_bits());
        for (&got, &expected) in got.tangent.iter().zip(&expected.tangent) {
            assert_close(got, expected, "tangent");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn dual_native_code_agrees_with_dual_interpretation(
        draws in prop::collection::vec(any::<Draw>(), 3..16),
        u in numbers(2 + STATES + PARAMETERS),
        tangents in numbers(13),
    ) {
        let case = Case::new(&draws, &u, Backend::Native);
        check_dual::<1>(&case, &tangents);
        check_dual::<2>(&case, &tangents);
        check_dual::<3>(&case, &tangents);
        check_dual::<4>(&case, &tangents);
        check_dual::<8>(&case, &tangents);
    }

    #[test]
    fn jacobians_and_products_agree_with_dual_columns(
        draws in prop::collection::vec(any::<Draw>(), 3..16),
        u in numbers(2 + STATES + PARAMETERS),
        w in numbers(STATES),
        native in any::<bool>(),
    ) {
        let backend = if native { Backend::Native } else { Backend::Interpreter };
        let case = Case::new(&draws, &u, backend);
        let columns = case.columns();
        let mut system = case.system::<f64>();

        let pattern = system.pattern().clone();
        let mut values = vec![0.0; pattern.non_zeros()];
        system.jacobian(case.t, &case.x, &mut values);
        let mut dense = [[0.0; STATES]; STATES];
        for (j, column) in dense.iter_mut().enumerate() {
            for k in pattern.starts[j]..pattern.starts[j + 1] {
                column[pattern.rows[k]] = values[k];
            }
        }
        for (column, expected) in dense.iter().zip(&columns[1..]) {
            for (&got, &expected) in column.iter().zip(expected) {
                assert_close(got, expected, "Jacobian");
            }
        }
        let mut slope = [0.0; STATES];
        system.time_derivative(case.t, &case.x, &mut slope);
        for (&got, &expected) in slope.iter().zip(&columns[0]) {
            assert_close(got, expected, "time derivative");
        }

        let mut product = [0.0; STATES];
        system.jvp(case.t, &case.x, &w, &mut product);
        for (i, &got) in product.iter().enumerate() {
            let expected = (0..STATES).map(|j| columns[1 + j][i] * w[j]).sum();
            assert_close(got, expected, "product");
        }

        let (mut x_bar, mut p_bar) = ([0.5; STATES], [0.25; PARAMETERS]);
        system.vjp(case.t, &case.x, &w, &mut x_bar, &mut p_bar);
        for k in 0..STATES {
            assert_close(x_bar[k], 0.5 + dot(&w, &columns[1 + k]), "x cotangent");
        }
        for k in 0..PARAMETERS {
            assert_close(p_bar[k], 0.25 + dot(&w, &columns[1 + STATES + k]), "p cotangent");
        }
        assert_close(system.time_vjp(case.t, &case.x, &w), dot(&w, &columns[0]), "t cotangent");

        // the Jacobian over dual numbers has the plain one's values
        let mut over_duals = case.system::<Dual<2>>();
        let x: Vec<Dual<2>> = case.x.iter().map(|&x| Dual { value: x, tangent: [1.0, 0.0] }).collect();
        let mut duals = vec![Dual::from(0.0); values.len()];
        over_duals.jacobian(Dual::from(case.t), &x, &mut duals);
        for (dual, value) in duals.iter().zip(&values) {
            assert_eq!(dual.value.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn second_order_products_agree_with_duals_of_duals(
        draws in prop::collection::vec(any::<Draw>(), 3..16),
        u in numbers(2 + STATES + PARAMETERS),
        v in numbers(STATES),
        w in numbers(STATES),
        s in -1.5..1.5,
    ) {
        let case = Case::new(&draws, &u, Backend::Native);
        let mut system = case.system::<f64>();
        let (mut x_bar, mut p_bar) = ([0.5; STATES], [0.25; PARAMETERS]);
        system.second_order_vjp(case.t, &case.x, &v, s, &w, &mut x_bar, &mut p_bar);
        let t_bar = system.second_order_time_vjp(case.t, &case.x, &v, s, &w);
        // the outer tangent runs along (s, v, 0), the inner one along each argument in turn
        let mut direction = vec![s];
        direction.extend(&v);
        direction.extend([0.0; PARAMETERS]);
        let gradient: Vec<f64> = (0..1 + STATES + PARAMETERS)
            .map(|place| {
                let y = case.reference(|k, value| DualOver::<Dual<1>, 1> {
                    value: Dual { value, tangent: [f64::from(u8::from(k == place))] },
                    tangent: [Dual::from(direction[k])],
                });
                y.iter().zip(&w).map(|(y, w)| w * y.tangent[0].tangent[0]).sum()
            })
            .collect();
        assert_close(t_bar, gradient[0], "t");
        for k in 0..STATES {
            assert_close(x_bar[k], 0.5 + gradient[1 + k], "x");
        }
        for k in 0..PARAMETERS {
            assert_close(p_bar[k], 0.25 + gradient[1 + STATES + k], "p");
        }
    }
}

#[test]
fn wrong_lengths_give_nan_and_inputs_outside_are_refused() {
    let draws = [(0, [1, 4], 0), (1, [2, 5], 0), (6, [3, 0], 0)];
    let case = Case::new(&draws, &[0.0; 2 + STATES + PARAMETERS], Backend::Auto);
    let mut system = case.system::<f64>();
    assert!(system.set_parameters(&[1.0]).is_err());
    let mut dx = [0.0; STATES];
    system.rhs(0.0, &[1.0], &mut dx);
    assert!(dx.iter().all(|dx| dx.is_nan()));

    let (graph, nodes) = right_hand_side(&draws);
    let graph = Arc::new(graph);
    let few = Sizes {
        states: STATES - 2,
        parameters: PARAMETERS,
    };
    assert!(Derived::new(Arc::clone(&graph), nodes.clone(), few, Backend::Auto).is_err());
    assert!(RightHandSide::new(&graph, &nodes[..1], SIZES, Backend::Auto).is_err());
}

#[test]
fn long_dual_programs_run_on_the_interpreter_with_the_same_values() {
    let mut graph = Graph::new();
    let x = graph.intern(Op::Input(InputId { group: 1, index: 0 }));
    let half = graph.intern(Op::Constant(0.5_f64.to_bits()));
    let mut node = x;
    for _ in 0..6000 {
        let sine = graph.intern(Op::Unary(Unary::Sin, node));
        let scaled = graph.intern(Op::Mul(sine, half));
        node = graph.intern(Op::Add(scaled, x));
    }
    let sizes = Sizes {
        states: 1,
        parameters: 0,
    };
    let f = Derived::new(Arc::new(graph), vec![node], sizes, Backend::Native).expect("compiles");
    let (mut plain, mut dual) = ([0.0], [Dual::<4>::from(0.0)]);
    let time = [0.0; 2];
    f.evaluate(&time, &[0.7], &[], &mut plain, &mut Workspace::default())
        .expect("lengths fit");
    let x = Dual {
        value: 0.7,
        tangent: [1.0, 0.0, 0.0, 2.0],
    };
    let time = time.map(Dual::from);
    f.evaluate(&time, &[x], &[], &mut dual, &mut Workspace::default())
        .expect("lengths fit");
    assert_eq!(dual[0].value.to_bits(), plain[0].to_bits());
    // y = sin(y) / 2 + x has converged to its fixed point, so dy/dx = 1 / (1 - cos(y) / 2)
    let slope = 1.0 / (1.0 - 0.5 * Real::cos(plain[0]));
    assert_close(dual[0].tangent[0], slope, "slope");
    assert_close(dual[0].tangent[3], 2.0 * slope, "slope");
}
