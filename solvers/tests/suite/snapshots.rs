//! What solves cost: a silent loss of efficiency shows here. A change of controller or method that moves
//! these numbers on purpose updates them.

use costate_solvers::{
    AutoSwitch, Bdf, Bs3, Dop853, Dopri5, Integrator, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5,
    Method, Ndf, NoRecord, Radau5, Rodas3, Rodas4, Rodas5P, Statistics, TrBdf2, Tsit5, Vern7,
    Vern9,
};

use crate::problems::{
    Problem, lotka_volterra, robertson, stiff_van_der_pol, tolerance, van_der_pol,
};

/// Steps, rejected, evaluations of f, Jacobians, factorizations.
fn cost<M: Method<f64, Problem>>(mut problem: Problem, x: &[f64], times: [f64; 2]) -> [usize; 5] {
    let mut x = x.to_vec();
    let Statistics {
        steps,
        rejected,
        rhs_evaluations,
        jacobians,
        factorizations,
        ..
    } = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &times,
            &tolerance(1e-6, 1e-6),
            &mut NoRecord,
        )
        .expect("a solve");
    [steps, rejected, rhs_evaluations, jacobians, factorizations]
}

macro_rules! costs {
    ($($method:ident)*) => {
        vec![$((
            stringify!($method),
            [
                cost::<$method<f64>>(lotka_volterra(), &[1.0, 1.0], [0.0, 10.0]),
                cost::<$method<f64>>(van_der_pol(), &[2.0, 0.0], [0.0, 20.0]),
            ],
        )),*]
    };
}

macro_rules! stiff_costs {
    ($($method:ident)*) => {
        vec![$((
            stringify!($method),
            [
                cost::<$method<f64>>(robertson(), &[1.0, 0.0, 0.0], [0.0, 1e5]),
                cost::<$method<f64>>(stiff_van_der_pol(), &[2.0, 0.0], [0.0, 2000.0]),
            ],
        )),*]
    };
}

type Costs = Vec<(&'static str, [[usize; 5]; 2])>;

/// With a message that can be pasted in the place of what was expected.
fn compare(found: Costs, expected: &[(&str, [[usize; 5]; 2])]) {
    let lines: Vec<String> = found.iter().map(|line| format!("{line:?},\n")).collect();
    assert!(found == expected, "\n{}", lines.concat());
}

/// Lotka-Volterra and van der Pol with mu = 1.
#[test]
fn oscillators() {
    compare(
        costs!(Bs3 Tsit5 Dopri5 Vern7 Dop853 Vern9 Rodas3 Rodas4 Rodas5P TrBdf2 Kvaerno3 Kvaerno4 Kvaerno5 KenCarp4
            Radau5 Bdf Ndf AutoSwitch),
        &[
            ("Bs3", [[909, 0, 2729, 0, 0], [1409, 0, 4229, 0, 0]]),
            ("Tsit5", [[86, 11, 584, 0, 0], [144, 26, 1022, 0, 0]]),
            ("Dopri5", [[86, 15, 608, 0, 0], [147, 30, 1064, 0, 0]]),
            ("Vern7", [[54, 10, 632, 0, 0], [87, 16, 1016, 0, 0]]),
            ("Dop853", [[41, 8, 582, 0, 0], [72, 18, 1064, 0, 0]]),
            ("Vern9", [[35, 4, 622, 0, 0], [56, 3, 943, 0, 0]]),
            (
                "Rodas3",
                [[700, 0, 2802, 700, 700], [1233, 0, 4934, 1233, 1233]],
            ),
            (
                "Rodas4",
                [[262, 7, 1871, 262, 269], [414, 26, 3030, 414, 440]],
            ),
            (
                "Rodas5P",
                [[146, 7, 1365, 146, 153], [228, 26, 2236, 228, 254]],
            ),
            (
                "TrBdf2",
                [[8344, 0, 23621, 1, 34], [12898, 1, 36420, 1, 74]],
            ),
            (
                "Kvaerno3",
                [[1040, 0, 5615, 1, 35], [1596, 0, 8628, 13, 71]],
            ),
            (
                "Kvaerno4",
                [[304, 5, 2582, 24, 64], [503, 12, 4217, 38, 92]],
            ),
            (
                "Kvaerno5",
                [[131, 9, 1986, 25, 54], [237, 10, 3113, 48, 87]],
            ),
            ("KenCarp4", [[208, 2, 2177, 19, 44], [337, 9, 3707, 32, 84]]),
            (
                "Radau5",
                [[171, 5, 1415, 47, 108], [264, 15, 2264, 70, 179]],
            ),
            ("Bdf", [[412, 16, 449, 38, 38], [658, 27, 720, 59, 59]]),
            ("Ndf", [[413, 14, 446, 36, 36], [659, 27, 724, 59, 59]]),
            ("AutoSwitch", [[86, 11, 606, 0, 0], [144, 26, 1058, 0, 0]]),
        ],
    );
}

/// Robertson's reaction and van der Pol with mu = 1000.
#[test]
fn stiff_systems() {
    compare(
        stiff_costs!(Rodas3 Rodas4 Rodas5P TrBdf2 Kvaerno3 Kvaerno4 Kvaerno5 KenCarp4 Radau5 Bdf Ndf AutoSwitch),
        &[
            (
                "Rodas3",
                [[166, 1, 668, 166, 167], [1554, 58, 6402, 1554, 1612]],
            ),
            (
                "Rodas4",
                [[109, 2, 775, 109, 111], [609, 98, 4759, 609, 707]],
            ),
            ("Rodas5P", [[70, 2, 646, 70, 72], [353, 89, 3802, 353, 442]]),
            (
                "TrBdf2",
                [[2396, 2, 6118, 21, 98], [18641, 2, 55518, 61, 294]],
            ),
            (
                "Kvaerno3",
                [[286, 20, 1525, 74, 151], [2312, 32, 13767, 153, 322]],
            ),
            (
                "Kvaerno4",
                [[118, 7, 869, 58, 112], [758, 94, 8359, 117, 284]],
            ),
            (
                "Kvaerno5",
                [[67, 5, 820, 51, 72], [391, 78, 6786, 100, 239]],
            ),
            (
                "KenCarp4",
                [[80, 3, 839, 76, 82], [478, 103, 6904, 127, 229]],
            ),
            ("Radau5", [[70, 5, 616, 69, 74], [408, 12, 3748, 123, 327]]),
            ("Bdf", [[328, 13, 374, 54, 54], [1087, 101, 1300, 167, 167]]),
            ("Ndf", [[293, 6, 321, 45, 45], [1038, 94, 1236, 153, 153]]),
            (
                "AutoSwitch",
                [[112, 13, 966, 67, 67], [452, 94, 4402, 334, 422]],
            ),
        ],
    );
}
