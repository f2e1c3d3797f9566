//! `fit` of several scenarios: each is fitted, and the models stand beside each other.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use costate::report::json::number;
use costate::study::{Comparison, Contender, compare};
use serde_json::{Value, json};

use super::arguments::FitArguments;
use super::fit::{Done, fit_one};
use super::{Failure, print_json, print_text};

/// Runs the command.
pub fn run(arguments: &FitArguments, stop: &AtomicBool) -> Result<(), Failure> {
    let common = &arguments.common;
    let scenarios: Vec<&Path> = std::iter::once(common.scenario.as_path())
        .chain(arguments.others.iter().map(PathBuf::as_path))
        .collect();
    let mut fits = Vec::with_capacity(scenarios.len());
    for (index, scenario) in scenarios.iter().enumerate() {
        let out = arguments
            .out
            .as_ref()
            .map(|out| out.join(format!("model-{}", index + 1)));
        let done = fit_one(arguments, scenario, out.as_deref(), stop)?;
        if !common.json && !common.quiet {
            print_text(&format!("model {}: {}\n", index + 1, done.summary()))?;
            print_text("\n")?;
        }
        if done.result.interrupted {
            return Err(Failure::Interrupted);
        }
        fits.push(done);
    }
    let models: Vec<Contender> = fits
        .iter()
        .map(|done| Contender::new(&done.study, &done.result))
        .collect();
    let pairs = compare(&models);
    if common.json {
        print_json(&document(&fits, &models, &pairs))
    } else {
        print_text(&text(&scenarios, &models, &pairs))
    }
}

fn text(scenarios: &[&Path], models: &[Contender], pairs: &[Comparison]) -> String {
    let columns = ["-2 log L", "AIC", "AICc", "BIC"].map(|c| format!("{c:>14}"));
    let mut text = format!("model  parameters{}  scenario\n", columns.concat());
    for (index, (model, scenario)) in models.iter().zip(scenarios).enumerate() {
        let criteria = &model.criteria;
        let numbers = [
            2.0 * criteria.negative_log_likelihood,
            criteria.aic,
            criteria.aicc,
            criteria.bic,
        ];
        let numbers = numbers.map(|value| format!("{value:>14.4}")).concat();
        let (number, parameters) = (index + 1, criteria.parameters);
        let name = scenario.display();
        text += &format!("{number:>5}  {parameters:>10}{numbers}  {name}\n");
    }
    text.push('\n');
    for (index, model) in models.iter().enumerate() {
        let number = index + 1;
        if let Some(doubt) = model.doubt {
            text += &format!("model {number}: {doubt}; its criteria say little\n");
        }
        if !model.converged {
            text += &format!("model {number}: its fit has not converged\n");
        }
        if !model.at_bound.is_empty() {
            let names = model.at_bound.join("`, `");
            text += &format!("model {number}: at a bound: `{names}`\n");
        }
    }
    for pair in pairs {
        text += &verdict(pair);
    }
    text
}

fn verdict(pair: &Comparison) -> String {
    let (smaller, larger) = (pair.smaller + 1, pair.larger + 1);
    match &pair.test {
        Err(why) => format!("{smaller} and {larger}: no likelihood-ratio test: {why}\n"),
        Ok(test) => {
            let freedom = test.degrees_of_freedom;
            let plural = if freedom == 1 { "" } else { "s" };
            let mut text = format!(
                "{smaller} in {larger}: likelihood ratio {:.4}, {freedom} degree{plural} of freedom, p = {:.4e}\n",
                test.statistic, test.p_value
            );
            if !test.at_bound.is_empty() {
                text += &format!(
                    "    warning: `{}` at a bound: the distribution is then a mixture of chi-squared ones, and this p too large\n",
                    test.at_bound.join("`, `")
                );
            }
            text
        }
    }
}

fn document(fits: &[Done], models: &[Contender], pairs: &[Comparison]) -> Value {
    let models = fits.iter().zip(models).map(|(done, model)| {
        let criteria = &model.criteria;
        json!({
            "scenario": done.study.scenario.name,
            "file": done.study.scenario.source.path.display().to_string(),
            "folder": done.folder,
            "parameters": criteria.parameters,
            "fitted": model.names,
            "minus_two_log_likelihood": number(2.0 * criteria.negative_log_likelihood),
            "aic": number(criteria.aic),
            "aicc": number(criteria.aicc),
            "bic": number(criteria.bic),
            "at_bound": model.at_bound,
            "doubt": model.doubt.map(|doubt| doubt.to_string()),
            "fit": done.document(),
        })
    });
    let pairs = pairs.iter().map(|pair| {
        let mut value = json!({ "smaller": pair.smaller, "larger": pair.larger });
        let test = match &pair.test {
            Ok(test) => json!({
                "statistic": test.statistic,
                "degrees_of_freedom": test.degrees_of_freedom,
                "p_value": number(test.p_value),
                "at_bound": test.at_bound,
            }),
            Err(why) => {
                value["no_test"] = json!(why.to_string());
                Value::Null
            }
        };
        value["likelihood_ratio"] = test;
        value
    });
    json!({ "models": models.collect::<Vec<_>>(), "pairs": pairs.collect::<Vec<_>>() })
}
