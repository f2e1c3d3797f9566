//! Points that fill a cube evenly: the Sobol sequence, its digits scrambled.
//!
//! Point n has the coordinate x_j = v_j1 n_1 (+) v_j2 n_2 (+) ... of binary fractions, where n_1, n_2, ... are the bits of n from the
//! lowest (in Gray code's order, which only permutes the points of each block of 2^k), (+) is exclusive or, and the direction numbers
//! v_ji of dimension j follow from a primitive polynomial and few numbers (`directions`). Every block of 2^k points from the start
//! has one point in each of the 2^k equal slices along each axis, and as nearly as can be in boxes of any two axes.
//!
//! Owen's nested uniform scrambling (Owen, Randomly permuted (t,m,s)-nets and (t,s)-sequences, 1995) flips each binary digit by a
//! coin that belongs to the digits before it. That keeps these counts, makes each point uniform in the cube, and takes the first one
//! off the corner. Coins are a hash of seed, dimension and digits (splitmix64's finalizer; Steele, Lea & Flood 2014): a point's bits
//! depend on its number and the seed alone.

mod directions;

use directions::DIRECTIONS;

/// Digits of a coordinate, those of an f64.
const DIGITS: u32 = 53;

/// Most dimensions there are direction numbers for.
pub const DIMENSIONS: usize = DIRECTIONS.len() + 1;

/// The sequence in some dimensions.
pub(super) struct Sobol {
    /// `directions[j][i]` in units of 2^-53
    directions: Vec<Vec<u64>>,
    seed: u64,
}

impl Sobol {
    /// In `dimensions`, where there are no more than [`DIMENSIONS`].
    pub fn new(dimensions: usize, seed: u64) -> Option<Self> {
        (dimensions <= DIMENSIONS).then(|| Self {
            directions: (0..dimensions).map(directions_of).collect(),
            seed,
        })
    }

    /// Coordinate `dimension` of point `n`, in [0, 1).
    pub fn coordinate(&self, n: u64, dimension: usize) -> f64 {
        let key = hash(self.seed ^ hash(dimension as u64 + 1));
        as_fraction(scrambled(self.digits(n, dimension), key))
    }

    fn digits(&self, n: u64, dimension: usize) -> u64 {
        let gray = n ^ (n >> 1);
        let numbers = self.directions[dimension].iter().enumerate();
        numbers.fold(0, |x, (i, v)| x ^ if gray >> i & 1 == 1 { *v } else { 0 })
    }
}

/// v_i = m_i / 2^i, with m_i = 2 a_1 m_(i-1) (+) 4 a_2 m_(i-2) (+) ... (+) 2^s m_(i-s) (+) m_(i-s).
fn directions_of(dimension: usize) -> Vec<u64> {
    let count = DIGITS as usize;
    let mut m: Vec<u64> = Vec::with_capacity(count);
    if dimension == 0 {
        m.resize(count, 1);
    } else {
        let (inner, first) = DIRECTIONS[dimension - 1];
        let degree = first.len();
        m.extend(first.iter().map(|&m| u64::from(m)));
        for i in degree..count {
            let mut next = m[i - degree] ^ (m[i - degree] << degree);
            for k in 1..degree {
                if inner >> (degree - 1 - k) & 1 == 1 {
                    next ^= m[i - k] << k;
                }
            }
            m.push(next);
        }
    }
    let to_fraction = |(i, m): (usize, u64)| m << (DIGITS - 1 - i as u32);
    m.into_iter().enumerate().map(to_fraction).collect()
}

fn scrambled(digits: u64, key: u64) -> u64 {
    let mut flips = 0;
    for place in (0..DIGITS).rev() {
        // the digits before this one, with a mark in front that tells their number
        let before = (digits >> place >> 1) | (1 << (DIGITS - 1 - place));
        flips |= (hash(key ^ hash(before)) >> 63) << place;
    }
    digits ^ flips
}

fn as_fraction(digits: u64) -> f64 {
    digits as f64 * (0.5 * f64::EPSILON)
}

fn hash(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against scipy.stats.qmc.Sobol(100, scramble=False, bits=30) of scipy 1.17.1, whose points are in the same order.
    #[test]
    fn points_are_those_of_another_program() {
        let sobol = Sobol::new(DIMENSIONS, 0).expect("within the table");
        let expected: [(u64, [f64; 6]); 6] = [
            (1, [0.5; 6]),
            (2, [0.75, 0.25, 0.25, 0.75, 0.75, 0.75]),
            (3, [0.25, 0.75, 0.75, 0.25, 0.25, 0.25]),
            (5, [0.875, 0.875, 0.125, 0.875, 0.625, 0.375]),
            (
                1000,
                [
                    0.2197265625,
                    0.0966796875,
                    0.5185546875,
                    0.4794921875,
                    0.4462890625,
                    0.1865234375,
                ],
            ),
            (
                2047,
                [
                    0.00048828125,
                    0.62744140625,
                    0.93115234375,
                    0.75537109375,
                    0.98876953125,
                    0.86083984375,
                ],
            ),
        ];
        for (n, coordinates) in expected {
            for (j, x) in [0, 1, 2, 49, 63, 99].into_iter().zip(coordinates) {
                assert_eq!(as_fraction(sobol.digits(n, j)), x, "point {n}, axis {j}");
            }
        }
    }

    #[test]
    fn slices_and_boxes_hold_one_point_each() {
        let sobol = Sobol::new(DIMENSIONS, 5).expect("within the table");
        for j in 0..DIMENSIONS {
            let mut used: Vec<u64> = (0..64)
                .map(|n| (64.0 * sobol.coordinate(n, j)) as u64)
                .collect();
            used.sort_unstable();
            assert_eq!(used, (0..64).collect::<Vec<_>>(), "axis {j}");
        }
        // The first two axes make a net with t = 0: one point in every elementary box.
        for split in 0..=6 {
            let (a, b) = (f64::from(1 << split), f64::from(1 << (6 - split)));
            let mut boxes: Vec<(u64, u64)> = (0..64)
                .map(|n| {
                    let (x, y) = (sobol.coordinate(n, 0), sobol.coordinate(n, 1));
                    ((a * x) as u64, (b * y) as u64)
                })
                .collect();
            boxes.sort_unstable();
            boxes.dedup();
            assert_eq!(boxes.len(), 64, "{a} by {b}");
        }
    }

    #[test]
    fn seeds_and_dimensions_differ() {
        let (one, two) = (Sobol::new(3, 1), Sobol::new(3, 2));
        let (one, two) = (one.expect("three"), two.expect("three"));
        assert_ne!(one.coordinate(0, 0), two.coordinate(0, 0));
        assert_ne!(one.coordinate(0, 0), one.coordinate(0, 1));
        assert_eq!(
            one.coordinate(7, 2),
            Sobol::new(3, 1).expect("three").coordinate(7, 2)
        );
        assert!(Sobol::new(DIMENSIONS + 1, 1).is_none());
        // Uniform over seeds: mean 1/2 with standard error 0.0091.
        let mean = (0..1000)
            .map(|s| Sobol::new(1, s).expect("one").coordinate(0, 0))
            .sum::<f64>()
            / 1000.0;
        assert!((mean - 0.5).abs() < 0.04);
    }
}
