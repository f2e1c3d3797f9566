//! Loops in native code, their rows shared among threads where there is work enough.

use std::ops::Range;
use std::ptr;

use super::nest::Nest;
use crate::compile::function::MAX_ARRAYS;
use crate::compile::native::loops::LoopCode;
use crate::compile::team;

/// Operations of a nest from which threads share it: some hundred microseconds of work, threads being woken in a few.
const SHARED_WORK: usize = 500_000;
/// Operations of one share at least.
const LEAST_SHARE: usize = 100_000;

/// Addresses of the arrays of a call.
struct Addresses {
    inputs: [*const f64; MAX_ARRAYS],
    outputs: [*mut f64; MAX_ARRAYS],
    shared: *mut f64,
}

impl Addresses {
    /// Runs some rows.
    ///
    /// # Safety
    ///
    /// As for [`LoopCode::run`].
    unsafe fn run(&self, code: &LoopCode, rows: Range<u64>) {
        // SAFETY: promised by the caller.
        unsafe { code.run(&self.inputs, &self.outputs, self.shared, rows) };
    }
}

// SAFETY: the arrays are borrowed for the call that hands these out; threads read inputs and shared numbers, and each
// writes the places of its own rows alone, be it in outputs or among the shared numbers, where no one reads them yet.
unsafe impl Sync for Addresses {}

/// Runs the loops of a nest. The caller has checked the arrays' lengths.
pub(super) fn call(
    code: &LoopCode,
    nest: &Nest,
    inputs: &[&[f64]],
    outputs: &mut [&mut [f64]],
    shared: &mut [f64],
) {
    let mut addresses = Addresses {
        inputs: [ptr::null(); MAX_ARRAYS],
        outputs: [ptr::null_mut(); MAX_ARRAYS],
        shared: shared.as_mut_ptr(),
    };
    for (to, array) in addresses.inputs.iter_mut().zip(inputs) {
        *to = array.as_ptr();
    }
    for (to, array) in addresses.outputs.iter_mut().zip(outputs) {
        *to = array.as_mut_ptr();
    }
    let rows = nest.extents.first().map_or(0, |&rows| u64::from(rows));
    let addresses = &addresses;
    let run = |rows: Range<u64>| {
        // SAFETY: the code was generated for this nest; whoever made it gave the function the lengths of its inputs and
        // outputs, which were checked; shared numbers are as many as its stages have; outputs are borrowed exclusively
        // and no two threads have the same rows.
        unsafe { addresses.run(code, rows) };
    };
    let work = nest.places().saturating_mul(nest.weight);
    if work < SHARED_WORK || rows < 2 || rayon::current_num_threads() < 2 {
        return run(0..rows);
    }
    let shares = (work / LEAST_SHARE).min(4 * rayon::current_num_threads());
    let shares = (shares as u64).clamp(1, rows);
    let bounds = |k: u64| k * rows / shares;
    team::for_each(shares as usize, &|k| {
        run(bounds(k as u64)..bounds(k as u64 + 1));
    });
}
