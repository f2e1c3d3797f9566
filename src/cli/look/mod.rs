//! Looking at a simulation: what of it is drawn, animated and written, and how.

mod animate;
mod choose;
mod fields;
mod quantity;
mod still;
mod tables;

use std::path::{Path, PathBuf};

use costate::report::write_atomically;
use costate::study::{Simulation, Study};

use super::Failure;
use super::arguments::LookArguments;
use choose::View;

pub use quantity::{Quantity, split};
pub use tables::write_trajectory;

/// What was asked for, understood: made before the solve, so that a slip costs no time.
pub struct Look<'a> {
    arguments: &'a LookArguments,
    /// what `--csv` and `--npy` write
    written: Vec<Quantity>,
    /// what `--plot` and `--animate` draw
    views: Vec<View>,
}

impl<'a> Look<'a> {
    /// Understands the arguments.
    ///
    /// # Errors
    /// [`Failure::Usage`] where they ask for what there is not.
    pub fn new(study: &Study, arguments: &'a LookArguments) -> Result<Self, Failure> {
        let scenario = &study.scenario;
        let usage = |text: String| Failure::Usage(Some(text));
        if let Some(path) = &arguments.plot {
            ending(path, &["svg", "png"], "plots")?;
        }
        if let Some(path) = &arguments.animate {
            ending(path, &["gif"], "animations")?;
            if !(0.1..=50.0).contains(&arguments.fps) {
                return Err(usage(format!(
                    "`--fps {}`: between 0.1 and 50 frames a second can be shown",
                    arguments.fps
                )));
            }
        }
        let pictures = arguments.plot.is_some() || arguments.animate.is_some();
        if !pictures && !arguments.phase.is_empty() {
            return Err(usage(
                "`--phase` is for `--plot FILE` or `--animate FILE`".into(),
            ));
        }
        let named = arguments
            .states
            .iter()
            .flat_map(|list| split(list))
            .map(|name| quantity::find(scenario, &name).map_err(usage))
            .collect::<Result<Vec<Quantity>, Failure>>()?;
        let all = quantity::all(scenario);
        let written = if named.is_empty() {
            all.clone()
        } else {
            named.clone()
        };
        if arguments.csv.is_some() && named.is_empty() {
            tables::refuse_wide(&all).map_err(usage)?;
        }
        let mut views = Vec::new();
        for pair in &arguments.phase {
            let names = split(pair);
            let [x, y] = &names[..] else {
                return Err(usage(format!(
                    "`--phase {pair}`: two names are needed, of what goes across and of what goes up"
                )));
            };
            let of = |name: &str| quantity::find(scenario, name).map_err(usage);
            views.push(choose::against(of(x)?, of(y)?).map_err(usage)?);
        }
        let drawn = if !named.is_empty() {
            named
        } else if views.is_empty() {
            all.into_iter().filter(|q| !q.aside).collect()
        } else {
            Vec::new()
        };
        views.extend(choose::views(&drawn, arguments.plot_as).map_err(usage)?);
        Ok(Self {
            arguments,
            written,
            views,
        })
    }

    /// Output times where their number is not given: more than `usual` where only paths are drawn, whose corners would show. What is
    /// written has as many rows whatever is drawn beside.
    pub fn points(&self, usual: u32) -> u32 {
        let paths = self.views.iter().any(|v| matches!(v, View::Paths(_)));
        let pictures_alone = self.arguments.csv.is_none() && self.arguments.npy.is_none();
        if self.arguments.plot.is_some() && paths && pictures_alone {
            usual * 5 - 4 // the usual times and four between
        } else {
            usual
        }
    }

    /// Draws and writes it; the files and folders written.
    ///
    /// # Errors
    /// [`Failure::Work`] where a picture cannot be drawn or a file not be written.
    pub fn write(
        &self,
        study: &Study,
        result: &Simulation,
        note: &str,
    ) -> Result<Vec<PathBuf>, Failure> {
        let fail = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
        let mut files = Vec::new();
        if let Some(path) = &self.arguments.csv {
            write_atomically(path, tables::csv(&self.written, result).as_bytes())
                .map_err(|e| fail(&e))?;
            files.push(path.clone());
        }
        if let Some(folder) = &self.arguments.npy {
            tables::write_npy(folder, &self.written, result).map_err(|e| fail(&e))?;
            files.push(folder.clone());
        }
        if let Some(path) = &self.arguments.plot {
            let figure = still::sheet(&study.scenario, &self.views, result, note)
                .draw()
                .map_err(|e| fail(&e))?;
            let bytes = figure.bytes_for(path).map_err(|e| fail(&e))?;
            write_atomically(path, &bytes).map_err(|e| fail(&e))?;
            files.push(path.clone());
        }
        if let Some(path) = &self.arguments.animate {
            let bytes = animate::gif(&study.scenario, &self.views, result, self.arguments)
                .map_err(|e| fail(&e))?;
            write_atomically(path, &bytes).map_err(|e| fail(&e))?;
            files.push(path.clone());
        }
        Ok(files)
    }
}

/// Refuses a file whose name ends in none of `endings`.
fn ending(path: &Path, endings: &[&str], what: &str) -> Result<(), Failure> {
    let own = path
        .extension()
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    if endings.contains(&own.as_str()) {
        return Ok(());
    }
    let endings: Vec<String> = endings.iter().map(|e| format!(".{e}")).collect();
    Err(Failure::Usage(Some(format!(
        "`{}`: {what} are written as {}",
        path.display(),
        endings.join(" or ")
    ))))
}
