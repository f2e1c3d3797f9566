//! Derivatives of differential-algebraic solves with respect to parameters, those of the mass matrix included.

use costate_adjoint::{Dual, DualOver};
use costate_solvers::{
    ImplicitSystem, Integrator, Mass, Method, NoRecord, Options, Pattern, Rodas3, Rodas4, Rodas5P,
    Scalar, System,
};

/// M x' = f with M = [[1, a], [a, a^2]] c of rank 1, whose null space (a, -1) moves with a, and
/// f = (b sin t - x_0 - x_1^2, x_0 - 2 x_1).
struct Coupled<S> {
    b: S,
    pattern: Pattern,
    mass: Mass<S>,
}

impl<S: Scalar> Coupled<S> {
    fn new([a, b, c]: [S; 3]) -> Self {
        Self {
            b,
            pattern: Pattern::dense(2),
            mass: Mass {
                pattern: Pattern::dense(2),
                values: vec![c, a * c, a * c, a * a * c],
            },
        }
    }
}

impl<S: Scalar> System<S> for Coupled<S> {
    fn dim(&self) -> usize {
        2
    }
    fn rhs(&mut self, t: S, x: &[S], f: &mut [S]) {
        f[0] = self.b * t.sin() - x[0] - x[1] * x[1];
        f[1] = x[0] - x[1] * 2.0;
    }
}

impl<S: Scalar> ImplicitSystem<S> for Coupled<S> {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: S, x: &[S], j: &mut [S]) {
        j.copy_from_slice(&[S::from(-1.0), S::from(1.0), x[1] * -2.0, S::from(-2.0)]);
    }
    fn time_derivative(&mut self, t: S, _x: &[S], ft: &mut [S]) {
        ft[0] = self.b * t.cos();
        ft[1] = S::from(0.0);
    }
    fn mass(&self) -> Option<&Mass<S>> {
        Some(&self.mass)
    }
}

const P: [f64; 3] = [0.5, 0.8, 1.5];

/// x(1) in 20 equal steps from inconsistent states, which the solve makes consistent first.
fn end<S: Scalar, M: Method<S, Coupled<S>>>(p: [S; 3]) -> [S; 2] {
    let mut system = Coupled::new(p);
    let mut x = [S::from(1.0), S::from(0.3)];
    let options = Options {
        step: Some(0.05),
        ..Options::default()
    };
    Integrator::<S, M>::new(&system)
        .run(
            &mut system,
            &mut x,
            &[S::from(0.0), S::from(1.0)],
            &options,
            &mut NoRecord,
        )
        .expect("a solve");
    x
}

/// Central differences of step d err by O(d^2) + rounding / d: 1e-9 and less for d = 1e-5.
const STEP: f64 = 1e-5;

fn shifted(k: usize, by: f64) -> [f64; 3] {
    let mut p = P;
    p[k] += by;
    p
}

fn first_derivatives<M, N>()
where
    M: Method<f64, Coupled<f64>>,
    N: Method<Dual<3>, Coupled<Dual<3>>>,
{
    let plain = end::<f64, M>(P);
    let dual = end::<Dual<3>, N>([0, 1, 2].map(|k| Dual::variable(P[k], k)));
    for (i, (d, x)) in dual.iter().zip(plain).enumerate() {
        assert_eq!(d.value, x, "values are those of the plain solve");
        for k in 0..3 {
            let [up, down] = [STEP, -STEP].map(|by| end::<f64, M>(shifted(k, by))[i]);
            let expected = (up - down) / (2.0 * STEP);
            assert!(expected.abs() > 1e-3);
            let error = (d.tangent[k] - expected).abs();
            assert!(error < 1e-8, "x_{i}, p_{k}: {} {expected}", d.tangent[k]);
        }
    }
}

#[test]
fn tangents_match_finite_differences() {
    first_derivatives::<Rodas3<f64>, Rodas3<Dual<3>>>();
    first_derivatives::<Rodas4<f64>, Rodas4<Dual<3>>>();
    first_derivatives::<Rodas5P<f64>, Rodas5P<Dual<3>>>();
}

/// Duals over duals: two passes, for the null spaces, the consistent states and every stage.
#[test]
fn second_derivatives_match_differences_of_tangents() {
    type Second = DualOver<Dual<1>, 1>;
    for k in 0..3 {
        let mut p = P.map(Second::from);
        p[k] = Second {
            value: Dual::variable(P[k], 0),
            tangent: [Dual::from(1.0)],
        };
        let second = end::<Second, Rodas5P<Second>>(p);
        let tangent = |by: f64| {
            let mut p = shifted(k, by).map(Dual::<1>::from);
            p[k] = Dual::variable(P[k] + by, 0);
            end::<Dual<1>, Rodas5P<Dual<1>>>(p).map(|x| x.tangent[0])
        };
        let (up, down) = (tangent(STEP), tangent(-STEP));
        for i in 0..2 {
            let expected = (up[i] - down[i]) / (2.0 * STEP);
            let error = (second[i].tangent[0].tangent[0] - expected).abs();
            assert!(
                error < 1e-8 * expected.abs().max(1.0),
                "x_{i}, p_{k}: {:?} {expected}",
                second[i]
            );
        }
    }
}

/// States consistent to tolerance keep their values; their tangents follow the parameters all the same.
#[test]
fn tangents_of_consistent_states_follow() {
    let consistent = {
        let mut system = Coupled::new(P);
        let mut x = [1.0, 0.3];
        costate_solvers::consistent::Consistent::new(&system.pattern.clone(), &system.mass.clone())
            .initialize(
                &mut system,
                0.0,
                &mut x,
                &Options::default(),
                &mut Default::default(),
            )
            .expect("consistent states");
        x
    };
    let mut system = Coupled::new([0, 1, 2].map(|k| Dual::<3>::variable(P[k], k)));
    let mut x = consistent.map(Dual::from);
    let mut search =
        costate_solvers::consistent::Consistent::new(&system.pattern.clone(), &system.mass.clone());
    search
        .initialize(
            &mut system,
            Dual::from(0.0),
            &mut x,
            &Options::default(),
            &mut Default::default(),
        )
        .expect("consistent states");
    assert_eq!(x.map(|x| x.value), consistent);
    // N^T f = a f_0 - f_1 = 0 along K = (a, -1): a (-x_0 - x_1^2) - x_0 + 2 x_1 = 0 at t = 0
    let ([x0, x1], a) = (consistent, P[0]);
    let by_a = -x0 - x1 * x1;
    let along = a * (-a + 2.0 * x1) - a - 2.0;
    let dz = -by_a / along;
    // (the move along K's own derivative is z dK = 0, as z = 0)
    assert!((x[0].tangent[0] - a * dz).abs() < 1e-14, "{x:?}");
    assert!((x[1].tangent[0] + dz).abs() < 1e-14, "{x:?}");
    assert!(x[0].tangent[2].abs() < 1e-14);
}
