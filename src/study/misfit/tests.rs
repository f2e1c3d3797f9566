//! Shares against densities written another way, and their derivatives against differences.

use costate_adjoint::{Dual, DualOver};
use statrs::distribution::{Continuous, ContinuousCDF, Discrete};
use statrs::distribution::{Laplace, LogNormal, NegativeBinomial, Normal, Poisson, StudentsT};

use super::Misfit;
use super::special::{ln_gamma, ln_normal_cdf, normal_hazard};
use crate::scenario::{Loss, LossShape, NoiseModel};

const OPEN: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

fn noise(model: NoiseModel) -> Misfit {
    Misfit {
        model: Some(model),
        loss: None,
        limits: OPEN,
    }
}

fn loss(shape: LossShape) -> Misfit {
    Misfit {
        model: None,
        loss: Some(Loss { shape, width: 0.75 }),
        limits: OPEN,
    }
}

const STUDENT: NoiseModel = NoiseModel::StudentT {
    degrees_of_freedom: 3.5,
};

#[test]
fn shares_are_negative_logarithms_of_densities() {
    let (y, s) = (2.3, 0.7);
    for d in [0.4, 1.9, 6.0] {
        let ln10 = std::f64::consts::LN_10;
        let pairs = [
            (
                NoiseModel::Normal,
                Normal::new(y, s).expect("normal").ln_pdf(d),
            ),
            (
                NoiseModel::LogNormal,
                LogNormal::new(y.ln(), s).expect("log-normal").ln_pdf(d),
            ),
            (
                // log10 d normal with s is ln d normal with s ln 10
                NoiseModel::Log10Normal,
                LogNormal::new(y.ln(), s * ln10)
                    .expect("log-normal")
                    .ln_pdf(d),
            ),
            (
                NoiseModel::Laplace,
                Laplace::new(y, s).expect("laplace").ln_pdf(d),
            ),
            (
                NoiseModel::LogLaplace,
                Laplace::new(y.ln(), s).expect("laplace").ln_pdf(d.ln()) - d.ln(),
            ),
            (
                NoiseModel::Log10Laplace,
                Laplace::new(y.log10(), s)
                    .expect("laplace")
                    .ln_pdf(d.log10())
                    - (d * ln10).ln(),
            ),
            (
                STUDENT,
                StudentsT::new(y, s, 3.5).expect("student").ln_pdf(d),
            ),
        ];
        for (model, ln_density) in pairs {
            let share = noise(model).share(y, s, d);
            // statrs' own functions are good to about 1e-14
            assert!(
                (share + ln_density).abs() < 1e-12,
                "{model:?} at {d}: {share} {ln_density}"
            );
        }
    }
    for d in [0u64, 1, 7, 400] {
        let share = noise(NoiseModel::Poisson).share(y, 1.0, d as f64);
        let expected = Poisson::new(y).expect("poisson").ln_pmf(d);
        assert!(
            (share + expected).abs() < 1e-12 * expected.abs().max(1.0),
            "{d}"
        );
        // r successes with probability r / (r + mean)
        let share = noise(NoiseModel::NegativeBinomial).share(y, s, d as f64);
        let expected = NegativeBinomial::new(s, s / (s + y))
            .expect("negative binomial")
            .ln_pmf(d);
        assert!(
            (share + expected).abs() < 1e-11 * expected.abs().max(1.0),
            "{d}: {share} {expected}"
        );
    }
}

#[test]
fn beyond_a_limit_the_share_is_the_probability_of_what_lies_there() {
    let s = 0.7;
    let beyond = |model, limits| Misfit {
        model: Some(model),
        loss: None,
        limits,
    };
    for y in [0.2, 1.1, 3.0] {
        let cases = [
            (NoiseModel::Normal, Normal::new(y, s).expect("n").cdf(1.0)),
            (
                NoiseModel::LogNormal,
                LogNormal::new(y.ln(), s).expect("l").cdf(1.0),
            ),
            (NoiseModel::Laplace, Laplace::new(y, s).expect("p").cdf(1.0)),
            (STUDENT, StudentsT::new(y, s, 3.5).expect("t").cdf(1.0)),
        ];
        for (model, probability) in cases {
            let below = beyond(model, [1.0, f64::INFINITY]).share(y, s, 1.0);
            assert!(
                (below + probability.ln()).abs() < 1e-10,
                "{model:?} below at {y}"
            );
            let above = beyond(model, [f64::NEG_INFINITY, 1.0]).share(y, s, 5.0);
            assert!(
                (above + (1.0 - probability).ln()).abs() < 1e-10,
                "{model:?} above at {y}"
            );
            // between the limits a measurement is as without them
            let within = beyond(model, [0.1, 5.0]).share(y, s, 1.0);
            assert_eq!(within, noise(model).share(y, s, 1.0));
        }
    }
}

#[test]
fn gradients_and_rows_are_the_derivatives_of_the_share() {
    let limits = [1.0, 4.0];
    let mut cases = vec![Misfit {
        model: None,
        loss: None,
        limits: OPEN,
    }];
    let models = [
        NoiseModel::Normal,
        NoiseModel::LogNormal,
        NoiseModel::Log10Normal,
        NoiseModel::Laplace,
        NoiseModel::LogLaplace,
        NoiseModel::Log10Laplace,
        STUDENT,
    ];
    cases.extend(models.map(noise));
    cases.extend(models.map(|model| Misfit {
        limits,
        ..noise(model)
    }));
    cases.extend([NoiseModel::Poisson, NoiseModel::NegativeBinomial].map(noise));
    cases.extend(
        [
            LossShape::Huber,
            LossShape::SoftL1,
            LossShape::Cauchy,
            LossShape::Arctan,
            LossShape::Tukey,
        ]
        .map(loss),
    );
    for misfit in cases {
        for d in [0.0, 1.0, 2.0, 3.0, 5.0] {
            if misfit.model.is_some_and(NoiseModel::positive) && d == 0.0 && misfit.limits == OPEN {
                continue;
            }
            let (y, sigma) = (2.3, 0.7);
            let (dy, dsigma) = misfit.gradient(y, sigma, d);
            let h = 1e-6; // central differences: error about h^2 f''' / 6 + rounding 1e-14 / h near tails, under 1e-8
            let fd_y = (misfit.share(y + h, sigma, d) - misfit.share(y - h, sigma, d)) / (2.0 * h);
            let fd_sigma =
                (misfit.share(y, sigma + h, d) - misfit.share(y, sigma - h, d)) / (2.0 * h);
            assert!((dy - fd_y).abs() < 1e-8, "{misfit:?} {d}: {dy} {fd_y}");
            assert!(
                (dsigma - fd_sigma).abs() < 1e-8,
                "{misfit:?} {d}: {dsigma} {fd_sigma}"
            );
            // dual numbers through the share find the same
            let seeded = |value, k: usize| Dual::<2> {
                value,
                tangent: std::array::from_fn(|i| f64::from(u8::from(i == k))),
            };
            let share = misfit.share(seeded(y, 0), seeded(sigma, 1), d);
            assert!((share.tangent[0] - dy).abs() < 1e-12, "{misfit:?} {d}");
            assert!((share.tangent[1] - dsigma).abs() < 1e-12, "{misfit:?} {d}");
            for rows in [misfit.rows(y, sigma, d), misfit.step_rows(y, sigma, d)] {
                assert!((rows.residual * rows.slope - dy).abs() < 1e-13);
                assert!((rows.sigma_residual * rows.sigma_slope - dsigma).abs() < 1e-13);
            }
        }
    }
}

/// Second derivatives, too: dual numbers over dual numbers through the Taylor polynomial of Student's distribution function.
#[test]
fn second_derivatives_are_those_of_the_gradient() {
    type Second = DualOver<Dual<1>, 1>;
    for (model, limits) in [
        (STUDENT, [1.0, 4.0]),
        (NoiseModel::Normal, [1.0, 4.0]),
        (NoiseModel::NegativeBinomial, OPEN),
    ] {
        let misfit = Misfit {
            model: Some(model),
            loss: None,
            limits,
        };
        for d in [1.0, 2.0, 5.0] {
            let (y, sigma, h) = (2.3, 0.7, 1e-6);
            let one = Dual::<1>::from(1.0);
            let seeded = Second {
                value: Dual {
                    value: y,
                    tangent: [1.0],
                },
                tangent: [one],
            };
            let second = misfit.share(seeded, Second::from(sigma), d).tangent[0].tangent[0];
            let difference = (misfit.gradient(y + h, sigma, d).0
                - misfit.gradient(y - h, sigma, d).0)
                / (2.0 * h);
            assert!(
                (second - difference).abs() < 1e-8,
                "{model:?} {d}: {second} {difference}"
            );
        }
    }
}

#[test]
fn special_functions_to_many_digits() {
    // made with mpmath: loggamma, log(ncdf)
    let gammas = [
        (0.1, 2.252_712_651_734_206),
        (0.5, 0.572_364_942_924_700_1),
        (3.7, 1.428_072_326_665_388),
        (25.5, 56.389_167_643_719_947),
        (1234.5, 7_550.550_901_077_895),
    ];
    for (z, expected) in gammas {
        let found: f64 = ln_gamma(z);
        assert!(
            (found - expected).abs() <= 4e-15 * f64::max(expected.abs(), 1.0),
            "{z}: {found} {expected}"
        );
    }
    let tails = [
        (-40.0, -804.608_442_013_754),
        (-10.0, -53.231_285_150_512_47),
        (-3.0, -6.607_726_221_510_349),
        (-2.9, -6.284_058_234_947_419),
        (0.0, -std::f64::consts::LN_2),
        (2.0, -0.023_012_909_328_963_49),
    ];
    for (u, expected) in tails {
        let found: f64 = ln_normal_cdf(u);
        // 1 + erf near the tail keeps about 13 digits of 16
        assert!(
            (found - expected).abs() < 1e-13 * f64::max(expected.abs(), 1.0),
            "{u}: {found} {expected}"
        );
        let h = 1e-5;
        let slope: f64 = (ln_normal_cdf(u + h) - ln_normal_cdf(u - h)) / (2.0 * h);
        assert!((normal_hazard(u) - slope).abs() < 1e-8 * slope.abs().max(1.0));
    }
}
