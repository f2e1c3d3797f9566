//! What is known and what is not: parameters solved for inside, models compared, experiments planned.

mod boehm;
mod comparison;
mod designs;
mod profiled_out;

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::diagnostic::Diagnostic;
use costate::study::{Fit, Study, fit};

/// A study of a text beside its data files, or why there is none.
fn read(text: &str, files: &[(&str, &str)]) -> (Option<Study>, Vec<Diagnostic>) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file");
    }
    let folder: &Path = folder.path();
    Study::from_text(text, folder, Backend::Auto)
}

fn study(text: &str, files: &[(&str, &str)]) -> Study {
    let (study, findings) = read(text, files);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn fitted(study: &Study) -> Fit {
    fit(study, &AtomicBool::new(false), &|_| ()).expect("a fit")
}
