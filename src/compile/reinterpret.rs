//! Dual numbers seen as the plain numbers they are made of: how native code over `f64` reads and writes them.
//!
//! An array of m dual numbers with N directions is an array of m (N + 1) numbers: value, N tangents, value, ...

use std::mem::{align_of, size_of};

use costate_adjoint::Dual;

/// Holds for every N, or the crate does not compile.
struct Layout<const N: usize>;

impl<const N: usize> Layout<N> {
    const AS_NUMBERS: () = assert!(
        size_of::<Dual<N>>() == (N + 1) * size_of::<f64>()
            && align_of::<Dual<N>>() == align_of::<f64>()
    );
}

/// The numbers of an array of dual numbers.
#[inline]
pub(super) fn numbers<const N: usize>(duals: &[Dual<N>]) -> &[f64] {
    let () = Layout::<N>::AS_NUMBERS;
    // SAFETY: `Dual<N>` is `repr(C)`, an f64 followed by N more, of (N + 1) times the size and the same alignment
    // as f64 (asserted above), so without padding: the memory of m duals is that of m (N + 1) initialized f64;
    // the borrow's lifetime is kept.
    unsafe { std::slice::from_raw_parts(duals.as_ptr().cast(), duals.len() * (N + 1)) }
}

/// The numbers of an array of dual numbers, to write.
#[inline]
pub(super) fn numbers_mut<const N: usize>(duals: &mut [Dual<N>]) -> &mut [f64] {
    let () = Layout::<N>::AS_NUMBERS;
    // SAFETY: as in `numbers`; the exclusive borrow is kept, and any f64 may be written into any part of a dual.
    unsafe { std::slice::from_raw_parts_mut(duals.as_mut_ptr().cast(), duals.len() * (N + 1)) }
}
