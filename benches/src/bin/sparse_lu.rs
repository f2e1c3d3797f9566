//! Prints what a numeric refactorization of a sparse matrix and a solve take: Costate, SuiteSparse's KLU, faer.
//!
//! ```sh
//! cargo run --release --manifest-path benches/Cargo.toml --bin sparse_lu --features klu
//! ```
//!
//! (the feature `klu` needs SuiteSparse's library, Debian's libsuitesparse-dev). The matrix is
//! W = I / (h gamma) - J of the heat equation on a grid of N by N points, J the 5-point Laplacian. The pattern is
//! analyzed and pivots are chosen before; each row then factors new values and solves once, one thread.

use std::time::{Duration, Instant};

use costate_solvers::Pattern;
use costate_solvers::linalg::SparseLu;

/// Refactors with `values` and solves for `b` in place.
trait Rival {
    fn name(&self) -> &'static str;
    fn refactor(&mut self, values: &[f64]);
    fn solve(&mut self, b: &mut [f64]);
    fn stored(&self) -> Option<usize> {
        None
    }
}

struct Costate(SparseLu);

impl Rival for Costate {
    fn name(&self) -> &'static str {
        "costate"
    }
    fn refactor(&mut self, values: &[f64]) {
        assert!(self.0.refactor(values));
    }
    fn solve(&mut self, b: &mut [f64]) {
        self.0.solve(b);
    }
    fn stored(&self) -> Option<usize> {
        Some(self.0.factor_non_zeros())
    }
}

mod faer_side {
    use faer::dyn_stack::{MemBuffer, MemStack};
    use faer::sparse::linalg::lu::{
        LuSymbolicParams, NumericLu, SymbolicLu, factorize_symbolic_lu,
    };
    use faer::sparse::{SparseColMatRef, SymbolicSparseColMat};
    use faer::{Conj, MatMut, Par};

    pub struct Faer {
        pattern: SymbolicSparseColMat<usize>,
        symbolic: SymbolicLu<usize>,
        numeric: NumericLu<usize, f64>,
        memory: MemBuffer,
    }

    impl Faer {
        pub fn new(pattern: &costate_solvers::Pattern) -> Self {
            let n = pattern.columns();
            let pattern = SymbolicSparseColMat::new_checked(
                n,
                n,
                pattern.starts.clone(),
                None,
                pattern.rows.clone(),
            );
            let symbolic = factorize_symbolic_lu(pattern.as_ref(), LuSymbolicParams::default())
                .expect("a symbolic factorization");
            let need = symbolic.factorize_numeric_lu_scratch::<f64>(Par::Seq, Default::default());
            let memory =
                MemBuffer::new(need.or(symbolic.solve_in_place_scratch::<f64>(1, Par::Seq)));
            Self {
                pattern,
                symbolic,
                numeric: NumericLu::new(),
                memory,
            }
        }
    }

    impl super::Rival for Faer {
        fn name(&self) -> &'static str {
            "faer"
        }
        fn refactor(&mut self, values: &[f64]) {
            let matrix = SparseColMatRef::new(self.pattern.as_ref(), values);
            self.symbolic
                .factorize_numeric_lu(
                    &mut self.numeric,
                    matrix,
                    Par::Seq,
                    MemStack::new(&mut self.memory),
                    Default::default(),
                )
                .expect("a regular matrix");
        }
        fn solve(&mut self, b: &mut [f64]) {
            let n = b.len();
            let lu =
                { faer::sparse::linalg::lu::LuRef::new_unchecked(&self.symbolic, &self.numeric) };
            lu.solve_in_place_with_conj(
                Conj::No,
                MatMut::from_column_major_slice_mut(b, n, 1),
                Par::Seq,
                MemStack::new(&mut self.memory),
            );
        }
    }
}

#[cfg(feature = "klu")]
mod klu {
    use std::ffi::{c_int, c_void};
    use std::ptr::null_mut;

    #[link(name = "klu")]
    unsafe extern "C" {
        fn klu_defaults(common: *mut c_void) -> c_int;
        fn klu_analyze(
            n: c_int,
            ap: *mut c_int,
            ai: *mut c_int,
            common: *mut c_void,
        ) -> *mut c_void;
        fn klu_factor(
            ap: *mut c_int,
            ai: *mut c_int,
            ax: *mut f64,
            symbolic: *mut c_void,
            common: *mut c_void,
        ) -> *mut c_void;
        fn klu_refactor(
            ap: *mut c_int,
            ai: *mut c_int,
            ax: *mut f64,
            symbolic: *mut c_void,
            numeric: *mut c_void,
            common: *mut c_void,
        ) -> c_int;
        fn klu_solve(
            symbolic: *mut c_void,
            numeric: *mut c_void,
            ldim: c_int,
            nrhs: c_int,
            b: *mut f64,
            common: *mut c_void,
        ) -> c_int;
        fn klu_free_symbolic(symbolic: *mut *mut c_void, common: *mut c_void) -> c_int;
        fn klu_free_numeric(numeric: *mut *mut c_void, common: *mut c_void) -> c_int;
    }

    pub struct Klu {
        starts: Vec<c_int>,
        rows: Vec<c_int>,
        values: Vec<f64>,
        /// a `klu_common` (some 160 bytes), only touched by KLU itself
        common: Box<[u64; 128]>,
        symbolic: *mut c_void,
        numeric: *mut c_void,
    }

    impl Klu {
        pub fn new(pattern: &costate_solvers::Pattern, values: &[f64]) -> Self {
            let int = |v: &Vec<usize>| v.iter().map(|&i| i as c_int).collect::<Vec<_>>();
            let mut klu = Self {
                starts: int(&pattern.starts),
                rows: int(&pattern.rows),
                values: values.to_vec(),
                common: Box::new([0; 128]),
                symbolic: null_mut(),
                numeric: null_mut(),
            };
            let common = klu.common.as_mut_ptr().cast();
            let (ap, ai) = (klu.starts.as_mut_ptr(), klu.rows.as_mut_ptr());
            // SAFETY: a valid compressed-column matrix of `int` indices, and a `common` larger than KLU's.
            unsafe {
                klu_defaults(common);
                klu.symbolic = klu_analyze(pattern.columns() as c_int, ap, ai, common);
                klu.numeric = klu_factor(ap, ai, klu.values.as_mut_ptr(), klu.symbolic, common);
            }
            assert!(!klu.numeric.is_null());
            klu
        }
    }

    impl super::Rival for Klu {
        fn name(&self) -> &'static str {
            "KLU"
        }
        fn refactor(&mut self, values: &[f64]) {
            self.values.copy_from_slice(values);
            // SAFETY: the matrix of `new` with other values, and KLU's own objects.
            let done = unsafe {
                klu_refactor(
                    self.starts.as_mut_ptr(),
                    self.rows.as_mut_ptr(),
                    self.values.as_mut_ptr(),
                    self.symbolic,
                    self.numeric,
                    self.common.as_mut_ptr().cast(),
                )
            };
            assert_eq!(done, 1);
        }
        fn solve(&mut self, b: &mut [f64]) {
            let n = b.len() as c_int;
            let common = self.common.as_mut_ptr().cast();
            // SAFETY: one right-hand side of n numbers, and KLU's own objects.
            let done =
                unsafe { klu_solve(self.symbolic, self.numeric, n, 1, b.as_mut_ptr(), common) };
            assert_eq!(done, 1);
        }
    }

    impl Drop for Klu {
        fn drop(&mut self) {
            let common = self.common.as_mut_ptr().cast();
            // SAFETY: KLU's own objects, freed once.
            unsafe {
                klu_free_numeric(&mut self.numeric, common);
                klu_free_symbolic(&mut self.symbolic, common);
            }
        }
    }
}

/// The 5-point Laplacian on a grid of n by n points: its pattern and values.
fn laplacian(n: usize) -> (Pattern, Vec<f64>) {
    let mut entries = Vec::new();
    for i in 0..n {
        for j in 0..n {
            let k = i * n + j;
            entries.push((k, k));
            if i + 1 < n {
                entries.extend([(k, k + n), (k + n, k)]);
            }
            if j + 1 < n {
                entries.extend([(k, k + 1), (k + 1, k)]);
            }
        }
    }
    let pattern = Pattern::from_entries(n * n, n * n, &entries);
    let inverse_square = ((n + 1) * (n + 1)) as f64;
    let values = (0..n * n)
        .flat_map(|column| {
            let rows = &pattern.rows[pattern.starts[column]..pattern.starts[column + 1]];
            rows.iter()
                .map(move |&row| if row == column { -4.0 } else { 1.0 } * inverse_square)
        })
        .collect();
    (pattern, values)
}

/// W = I / (h gamma) - J.
fn iteration_matrix(pattern: &Pattern, jacobian: &[f64], inverse_h_gamma: f64) -> Vec<f64> {
    let mut values: Vec<f64> = jacobian.iter().map(|j| -j).collect();
    for column in 0..pattern.columns() {
        for k in pattern.starts[column]..pattern.starts[column + 1] {
            if pattern.rows[k] == column {
                values[k] += inverse_h_gamma;
            }
        }
    }
    values
}

/// The largest entry of b - W x.
fn residual(pattern: &Pattern, values: &[f64], x: &[f64], b: &[f64]) -> f64 {
    let mut r = b.to_vec();
    for column in 0..pattern.columns() {
        for k in pattern.starts[column]..pattern.starts[column + 1] {
            r[pattern.rows[k]] -= values[k] * x[column];
        }
    }
    r.iter().fold(0.0, |m: f64, r| m.max(r.abs()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn main() {
    for side in [32, 100] {
        let (pattern, jacobian) = laplacian(side);
        let n = side * side;
        let matrices: Vec<Vec<f64>> = [3e-4, 2e-4, 5e-5]
            .iter()
            .map(|h| iteration_matrix(&pattern, &jacobian, 1.0 / (h * 0.21)))
            .collect();
        let b: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
        let mut rivals: Vec<Box<dyn Rival>> = vec![
            Box::new(Costate(SparseLu::new(&pattern))),
            Box::new(faer_side::Faer::new(&pattern)),
            #[cfg(feature = "klu")]
            Box::new(klu::Klu::new(&pattern, &matrices[0])),
        ];
        println!("5-point grid of {side} by {side}: {n} unknowns; medians, microseconds");
        println!(
            "{:10} {:>9} {:>9} {:>10}",
            "", "refactor", "solve", "residual"
        );
        let repeats = 200_000 / n as u32;
        let rounds = 31;
        let mut times = vec![[Vec::new(), Vec::new()]; rivals.len()];
        for round in 0..rounds + 1 {
            for (rival, times) in rivals.iter_mut().zip(&mut times) {
                let mut spent = [Duration::ZERO; 2];
                for k in 0..repeats {
                    let matrix = &matrices[k as usize % matrices.len()];
                    let mut x = b.clone();
                    let start = Instant::now();
                    rival.refactor(matrix);
                    spent[0] += start.elapsed();
                    let start = Instant::now();
                    rival.solve(&mut x);
                    spent[1] += start.elapsed();
                }
                // the first round warms caches
                if round > 0 {
                    times[0].push(spent[0] / repeats);
                    times[1].push(spent[1] / repeats);
                }
            }
        }
        for (rival, times) in rivals.iter_mut().zip(times) {
            let [refactor, solve] = times.map(|t| median(t).as_secs_f64() * 1e6);
            let mut x = b.clone();
            rival.refactor(&matrices[1]);
            rival.solve(&mut x);
            let residual = residual(&pattern, &matrices[1], &x, &b);
            print!(
                "{:10} {refactor:9.1} {solve:9.1} {residual:10.1e}",
                rival.name()
            );
            match rival.stored() {
                Some(stored) => println!("   {stored} numbers stored"),
                None => println!(),
            }
        }
        println!();
    }
}
