//! After its first call no compiled function allocates: counted by the allocator itself, alone in its process.

use std::sync::Arc;

use costate::compile::{Backend, ModelSystem, RightHandSide, Sizes};
use costate::model::Graph;
use costate::model::graph::{Binary, Unary};
use costate_adjoint::{AdjointImplicitSystem, AdjointSystem, Dual};
use costate_solvers::{ImplicitSystem, System};

use crate::counting::second_round;

fn right_hand_side(length: usize, backend: Backend) -> Arc<RightHandSide> {
    let mut graph = Graph::new();
    let (t, x, p) = (graph.input(0, 0), graph.input(1, 0), graph.input(2, 0));
    let mut node = graph.mul(x, p);
    for _ in 0..length {
        let sine = graph.unary(Unary::Sin, node);
        let sum = graph.add(sine, t);
        node = graph.binary(Binary::Hypot, sum, p);
    }
    let sizes = Sizes {
        states: 1,
        parameters: 1,
    };
    let rhs = RightHandSide::new(&graph, &[node], sizes, backend);
    Arc::new(rhs.expect("compiles"))
}

#[test]
fn no_call_allocates_after_the_first() {
    for backend in [Backend::Auto, Backend::Interpreter] {
        // the long ones are cut into chunks, and their dual forms interpreted
        for length in [3, 2000] {
            let rhs = right_hand_side(length, backend);
            let plain = ModelSystem::<f64>::implicit(Arc::clone(&rhs)).expect("a Jacobian");
            let mut plain = plain.with_products().expect("a product");
            let dual = ModelSystem::<Dual<4>>::implicit(rhs).expect("a Jacobian");
            let mut dual = dual.with_products().expect("a product");
            let allocations = second_round(|| {
                let (t, x, w) = (0.5, [0.3], [1.0]);
                let (mut a, mut b) = ([0.0], [0.0]);
                plain.set_parameters(&[0.7]).expect("one parameter");
                plain.rhs(t, &x, &mut a);
                plain.jacobian(t, &x, &mut a);
                plain.jvp(t, &x, &w, &mut a);
                plain.time_derivative(t, &x, &mut a);
                plain.vjp(t, &x, &w, &mut a, &mut b);
                plain.time_vjp(t, &x, &w);
                plain.second_order_vjp(t, &x, &w, 1.0, &w, &mut a, &mut b);
                plain.second_order_time_vjp(t, &x, &w, 1.0, &w);
                let mut c = [Dual::from(0.0)];
                dual.rhs(Dual::from(t), &[Dual::from(0.3)], &mut c);
                dual.jacobian(Dual::from(t), &[Dual::from(0.3)], &mut c);
                dual.jvp(
                    Dual::from(t),
                    &[Dual::from(0.3)],
                    &[Dual::from(1.0)],
                    &mut c,
                );
                dual.time_derivative(Dual::from(t), &[Dual::from(0.3)], &mut c);
            });
            assert_eq!(allocations, 0, "{backend:?}, {length}");
        }
    }
}
