//! Kvaerno's ESDIRK pair of orders 5(4) with 7 stages, "5/4a".
//!
//! Solution and embedded solution are both stiffly accurate: stage 6 is the embedded solution (order 4) and
//! stage 7 the solution (order 5, L-stable). The embedded one is A-stable, R(infinity) = -0.75, so that the
//! estimate z_7 - z_6 serves for stiff components as it stands. gamma = 0.26; stage 3 looks ahead of the step,
//! c_3 = 1.23.
//!
//! The published estimate is eleven times too small for what the solution's own error is (see
//! [`Tableau::CAUTION`]), and is multiplied by that.
//!
//! Cost of an accepted step: six systems of n equations, and one more where somebody reads inside it. Dense output of
//! order 4, ours: in a stiff component the stages are exact but their slopes are not, and any interpolant that uses the
//! slope at the start, as a cubic through both ends does, is off by O(h^3) there whatever the estimate says. So k_1
//! counts only through the stages: x(theta) = x + sum w_i(theta) z_i, sum w_i c_i^3 = theta^3. With the order conditions
//! up to 4 the method's own stages admit no such weights; one more, at c_8 = 1/4, does, and they are unique. The error
//! inside a step is then no larger than at its end whatever h lambda is. Tests check all this.
//!
//! Use it for tolerances from 1e-5 to 1e-10 where the Jacobian or its factorization is dear.
//!
//! Source: A. Kvaerno, Singly diagonally implicit Runge-Kutta methods with an explicit first stage, BIT 44
//! (2004), doi 10.1023/B:BITN.0000046811.70614.38.

use super::tableau::{Tableau, lagrange, same_increment};

/// Coefficients of Kvaerno 5(4).
#[derive(Debug, Clone, Copy, Default)]
pub struct Kvaerno5Tableau;

const GAMMA: f64 = 0.26;
const C: [f64; 7] = [
    0.0,
    0.52,
    1.230333209967908,
    0.895765984350076,
    0.436393609858648,
    1.0,
    1.0,
];
const ROW_6: [f64; 6] = [
    0.13855640231268224,
    0.0,
    -0.04245337201752043,
    0.02446657898003141,
    0.6194303907248068,
    GAMMA,
];
const ROW_7: [f64; 6] = [
    0.13659751177640291,
    0.0,
    -0.05496908796538376,
    -0.04118626728321046,
    0.629933048990164,
    0.06962479448202728,
];
const GUESS_3: [f64; 2] = lagrange([C[0], C[1]], C[2]);
const GUESS_4: [f64; 3] = lagrange([C[0], C[1], C[2]], C[3]);
const GUESS_5: [f64; 4] = lagrange([C[0], C[1], C[2], C[3]], C[4]);
const GUESS_6: [f64; 5] = lagrange([C[0], C[1], C[2], C[3], C[4]], C[5]);
const GUESS_7: [f64; 6] = same_increment(ROW_6, ROW_7, GAMMA);
/// The dense output's stage: accurate to order 4 at its node, its row the shortest that is.
const ROW_8: [f64; 7] = [
    0.07950509674371174,
    0.0,
    -0.00817819024013987,
    0.0026582636355541984,
    -0.10275945777037067,
    0.0,
    0.018774287631244595,
];
const DENSE: [[f64; 4]; 8] = [
    [
        0.18473267542195226,
        0.7900674718707797,
        -1.090821125010296,
        0.25261848949396676,
    ],
    [0.0; 4],
    [
        -0.30596538218670527,
        1.6403388750531016,
        -2.4559705538481715,
        1.0666279730163915,
    ],
    [
        1.1025835553242564,
        -6.1405666221554,
        7.789145701629308,
        -2.792348902081375,
    ],
    [
        -3.3042541150458304,
        15.28983269340622,
        -16.038611797137012,
        4.682966267766789,
    ],
    [
        -0.05067813020293083,
        0.23848358344495577,
        -0.15138544779057372,
        0.03320478903057607,
    ],
    [
        0.050694252303127324,
        0.03468992657689504,
        0.2773769466160573,
        -0.10276112549607962,
    ],
    [
        3.322887144386131,
        -11.852845928196556,
        11.670266275540694,
        -3.1403074917302694,
    ],
];

impl Tableau for Kvaerno5Tableau {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const GAMMA: f64 = GAMMA;
    const A: &'static [&'static [f64]] = &[
        &[],
        &[GAMMA],
        &[0.13, 0.8403332099679081],
        &[0.22371961478320505, 0.476755323197997, -0.06470895363112615],
        &[
            0.16648564323248321,
            0.1045001884159172,
            0.03631482272098715,
            -0.13090704451073998,
        ],
        &[ROW_6[0], ROW_6[1], ROW_6[2], ROW_6[3], ROW_6[4]],
        &ROW_7,
    ];
    const C: &'static [f64] = &C;
    const ERROR: &'static [f64] = &[
        ROW_7[0] - ROW_6[0],
        ROW_7[1] - ROW_6[1],
        ROW_7[2] - ROW_6[2],
        ROW_7[3] - ROW_6[3],
        ROW_7[4] - ROW_6[4],
        ROW_7[5] - ROW_6[5],
        GAMMA,
    ];
    const CAUTION: f64 = 10.9;
    const FILTERED: bool = false;
    const GUESS: &'static [&'static [f64]] = &[
        &[],
        &[1.0],
        &GUESS_3,
        &GUESS_4,
        &GUESS_5,
        &GUESS_6,
        &GUESS_7,
    ];
    const DENSE_STAGE: Option<(&'static [f64], f64)> = Some((&ROW_8, 0.25));
    const DENSE: &'static [[f64; 4]] = &DENSE;
    const MIDDLE: usize = 1;
}
