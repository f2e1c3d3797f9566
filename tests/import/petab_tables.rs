//! What PEtab's tables can say, on a small model of which everything is known: x decays, y takes what x loses.
//! The SBML model has x(0) = 2, k = 0.5; x(t) = x0 e^(-k t), y(t) = y0 + x0 - x(t).

use std::fs;

use costate::compile::Backend;
use costate::diagnostic::Diagnostic;
use costate::import::import_petab;
use costate::scenario::GradientMethod;
use costate::study::{GradientOf, Solving, Study, Variable, gradient};

use super::petab::write;

const MODEL: &str = r#"<?xml version="1.0"?>
<sbml xmlns="http://www.sbml.org/sbml/level2/version4" level="2" version="4"><model id="decay">
<listOfCompartments><compartment id="cell" size="1"/></listOfCompartments>
<listOfSpecies>
<species id="x" compartment="cell" initialConcentration="2"/>
<species id="y" compartment="cell" initialConcentration="0"/>
</listOfSpecies>
<listOfParameters><parameter id="k" value="0.5"/><parameter id="feed" value="0"/></listOfParameters>
<listOfReactions><reaction id="v"><listOfReactants><speciesReference species="x"/></listOfReactants>
<listOfProducts><speciesReference species="y"/></listOfProducts><kineticLaw>
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>cell</ci><ci>k</ci><ci>x</ci></apply></math>
</kineticLaw></reaction>
<reaction id="inflow"><listOfProducts><speciesReference species="x"/></listOfProducts><kineticLaw>
<math xmlns="http://www.w3.org/1998/Math/MathML"><ci>feed</ci></math></kineticLaw></reaction>
<reaction id="outflow"><listOfReactants><speciesReference species="y"/></listOfReactants><kineticLaw>
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>feed</ci><ci>y</ci></apply></math></kineticLaw></reaction>
</listOfReactions></model></sbml>"#;

const YAML: &str = "format_version: 1\nparameter_file: p.tsv\nproblems:\n- condition_files: [c.tsv]\n  measurement_files:\n  - m.tsv\n  observable_files: [o.tsv]\n  sbml_files: [m.xml]\n";
const CONDITIONS: &str = "conditionId\tconditionName\nc0\tplain\n";
const OBSERVABLES: &str = "observableId\tobservableFormula\tnoiseFormula\nox\tx\t0.1\n";
const PARAMETERS: &str = "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\nk\tlog10\t1e-3\t10\t0.7\t1\n";
const MEASUREMENTS: &str =
    "observableId\tsimulationConditionId\ttime\tmeasurement\nox\tc0\t1\t0.9\n";

/// The files of a problem; each as above where it is not given.
#[derive(Default)]
struct Problem<'a> {
    yaml: Option<&'a str>,
    model: Option<&'a str>,
    conditions: Option<&'a str>,
    observables: Option<&'a str>,
    parameters: Option<&'a str>,
    measurements: Option<&'a str>,
}

impl Problem<'_> {
    fn import(
        &self,
    ) -> (
        tempfile::TempDir,
        Option<costate::import::Imported>,
        Vec<Diagnostic>,
    ) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let put =
            |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        put("p.yaml", self.yaml.unwrap_or(YAML));
        put("m.xml", self.model.unwrap_or(MODEL));
        put("c.tsv", self.conditions.unwrap_or(CONDITIONS));
        put("o.tsv", self.observables.unwrap_or(OBSERVABLES));
        put("p.tsv", self.parameters.unwrap_or(PARAMETERS));
        put("m.tsv", self.measurements.unwrap_or(MEASUREMENTS));
        let (imported, findings) = import_petab(&folder.path().join("p.yaml"));
        (folder, imported, findings)
    }

    /// The objective and its derivative with respect to the first estimated parameter, and the scenario's text.
    fn evaluate(&self) -> (f64, f64, String) {
        let (folder, imported, findings) = self.import();
        let imported = imported.unwrap_or_else(|| panic!("{findings:?}"));
        let out = folder.path().join("out");
        write(&imported, &out);
        let text = imported.files[0].1.replace("rtol = 1e-8", "rtol = 1e-11");
        fs::write(out.join("scenario.toml"), &text).expect("the scenario");
        let (study, findings) = Study::load(&out.join("scenario.toml"), &[], Backend::Auto);
        let study = study.unwrap_or_else(|| panic!("{findings:?}"));
        let solving = Solving::choose(&study).expect("a solver");
        let variables = Variable::fitted(&study.scenario);
        let mut results = [GradientMethod::Dual, GradientMethod::Adjoint].map(|method| {
            gradient(
                &study,
                &solving,
                GradientOf::Data,
                method,
                &study.values(),
                &variables,
            )
            .unwrap_or_else(|e| panic!("{e}\n{text}"))
        });
        let [dual, adjoint] = &mut results;
        assert!(
            (dual.gradient[0] - adjoint.gradient[0]).abs() <= 1e-9 * (1.0 + dual.gradient[0].abs())
        );
        (dual.value, dual.gradient[0], text)
    }

    /// The errors, one text each.
    fn errors(&self) -> Vec<String> {
        let (_, imported, findings) = self.import();
        assert!(imported.is_none(), "imported what is wrong: {findings:?}");
        findings.iter().map(ToString::to_string).collect()
    }
}

fn normal(y: f64, d: f64, sigma: f64) -> f64 {
    0.5 * (2.0 * std::f64::consts::PI * sigma * sigma).ln() + 0.5 * ((d - y) / sigma).powi(2)
}

fn close(found: f64, expected: f64, text: &str) {
    // the solver's tolerance is 1e-11; the slack of two digits is for the noise's division by sigma^2
    assert!(
        (found - expected).abs() <= 1e-8 * (1.0 + expected.abs()),
        "{found} beside {expected}\n{text}"
    );
}

const K: f64 = 0.7;

#[test]
fn parameter_tables_replace_the_models_values() {
    let (value, slope, text) = Problem::default().evaluate();
    let y = 2.0 * (-K).exp();
    close(value, normal(y, 0.9, 0.1), &text);
    // d/dk of the misfit: (y - d)/sigma^2 dy/dk, dy/dk = -y at t = 1
    close(slope, (y - 0.9) / 0.01 * -y, &text);
    assert!(text.contains("scale = \"log10\", fit = true"));
}

#[test]
fn conditions_give_parameters_and_initial_values_by_numbers_and_names() {
    let problem = Problem {
        conditions: Some("conditionId\tk\tx\nc0\tk_fast\t\nc1\t0.2\tx_start\nc2\t0.3\tNaN\n"),
        parameters: Some(
            "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\nk_fast\tlog10\t1e-3\t10\t1.5\t1\nx_start\tlin\t0\t10\t3\t1\n",
        ),
        measurements: Some(
            "observableId\tsimulationConditionId\ttime\tmeasurement\nox\tc0\t1\t0.5\nox\tc1\t2\t2.1\nox\tc2\t1\t1.5\n",
        ),
        ..Problem::default()
    };
    let (value, _, text) = problem.evaluate();
    let expected = normal(2.0 * (-1.5_f64).exp(), 0.5, 0.1)
        + normal(3.0 * (-0.4_f64).exp(), 2.1, 0.1)
        + normal(2.0 * (-0.3_f64).exp(), 1.5, 0.1);
    close(value, expected, &text);
    assert!(text.contains("initial = { x = \"x_start\" }"), "{text}");
}

#[test]
fn preequilibration_keeps_what_the_condition_does_not_give() {
    // with feed = 0.4 and k = 0.7 the system rests at x = feed/k, y = k x / feed = 1
    let problem = Problem {
        conditions: Some("conditionId\tfeed\tx\npre\t0.4\t\nc0\t0\t5\nc1\t0\tNaN\n"),
        observables: Some(
            "observableId\tobservableFormula\tnoiseFormula\nox\tx\t0.1\noy\ty\t0.1\n",
        ),
        measurements: Some(
            "observableId\tpreequilibrationConditionId\tsimulationConditionId\ttime\tmeasurement\nox\tpre\tc0\t1\t2\noy\tpre\tc0\t0\t1.1\nox\tpre\tc1\t1\t0.2\n",
        ),
        ..Problem::default()
    };
    let (value, _, text) = problem.evaluate();
    let expected = normal(5.0 * (-K).exp(), 2.0, 0.1)
        + normal(1.0, 1.1, 0.1)
        + normal(0.4 / K * (-K).exp(), 0.2, 0.1);
    close(value, expected, &text);
    assert!(text.contains("steady_state_before = true"), "{text}");
}

#[test]
fn measurements_at_time_inf_are_of_the_equilibrium() {
    let problem = Problem {
        conditions: Some("conditionId\tfeed\nc0\t0.4\n"),
        measurements: Some(
            "observableId\tsimulationConditionId\ttime\tmeasurement\nox\tc0\tinf\t0.6\nox\tc0\t1\t1.0\n",
        ),
        ..Problem::default()
    };
    let (value, slope, text) = problem.evaluate();
    let (rest, decay) = (0.4 / K, (-K).exp());
    let x = rest + (2.0 - rest) * decay;
    close(value, normal(rest, 0.6, 0.1) + normal(x, 1.0, 0.1), &text);
    let drest = -rest / K;
    let dx = drest * (1.0 - decay) - (2.0 - rest) * decay;
    close(
        slope,
        (rest - 0.6) / 0.01 * drest + (x - 1.0) / 0.01 * dx,
        &text,
    );
}

#[test]
fn placeholders_are_written_in_place_where_they_are_the_same() {
    let problem = Problem {
        observables: Some(
            "observableId\tobservableFormula\tnoiseFormula\nox\tobservableParameter1_ox + observableParameter2_ox*x\tnoiseParameter1_ox\n",
        ),
        parameters: Some(
            "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\nk\tlog10\t1e-3\t10\t0.7\t1\nscale\tlin\t0\t10\t3\t0\nsd\tlin\t0\t1\t0.2\t0\n",
        ),
        measurements: Some(
            "observableId\tsimulationConditionId\ttime\tmeasurement\tobservableParameters\tnoiseParameters\nox\tc0\t1\t3\t0.5;scale\tsd\nox\tc0\t1\t3.5\t0.5;scale\tsd\n",
        ),
        ..Problem::default()
    };
    let (value, _, text) = problem.evaluate();
    let y = 0.5 + 3.0 * 2.0 * (-K).exp();
    close(value, normal(y, 3.0, 0.2) + normal(y, 3.5, 0.2), &text);
    assert!(text.contains("expression = \"0.5 + scale*x\""), "{text}");
}

#[test]
fn placeholders_that_vary_between_experiments_are_parameters() {
    let problem = Problem {
        conditions: Some("conditionId\tk\nc0\t0.7\nc1\t0.3\n"),
        observables: Some(
            "observableId\tobservableFormula\tnoiseFormula\nox\tobservableParameter1_ox*x\t0.1 + 0.1*noiseParameter1_ox\n",
        ),
        parameters: Some(
            "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\nscale\tlin\t0\t10\t3\t1\n",
        ),
        measurements: Some(
            "observableId\tsimulationConditionId\ttime\tmeasurement\tobservableParameters\tnoiseParameters\nox\tc0\t1\t3\tscale\t1\nox\tc1\t1\t3.5\t2\t3\n",
        ),
        ..Problem::default()
    };
    let (value, _, text) = problem.evaluate();
    let expected = normal(3.0 * 2.0 * (-0.7_f64).exp(), 3.0, 0.2)
        + normal(2.0 * 2.0 * (-0.3_f64).exp(), 3.5, 0.4);
    close(value, expected, &text);
    assert!(
        text.contains("observableParameter1_ox = \"scale\""),
        "{text}"
    );
}

#[test]
fn placeholders_that_vary_within_an_experiment_make_several_observables() {
    let problem = Problem {
        observables: Some(
            "observableId\tobservableFormula\tnoiseFormula\nox\tobservableParameter1_ox*x\tnoiseParameter1_ox\n",
        ),
        parameters: Some(
            "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\nk\tlog10\t1e-3\t10\t0.7\t1\nsd\tlin\t0\t1\t0.2\t0\n",
        ),
        measurements: Some(
            "observableId\tsimulationConditionId\ttime\tmeasurement\tobservableParameters\tnoiseParameters\nox\tc0\t1\t1\t1\tsd\nox\tc0\t1\t2.1\t2\t0.3\nox\tc0\t2\t0.4\t1\tsd\n",
        ),
        ..Problem::default()
    };
    let (value, _, text) = problem.evaluate();
    let x = |t: f64| 2.0 * (-K * t).exp();
    let expected =
        normal(x(1.0), 1.0, 0.2) + normal(2.0 * x(1.0), 2.1, 0.3) + normal(x(2.0), 0.4, 0.2);
    close(value, expected, &text);
}

#[test]
fn noise_that_is_a_number_a_measurement_is_a_column() {
    let problem = Problem {
        observables: Some(
            "observableId\tobservableFormula\tnoiseFormula\nox\tx\tnoiseParameter1_ox\noy\ty\t0.1\n",
        ),
        measurements: Some(
            "observableId\tsimulationConditionId\ttime\tmeasurement\tnoiseParameters\nox\tc0\t1\t1\t0.2\nox\tc0\t1\t1.1\t0.3\noy\tc0\t1\t1\t\n",
        ),
        ..Problem::default()
    };
    let (value, _, text) = problem.evaluate();
    let x = 2.0 * (-K).exp();
    let expected = normal(x, 1.0, 0.2) + normal(x, 1.1, 0.3) + normal(2.0 - x, 1.0, 0.1);
    close(value, expected, &text);
    assert!(text.contains("sigma = \"ox_sigma\""), "{text}");
}

#[test]
fn every_noise_model() {
    let x = 2.0 * (-K).exp();
    let (d, s) = (0.9_f64, 0.3_f64);
    let ln10 = std::f64::consts::LN_10;
    let half = 0.5 * (2.0 * std::f64::consts::PI * s * s).ln();
    let laplace = |z: f64| (2.0 * s).ln() + z.abs() / s;
    for (transformation, distribution, expected) in [
        ("lin", "normal", half + 0.5 * ((d - x) / s).powi(2)),
        (
            "log",
            "normal",
            half + d.ln() + 0.5 * ((d.ln() - x.ln()) / s).powi(2),
        ),
        (
            "log10",
            "normal",
            half + (d * ln10).ln() + 0.5 * ((d.log10() - x.log10()) / s).powi(2),
        ),
        ("lin", "laplace", laplace(d - x)),
        ("log", "laplace", d.ln() + laplace(d.ln() - x.ln())),
        (
            "log10",
            "laplace",
            (d * ln10).ln() + laplace(d.log10() - x.log10()),
        ),
    ] {
        let observables = format!(
            "observableId\tobservableFormula\tnoiseFormula\tobservableTransformation\tnoiseDistribution\nox\tx\t0.3\t{transformation}\t{distribution}\n"
        );
        let problem = Problem {
            observables: Some(&observables),
            ..Problem::default()
        };
        let (value, _, text) = problem.evaluate();
        close(value, expected, &text);
    }
}

#[test]
fn formulas_of_petab_and_priors() {
    let problem = Problem {
        observables: Some(
            "observableId\tobservableFormula\tnoiseFormula\nox\tpiecewise(x**2, x > 0.5 && !(y > 5), 0) + ln(exp(time))\tsqrt(pow(0.1, 2))\n",
        ),
        parameters: Some(
            "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\tobjectivePriorType\tobjectivePriorParameters\nk\tlog10\t1e-3\t10\t0.7\t1\tparameterScaleNormal\t-0.5;0.25\n",
        ),
        ..Problem::default()
    };
    let (value, _, text) = problem.evaluate();
    let y = (2.0 * (-K).exp()).powi(2) + 1.0;
    // the prior is of log10 k, as a density of log10 k
    close(
        value,
        normal(y, 0.9, 0.1) + normal(K.log10(), -0.5, 0.25),
        &text,
    );
}

#[test]
fn wrong_tables_are_named_with_their_place() {
    let columns = "observableId\tsimulationConditionId\ttime\tmeasurement\n";
    let wrong_value = format!("{columns}ox\tc0\tone\t0.9\n");
    let negative = format!("{columns}ox\tc0\t-1\t0.9\n");
    let unknown = format!("{columns}oz\tc0\t1\t0.9\n");
    let no_condition = format!("{columns}ox\tc9\t1\t0.9\n");
    let cases: Vec<(Problem<'_>, [&str; 2])> = vec![
        (
            Problem {
                measurements: Some(&wrong_value),
                ..Problem::default()
            },
            ["m.tsv:2:7", "`one` is no time"],
        ),
        (
            Problem {
                measurements: Some(&negative),
                ..Problem::default()
            },
            ["m.tsv:2:7", "before the start"],
        ),
        (
            Problem {
                measurements: Some(&unknown),
                ..Problem::default()
            },
            ["m.tsv:2:1", "no observable `oz`"],
        ),
        (
            Problem {
                measurements: Some(&no_condition),
                ..Problem::default()
            },
            ["m.tsv:2:4", "no condition `c9`"],
        ),
        (
            Problem {
                measurements: Some("observableId\ttime\tmeasurement\nox\t1\t1\n"),
                ..Problem::default()
            },
            ["m.tsv:1:1", "no column `simulationConditionId`"],
        ),
        (
            Problem {
                measurements: Some(""),
                ..Problem::default()
            },
            ["m.tsv:1:1", "empty"],
        ),
        (
            Problem {
                observables: Some(
                    "observableId\tobservableFormula\tnoiseFormula\nox\tx + z\t0.1\n",
                ),
                ..Problem::default()
            },
            ["o.tsv:2:8", "there is no `z`"],
        ),
        (
            Problem {
                observables: Some("observableId\tobservableFormula\tnoiseFormula\nox\tx + \t0.1\n"),
                ..Problem::default()
            },
            ["o.tsv:2:", "nothing stands after"],
        ),
        (
            Problem {
                observables: Some(
                    "observableId\tobservableFormula\tnoiseFormula\nox\tgamma(x)\t0.1\n",
                ),
                ..Problem::default()
            },
            ["o.tsv:2:4", "no function `gamma`"],
        ),
        (
            Problem {
                observables: Some(
                    "observableId\tobservableFormula\tnoiseFormula\tnoiseDistribution\nox\tx\t0.1\tcauchy\n",
                ),
                ..Problem::default()
            },
            ["o.tsv:2:10", "`cauchy` is none of"],
        ),
        (
            Problem {
                observables: Some(
                    "observableId\tobservableFormula\tnoiseFormula\nox\tobservableParameter1_ox*x\t0.1\n",
                ),
                ..Problem::default()
            },
            ["m.tsv:2:1", "this measurement gives 0"],
        ),
        (
            Problem {
                parameters: Some(
                    "parameterId\tparameterScale\testimate\tnominalValue\nk\tlog\tyes\t1\n",
                ),
                ..Problem::default()
            },
            ["p.tsv:2:7", "`estimate` is `yes`"],
        ),
        (
            Problem {
                parameters: Some(
                    "parameterId\tparameterScale\testimate\tnominalValue\nk\tlog\t0\t\n",
                ),
                ..Problem::default()
            },
            ["p.tsv:2:1", "no nominal value"],
        ),
        (
            Problem {
                parameters: Some("parameterId\testimate\tnominalValue\nk\t0\t1\nk\t0\t2\n"),
                ..Problem::default()
            },
            ["p.tsv:3:1", "given twice"],
        ),
        (
            Problem {
                parameters: Some(
                    "parameterId\testimate\tnominalValue\tobjectivePriorType\tobjectivePriorParameters\nk\t1\t1\tgamma\t1;2\n",
                ),
                ..Problem::default()
            },
            ["p.tsv:2:7", "no prior `gamma`"],
        ),
        (
            Problem {
                conditions: Some("conditionId\tv\nc0\t1\n"),
                ..Problem::default()
            },
            ["c.tsv:1:13", "has a rule"],
        ),
        (
            Problem {
                yaml: Some("format_version: 2\n"),
                ..Problem::default()
            },
            ["p.yaml:1:17", "version `2` cannot"],
        ),
        (
            Problem {
                yaml: Some("format_version: 1\nproblems: [\n"),
                ..Problem::default()
            },
            ["p.yaml:", "not YAML"],
        ),
        (
            Problem {
                yaml: Some(
                    "format_version: 1\nparameter_file: p.tsv\nproblems:\n- sbml_files: [gone.xml]\n  condition_files: [c.tsv]\n  observable_files: [o.tsv]\n  measurement_files: [m.tsv]\n",
                ),
                ..Problem::default()
            },
            ["p.yaml:4:16", "no such SBML file"],
        ),
        (
            Problem {
                yaml: Some(
                    "format_version: 1\nparameter_file: p.tsv\nproblems:\n- sbml_file: [m.xml]\n",
                ),
                ..Problem::default()
            },
            ["p.yaml:4:3", "did you mean `sbml_files`"],
        ),
        (
            Problem {
                yaml: Some("a: &a [1]\nb: *a\n"),
                ..Problem::default()
            },
            ["p.yaml:2:4", "aliases"],
        ),
    ];
    assert!(cases.len() >= 20);
    let mut missing = Vec::new();
    for (problem, parts) in cases {
        let errors = problem.errors();
        if !errors
            .iter()
            .any(|e| parts.iter().all(|part| e.contains(part)))
        {
            missing.push((parts, errors));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
