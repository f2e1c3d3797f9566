//! Models beside each other: criteria, tests of nested pairs, and why there is none.

use std::process::Command;

use costate::study::{Contender, NoTest, compare};
use serde_json::Value;

use super::{fitted, study};

const DATA: &str = "t,y\n0,5.31\n0.5,4.02\n1,3.28\n1.5,2.61\n2,2.23\n3,1.58\n4,1.31\n6,0.94\n";

/// A decay with what further parameters are given.
fn text(parameters: &str, observable: &str, noise: &str) -> String {
    format!(
        "[scenario]\ntime = {{ start = 0.0, end = 6.0 }}\n[parameters]\n\
         k = {{ value = 0.3, bounds = [0.01, 10.0], fit = true }}\n\
         s = {{ value = 5.0, bounds = [0.1, 100.0], fit = true }}\n{parameters}\n\
         [states]\nx = 1.0\n[equations]\nx = \"-k*x\"\n\
         [observables]\ny = {{ expression = \"{observable}\"{noise} }}\n[data]\nfile = \"data.csv\"\ntime = \"t\"\n"
    )
}

const NOISE: &str = ", noise = { model = \"normal\", sigma = 0.2 }";
const OFFSET: &str = "o = { value = 0.1, bounds = [-1.0, 2.0], fit = true }\nd = { value = 0.0, bounds = [-1.0, 1.0], fit = true }";

fn model(text: &str, data: &str) -> Contender {
    let study = study(text, &[("data.csv", data)]);
    Contender::new(&study, &fitted(&study))
}

#[test]
fn nested_models_have_a_likelihood_ratio() {
    let small = model(&text("", "s*x", NOISE), DATA);
    let large = model(&text(OFFSET, "s*x + o + d*t", NOISE), DATA);
    let n = 8.0_f64;
    for (model, k) in [(&small, 2.0), (&large, 4.0)] {
        let twice = 2.0 * model.criteria.negative_log_likelihood;
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * b.abs(), "{a} {b}");
        close(model.criteria.aic, twice + 2.0 * k);
        close(model.criteria.bic, twice + k * n.ln());
        close(
            model.criteria.aicc,
            twice + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0),
        );
    }
    let statistic =
        2.0 * (small.criteria.negative_log_likelihood - large.criteria.negative_log_likelihood);
    // in either order
    for models in [[small.clone(), large.clone()], [large, small]] {
        let pairs = compare(&models);
        let test = pairs[0].test.as_ref().expect("a test");
        assert!(models[pairs[0].smaller].names.len() == 2);
        assert_eq!(test.degrees_of_freedom, 2);
        assert!((test.statistic - statistic).abs() < 1e-9);
        // chi-squared with two degrees of freedom is exponential
        let expected = (-0.5 * statistic).exp();
        assert!(
            (test.p_value / expected - 1.0).abs() < 1e-8,
            "{} {expected}",
            test.p_value
        );
        assert!(test.at_bound.is_empty());
    }
}

#[test]
fn models_that_do_not_compare_are_told_why() {
    let base = model(&text("", "s*x", NOISE), DATA);
    let why = |other: Contender| compare(&[base.clone(), other])[0].test.clone().err();
    assert_eq!(
        why(model(&text("", "s*x", NOISE), DATA)),
        Some(NoTest::SameParameters)
    );
    let other_data = DATA.replace("0.94", "0.95");
    let other = model(&text(OFFSET, "s*x + o + d*t", NOISE), &other_data);
    assert_eq!(why(other), Some(NoTest::OtherData));
    let other = text(OFFSET, "s*x + o + d*t", NOISE).replace("\ns =", "\nsize =");
    let other = other.replace("s*x", "size*x");
    assert!(matches!(
        why(model(&other, DATA)),
        Some(NoTest::NotNested { .. })
    ));
    let loss = text(OFFSET, "s*x + o + d*t", ", loss = \"huber\"");
    assert!(matches!(
        why(model(&loss, DATA)),
        Some(NoTest::NoLikelihood { model: 1, .. })
    ));
    // an offset that its bound holds at 0.2
    let held = OFFSET.replace("2.0", "0.2");
    let other = model(&text(&held, "s*x + o + d*x*0.001", NOISE), DATA);
    let pairs = compare(&[base.clone(), other]);
    let test = pairs[0].test.as_ref().expect("a test");
    assert!(
        test.at_bound.contains(&"o".to_owned()),
        "{:?}",
        test.at_bound
    );
}

#[test]
fn the_command_line_shows_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("data.csv", DATA);
    write("small.toml", &text("", "s*x", NOISE));
    write("large.toml", &text(OFFSET, "s*x + o + d*t", NOISE));
    let run = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_costate"))
            .args(["fit", "small.toml", "large.toml", "--no-plots"])
            .args(more)
            .current_dir(folder.path())
            .output()
            .expect("the program runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let shown = run(&["--quiet", "--out", "text"]);
    assert!(shown.contains("1 in 2: likelihood ratio"), "{shown}");
    assert!(folder.path().join("text/model-2/result.json").exists());
    let document: Value = serde_json::from_str(&run(&["--json", "--out", "json"])).expect("JSON");
    let ratio = &document["pairs"][0]["likelihood_ratio"];
    let [statistic, p] =
        ["statistic", "p_value"].map(|key| ratio[key].as_f64().unwrap_or(f64::NAN));
    // chi-squared of two degrees of freedom: p = exp(-statistic / 2)
    assert!(
        statistic > 0.0 && (p - (-0.5 * statistic).exp()).abs() < 1e-12,
        "{document}"
    );
    assert_eq!(document["models"][1]["parameters"], 4);
}
