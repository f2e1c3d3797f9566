//! Gradients forward: by dual numbers in chunks of directions, and by central differences for a second opinion.
//!
//! A gradient in d directions takes `ceil(d / 8)` solves over [`Dual`] numbers of at most 8 tangents. The
//! tangents ride along in the solver's own operations, so that values and steps are those of a plain solve, and
//! the gradient is that of the steps taken, exact to rounding. Forward is the cheaper way for few directions
//! (about d < 4 + 2 n), the adjoint for many.
//!
//! [`gradient_by_differences`] perturbs its variables instead. Over a solve with free step sizes the error
//! control makes the objective rough; evaluate it along a recorded mesh ([`costate_solvers::replay`]), where it is
//! smooth and differences reach about ten digits.

use crate::dual::Dual;

/// An objective that can be evaluated over dual numbers of any size.
pub trait DualObjective {
    /// Why an evaluation can fail.
    type Error;
    /// The objective at the given variables (typically: make a system over `Dual<N>`, integrate, reduce).
    fn evaluate<const N: usize>(&mut self, variables: &[Dual<N>]) -> Result<Dual<N>, Self::Error>;
}

/// Value of the objective at `variables` and, in `gradient[i]`, its derivative in `variables[directions[i]]`. With
/// no directions the objective is still evaluated, for its value. Directions past the variables are 0.
pub fn gradient_by_duals<O: DualObjective>(
    objective: &mut O,
    variables: &[f64],
    directions: &[usize],
    gradient: &mut [f64],
) -> Result<f64, O::Error> {
    let mut done = 0;
    loop {
        let left = &directions[done..];
        let to = gradient.get_mut(done..).unwrap_or_default();
        let value = match left.len() {
            0 | 1 => chunk::<1, O>(objective, variables, left, to),
            2 => chunk::<2, O>(objective, variables, left, to),
            3 | 4 => chunk::<4, O>(objective, variables, left, to),
            _ => chunk::<8, O>(objective, variables, left, to),
        }?;
        done += 8;
        if done >= directions.len() {
            return Ok(value);
        }
    }
}

/// The first N of the directions.
fn chunk<const N: usize, O: DualObjective>(
    objective: &mut O,
    variables: &[f64],
    directions: &[usize],
    gradient: &mut [f64],
) -> Result<f64, O::Error> {
    let mut seeded: Vec<Dual<N>> = variables.iter().map(|&v| Dual::constant(v)).collect();
    for (k, &direction) in directions.iter().take(N).enumerate() {
        if let Some(variable) = seeded.get_mut(direction) {
            // A direction asked for twice moves the variable in both.
            variable.tangent[k] = 1.0;
        }
    }
    let result = objective.evaluate(&seeded)?;
    for ((to, from), _) in gradient.iter_mut().zip(result.tangent).zip(directions) {
        *to = from;
    }
    Ok(result.value)
}

/// Central differences of `objective` at `variables` in the given directions, two evaluations each; the step is
/// `eps^(1/3)` of the variable's magnitude (of 1 where it is 0), where truncation and rounding balance.
pub fn gradient_by_differences<E>(
    mut objective: impl FnMut(&[f64]) -> Result<f64, E>,
    variables: &[f64],
    directions: &[usize],
    gradient: &mut [f64],
) -> Result<(), E> {
    let mut moved = variables.to_vec();
    for (&direction, to) in directions.iter().zip(gradient) {
        let Some(&center) = variables.get(direction) else {
            *to = 0.0;
            continue;
        };
        let size = if center == 0.0 { 1.0 } else { center.abs() };
        let step = f64::EPSILON.cbrt() * size;
        let (above, below) = (center + step, center - step);
        moved[direction] = above;
        let upper = objective(&moved)?;
        moved[direction] = below;
        let lower = objective(&moved)?;
        moved[direction] = center;
        // The difference of the points as rounded, not twice the step.
        *to = (upper - lower) / (above - below);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use costate_solvers::Real;
    use std::convert::Infallible;

    /// sum_i (i + 1) exp(v_i / 10) + v_0 v_last
    struct Sum {
        sizes: Vec<usize>,
    }

    fn sum<S: Real>(v: &[S]) -> S {
        let mut sum = v[0] * v[v.len() - 1];
        for (i, &v) in v.iter().enumerate() {
            sum += (v * 0.1).exp() * (i as f64 + 1.0);
        }
        sum
    }

    impl DualObjective for Sum {
        type Error = Infallible;
        fn evaluate<const N: usize>(&mut self, v: &[Dual<N>]) -> Result<Dual<N>, Infallible> {
            self.sizes.push(N);
            Ok(sum(v))
        }
    }

    #[test]
    fn chunks_cover_every_direction_with_the_smallest_sizes() {
        let v: Vec<f64> = (0..25).map(|i| 0.3 * f64::from(i) - 2.0).collect();
        let expected = |i: usize| {
            let cross = match i {
                0 => v[24],
                24 => v[0],
                _ => 0.0,
            };
            0.1 * (i as f64 + 1.0) * (0.1 * v[i]).exp() + cross
        };
        for (count, sizes) in [
            (0, vec![1]),
            (1, vec![1]),
            (2, vec![2]),
            (3, vec![4]),
            (8, vec![8]),
            (12, vec![8, 4]),
            (25, vec![8, 8, 8, 1]),
        ] {
            let directions: Vec<usize> = (0..count).rev().collect();
            let mut by_duals = vec![f64::NAN; count];
            let mut by_differences = by_duals.clone();
            let mut objective = Sum { sizes: Vec::new() };
            let Ok(value) = gradient_by_duals(&mut objective, &v, &directions, &mut by_duals);
            let Ok(()) = gradient_by_differences(
                |v| Ok::<_, Infallible>(sum(v)),
                &v,
                &directions,
                &mut by_differences,
            );
            assert_eq!((value, objective.sizes), (sum(&v), sizes));
            for (k, &i) in directions.iter().enumerate() {
                assert!((by_duals[k] - expected(i)).abs() < 1e-13 * expected(i).abs().max(1.0));
                assert!((by_differences[k] - expected(i)).abs() < 1e-7);
            }
        }
    }
}
