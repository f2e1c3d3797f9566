//! The journal of a fit in its run folder, from which `--resume` goes on: what the fit is, its starting points, and the end of every
//! start as it comes.
//!
//! | line | holds |
//! |---|---|
//! | first | `journal` (the format, 2), `costate` (the version), `objective` at the file's values |
//! | second | `starts` (points on the search scale), `drawn` (where those come from), `replaced`, `candidates`, `candidate_evaluations` |
//! | then, as starts end | `start` (its number), `value`, `theta`, `gradient`, `gradient_norm`, counts, `status`, `history` |
//! | last | `finished` |
//!
//! Numbers are the shortest decimals that read back the same; those that are not finite are strings.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use costate::optimize::{Outcome, Progress, Status};
use costate::report::RunFolder;
use costate::report::journal::{Journal, JournalError};
use costate::study::{FitMemory, StartingPoints, Study};
use serde_json::{Value, json};

use super::Failure;

const FILE: &str = "journal.jsonl";
const BEST: &str = "best.json";
const RESOLVED: &str = "resolved.toml";
const FORMAT: u64 = 2;
const MOST_SEARCHES: usize = 1_000_000;

/// A fit's run folder with its journal.
pub struct FitJournal {
    place: Place,
    resolved: String,
    names: Vec<String>,
    open: Mutex<Option<Open>>,
    earlier: Earlier,
}

/// Where a new run goes.
enum Place {
    Named(PathBuf),
    Dated(String),
}

struct Open {
    folder: RunFolder,
    journal: Journal,
    best: f64,
}

/// What an earlier run has found.
#[derive(Default)]
struct Earlier {
    /// the objective at the file's values; `None`: there is no earlier run
    objective: Option<f64>,
    starts: Option<StartingPoints>,
    outcomes: Vec<Option<Outcome>>,
}

impl FitJournal {
    /// Of a new run; its folder is made when the fit begins.
    pub fn new(study: &Study, resolved: String, out: Option<&Path>) -> Result<Self, Failure> {
        let place = match out {
            Some(out) => {
                let path = out.join(FILE);
                if path.is_file() && !is_finished(&read(&path)?.1) {
                    return Err(Failure::Usage(Some(format!(
                        "`{0}` holds a fit that was cut short: go on with it by `--resume {0}`, or name another folder",
                        out.display()
                    ))));
                }
                Place::Named(out.to_path_buf())
            }
            None => Place::Dated(study.scenario.name.clone()),
        };
        Ok(Self {
            place,
            resolved,
            names: fitted(study),
            open: Mutex::new(None),
            earlier: Earlier::default(),
        })
    }

    /// Of an earlier run that was cut short: in `folder`, or, where that is empty, in the newest folder of the scenario's runs.
    pub fn resume(study: &Study, resolved: String, folder: &Path) -> Result<Self, Failure> {
        let usage = |text: String| Failure::Usage(Some(text));
        let work = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
        let folder = if folder.as_os_str().is_empty() {
            let runs = RunFolder::earlier(Path::new("runs"), &study.scenario.name);
            let with_journal = runs.into_iter().rev().find(|run| run.join(FILE).is_file());
            with_journal.ok_or_else(|| {
                let name = &study.scenario.name;
                usage(format!("no run of `{name}` in `runs` has a journal"))
            })?
        } else {
            folder.to_path_buf()
        };
        let shown = folder.display();
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(usage(format!("there is no `{FILE}` in `{shown}`")));
        }
        let before = std::fs::read_to_string(folder.join(RESOLVED))
            .map_err(|error| usage(format!("cannot read `{RESOLVED}` in `{shown}`: {error}")))?;
        if let Some((line, was, is)) = first_difference(&before, &resolved) {
            return Err(usage(format!(
                "the run in `{shown}` is of another fit: line {line} of its `{RESOLVED}` is `{was}`, here `{is}`; give the same scenario and options"
            )));
        }
        let (journal, lines) = read(&path)?;
        let earlier = Earlier::read(&lines)
            .ok_or_else(|| usage(format!("`{}` is no journal of a fit", path.display())))?;
        let best = earlier.outcomes.iter().flatten();
        let best = best.fold(f64::INFINITY, |best, outcome| best.min(outcome.value));
        Ok(Self {
            place: Place::Named(folder.clone()),
            resolved,
            names: fitted(study),
            open: Mutex::new(Some(Open {
                folder: RunFolder::at(&folder).map_err(|e| work(&e))?,
                journal,
                best,
            })),
            earlier,
        })
    }

    /// Starts that an earlier run had finished.
    pub fn known(&self) -> usize {
        self.earlier.outcomes.iter().flatten().count()
    }

    /// The folder of the run, for its results; `finish` says that the fit has come to its end.
    pub fn with_folder<T>(
        &self,
        write: impl FnOnce(&mut RunFolder) -> Result<T, Failure>,
        finish: bool,
    ) -> Result<T, Failure> {
        let mut open = self.lock();
        let open = open
            .as_mut()
            .ok_or_else(|| Failure::Work("the fit has not begun".into()))?;
        let written = write(&mut open.folder)?;
        if finish {
            let line = json!({"finished": true});
            let ended = open.journal.append(&line);
            ended.map_err(|error| Failure::Work(error.to_string()))?;
        }
        Ok(written)
    }

    /// Where the run is, once it has begun.
    pub fn path(&self) -> Option<PathBuf> {
        Some(self.lock().as_ref()?.folder.path().to_path_buf())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        // a thread that panicked while it held the lock left at most half a line, which opening cuts off
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, line: &Value) -> Result<(), String> {
        match self.lock().as_mut() {
            Some(open) => open.journal.append(line).map_err(|e| e.to_string()),
            None => Ok(()),
        }
    }

    fn begin_new(&self, objective: f64) -> Result<Open, JournalError> {
        let mut folder = match &self.place {
            Place::Named(path) => RunFolder::at(path),
            Place::Dated(name) => RunFolder::create(Path::new("runs"), name, SystemTime::now()),
        }?;
        folder.write_text(RESOLVED, &self.resolved)?;
        let mut journal = folder.create_journal(FILE)?;
        journal.append(&json!({
            "journal": FORMAT,
            "costate": env!("CARGO_PKG_VERSION"),
            "objective": number(objective),
        }))?;
        Ok(Open {
            folder,
            journal,
            best: f64::INFINITY,
        })
    }
}

impl FitMemory for FitJournal {
    fn begin(&self, objective: f64) -> Result<Option<StartingPoints>, String> {
        let Some(before) = self.earlier.objective else {
            let open = self.begin_new(objective).map_err(|e| e.to_string())?;
            *self.lock() = Some(open);
            return Ok(None);
        };
        if before.to_bits() != objective.to_bits() && !(before.is_nan() && objective.is_nan()) {
            return Err(format!(
                "this is another fit than the run's: the objective at the file's values is {objective:?}, there it was {before:?}; the data have changed, or the program"
            ));
        }
        Ok(self.earlier.starts.clone())
    }

    fn keep_starts(&self, starts: &StartingPoints) -> Result<(), String> {
        let all =
            |points: &[Vec<f64>]| points.iter().map(|point| numbers(point)).collect::<Value>();
        self.append(&json!({
            "starts": all(&starts.points),
            "drawn": all(&starts.drawn),
            "replaced": starts.replaced,
            "candidates": starts.candidates,
            "candidate_evaluations": starts.candidate_evaluations,
        }))
    }

    fn outcome(&self, index: usize) -> Option<Outcome> {
        self.earlier.outcomes.get(index)?.clone()
    }

    fn keep_outcome(&self, index: usize, outcome: &Outcome) -> Result<(), String> {
        self.append(&line_of(index, outcome))?;
        let mut open = self.lock();
        let Some(open) = open.as_mut() else {
            return Ok(());
        };
        if outcome.value < open.best {
            open.best = outcome.value;
            let best = json!({
                "objective": outcome.value,
                "start": index,
                "names": self.names,
                "on_search_scale": numbers(&outcome.theta),
            });
            let written = open.folder.write_json(BEST, &best);
            written.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Earlier {
    fn read(lines: &[Value]) -> Option<Self> {
        let header = lines.first()?;
        if header.get("journal")?.as_u64()? != FORMAT {
            return None;
        }
        let mut earlier = Self {
            objective: Some(number_of(header.get("objective")?)?),
            ..Self::default()
        };
        for line in &lines[1..] {
            if let Some(points) = line.get("starts") {
                let all = |points: &Value| -> Option<Vec<Vec<f64>>> {
                    points.as_array()?.iter().map(numbers_of).collect()
                };
                let (points, drawn) = (all(points)?, all(line.get("drawn")?)?);
                if drawn.len() != points.len() {
                    return None;
                }
                earlier.outcomes = vec![None; points.len()];
                earlier.starts = Some(StartingPoints {
                    points,
                    drawn,
                    replaced: count_of(line, "replaced")?,
                    candidates: count_of(line, "candidates")?,
                    candidate_evaluations: count_of(line, "candidate_evaluations")?,
                });
            } else if line.get("start").is_some() {
                let index = count_of(line, "start")?;
                // a global method has as many searches as its budget allows
                if index >= earlier.outcomes.len() && index < MOST_SEARCHES {
                    earlier.outcomes.resize(index + 1, None);
                }
                *earlier.outcomes.get_mut(index)? = Some(outcome_of(line)?);
            }
        }
        Some(earlier)
    }
}

fn fitted(study: &Study) -> Vec<String> {
    let parameters = study.scenario.parameters.iter();
    let parameters = parameters.filter(|p| p.fit && !p.profile_out);
    parameters.map(|p| p.name.text.clone()).collect()
}

fn read(path: &Path) -> Result<(Journal, Vec<Value>), Failure> {
    Journal::open(path).map_err(|error| Failure::Work(error.to_string()))
}

fn is_finished(lines: &[Value]) -> bool {
    lines.last().is_some_and(|l| l.get("finished").is_some())
}

/// The first line in which two texts differ, from 1, with what stands there.
fn first_difference(a: &str, b: &str) -> Option<(usize, String, String)> {
    let (mut a, mut b) = (a.lines(), b.lines());
    for line in 1.. {
        match (a.next(), b.next()) {
            (None, None) => return None,
            (left, right) if left == right => {}
            (left, right) => {
                let text = |side: Option<&str>| side.unwrap_or_default().trim().to_owned();
                return Some((line, text(left), text(right)));
            }
        }
    }
    None
}

fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value)
        .map_or_else(|| Value::String(value.to_string()), Value::Number)
}

fn numbers(values: &[f64]) -> Value {
    values.iter().copied().map(number).collect()
}

fn number_of(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

fn numbers_of(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(number_of).collect()
}

fn count_of(line: &Value, key: &str) -> Option<usize> {
    usize::try_from(line.get(key)?.as_u64()?).ok()
}

fn line_of(index: usize, outcome: &Outcome) -> Value {
    let history: Vec<Value> = outcome
        .history
        .iter()
        .map(|p| {
            json!([
                p.iteration,
                number(p.value),
                number(p.gradient_norm),
                number(p.step_norm)
            ])
        })
        .collect();
    let status = match &outcome.status {
        Status::Converged => json!("converged"),
        Status::SmallStep => json!("small-step"),
        Status::SmallChange => json!("small-change"),
        Status::MaxIterations => json!("max-iterations"),
        Status::Interrupted => json!("interrupted"),
        Status::Failed { reason } => json!({ "failed": reason }),
    };
    json!({
        "start": index,
        "value": number(outcome.value),
        "status": status,
        "theta": numbers(&outcome.theta),
        "gradient": numbers(&outcome.gradient),
        "gradient_norm": number(outcome.projected_gradient_norm),
        "iterations": outcome.iterations,
        "evaluations": outcome.evaluations,
        "gradient_evaluations": outcome.gradient_evaluations,
        "history": history,
    })
}

fn outcome_of(line: &Value) -> Option<Outcome> {
    let history = line.get("history")?.as_array()?.iter();
    let history: Option<Vec<Progress>> = history
        .map(|entry| {
            let entry = entry.as_array()?;
            Some(Progress {
                iteration: usize::try_from(entry.first()?.as_u64()?).ok()?,
                value: number_of(entry.get(1)?)?,
                gradient_norm: number_of(entry.get(2)?)?,
                step_norm: number_of(entry.get(3)?)?,
            })
        })
        .collect();
    let status = line.get("status")?;
    let status = match status.as_str() {
        Some("converged") => Status::Converged,
        Some("small-step") => Status::SmallStep,
        Some("small-change") => Status::SmallChange,
        Some("max-iterations") => Status::MaxIterations,
        Some(_) => return None,
        None => Status::Failed {
            reason: status.get("failed")?.as_str()?.to_owned(),
        },
    };
    Some(Outcome {
        theta: numbers_of(line.get("theta")?)?,
        value: number_of(line.get("value")?)?,
        gradient: numbers_of(line.get("gradient")?)?,
        projected_gradient_norm: number_of(line.get("gradient_norm")?)?,
        iterations: count_of(line, "iterations")?,
        evaluations: count_of(line, "evaluations")?,
        gradient_evaluations: count_of(line, "gradient_evaluations")?,
        status,
        history: history?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_back_to_the_last_bit() {
        let outcome = Outcome {
            theta: vec![0.1, -1.0 / 3.0, 1e-300],
            value: f64::NAN,
            gradient: vec![f64::INFINITY, 2.0_f64.sqrt(), -0.0],
            projected_gradient_norm: 1e-9,
            iterations: 3,
            evaluations: 5,
            gradient_evaluations: 4,
            status: Status::Failed {
                reason: "a \"reason\"".into(),
            },
            history: vec![Progress {
                iteration: 0,
                value: 0.1 + 0.2,
                gradient_norm: f64::NAN,
                step_norm: 0.0,
            }],
        };
        let text = line_of(7, &outcome).to_string();
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(count_of(&line, "start"), Some(7));
        let back = outcome_of(&line).expect("an outcome");
        // NaN is not equal to itself; its text is
        assert_eq!(format!("{back:?}"), format!("{outcome:?}"));
    }

    #[test]
    fn differences_are_found() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(
            first_difference("a\nb", "a\n c"),
            Some((2, "b".into(), "c".into()))
        );
        assert_eq!(
            first_difference("a", "a\nb"),
            Some((2, String::new(), "b".into()))
        );
    }
}
