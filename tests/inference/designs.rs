//! Planned experiments beside designs that are known in closed form, and beside brute force.

use std::sync::atomic::AtomicBool;

use costate::study::{DesignResult, design};

use super::{read, study};

fn planned(text: &str) -> DesignResult {
    let study = study(text, &[]);
    let result = design(&study, &study.values(), &AtomicBool::new(false)).expect("a design");
    assert!(result.converged);
    result
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < tolerance, "{found:?} {expected:?}");
    }
}

const SOLVER: &str = "[solver]\nrtol = 1e-10\natol = 1e-12\n";

fn decay(parameters: &str, design: &str) -> String {
    format!(
        "[scenario]\ntime = {{ start = 0.0, end = 10.0 }}\n[parameters]\n{parameters}\n[states]\nx = \"a\"\n\
         [equations]\nx = \"-k*x\"\n[observables]\ny = {{ expression = \"x\", noise = {{ model = \"normal\", sigma = 0.1 }} }}\n\
         {SOLVER}[design]\n{design}\n"
    )
}

/// Of a exp(-k t) with k alone: t = 1 / k. With both: 0 and 1 / k.
#[test]
fn decays_are_measured_at_their_time_constant() {
    let alone = decay(
        "a = 2.0\nk = { value = 0.5, fit = true }",
        "sampling_times = { number = 1 }",
    );
    let result = planned(&alone);
    near(&result.times[0], &[2.0], 1e-6);
    // standard error: sigma / (a t exp(-k t)), here 0.1 e / 4
    near(&result.after.standard_errors, &[0.025 * 1f64.exp()], 1e-8);
    let both = decay(
        "a = { value = 2.0, fit = true }\nk = { value = 0.5, fit = true }",
        "sampling_times = { number = 2 }",
    );
    near(&planned(&both).times[0], &[0.0, 2.0], 1e-6);
    // half of four measurements each
    let four = both.replace("number = 2", "number = 4");
    near(&planned(&four).times[0], &[0.0, 0.0, 2.0, 2.0], 1e-5);
    // for k alone, a being open: k = ln(y_1 / y_2) / t of measurements at 0 and t, whose variance (1 + exp(2 k t)) / t^2 is least
    // where 1 / t = k / (1 + exp(-2 k t))
    let interest = both.clone() + "parameters = [\"k\"]\n";
    let t = planned(&interest).times[0][1];
    assert!((1.0 / t - 0.5 / (1.0 + (-t).exp())).abs() < 1e-6, "{t}");
}

/// Michaelis and Menten's v = V s / (K + s) up to S: at S and at K S / (2 K + S) (Bates & Watts 1988, section 3.14).
#[test]
fn michaelis_menten_is_measured_at_two_concentrations() {
    let text = michaelis_menten("D", "");
    near(&planned(&text).times[0], &[4.0 / 6.0, 4.0], 1e-6);
}

fn michaelis_menten(criterion: &str, more: &str) -> String {
    format!(
        "[scenario]\ntime = {{ start = 0.0, end = 4.0 }}\n[parameters]\nvmax = {{ value = 1.5, fit = true }}\n\
         km = {{ value = 1.0, fit = true }}\n[states]\nx = 1.0\n[equations]\nx = \"0*x\"\n[observables]\n\
         v = {{ expression = \"vmax*t/(km + t)\", noise = {{ model = \"normal\", sigma = 0.1 }} }}\n{SOLVER}\
         [design]\ncriterion = \"{criterion}\"\nsampling_times = {{ number = 2 }}\n{more}"
    )
}

/// The same with concentrations as doses of two experiments: derivatives with respect to parameters through the solve.
#[test]
fn doses_are_chosen_as_times_are() {
    let text = format!(
        "[scenario]\ntime = {{ start = 0.0, end = 2.0 }}\n[parameters]\nvmax = {{ value = 1.5, fit = true }}\n\
         km = {{ value = 1.0, fit = true }}\ndose = 1.0\nlow = {{ value = 1.0, bounds = [0.01, 4.0] }}\n\
         high = {{ value = 2.0, bounds = [0.01, 4.0], scale = \"log\" }}\n[states]\nx = 0.0\n\
         [equations]\nx = \"vmax*dose/(km + dose)\"\n\
         [observables]\nx = {{ expression = \"x\", noise = {{ model = \"normal\", sigma = 0.1 }} }}\n\
         [[experiments]]\nname = \"one\"\nparameters = {{ dose = \"low\" }}\n\
         [[experiments]]\nname = \"two\"\nparameters = {{ dose = \"high\" }}\n{SOLVER}\
         [design]\noptimize = [\"low\", \"high\"]\n\
         sampling_times = [{{ experiment = \"one\", number = 1 }}, {{ experiment = \"two\", number = 1 }}]\n"
    );
    let result = planned(&text);
    let mut doses: Vec<f64> = result.chosen.iter().map(|c| c.2).collect();
    doses.sort_by(f64::total_cmp);
    near(&doses, &[4.0 / 6.0, 4.0], 1e-6);
    near(&[result.times[0][0], result.times[1][0]], &[2.0, 2.0], 1e-9);
}

/// Box & Lucas 1959 (doi 10.1093/biomet/46.1-2.77): the intermediate of two reactions with rates 0.7 and 0.2 at t = 1.23 and 6.86.
#[test]
fn consecutive_reactions_are_measured_as_box_and_lucas_say() {
    let text = format!(
        "[scenario]\ntime = {{ start = 0.0, end = 15.0 }}\n[parameters]\nk1 = {{ value = 0.7, fit = true }}\n\
         k2 = {{ value = 0.2, fit = true }}\n[states]\na = 1.0\nb = 0.0\n[equations]\na = \"-k1*a\"\nb = \"k1*a - k2*b\"\n\
         {SOLVER}[design]\nsampling_times = {{ number = 2, observables = [\"b\"] }}\n"
    );
    near(&planned(&text).times[0], &[1.23, 6.86], 0.005);
}

/// A and E, relative and not, beside a grid of pairs of times refined about its best.
#[test]
fn traces_and_eigenvalues_are_as_small_as_brute_force_makes_them() {
    for relative in [true, false] {
        for criterion in ["A", "E"] {
            let text = michaelis_menten(criterion, &format!("relative = {relative}\n"));
            let found = planned(&text).after.criterion;
            let sizes = if relative { [1.5, 1.0] } else { [1.0, 1.0] };
            let row = |t: f64| {
                [
                    t / (1.0 + t) / 0.1 * sizes[0],
                    -1.5 * t / (1.0 + t).powi(2) / 0.1 * sizes[1],
                ]
            };
            let value = |t: [f64; 2]| {
                let [[a, b], [c, d]] = t.map(row);
                let (xx, xy, yy) = (a * a + c * c, a * b + c * d, b * b + d * d);
                let determinant = xx * yy - xy * xy;
                // both at one time: no information in one direction, to rounding
                if determinant <= 1e-12 * xx * yy {
                    return f64::INFINITY;
                }
                let trace = (xx + yy) / determinant;
                match criterion {
                    "A" => trace,
                    _ => 0.5 * (trace + (trace * trace - 4.0 / determinant).sqrt()),
                }
            };
            let (mut center, mut width) = ([2.0, 2.0], 2.0);
            let mut best = f64::INFINITY;
            for _ in 0..8 {
                let about = center;
                for i in -20..=20 {
                    for j in -20..=20 {
                        let t = [
                            about[0] + width * f64::from(i) / 20.0,
                            about[1] + width * f64::from(j) / 20.0,
                        ];
                        if t.iter().all(|t| (0.0..=4.0).contains(t)) && value(t) < best {
                            (best, center) = (value(t), t);
                        }
                    }
                }
                width *= 0.2;
            }
            // the search through powers up to 2048 leaves up to ln 2 / 2048 of a twofold eigenvalue
            let allowed = if criterion == "A" { 1e-7 } else { 4e-4 };
            assert!(
                (found / best - 1.0).abs() < allowed,
                "{criterion}: {found} {best}"
            );
        }
    }
}

#[test]
fn bad_tables_are_told_their_mistakes() {
    for (design, says) in [
        ("criterion = \"F\"\nsampling_times = { number = 1 }", "`D`"),
        ("", "plans no measurements"),
        ("sampling_times = { number = 0 }", "at least 1"),
        (
            "sampling_times = { number = 1, bounds = [3.0, 2.0] }",
            "none to choose from",
        ),
        (
            "sampling_times = { number = 1, bounds = [3.0, 12.0] }",
            "not all inside the run",
        ),
        (
            "sampling_times = { number = 1, observables = [\"yy\"] }",
            "there is no observable `yy`",
        ),
        (
            "sampling_times = { number = 1, experiment = \"e\" }",
            "there is no experiment `e`",
        ),
        (
            "sampling_times = { number = 1 }\noptimize = [\"k\"]",
            "is fitted, and cannot be chosen",
        ),
        (
            "sampling_times = { number = 1 }\noptimize = [\"a\"]",
            "has none on one side",
        ),
        (
            "sampling_times = { number = 1 }\nparameters = [\"a\"]",
            "is not fitted",
        ),
        (
            "sampling_times = { number = 1 }\nparameters = [\"kk\"]",
            "there is no parameter `kk`",
        ),
    ] {
        let text = decay("a = 2.0\nk = { value = 0.5, fit = true }", design);
        let (_, findings) = read(&text, &[]);
        let told = findings.iter().any(|f| {
            let help = f.help.as_deref().unwrap_or("");
            (f.message.contains(says) || help.contains(says)) && f.span.is_some()
        });
        assert!(told, "{design}: {findings:?}");
    }
    // too few measurements for two parameters
    let text = decay(
        "a = { value = 2.0, fit = true }\nk = { value = 0.5, fit = true }",
        "sampling_times = { number = 1 }",
    );
    let study = study(&text, &[]);
    let error = design(&study, &study.values(), &AtomicBool::new(false)).expect_err("no design");
    assert!(
        error.to_string().contains("do not determine 2 parameters"),
        "{error}"
    );
}
