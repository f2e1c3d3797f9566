//! Hybrid systems: root functions located on a step's dense output, and the jumps that follow.
//!
//! An event is a root function g(t, x) that changes sign in a given [`Direction`]. After every accepted step each
//! g is read at eight points of the step's dense output (more after a jump, spaced geometrically from the start,
//! so that a flight far shorter than the step is seen), and where |g| has a minimum between the readings it is
//! searched for a hidden pair of crossings. A crossing is bracketed, located to rounding (Chandrupatla's method)
//! and handed to the driver, which repeats the step so that it *ends* at the event: the state before the jump is
//! the method's own solution, not its interpolant.
//!
//! Rules:
//! * A root that starts at zero, or has just fired, takes its side from the first reading away from zero.
//! * g reaching zero counts as a crossing; leaving it does not: a root that rests at zero is quiet.
//! * Where a jump (a reset, a signal's step) carries a g across zero, that event fires at the same instant.
//! * Events at one instant are given to [`Hybrid::at_roots`] together, in ascending order.

use crate::scalar::Scalar;

/// Which change of sign fires an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// from negative to positive
    Rising,
    /// from positive to negative
    Falling,
    /// either
    #[default]
    Both,
}

impl Direction {
    /// Whether a change from side `from` to side `to` (signs) counts.
    fn admits(self, from: i8, to: i8) -> bool {
        match self {
            Self::Rising => to > from,
            Self::Falling => to < from,
            Self::Both => to != from,
        }
    }
}

/// What follows an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// go on; the states did not change
    Continue,
    /// go on from the states as they now are
    Jumped,
    /// end the solve here
    Terminate,
}

/// Why a solve turns to the discrete part of a hybrid system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause<'a> {
    /// the step just accepted ends where the first of these roots is zero: its size depends on the states
    Reached(&'a [usize]),
    /// a jump, or the start of a stretch, left these roots beyond zero: the time is what it was
    Carried(&'a [usize]),
    /// the solve has come to `times[stop]` (0 is its start)
    Stop(usize),
}

/// The discrete part of a hybrid system: what fires, and what follows.
pub trait Hybrid<S: Scalar> {
    /// Number of root functions.
    fn roots(&self) -> usize;
    /// Which crossings of a root count.
    fn direction(&self, root: usize) -> Direction;
    /// Writes every g(t, x) into `g`.
    fn root_values(&mut self, t: S, x: &[S], g: &mut [S]);
    /// Whether a crossing of `root` at (t, x) counts: the guard, read on the states before the jump.
    fn armed(&mut self, root: usize, t: S, x: &[S]) -> bool {
        let _ = (root, t, x);
        true
    }
    /// Announces the smooth stretch that what follows lies on, by its middle ([`crate::System::enter_stretch`]).
    fn enter_stretch(&mut self, middle: f64) {
        let _ = middle;
    }
    /// These roots crossed at time t: changes `x` in place.
    fn at_roots(&mut self, t: S, roots: &[usize], x: &mut [S]) -> Action;
    /// The solve has come to `times[stop]` (0 is its start): changes `x` in place where a time event is due.
    fn at_stop(&mut self, stop: usize, t: S, x: &mut [S]) -> Action {
        let _ = (stop, t, x);
        Action::Continue
    }
}

/// No events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEvents;

impl<S: Scalar> Hybrid<S> for NoEvents {
    #[inline]
    fn roots(&self) -> usize {
        0
    }
    fn direction(&self, _root: usize) -> Direction {
        Direction::Both
    }
    fn root_values(&mut self, _t: S, _x: &[S], _g: &mut [S]) {}
    fn at_roots(&mut self, _t: S, _roots: &[usize], _x: &mut [S]) -> Action {
        Action::Continue
    }
}

/// Readings of a step beyond its start.
const READINGS: usize = 8;
/// Early readings of the step after a jump.
const EARLY: [f64; 8] = {
    let mut theta = [0.0; 8];
    let mut k = 0;
    while k < 8 {
        // 2^-31, 2^-27, ..., 2^-7, then 2^-3 belongs to the even readings
        theta[k] = 1.0 / (1u64 << (35 - 4 * (k + 1))) as f64;
        k += 1;
    }
    theta
};

/// A step as the search reads it: `read(theta, out)` writes x(t + theta h).
pub(crate) struct Piece<'a, S> {
    pub t: S,
    pub h: S,
    pub read: &'a dyn Fn(f64, &mut [S]),
}

impl<S: Scalar> Piece<'_, S> {
    fn time(&self, theta: f64) -> S {
        self.t + self.h * theta
    }
}

/// A sign change of one root.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    root: usize,
    theta: f64,
    /// the side it leads to
    to: i8,
}

/// What the search remembers of each root, and its buffers.
#[derive(Debug, Clone)]
pub(crate) struct Search<S> {
    /// side of zero each root is on; 0: at zero, or not yet known
    side: Vec<i8>,
    /// the side is taken from the next reading away from zero
    unsettled: Vec<bool>,
    /// what a root that has just fired may be off zero by rounding
    noise: Vec<f64>,
    /// every value read so far was exactly 0
    pub always_zero: Vec<bool>,
    /// values at the start of the step
    start: Vec<S>,
    g: Vec<S>,
    /// values at each reading, roots innermost
    values: Vec<f64>,
    thetas: Vec<f64>,
    state: Vec<S>,
    crossings: Vec<Crossing>,
    /// roots that fire at the instant found
    pub fired: Vec<usize>,
}

impl<S> Default for Search<S> {
    fn default() -> Self {
        Self {
            side: Vec::new(),
            unsettled: Vec::new(),
            noise: Vec::new(),
            always_zero: Vec::new(),
            start: Vec::new(),
            g: Vec::new(),
            values: Vec::new(),
            thetas: Vec::new(),
            state: Vec::new(),
            crossings: Vec::new(),
            fired: Vec::new(),
        }
    }
}

/// The side of zero that a value is on; a value that is not a number is on none.
fn side_of(g: f64) -> i8 {
    if g > 0.0 {
        1
    } else if g < 0.0 {
        -1
    } else {
        0
    }
}

impl<S: Scalar> Search<S> {
    /// Forgets everything: a solve of `n` states with `roots` root functions begins.
    pub fn begin(&mut self, roots: usize, n: usize) {
        self.side.clear();
        self.side.resize(roots, 0);
        self.unsettled.clear();
        self.unsettled.resize(roots, false);
        self.noise.clear();
        self.noise.resize(roots, 0.0);
        self.always_zero.clear();
        self.always_zero.resize(roots, true);
        for numbers in [&mut self.start, &mut self.g] {
            numbers.resize(roots, S::from(0.0));
        }
        self.state.resize(n, S::from(0.0));
        self.fired.clear();
        self.fired.reserve(roots);
        self.crossings.clear();
        self.crossings.reserve(2 * roots);
        self.thetas.reserve(EARLY.len() + READINGS);
        self.values.reserve(roots * (EARLY.len() + READINGS));
    }

    /// Reads the roots at the start of a stretch. `self.fired` (what fired there) loses its side; of the others,
    /// those that a jump carried across zero replace it: they fire at this same instant.
    pub fn enter<H: Hybrid<S> + ?Sized>(&mut self, hybrid: &mut H, t: S, x: &[S]) {
        hybrid.root_values(t, x, &mut self.start);
        for &root in &self.fired {
            self.side[root] = 0;
        }
        self.fired.clear();
        for root in 0..self.start.len() {
            let now = side_of(self.start[root].value());
            self.always_zero[root] &= now == 0;
            let before = self.side[root];
            if before == 0 && !settles(self.start[root].value(), self.noise[root]) {
                // a value of rounding size left by the event itself is no side: the readings decide
                self.unsettled[root] = true;
                continue;
            }
            self.unsettled[root] = false;
            if before != 0
                && now != before
                && hybrid.direction(root).admits(before, now)
                && hybrid.armed(root, t, x)
            {
                self.fired.push(root);
            }
            self.side[root] = now;
        }
    }

    /// The first armed crossing of the step, as a fraction of it in (0, 1]; `self.fired` holds its roots. Without
    /// one the sides are those of the step's end.
    pub fn find<H: Hybrid<S> + ?Sized>(
        &mut self,
        hybrid: &mut H,
        piece: &Piece<'_, S>,
    ) -> Option<f64> {
        let roots = self.start.len();
        self.thetas.clear();
        if self.unsettled.iter().any(|&u| u) {
            self.thetas.extend_from_slice(&EARLY);
        }
        self.thetas
            .extend((1..=READINGS).map(|k| k as f64 / READINGS as f64));
        self.values.clear();
        for &theta in &self.thetas {
            (piece.read)(theta, &mut self.state);
            hybrid.root_values(piece.time(theta), &self.state, &mut self.g);
            self.values.extend(self.g.iter().map(|g| g.value()));
        }
        self.crossings.clear();
        for root in 0..roots {
            self.walk(hybrid, piece, root);
        }
        self.crossings.sort_by(|a, b| {
            let by_time = a.theta.total_cmp(&b.theta);
            by_time.then(a.root.cmp(&b.root))
        });
        let found = self.first_armed(hybrid, piece);
        if found.is_none() {
            for root in 0..roots {
                for k in 0..self.thetas.len() {
                    let value = self.values[k * roots + root];
                    self.always_zero[root] &= value == 0.0;
                    self.unsettled[root] &= !settles(value, self.noise[root]);
                    if !value.is_nan() {
                        self.side[root] = side_of(value);
                    }
                }
                // the next step starts where this one ends
                self.start[root] = S::from(self.values[(self.thetas.len() - 1) * roots + root]);
            }
        }
        found
    }

    /// Among the crossings, by time, the first instant at which one is armed.
    fn first_armed<H: Hybrid<S> + ?Sized>(
        &mut self,
        hybrid: &mut H,
        piece: &Piece<'_, S>,
    ) -> Option<f64> {
        let size = piece.h.value().abs();
        let scale = f64::max(piece.t.value().abs(), size);
        let together = 16.0 * f64::EPSILON * scale / size;
        self.fired.clear();
        let mut k = 0;
        while k < self.crossings.len() {
            let theta = self.crossings[k].theta;
            (piece.read)(theta, &mut self.state);
            let mut end = k;
            while end < self.crossings.len() && self.crossings[end].theta - theta <= together {
                let root = self.crossings[end].root;
                if !self.fired.contains(&root) && hybrid.armed(root, piece.time(theta), &self.state)
                {
                    self.fired.push(root);
                }
                end += 1;
            }
            if !self.fired.is_empty() {
                self.fired.sort_unstable();
                return Some(theta);
            }
            k = end;
        }
        None
    }

    /// The step now ends at (t, x), at fraction `theta` of the step searched: takes the sides there, before any
    /// jump, of the roots that have not fired. One whose crossing was due next, and that rounding has brought
    /// before the end, fires too.
    pub fn arrive<H: Hybrid<S> + ?Sized>(
        &mut self,
        hybrid: &mut H,
        (theta, noise): (f64, f64),
        t: S,
        x: &[S],
    ) {
        hybrid.root_values(t, x, &mut self.g);
        for root in 0..self.g.len() {
            self.noise[root] = noise + 8.0 * self.g[root].value().abs();
            if self.fired.contains(&root) {
                continue;
            }
            self.noise[root] = 0.0;
            let now = side_of(self.g[root].value());
            let next = self.crossings.iter().find(|c| c.root == root);
            let overtaken = next.is_some_and(|c| c.theta > theta && c.to == now);
            if overtaken && hybrid.armed(root, t, x) {
                self.fired.push(root);
            } else if !self.unsettled[root] {
                self.side[root] = now;
            }
        }
        self.fired.sort_unstable();
    }

    /// Collects the crossings of one root along the readings.
    fn walk<H: Hybrid<S> + ?Sized>(&mut self, hybrid: &mut H, piece: &Piece<'_, S>, root: usize) {
        let roots = self.start.len();
        let count = self.thetas.len();
        let direction = hybrid.direction(root);
        let mut settled = !self.unsettled[root];
        let mut at = if settled { self.side[root] } else { 0 };
        let mut left = (0.0, self.start[root].value());
        for k in 0..count {
            let theta = self.thetas[k];
            let value = self.values[k * roots + root];
            if value.is_nan() {
                continue;
            }
            let now = side_of(value);
            if !settled {
                if settles(value, self.noise[root]) {
                    settled = true;
                    at = now;
                }
            } else if now != at {
                if at != 0 && direction.admits(at, now) {
                    let theta = self.locate(hybrid, piece, root, at, left, (theta, value));
                    self.crossings.push(Crossing {
                        root,
                        theta,
                        to: now,
                    });
                }
                at = now;
            } else if at != 0 {
                // the same side at both ends: a pair of crossings may hide where |g| dips between
                let before = match k {
                    0 => None,
                    1 => Some((0.0, self.start[root].value())),
                    _ => Some((self.thetas[k - 2], self.values[(k - 2) * roots + root])),
                };
                let after = (k + 1 < count)
                    .then(|| (self.thetas[k + 1], self.values[(k + 1) * roots + root]));
                if dips(before, left, (theta, value), after)
                    && let Some(beyond) = self.dip(hybrid, piece, root, at, (left.0, theta))
                {
                    if direction.admits(at, -at) {
                        let theta = self.locate(hybrid, piece, root, at, left, beyond);
                        self.crossings.push(Crossing {
                            root,
                            theta,
                            to: -at,
                        });
                    }
                    if direction.admits(-at, at) {
                        let theta = self.locate(hybrid, piece, root, -at, beyond, (theta, value));
                        self.crossings.push(Crossing {
                            root,
                            theta,
                            to: at,
                        });
                    }
                }
            }
            left = (theta, value);
        }
    }

    fn value_at<H: Hybrid<S> + ?Sized>(
        &mut self,
        hybrid: &mut H,
        piece: &Piece<'_, S>,
        root: usize,
        theta: f64,
    ) -> f64 {
        (piece.read)(theta, &mut self.state);
        hybrid.root_values(piece.time(theta), &self.state, &mut self.g);
        self.g[root].value()
    }

    /// Looks for a point of the other side between two readings of one side: golden sections towards the
    /// smallest |g|.
    fn dip<H: Hybrid<S> + ?Sized>(
        &mut self,
        hybrid: &mut H,
        piece: &Piece<'_, S>,
        root: usize,
        at: i8,
        (mut a, mut b): (f64, f64),
    ) -> Option<(f64, f64)> {
        const RATIO: f64 = 0.618_033_988_749_894_8;
        let sign = f64::from(at);
        let mut c = b - RATIO * (b - a);
        let mut d = a + RATIO * (b - a);
        let mut at_c = sign * self.value_at(hybrid, piece, root, c);
        let mut at_d = sign * self.value_at(hybrid, piece, root, d);
        for _ in 0..40 {
            if at_c < 0.0 {
                return Some((c, sign * at_c));
            }
            if at_d < 0.0 {
                return Some((d, sign * at_d));
            }
            if at_c < at_d {
                b = d;
                (d, at_d) = (c, at_c);
                c = b - RATIO * (b - a);
                at_c = sign * self.value_at(hybrid, piece, root, c);
            } else {
                a = c;
                (c, at_c) = (d, at_d);
                d = a + RATIO * (b - a);
                at_d = sign * self.value_at(hybrid, piece, root, d);
            }
            if b - a <= 4.0 * f64::EPSILON {
                break;
            }
        }
        None
    }

    /// Where g leaves side `at` between `left` (on it) and `right` (off it): the first number off it, to rounding
    /// (Chandrupatla, Adv. Eng. Softw. 28 (1997) 145-149).
    fn locate<H: Hybrid<S> + ?Sized>(
        &mut self,
        hybrid: &mut H,
        piece: &Piece<'_, S>,
        root: usize,
        at: i8,
        left: (f64, f64),
        right: (f64, f64),
    ) -> f64 {
        let size = piece.h.value().abs();
        let resolution = f64::max(
            f64::EPSILON,
            f64::EPSILON * piece.t.value().abs() / size.max(f64::MIN_POSITIVE),
        );
        // a left end that is itself off the side (a jump at the step's start) is where the crossing is
        if side_of(left.1) != at {
            return left.0;
        }
        // x_1 is the newest point, x_2 lies across the root from it, x_3 is the point before
        let ((mut x1, mut g1), (mut x2, mut g2)) = (left, right);
        let mut fraction = 0.5;
        for _ in 0..200 {
            let x = x1 + fraction * (x2 - x1);
            if x == x1 || x == x2 {
                break;
            }
            let g = self.value_at(hybrid, piece, root, x);
            let (x3, g3);
            if (side_of(g) == at) == (side_of(g1) == at) {
                (x3, g3) = (x1, g1);
            } else {
                (x3, g3) = (x2, g2);
                (x2, g2) = (x1, g1);
            }
            (x1, g1) = (x, g);
            let width = (x2 - x1).abs();
            if width <= resolution {
                break;
            }
            let xi = (x1 - x2) / (x3 - x2);
            let phi = (g1 - g2) / (g3 - g2);
            fraction = if phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi {
                // inverse quadratic interpolation
                g1 / (g2 - g1) * (g3 / (g2 - g3))
                    + (x3 - x1) / (x2 - x1) * (g1 / (g3 - g1)) * (g2 / (g3 - g2))
            } else {
                0.5
            };
            let edge = (0.5 * resolution / width).min(0.5);
            fraction = if fraction.is_finite() {
                fraction.clamp(edge, 1.0 - edge)
            } else {
                0.5
            };
        }
        if side_of(g1) == at { x2 } else { x1 }
    }

    /// dg/dtheta of a root on the step's dense output, by a difference across `theta`.
    pub fn slope<H: Hybrid<S> + ?Sized>(
        &mut self,
        hybrid: &mut H,
        piece: &Piece<'_, S>,
        root: usize,
        theta: f64,
    ) -> f64 {
        let delta = f64::min(1e-4, 0.5 * theta.max(1e-8));
        let (a, b) = (theta - delta, f64::min(theta + delta, 1.0));
        let at_a = self.value_at(hybrid, piece, root, a);
        let at_b = self.value_at(hybrid, piece, root, b);
        (at_b - at_a) / (b - a)
    }

    /// The value of one root, derivatives included.
    pub fn root<H: Hybrid<S> + ?Sized>(&mut self, hybrid: &mut H, root: usize, t: S, x: &[S]) -> S {
        hybrid.root_values(t, x, &mut self.g);
        self.g[root]
    }
}

/// Whether a reading tells the side of a root, whose value is known up to `noise`.
fn settles(value: f64, noise: f64) -> bool {
    value.abs() > noise
}

/// Whether |g| may have a minimum between two readings of one side, judged by the slopes there that the readings
/// beyond them suggest.
fn dips(
    before: Option<(f64, f64)>,
    left: (f64, f64),
    right: (f64, f64),
    after: Option<(f64, f64)>,
) -> bool {
    let slope = |a: (f64, f64), b: (f64, f64)| (b.1.abs() - a.1.abs()) / (b.0 - a.0);
    let across = slope(left, right);
    let earlier = before.map(|before| slope(before, left));
    let later = after.map(|after| slope(right, after));
    let at_left = match (earlier, later) {
        (Some(earlier), _) => 0.5 * (earlier + across),
        (None, Some(later)) => across - 0.5 * (later - across),
        (None, None) => across,
    };
    let at_right = match (later, earlier) {
        (Some(later), _) => 0.5 * (across + later),
        (None, Some(earlier)) => across + 0.5 * (across - earlier),
        (None, None) => across,
    };
    at_left < 0.0 && at_right > 0.0
}
