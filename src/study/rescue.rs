//! Solves of an objective that meet stiffness, where the method was chosen for a system that had none at the file's values.
//!
//! Far from there, as the starts of a fit are, reactions can be a million times faster, and an explicit method takes a million steps. Hairer's
//! test (Hairer and Wanner, Solving Ordinary Differential Equations II, 1996, sec. IV.2, doi 10.1007/978-3-642-05221-7) sees that after some
//! fifteen; the stiff method then solves in its place. What is solved by which method depends on the parameters alone, never on
//! what was solved before.

use costate_solvers::SolveError;

use super::error::StudyError;
use super::objective::Objective;
use super::solving::{Choice, Solving};
use crate::scenario::SolverMethod;

impl Solving {
    /// The same, ending where an explicit method that `auto` chose meets stiffness.
    pub(super) fn watching_stiffness(mut self) -> Self {
        let watched = self.choice == Choice::NonStiff && self.stepper == SolverMethod::Tsit5;
        self.options.stiffness_test |= watched;
        self
    }

    /// Whether a solve that ended so is done again by the stiff method.
    pub(super) fn rescues(&self, error: &StudyError) -> bool {
        let stiff = matches!(
            error,
            StudyError::Solve {
                error: SolveError::Stiff { .. },
                ..
            }
        );
        stiff && self.choice == Choice::NonStiff
    }

    /// The same by the stiff method.
    fn stiff(&self, error: &StudyError) -> Self {
        let mut stiff = self.clone();
        stiff.stepper = SolverMethod::Rodas5p;
        stiff.options.stiffness_test = false;
        if let StudyError::Solve {
            error:
                SolveError::Stiff {
                    t,
                    step_times_eigenvalue,
                },
            ..
        } = *error
        {
            stiff.choice = Choice::Stiff {
                t,
                step_times_eigenvalue,
            };
        }
        stiff
    }
}

impl Objective<'_> {
    /// Work on the objective, by the stiff method where it meets stiffness.
    pub(super) fn rescued<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, StudyError>,
    ) -> Result<T, StudyError> {
        let error = match work(self) {
            Err(error) if self.solving.rescues(&error) => error,
            done => return done,
        };
        let mut stiff = match self.stiff.take() {
            Some(stiff) => stiff,
            None => Box::new(Self::new(
                self.study,
                self.solving.stiff(&error),
                self.stop,
            )?),
        };
        let done = work(&mut stiff);
        std::mem::swap(&mut self.left, &mut stiff.left);
        super::lane::add(&mut self.statistics, std::mem::take(&mut stiff.statistics));
        self.stiff = Some(stiff);
        done
    }
}
