//! The continuous adjoint: the derivative of the solution itself, not of the numbers that a solver made for it.
//!
//! Along the dense output x(t) of a solve the cotangent of the states runs backward,
//!
//! ```text
//! lambda' = -f_x(t, x(t))^T lambda,   lambda jumps by dL/dx where x is read,   dL/dp = integral of f_p^T lambda dt
//! ```
//!
//! by steps of its own under error control, with the integral by Gauss's formula on each of them (Cao, Li, Petzold &
//! Serban 2003, doi 10.1137/S1064827501380630; without the states of a backward solve, which is wrong where f is stiff).
//! It agrees with the discrete adjoint as far as the solve is accurate, and is no more accurate than that: it is a
//! **second opinion**, the one to ask whether the steps are fine enough for derivatives, and costs some 5 to 20 solves.
//!
//! It is a kernel of the sweep that discrete adjoints use, so that stops, events with their resets and moving times go by the
//! same rules: a step's size moves its end along f, and its start moves it by what is carried there,
//!
//! ```text
//! dL/dh = lambda_1 . f_1,      dL/dt = lambda_1 . f_1 - lambda_0 . f_0,
//! ```
//!
//! which at the root of an event become the saltation conditions.

use costate_solvers::explicit::Vern7;
use costate_solvers::rosenbrock::Rodas5P;
use costate_solvers::{
    ImplicitSystem, Integrator, LinearSolver, Method, Options, Pattern, Recorder, SolveError,
    StepView, System, Tolerance,
};

use crate::readings::Readings;
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::{AdjointImplicitSystem, AdjointSystem, dot};

/// The continuous adjoint with lambda by an explicit method.
pub type ContinuousAdjoint = Adjoint<Kernel<Vern7<f64>>>;
/// The continuous adjoint with lambda by a stiff method.
pub type StiffContinuousAdjoint = Adjoint<Kernel<Rodas5P<f64>>>;

/// Gauss's formula of four nodes on [0, 1], exact for polynomials of degree 7.
const GAUSS: [(f64, f64); 4] = [
    (0.069_431_844_202_973_71, 0.173_927_422_568_726_93),
    (0.330_009_478_207_571_87, 0.326_072_577_431_273_07),
    (0.669_990_521_792_428_1, 0.326_072_577_431_273_07),
    (0.930_568_155_797_026_3, 0.173_927_422_568_726_93),
];
/// Absolute tolerance of lambda, of its largest entry where a stretch of it begins, beside the relative one.
const RELATIVE_TO_LARGEST: f64 = 1e-2;

/// lambda and the solver `M` that takes it back.
#[derive(Debug, Clone)]
pub struct Kernel<M> {
    rtol: f64,
    lambda: Vec<f64>,
    solver: Option<Integrator<f64, M>>,
    /// that of the system which the solver was made for
    transposed: Transposed,
    buffers: Buffers,
    nodes: Nodes,
    failed: Option<SolveError>,
}

/// Room for what is evaluated along the way.
#[derive(Debug, Clone, Default)]
struct Buffers {
    x: Vec<f64>,
    slope: Vec<f64>,
    product: Vec<f64>,
    jacobian: Vec<f64>,
    unread: Vec<f64>,
}

/// The pattern of J^T, and the place in J of each of its entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transposed {
    pattern: Option<Pattern>,
    places: Vec<usize>,
}

impl Transposed {
    fn of(pattern: &Pattern) -> Self {
        let mut entries: Vec<(usize, usize, usize)> = Vec::with_capacity(pattern.non_zeros());
        for column in 0..pattern.columns() {
            for place in pattern.starts[column]..pattern.starts[column + 1] {
                entries.push((pattern.rows[place], column, place));
            }
        }
        // column by column of the transpose, which are rows
        entries.sort_unstable();
        let places: Vec<(usize, usize)> = entries.iter().map(|&(r, c, _)| (c, r)).collect();
        Self {
            pattern: Some(Pattern::from_entries(
                pattern.columns(),
                pattern.height,
                &places,
            )),
            places: entries.into_iter().map(|(_, _, place)| place).collect(),
        }
    }
}

/// lambda at the nodes of Gauss's formula, each times its weight.
#[derive(Debug, Clone, Default)]
struct Nodes {
    times: Vec<f64>,
    values: Vec<f64>,
}

impl Recorder<f64> for Nodes {
    fn accepted(&mut self, step: &StepView<'_, f64>) -> bool {
        for (theta, weight) in GAUSS {
            self.times.push(step.t + theta * step.h);
            let first = self.values.len();
            self.values.resize(first + step.x.len(), 0.0);
            step.interpolate(theta, &mut self.values[first..]);
            for value in &mut self.values[first..] {
                // lambda is followed against time
                *value *= -weight * step.h;
            }
        }
        true
    }
}

/// Writes x(t) of a step of the solve.
fn states(step: &Step<'_>, t: f64, x: &mut [f64]) {
    let theta = ((t - step.t) / step.h).clamp(0.0, 1.0);
    (step.interpolant)(theta, step.h, step.x, step.x_new, step.stages, x);
}

/// lambda' = -f_x^T lambda along a step of the solve: the system that is taken back.
pub struct Along<'a, F: ?Sized> {
    system: &'a mut F,
    step: &'a Step<'a>,
    transposed: &'a Transposed,
    buffers: &'a mut Buffers,
}

impl<F: AdjointSystem + ?Sized> Along<'_, F> {
    /// Writes x(t).
    fn states(&mut self, t: f64) {
        states(self.step, t, &mut self.buffers.x);
    }
}

impl<F: AdjointSystem + ?Sized> System<f64> for Along<'_, F> {
    fn dim(&self) -> usize {
        self.step.x.len()
    }

    fn rhs(&mut self, t: f64, lambda: &[f64], slope: &mut [f64]) {
        self.states(t);
        slope.fill(0.0);
        let Buffers { x, unread, .. } = &mut *self.buffers;
        self.system.vjp(t, x, lambda, slope, unread);
        slope.iter_mut().for_each(|s| *s = -*s);
    }
}

impl<F: AdjointImplicitSystem + ?Sized> ImplicitSystem<f64> for Along<'_, F> {
    fn pattern(&self) -> &Pattern {
        match &self.transposed.pattern {
            Some(pattern) => pattern,
            None => self.system.pattern(),
        }
    }

    fn jacobian(&mut self, t: f64, _lambda: &[f64], values: &mut [f64]) {
        self.states(t);
        let Buffers { x, jacobian, .. } = &mut *self.buffers;
        self.system.jacobian(t, x, jacobian);
        for (value, &place) in values.iter_mut().zip(&self.transposed.places) {
            *value = -jacobian[place];
        }
    }

    /// J changes along the solution: by the second derivatives along x' and t.
    fn time_derivative(&mut self, t: f64, lambda: &[f64], ft: &mut [f64]) {
        self.states(t);
        ft.fill(0.0);
        let Buffers {
            x, slope, unread, ..
        } = &mut *self.buffers;
        self.system.rhs(t, x, slope);
        self.system
            .second_order_vjp(t, x, slope, 1.0, lambda, ft, unread);
        ft.iter_mut().for_each(|s| *s = -*s);
    }

    fn linear_solver(&self) -> LinearSolver {
        match self.system.linear_solver() {
            LinearSolver::Gmres { .. } => LinearSolver::Auto,
            choice => choice,
        }
    }
}

/// A method that takes lambda back, and what it needs of the system.
pub trait TakesBack<F: AdjointSystem + ?Sized + 'static>:
    for<'a> Method<f64, Along<'a, F>>
{
    /// J^T as the method asks for it.
    fn transposed(system: &F) -> Result<Transposed, AdjointError>;
}

impl<F: AdjointSystem + ?Sized + 'static> TakesBack<F> for Vern7<f64> {
    fn transposed(_system: &F) -> Result<Transposed, AdjointError> {
        Ok(Transposed::default())
    }
}

impl<F: AdjointImplicitSystem + ?Sized + 'static> TakesBack<F> for Rodas5P<f64> {
    fn transposed(system: &F) -> Result<Transposed, AdjointError> {
        crate::matrix::needs_jacobian(system)?;
        Ok(Transposed::of(system.pattern()))
    }
}

impl<M> Kernel<M> {
    /// A kernel that follows lambda at this relative tolerance.
    pub fn new(rtol: f64) -> Self {
        Self {
            rtol,
            lambda: Vec::new(),
            solver: None,
            transposed: Transposed::default(),
            buffers: Buffers::default(),
            nodes: Nodes::default(),
            failed: None,
        }
    }

    /// Takes lambda from one time of the step back to another, and adds the integral between them to `p_bar`.
    fn back<F>(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        [from, to]: [f64; 2],
        p_bar: &mut [f64],
    ) -> Result<(), SolveError>
    where
        F: AdjointSystem + ?Sized + 'static,
        M: TakesBack<F>,
    {
        let largest = self.lambda.iter().fold(0.0_f64, |m, l| m.max(l.abs()));
        if largest == 0.0 || from == to {
            return Ok(());
        }
        let options = Options {
            rtol: self.rtol,
            atol: Tolerance::Uniform(self.rtol * RELATIVE_TO_LARGEST * largest),
            ..Options::default()
        };
        self.nodes.times.clear();
        self.nodes.values.clear();
        let mut along = Along {
            system: &mut *system,
            step,
            transposed: &self.transposed,
            buffers: &mut self.buffers,
        };
        let solver = self.solver.get_or_insert_with(|| Integrator::new(&along));
        let (lambda, nodes) = (&mut self.lambda, &mut self.nodes);
        solver.run(&mut along, lambda, &[from, to], &options, nodes)?;
        let Buffers { x, product, .. } = &mut self.buffers;
        let values = self.nodes.values.chunks_exact(x.len().max(1));
        for (&t, weighted) in self.nodes.times.iter().zip(values) {
            states(step, t, x);
            system.vjp(t, x, weighted, product, p_bar);
        }
        Ok(())
    }
}

impl<F, M> Reverse<F> for Kernel<M>
where
    F: AdjointSystem + ?Sized + 'static,
    M: TakesBack<F>,
{
    const STAGES: Option<usize> = None;
    const DEGREE: Option<usize> = None;

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        let (n, transposed) = (system.dim(), M::transposed(system)?);
        if n != self.lambda.len() || transposed != self.transposed {
            self.solver = None;
            self.transposed = transposed;
        }
        self.failed = None;
        let Buffers {
            x,
            slope,
            product,
            unread,
            jacobian,
        } = &mut self.buffers;
        for vector in [&mut self.lambda, x, slope, product] {
            vector.clear();
            vector.resize(n, 0.0);
        }
        unread.resize(system.parameters(), 0.0);
        jacobian.resize(self.transposed.places.len(), 0.0);
        Ok(())
    }

    fn lambda(&mut self) -> &mut [f64] {
        &mut self.lambda
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        readings: &mut Readings,
        p_bar: &mut [f64],
        bars: &mut Option<StepBars>,
    ) -> bool {
        let end = step.t + step.h;
        if let Some(bars) = bars {
            system.rhs(end, step.x_new, &mut self.buffers.slope);
            let moved = dot(&self.lambda, &self.buffers.slope);
            bars.h += moved;
            bars.t += moved;
        }
        let mut from = end;
        let mut done = Ok(());
        for (theta, bar) in readings.one_by_one().rev() {
            let t = if theta == 1.0 {
                end
            } else {
                step.t + theta * step.h
            };
            done = done.and_then(|()| self.back(system, step, [from, t], p_bar));
            from = t;
            for (l, b) in self.lambda.iter_mut().zip(bar) {
                *l += b;
            }
        }
        done = done.and_then(|()| self.back(system, step, [from, step.t], p_bar));
        if let Some(bars) = bars {
            system.rhs(step.t, step.x, &mut self.buffers.slope);
            bars.t -= dot(&self.lambda, &self.buffers.slope);
        }
        self.failed = done.err();
        self.failed.is_none()
    }

    fn failure(&self, step: usize) -> AdjointError {
        match &self.failed {
            Some(error) => AdjointError::Backward {
                step,
                error: error.clone(),
            },
            None => AdjointError::SingularMatrix { step },
        }
    }
}
