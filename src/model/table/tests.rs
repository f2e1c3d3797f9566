//! Reference numbers: scipy 1.x `PchipInterpolator(t, y)` and `CubicSpline(t, y, bc_type="natural")`, values and
//! first derivatives.

use super::*;

const TIMES: [f64; 5] = [0.0, 1.0, 3.0, 4.0, 7.0];
const VALUES: [f64; 5] = [1.0, 2.0, 2.5, -1.0, 0.5];
const AT: [f64; 8] = [0.0, 0.25, 0.9, 1.5, 2.9, 3.3, 5.0, 6.9];

fn check(interpolation: Interpolation, order: u8, reference: [f64; 8]) {
    let table = PiecewisePolynomial::through(&TIMES, &VALUES, interpolation).expect("valid");
    for (t, expected) in AT.into_iter().zip(reference) {
        let found = table.evaluate(order, t, t);
        assert!(
            (found - expected).abs() < 2e-14,
            "{interpolation:?} {order} at {t}: {found} {expected}"
        );
    }
}

#[test]
fn pchip_agrees_with_scipy() {
    check(
        Interpolation::Pchip,
        0,
        [
            1.0,
            1.3119419642857144,
            1.9485357142857143,
            2.1986607142857144,
            2.4984107142857144,
            1.7440000000000007,
            -0.9444444444444444,
            0.35494444444444495,
        ],
    );
    check(
        Interpolation::Pchip,
        1,
        [
            1.25,
            1.2254464285714284,
            0.5975,
            0.36160714285714285,
            0.03160714285714289,
            -4.409999999999998,
            0.16666666666666666,
            1.4016666666666668,
        ],
    );
}

#[test]
fn natural_spline_agrees_with_scipy() {
    check(
        Interpolation::Cubic,
        0,
        [
            1.0,
            1.219296875,
            1.877599,
            2.6730625000000003,
            2.7334095000000005,
            1.5614680000000005,
            -2.486666666666667,
            0.27139866666666634,
        ],
    );
    check(
        Interpolation::Cubic,
        1,
        [
            0.869,
            0.8935624999999999,
            1.1873300000000002,
            1.317875,
            -2.112685,
            -3.5741199999999997,
            -0.09600000000000009,
            2.2820399999999994,
        ],
    );
}

#[test]
fn three_points_agree_with_scipy_and_two_are_a_line() {
    let (times, values) = ([0.0, 1.0, 2.0], [0.0, 10.0, 11.0]);
    for (kind, expected) in [
        (
            Interpolation::Pchip,
            [4.176954545454545, 10.898545454545454],
        ),
        (Interpolation::Cubic, [3.6142499999999997, 11.31425]),
    ] {
        let table = PiecewisePolynomial::through(&times, &values, kind).expect("valid");
        for (t, expected) in [0.3, 1.7].into_iter().zip(expected) {
            assert!((table.evaluate(0, t, t) - expected).abs() < 1e-13);
        }
        let line = PiecewisePolynomial::through(&[0.0, 2.0], &[1.0, 5.0], kind).expect("valid");
        assert!((line.evaluate(0, 0.5, 0.5) - 2.0_f64).abs() < 1e-15);
    }
}

#[test]
fn the_place_picks_the_piece_and_the_ends_hold() {
    let hold =
        PiecewisePolynomial::through(&[0.0, 1.0, 2.0], &[5.0, 6.0, 7.0], Interpolation::Hold)
            .expect("valid");
    let linear =
        PiecewisePolynomial::through(&[0.0, 1.0, 2.0], &[5.0, 6.0, 8.0], Interpolation::Linear)
            .expect("valid");
    assert_eq!(hold.evaluate(0, 1.0, 0.9), 5.0);
    assert_eq!(hold.evaluate(0, 1.0, 1.1), 6.0);
    assert_eq!(linear.evaluate(1, 1.0, 0.9), 1.0);
    assert_eq!(linear.evaluate(1, 1.0, 1.1), 2.0);
    for (t, value) in [(-1.0, 5.0), (3.0, 8.0)] {
        assert_eq!(linear.evaluate(0, t, t), value);
        assert_eq!(linear.evaluate(1, t, t), 0.0);
    }
    assert!(linear.evaluate(0, f64::NAN, f64::NAN).is_nan());
}

#[test]
fn pchip_is_monotone_where_data_are() {
    let times: Vec<f64> = (0..12).map(f64::from).collect();
    let values = [
        0.0, 0.0, 0.1, 5.0, 5.01, 5.01, 9.0, 9.5, 30.0, 30.0, 30.1, 31.0,
    ];
    let table = PiecewisePolynomial::through(&times, &values, Interpolation::Pchip).expect("valid");
    let samples: Vec<f64> = (0..=1100)
        .map(|k| table.evaluate(0, f64::from(k) / 100.0, f64::from(k) / 100.0))
        .collect();
    assert!(samples.windows(2).all(|pair| pair[1] >= pair[0] - 1e-13));
}

#[test]
fn what_is_no_table_is_refused() {
    let through = |times: &[f64], values: &[f64]| {
        PiecewisePolynomial::through(times, values, Interpolation::Cubic)
    };
    assert!(through(&[0.0], &[1.0]).is_none());
    assert!(through(&[], &[]).is_none());
    assert!(through(&[0.0, 0.0], &[1.0, 2.0]).is_none());
    assert!(through(&[1.0, 0.0], &[1.0, 2.0]).is_none());
    assert!(through(&[0.0, 1.0], &[1.0]).is_none());
    assert!(through(&[0.0, f64::NAN], &[1.0, 2.0]).is_none());
    assert!(through(&[0.0, 1.0], &[1.0, f64::INFINITY]).is_none());
}
