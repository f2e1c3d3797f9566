//! Rodas5P, the default for stiff systems: a stiffly accurate Rosenbrock-Wanner pair of orders 5(4).
//!
//! Eight stages of the scheme in [`super`]; L-stable and stiffly accurate, the order reduced little on stiff and
//! differential-algebraic problems (the "P" is for Prothero and Robinson's). Dense output of order 4 needs no
//! further evaluations.
//!
//! Cost of an accepted step: one J and f_t, one LU, nine f, nine solves. A rejected step keeps f, J and
//! f_t and repeats the LU.
//!
//! Stages ([`crate::Method::stages`]): u_1, ..., u_8, each n long, in this order.
//!
//! Use it for stiff systems of up to a few hundred states and tolerances from 1e-4 to about 1e-10; `Rodas4` and
//! `Rodas3` have cheaper steps where less is asked for.
//!
//! Source: G. Steinebach, Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within
//! the Julia Differential Equations package, BIT 63:27 (2023), doi 10.1007/s10543-023-00967-x. The
//! coefficients agree digit for digit in two independent public implementations (SciML's
//! OrdinaryDiffEq.jl, and GridKit), and tests check their order conditions.

use super::tableau::Tableau;

/// Number of stages.
pub const STAGES: usize = 8;

/// gamma: W = I / (h gamma) - J.
pub const GAMMA: f64 = 0.21193756319429014;

/// Nodes alpha_i: stage i evaluates f at t + alpha_i h.
pub const ALPHA: [f64; 8] = [
    0.0,
    0.6358126895828704,
    0.4095798393397535,
    0.9769306725060716,
    0.4288403609558664,
    1.0,
    1.0,
    1.0,
];

/// Weights d_i of h f_t.
pub const D: [f64; 8] = [
    GAMMA,
    -0.42387512638858027,
    -0.3384627126235924,
    1.8046452872882734,
    2.325825639765069,
    0.0,
    0.0,
    0.0,
];

/// Weights a_ij of the argument of stage i.
pub const A: [[f64; 8]; 8] = [
    [0.0; 8],
    [3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [
        2.849394379747939,
        0.45842242204463923,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        -6.954028509809101,
        2.489845061869568,
        -10.358996098473584,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        2.8029986275628964,
        0.5072464736228206,
        -0.3988312541770524,
        -0.04721187230404641,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [M[0], M[1], M[2], M[3], M[4], 0.0, 0.0, 0.0],
    [M[0], M[1], M[2], M[3], M[4], 1.0, 0.0, 0.0],
    [M[0], M[1], M[2], M[3], M[4], 1.0, 1.0, 0.0],
];

/// Weights c_ij / h of earlier u_j on the right-hand side of stage i.
pub const C: [[f64; 8]; 8] = [
    [0.0; 8],
    [-14.155112264123755, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [
        -17.97296035885952,
        -2.859693295451294,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        147.12150275711716,
        -1.41221402718213,
        71.68940251302358,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        165.43517024871676,
        -0.4592823456491126,
        42.90938336958603,
        -5.961986721573306,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        24.854864614690072,
        -3.0009227002832186,
        47.4931110020768,
        5.5814197821558125,
        -0.6610691825249471,
        0.0,
        0.0,
        0.0,
    ],
    [
        30.91273214028599,
        -3.1208243349937974,
        77.79954646070892,
        34.28646028294783,
        -19.097331116725623,
        -28.087943162872662,
        0.0,
        0.0,
    ],
    [
        37.80277123390563,
        -3.2571969029072276,
        112.26918849496327,
        66.9347231244047,
        -40.06618937091002,
        -54.66780262877968,
        -9.48861652309627,
        0.0,
    ],
];

/// Weights m_i of the solution: x_new = x + sum m_i u_i. (The embedded solution of order 4 leaves out u_8.)
pub const M: [f64; 8] = [
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
    1.0,
    1.0,
    1.0,
];

/// Rows H_1, H_2, H_3 of the dense output; see [`super::tableau::dense_weights`].
pub const H: [[f64; 8]; 3] = [
    [
        25.948786856663858,
        -2.5579724845846235,
        10.433815404888879,
        -2.3679251022685204,
        0.524948541321073,
        1.1241088310450404,
        0.4272876194431874,
        -0.17202221070155493,
    ],
    [
        -9.91568850695171,
        -0.9689944594115154,
        3.0438037242978453,
        -24.495224566215796,
        20.176138334709044,
        15.98066361424651,
        -6.789040303419874,
        -6.710236069923372,
    ],
    [
        11.419903575922262,
        2.8879645146136994,
        72.92137995996029,
        80.12511834622643,
        -52.072871366152654,
        -59.78993625266729,
        -0.15582684282751913,
        4.883087185713722,
    ],
];

/// The numbers above as a [`Tableau`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const GAMMA: f64 = GAMMA;
    const ALPHA: &'static [f64] = &ALPHA;
    const D: &'static [f64] = &D;
    const A: &'static [&'static [f64]] = &[&A[0], &A[1], &A[2], &A[3], &A[4], &A[5], &A[6], &A[7]];
    const C: &'static [&'static [f64]] = &[&C[0], &C[1], &C[2], &C[3], &C[4], &C[5], &C[6], &C[7]];
    const M: &'static [f64] = &M;
    const H: &'static [&'static [f64]] = &[&H[0], &H[1], &H[2]];
    const DENSE_STAGE: bool = false;
    const INSIDE: f64 = 0.4;
}
