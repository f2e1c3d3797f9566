//! Directions of derivatives for a run cut into pieces: states at cuts that no row sees together are moved together.
//!
//! What happens in a piece depends on the states at its own beginning alone, beside the controls and whatever else all pieces share. So the j-th states at
//! every second cut are moved in one direction (Curtis, Powell and Reid 1974, doi 10.1093/imamat/13.1.117): for n states, 2 n
//! directions serve any number of pieces,
//!
//! ```text
//! dc_r/ds_kj       = (dc/dd)_r, d the direction of s_kj,         where row r is read in piece k
//! d2L/ds_ki ds_kj  = (d2L/ds_ki dd),     d2L/ds_ki ds_lj = 0     for pieces k != l
//! d2L/ds_ki du     = d2L/du ds_ki                                for every shared u, which has a direction of its own
//! ```
//!
//! The second line asks that the Lagrangian is a sum over pieces: that no row multiplies what is read in one by what is read in another.

use nalgebra::DMatrix;

use super::margins::is_margin;
use super::problem::{TuneProblem, windows};
use super::shooting::Pieces;
use crate::study::error::StudyError;
use crate::study::functional::Directions;

/// Functionals that read the whole run, each differentiated by a sweep of its own beside states at cuts that are moved together.
const MOST_WHOLE: usize = 8;

/// Where a run is cut, and what is found there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cuts {
    /// the first state at a cut among the variables; the others follow, cut by cut
    pub first: usize,
    /// states a cut
    pub states: usize,
    /// pieces, one more than there are cuts
    pub pieces: usize,
}

impl Cuts {
    /// The first and the last piece that a stretch of the span meets, both ends given as shares of it.
    pub fn met(&self, from: f64, to: f64) -> [usize; 2] {
        // (a reading at a cut may be of either side)
        let reach = 1e-9;
        let piece = |share: f64| {
            let place = (share * self.pieces as f64).floor().max(0.0) as usize;
            place.min(self.pieces - 1)
        };
        [piece(from - reach), piece(to + reach)]
    }

    /// All states at cuts: variable, piece that it begins, number of the state.
    fn all(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        (1..self.pieces).flat_map(move |piece| {
            (0..self.states).map(move |state| (self.variable(piece, state), piece, state))
        })
    }

    fn variable(&self, piece: usize, state: usize) -> usize {
        self.first + (piece - 1) * self.states + state
    }

    fn direction(&self, piece: usize, state: usize) -> usize {
        self.first + (piece % 2) * self.states + state
    }

    /// The direction of each variable.
    pub fn directions(&self) -> Directions {
        let mut of: Vec<usize> = (0..self.first).collect();
        of.extend(
            self.all()
                .map(|(_, piece, state)| self.direction(piece, state)),
        );
        Directions {
            of,
            count: self.first + 2 * self.states,
        }
    }

    /// Whether rows that meet these pieces tell the directions of their states apart.
    pub fn tells_apart(&self, [first, last]: [usize; 2]) -> bool {
        last - first < 2
    }

    /// The derivatives of a row by all variables, from those in all directions.
    pub fn row(&self, by_direction: &[f64], [first, last]: [usize; 2], row: &mut [f64]) {
        row.fill(0.0);
        row[..self.first].copy_from_slice(&by_direction[..self.first]);
        for (variable, piece, state) in self.all() {
            if (first..=last).contains(&piece) {
                row[variable] = by_direction[self.direction(piece, state)];
            }
        }
    }

    /// The Hessian from its products with all directions.
    pub fn hessian(&self, products: &DMatrix<f64>) -> DMatrix<f64> {
        let m = products.nrows();
        let mut hessian = DMatrix::zeros(m, m);
        for k in 0..self.first {
            hessian.set_column(k, &products.column(k));
        }
        for (variable, piece, state) in self.all() {
            for k in 0..self.first {
                hessian[(k, variable)] = products[(variable, k)];
            }
            let direction = self.direction(piece, state);
            for other in 0..self.states {
                let row = self.variable(piece, other);
                hessian[(row, variable)] = products[(row, direction)];
            }
        }
        hessian
    }
}

impl TuneProblem<'_> {
    /// Moves states at cuts together, where that tells their derivatives apart.
    pub fn share_directions(&mut self, pieces: &Pieces) {
        let Some(cuts) = &pieces.cuts else {
            return;
        };
        if self.solving.continuous || self.solving.adjoint_on_duals().is_err() {
            return;
        }
        let windows = windows(self.study);
        let share = |k: usize| k as f64 / windows as f64;
        let mut read = vec![None];
        let runs = (self.settings.constraints.iter()).filter(|c| !is_margin(&c.expression));
        read.extend((0..runs.count()).map(|row| {
            let gap = pieces
                .gaps
                .contains(&row)
                .then(|| row - pieces.gaps.start)?;
            let cut = gap / cuts.states + 1;
            Some([cut - 1, cut])
        }));
        let last = cuts.pieces - 1;
        read.extend(self.settings.terminal.iter().map(|_| Some([last, last])));
        for path in &self.settings.path {
            let [lower, upper] = path.bounds;
            read.extend((0..=windows).map(|k| Some(cuts.met(share(k), share(k)))));
            for bound in [upper, lower] {
                if bound.is_finite() && lower != upper {
                    read.extend((0..windows).map(|k| Some(cuts.met(share(k), share(k + 1)))));
                }
            }
        }
        let apart = |met: &Option<[usize; 2]>| met.is_none_or(|met| cuts.tells_apart(met));
        let whole = read.iter().filter(|met| met.is_none()).count();
        if read.len() == self.functional.count() && read.iter().all(apart) && whole <= MOST_WHOLE {
            self.cuts = Some((cuts.clone(), read));
        }
    }

    /// The cuts, where the Lagrangian is a sum over the pieces between them.
    fn cuts_of_lagrangian(&self) -> Option<&Cuts> {
        let (cuts, read) = self.cuts.as_ref()?;
        let mut whole = (0..read.len()).filter(|&row| read[row].is_none());
        whole.all(|row| self.functional.is_sum(row)).then_some(cuts)
    }

    /// How many directions second derivatives are taken in.
    #[cfg(test)]
    pub fn directions_of_hessian(&self) -> usize {
        let cuts = self.cuts_of_lagrangian();
        cuts.map_or(self.variables.len(), |cuts| cuts.directions().count)
    }

    /// All derivatives of the functionals of a plant with parameters p, a row each.
    pub fn rows_of_run(&self, p: &[f64]) -> Result<DMatrix<f64>, StudyError> {
        let (functional, variables) = (&self.functional, &self.variables);
        let Some((cuts, read)) = &self.cuts else {
            let each = Directions::each(variables.len());
            return functional.jacobian(self.study, &self.solving, p, variables, &each);
        };
        let directions = cuts.directions();
        let shared = functional.jacobian(self.study, &self.solving, p, variables, &directions)?;
        let mut all = DMatrix::zeros(read.len(), variables.len());
        let mut row = vec![0.0; variables.len()];
        for (k, met) in read.iter().enumerate() {
            match met {
                Some(met) => {
                    let by_direction: Vec<f64> = shared.row(k).iter().copied().collect();
                    cuts.row(&by_direction, *met, &mut row);
                }
                None => {
                    let mut alone = vec![0.0; read.len()];
                    alone[k] = 1.0;
                    row = functional.weighted_gradient(
                        self.study,
                        &self.solving,
                        p,
                        variables,
                        &alone,
                    )?;
                }
            }
            for (to, from) in all.row_mut(k).iter_mut().zip(&row) {
                *to = *from;
            }
        }
        Ok(all)
    }

    /// The gradient and the Hessian of the weighted sum of the functionals of a plant with parameters p.
    pub fn hessian_of_run(
        &self,
        p: &[f64],
        weights: &[f64],
    ) -> Result<(Vec<f64>, DMatrix<f64>), StudyError> {
        let cuts = self.cuts_of_lagrangian();
        let directions = match cuts {
            Some(cuts) => cuts.directions(),
            None => Directions::each(self.variables.len()),
        };
        let (gradient, products) = self.functional.hessian_products(
            self.study,
            &self.solving,
            p,
            &self.variables,
            weights,
            &directions,
        )?;
        let hessian = match cuts {
            Some(cuts) => cuts.hessian(&products),
            None => products,
        };
        Ok((gradient, hessian))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    use nalgebra::DMatrix;

    use super::super::problem::TuneProblem;
    use super::super::shooting;
    use crate::compile::Backend;
    use crate::optimize::Constrained;
    use crate::study::Study;

    /// A pendulum with a control, events of its own, a path bound and a constraint that reads the whole run.
    fn problem_text(minimize: &str, bounded: &str) -> String {
        format!(
            r#"
[scenario]
title = "pendulum"
time = {{ start = 0.0, end = 2.0 }}

[parameters]
gain = {{ value = 0.4, tune = true, bounds = [0.0, 2.0] }}

[signals]
torque = {{ kind = "cubic-spline", knots = 5, bounds = [-5, 5], optimize = true }}

[states]
angle = {{ initial = 0.3 }}
spin = {{ initial = 0.1 }}

[equations]
angle = "spin"
spin = "torque - sin(angle) - gain*spin"

[[events]]
name = "tap"
when = "angle - 0.35"
direction = "both"
set = {{ spin = "0.9*spin + 0.02*angle" }}

[tune]
minimize = "{minimize}"
multiple_shooting = 6
guess = {{ angle = "0.3 + 0.2*t", spin = "0.3*sin(t)" }}

[[tune.constraints]]
expression = "{bounded}"
max = 3.0

[[path]]
expression = "angle*spin"
bounds = [-2.0, 2.0]

[[terminal]]
expression = "angle - 1"
equals = 0.0
"#
        )
    }

    /// Derivatives by directions of cuts, and by a direction each variable.
    fn compare(minimize: &str, bounded: &str) -> (usize, usize) {
        let (study, findings) = Study::from_text(
            &problem_text(minimize, bounded),
            Path::new("."),
            Backend::Auto,
        );
        let study = study.unwrap_or_else(|| panic!("{findings:?}"));
        let settings = study.scenario.tune.clone().expect("tune");
        let pieces = shooting::pieces(&study, &settings, 6).expect("pieces");
        let stop = AtomicBool::new(false);
        let mut by_cuts = TuneProblem::new(&pieces.study, &stop).expect("problem");
        by_cuts.share_directions(&pieces);
        let mut alone = TuneProblem::new(&pieces.study, &stop).expect("problem");
        let (n, m) = (alone.dim(), alone.constraints());
        let x = alone.start(alone.given()).expect("start");
        // (multipliers of no pattern)
        let multipliers: Vec<f64> = (0..m).map(|k| (1.7 * k as f64 + 0.3).sin()).collect();
        let mut all = Vec::new();
        let mut used = Vec::new();
        for problem in [&mut by_cuts, &mut alone] {
            let mut gradient = vec![0.0; n];
            let mut jacobian = DMatrix::zeros(m, n);
            problem
                .derivatives(&x, &mut gradient, &mut jacobian)
                .expect("derivatives");
            let mut hessian = DMatrix::zeros(n, n);
            let done = problem.hessian(&x, &multipliers, &mut hessian);
            assert!(done.expect("hessian"));
            all.push((gradient, jacobian, hessian));
            used.push(problem.directions_of_hessian());
        }
        let (of_cuts, of_each) = (&all[0], &all[1]);
        // both are exact for the same steps: rounding alone is between them
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-10 * (1.0 + b.abs());
        assert!(of_cuts.0.iter().zip(&of_each.0).all(|(a, b)| near(*a, *b)));
        assert!(of_cuts.1.iter().zip(&of_each.1).all(|(a, b)| near(*a, *b)));
        assert!(of_cuts.2.iter().zip(&of_each.2).all(|(a, b)| near(*a, *b)));
        assert!(of_each.2.iter().filter(|v| v.abs() > 1e-6).count() > 40);
        (used[0], used[1])
    }

    #[test]
    fn states_at_cuts_share_directions_where_rows_are_sums_over_pieces() {
        let sum = "integral(torque^2 + angle^2) + gain*final(spin^2)";
        // five knots, a gain and two states at five cuts
        assert_eq!(compare(sum, "at(angle*spin, 1.2)"), (10, 16));
    }

    #[test]
    fn a_product_of_what_two_pieces_do_is_differentiated_one_by_one() {
        let product = "integral(angle)^2 + at(spin, 0.5)*final(angle)";
        assert_eq!(compare(product, "maximum(spin)"), (16, 16));
    }
}
