//! Trajectories as CSV and as NPY.

use std::fmt::Write as _;
use std::path::Path;

use costate::report::{RunFolder, WriteError, npy};
use costate::study::{Simulation, Study};

use super::quantity::{self, Quantity};

/// Most columns of a CSV file that nobody asked for by name.
const MOST_COLUMNS: usize = 2000;

/// Refuses to write so much as CSV that hardly a program reads it, and says what does instead.
pub fn refuse_wide(all: &[Quantity]) -> Result<(), String> {
    let columns: usize = 1 + all.iter().map(Quantity::len).sum::<usize>();
    if columns <= MOST_COLUMNS {
        return Ok(());
    }
    let largest = all.iter().max_by_key(|q| q.len());
    let name = largest.map_or("", |q| &q.name);
    let first = largest.and_then(|q| q.columns().next()).unwrap_or_default();
    Err(format!(
        "a CSV file of {columns} columns serves no one: `--npy DIR` writes arrays as NumPy reads them; \
         `--states {first}` chooses elements, and `--states {name}` asks for all of `{name}` as CSV nonetheless"
    ))
}

/// A name in CSV: in quotes where it holds a comma.
fn quoted(name: String) -> String {
    if name.contains(',') {
        format!("\"{name}\"")
    } else {
        name
    }
}

/// Quantities over time as CSV, numbers in the shortest form that reads back the same.
pub fn csv(quantities: &[Quantity], result: &Simulation) -> String {
    let mut text = String::from("t");
    for name in quantities.iter().flat_map(Quantity::columns) {
        text.push(',');
        text.push_str(&quoted(name));
    }
    text.push('\n');
    let columns: Vec<&[f64]> = quantities
        .iter()
        .flat_map(|q| q.all_series(result))
        .collect();
    for (k, t) in result.t.iter().enumerate() {
        let _ = write!(text, "{t:?}");
        for values in &columns {
            let _ = write!(text, ",{:?}", values.get(k).copied().unwrap_or(f64::NAN));
        }
        text.push('\n');
    }
    text
}

/// Writes a fitted trajectory into its run folder: `STEM.csv` with all states, and the observables that are not called as a state is. Where
/// that would have too many columns, it has the single numbers, and each array is in `STEM-NAME.npy`.
///
/// # Errors
/// [`WriteError`]
pub fn write_trajectory(
    folder: &mut RunFolder,
    stem: &str,
    study: &Study,
    result: &Simulation,
) -> Result<(), WriteError> {
    let mut columns = quantity::all(&study.scenario);
    if refuse_wide(&columns).is_err() {
        for array in columns.iter().filter(|q| !q.is_single()) {
            write_array(folder, &format!("{stem}-"), array, result)?;
        }
        columns.retain(Quantity::is_single);
    }
    folder.write_text(&format!("{stem}.csv"), &csv(&columns, result))?;
    Ok(())
}

/// Writes `t.npy` and each quantity as `NAME.npy`, times first, then its indices.
///
/// # Errors
/// [`WriteError`], also where a file of such a name lies in the folder that no run has written.
pub fn write_npy(
    folder: &Path,
    quantities: &[Quantity],
    result: &Simulation,
) -> Result<(), WriteError> {
    let mut folder = RunFolder::at(folder)?;
    folder.write_with("t.npy", |target| {
        npy::write(target, &[result.t.len()], result.t.iter().copied())
    })?;
    quantities
        .iter()
        .try_for_each(|q| write_array(&mut folder, "", q, result))
}

fn write_array(
    folder: &mut RunFolder,
    prefix: &str,
    q: &Quantity,
    result: &Simulation,
) -> Result<(), WriteError> {
    let times = result.t.len();
    let mut shape = vec![times];
    shape.extend(q.indices.iter().map(|(_, size)| *size));
    let columns: Vec<&[f64]> = q.all_series(result).collect();
    let values = (0..times).flat_map(|k| {
        columns
            .iter()
            .map(move |values| values.get(k).copied().unwrap_or(f64::NAN))
    });
    folder.write_with(&format!("{prefix}{}.npy", q.name), |target| {
        npy::write(target, &shape, values)
    })?;
    Ok(())
}
