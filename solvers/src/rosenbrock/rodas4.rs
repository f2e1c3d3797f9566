//! Rodas4: a stiffly accurate Rosenbrock pair of orders 4(3), the method of the code RODAS.
//!
//! Six stages of the scheme in [`super`], L-stable, of full order on differential-algebraic problems of index 1.
//! Dense output of order 3 needs no further evaluations.
//!
//! Cost of an accepted step: one J and f_t, one LU, seven f, seven solves.
//!
//! Stages ([`crate::Method::stages`]): u_1, ..., u_6, each n long, in this order.
//!
//! Use it for stiff and differential-algebraic systems at tolerances from 1e-3 to about 1e-6.
//!
//! Source: E. Hairer & G. Wanner, Solving Ordinary Differential Equations II, 2nd ed., VI.4,
//! doi 10.1007/978-3-642-05221-7, with the coefficients of their code RODAS.

use super::tableau::Tableau;

/// Coefficients of Rodas4.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coefficients;

/// Row 5 of the a_ij, which rows 6 and m go on.
const ROW: [f64; 4] = [
    1.221224509226641,
    6.019134481288629,
    12.53708332932087,
    -0.687886036105895,
];

impl Tableau for Coefficients {
    const ORDER: u32 = 4;
    const ERROR_ORDER: u32 = 3;
    const GAMMA: f64 = 0.25;
    const ALPHA: &'static [f64] = &[0.0, 0.386, 0.21, 0.63, 1.0, 1.0];
    const D: &'static [f64] = &[0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0];
    const A: &'static [&'static [f64]] = &[
        &[],
        &[1.544],
        &[0.9466785280815826, 0.2557011698983284],
        &[3.314825187068521, 2.896124015972201, 0.9986419139977817],
        &ROW,
        &[ROW[0], ROW[1], ROW[2], ROW[3], 1.0],
    ];
    const C: &'static [&'static [f64]] = &[
        &[],
        &[-5.6688],
        &[-2.430093356833875, -0.2063599157091915],
        &[-0.1073529058151375, -9.594562251023355, -20.47028614809616],
        &[
            7.496443313967647,
            -10.24680431464352,
            -33.99990352819905,
            11.7089089320616,
        ],
        &[
            8.083246795921522,
            -7.981132988064893,
            -31.52159432874371,
            16.31930543123136,
            -6.058818238834054,
        ],
    ];
    const M: &'static [f64] = &[ROW[0], ROW[1], ROW[2], ROW[3], 1.0, 1.0];
    const H: &'static [&'static [f64]] = &[
        &[
            10.12623508344586,
            -7.487995877610167,
            -34.80091861555747,
            -7.992771707568823,
            1.025137723295662,
            0.0,
        ],
        &[
            -0.6762803392801253,
            6.087714651680015,
            16.43084320892478,
            24.76722511418386,
            -6.594389125716872,
            0.0,
        ],
    ];
    const DENSE_STAGE: bool = false;
    const INSIDE: f64 = 0.2;
}
