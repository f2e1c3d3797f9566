//! What one solve leaves for the next, on whatever thread it may be: each run has machine code of its own.

use std::sync::{Mutex, PoisonError};

/// Workspaces that wait.
#[derive(Debug)]
pub(super) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> Pool<T> {
    /// Work with one that fits, or else with a new one.
    pub fn with<R>(
        &self,
        fits: impl Fn(&T) -> bool,
        new: impl FnOnce() -> T,
        work: impl FnOnce(&mut T) -> R,
    ) -> R {
        let waiting = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = {
            let mut all = waiting();
            all.iter().position(fits).map(|k| all.swap_remove(k))
        };
        let mut own = found.unwrap_or_else(new);
        let done = work(&mut own);
        waiting().push(own);
        done
    }
}
