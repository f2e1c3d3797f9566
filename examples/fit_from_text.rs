//! A fit from Rust: a scenario as text, its data beside it, the estimates with their standard errors.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::study::{Study, fit};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/influenza-sir");
    let text = std::fs::read_to_string(folder.join("scenario.toml"))?;
    let (study, findings) = Study::from_text(&text, &folder, Backend::Auto);
    for finding in &findings {
        eprintln!("{finding}");
    }
    let study = study.ok_or("the scenario is wrong")?;
    let result = fit(&study, &AtomicBool::new(false), &|_| {})?;
    for ((name, value), error) in result
        .names
        .iter()
        .zip(&result.best)
        .zip(&result.standard_errors)
    {
        match error {
            Some(error) => println!("{name} = {value:.6} +- {error:.6}"),
            None => println!("{name} = {value:.6}, not determined by the data"),
        }
    }
    println!(
        "objective {:.6}, converged: {}",
        result.objective, result.converged
    );
    assert!(result.converged);
    Ok(())
}
