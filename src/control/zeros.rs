//! Transmission zeros: where G(s) = 0.
//!
//! With relative degree r, c A^(r-1) b being the first of d, c b, c A b, ... that is not 0, the motions with output 0 lie in
//! the kernel of c, c A, ..., c A^(r-1), and there x' = (A - b c A^r/(c A^(r-1) b)) x: the zeros are that matrix's eigenvalues
//! on the kernel. (A. Isidori, Nonlinear Control Systems, 3rd edition, 1995, section 4.3.)

use nalgebra::{Complex, DMatrix};

use super::{StateSpace, eigenvalues};

/// A Markov parameter by this part of what its factors' sizes allow is 0.
const NOTHING: f64 = 1e-12;

impl StateSpace {
    /// The zeros by real part, then imaginary part; none where G = 0.
    pub fn zeros(&self) -> Vec<Complex<f64>> {
        let n = self.a.nrows();
        if n == 0 {
            return Vec::new();
        }
        if self.d != 0.0 {
            return eigenvalues(&(&self.a - &self.b * &self.c / self.d));
        }
        let mut rows = Vec::new();
        let mut row = self.c.clone();
        for _ in 0..n {
            let gain = (&row * &self.b)[0];
            rows.push(row.clone());
            let next = &row * &self.a;
            if gain.abs() > NOTHING * row.norm() * self.b.norm() {
                let held = &self.a - &self.b * &next / gain;
                return on_kernel(&held, &rows);
            }
            row = next;
        }
        Vec::new()
    }
}

/// Eigenvalues of a matrix on the kernel, which it leaves in itself, of some rows.
fn on_kernel(matrix: &DMatrix<f64>, rows: &[nalgebra::RowDVector<f64>]) -> Vec<Complex<f64>> {
    let n = matrix.nrows();
    let left = n - rows.len().min(n);
    if left == 0 {
        return Vec::new();
    }
    // an orthonormal basis of the rows, then of what is orthogonal to them
    let mut basis: Vec<nalgebra::DVector<f64>> = Vec::new();
    let units = (0..n).map(|k| nalgebra::DVector::from_fn(n, |i, _| f64::from(u8::from(i == k))));
    let rows = rows.iter().map(|row| row.transpose().normalize());
    for (place, mut vector) in rows.chain(units).enumerate() {
        for _ in 0..2 {
            for other in &basis {
                let along = other.dot(&vector);
                vector -= other * along;
            }
        }
        let size = vector.norm();
        if size > if place < n - left { 1e-300 } else { 1e-8 } && basis.len() < n {
            basis.push(vector / size);
        }
    }
    if basis.len() < n {
        return Vec::new();
    }
    let kernel = DMatrix::from_columns(&basis[n - left..]);
    eigenvalues(&(kernel.transpose() * matrix * &kernel))
}
