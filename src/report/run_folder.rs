//! The folder a run leaves behind: `runs/<scenario>/<UTC time>`, or the one the user named.
//!
//! A run never overwrites another: a second one in the same second gets `-2` after its time. In a folder the user named, a run may
//! replace files an earlier run wrote there, and only those: a list of them is kept in the folder. So `--out .` beside a scenario cannot
//! replace the scenario itself.

use super::csv::{Column, write_columns};
use super::figure::Figure;
use super::file::{WriteError, write_atomically, write_atomically_with};
use super::journal::{Journal, JournalError};
use super::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Name of the list of files that runs have written into a folder.
const LIST: &str = ".costate-run";
/// Suffixes tried for runs within one second.
const ATTEMPTS: u32 = 10_000;

/// A folder for the files of one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    ours: Vec<String>,
}

/// `seconds` since 1970 in UTC as `2026-11-23T11-22-33Z`: sorts by time and is a valid file name everywhere.
///
/// Days become a date of the proleptic Gregorian calendar in eras of 400 years (146097 days) that begin on 1 March, so that the leap day
/// is the last of its year.
pub fn utc_name(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468; // days since 0000-03-01
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + 400 * era + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// A scenario's name as a folder name: letters, digits, `-`, `_` and inner dots kept, anything else a hyphen.
fn folder_name(scenario: &str) -> String {
    let name: String = scenario
        .chars()
        .take(100)
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() {
        "scenario".to_owned()
    } else {
        name.to_owned()
    }
}

impl RunFolder {
    /// Creates `root/<scenario>/<time>`, with `-2`, `-3` and so on after the time where that exists.
    ///
    /// # Errors
    /// [`WriteError`] when a folder cannot be created.
    pub fn create(root: &Path, scenario: &str, time: SystemTime) -> Result<Self, WriteError> {
        let parent = root.join(folder_name(scenario));
        fs::create_dir_all(&parent).map_err(|error| folder_error(&parent, error))?;
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(0),
            Err(before) => i64::try_from(before.duration().as_secs()).map_or(0, |s| -s),
        };
        let stamp = utc_name(seconds);
        for attempt in 1..=ATTEMPTS {
            let path = parent.join(if attempt == 1 {
                stamp.clone()
            } else {
                format!("{stamp}-{attempt}")
            });
            // `create_dir` fails on what exists, so two runs at once never share a folder.
            match fs::create_dir(&path) {
                Ok(()) => {
                    let ours = Vec::new();
                    return Ok(RunFolder { path, ours });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(folder_error(&path, error)),
            }
        }
        let path = parent.join(stamp);
        let source = io::Error::from(io::ErrorKind::AlreadyExists);
        Err(WriteError::Other { path, source })
    }

    /// The folder the user named, created where it is missing; files already in it stay.
    ///
    /// # Errors
    /// [`WriteError`] when it cannot be created or is no folder.
    pub fn at(path: &Path) -> Result<Self, WriteError> {
        fs::create_dir_all(path).map_err(|error| folder_error(path, error))?;
        let ours = fs::read_to_string(path.join(LIST))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect();
        Ok(RunFolder {
            path: path.to_path_buf(),
            ours,
        })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `bytes` as file `name`.
    ///
    /// # Errors
    /// [`WriteError`]; [`WriteError::NotOurs`] where a file of that name exists that no run has written.
    pub fn write_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, WriteError> {
        let path = self.claim(name)?;
        write_atomically(&path, bytes)?;
        Ok(path)
    }

    /// Writes text, such as the resolved scenario, as file `name`.
    ///
    /// # Errors
    /// As [`Self::write_bytes`].
    pub fn write_text(&mut self, name: &str, text: &str) -> Result<PathBuf, WriteError> {
        self.write_bytes(name, text.as_bytes())
    }

    /// Writes a value as JSON, such as `result.json`.
    ///
    /// # Errors
    /// As [`Self::write_bytes`]; [`WriteError::Serialize`] for a value JSON cannot hold.
    pub fn write_json<T: serde::Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<PathBuf, WriteError> {
        let text = json::to_text(value).map_err(|error| WriteError::Serialize {
            path: self.path.join(name),
            message: error.to_string(),
        })?;
        self.write_text(name, &text)
    }

    /// Writes columns as CSV.
    ///
    /// # Errors
    /// As [`Self::write_bytes`].
    pub fn write_csv(&mut self, name: &str, columns: &[Column]) -> Result<PathBuf, WriteError> {
        self.write_with(name, |target| write_columns(target, columns))
    }

    /// Writes what `write` writes as file `name`.
    ///
    /// # Errors
    /// As [`Self::write_bytes`].
    pub fn write_with(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<PathBuf, WriteError> {
        let path = self.claim(name)?;
        write_atomically_with(&path, write)?;
        Ok(path)
    }

    /// Begins file `name` as a journal.
    ///
    /// # Errors
    /// As [`Self::write_bytes`]; [`JournalError::InUse`] where another process writes it.
    pub fn create_journal(&mut self, name: &str) -> Result<Journal, JournalError> {
        Journal::create(&self.claim(name)?)
    }

    /// The folders that [`RunFolder::create`] has made for a scenario, the oldest first.
    pub fn earlier(root: &Path, scenario: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join(folder_name(scenario)));
        let entries = entries.into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|p| p.is_dir())
            .collect();
        folders.sort();
        folders
    }

    /// Writes a figure as `stem.svg` and `stem.png`.
    ///
    /// # Errors
    /// As [`Self::write_bytes`]; [`WriteError::Serialize`] when the figure cannot be rasterized.
    pub fn write_figure(
        &mut self,
        stem: &str,
        figure: &Figure,
    ) -> Result<[PathBuf; 2], WriteError> {
        let png_name = format!("{stem}.png");
        let png = figure.png().map_err(|error| WriteError::Serialize {
            path: self.path.join(&png_name),
            message: error.to_string(),
        })?;
        let svg = self.write_text(&format!("{stem}.svg"), &figure.svg)?;
        Ok([svg, self.write_bytes(&png_name, &png)?])
    }

    /// The path of file `name`, put on the list of this folder's run files before it is first written.
    fn claim(&mut self, name: &str) -> Result<PathBuf, WriteError> {
        let plain = Path::new(name).file_name().is_some_and(|n| n == name)
            && !name.contains(['/', '\\', '\0', '\n', '\r'])
            && name != LIST;
        if !plain {
            return Err(WriteError::BadName {
                name: name.to_owned(),
            });
        }
        let path = self.path.join(name);
        if !self.ours.iter().any(|ours| ours == name) {
            if fs::symlink_metadata(&path).is_ok() {
                return Err(WriteError::NotOurs { path });
            }
            let mut list = self.ours.join("\n");
            if !list.is_empty() {
                list.push('\n');
            }
            list.push_str(name);
            list.push('\n');
            write_atomically(&self.path.join(LIST), list.as_bytes())?;
            self.ours.push(name.to_owned());
        }
        Ok(path)
    }
}

/// The error of creating a folder, where "exists" means that a file is in the way.
fn folder_error(path: &Path, error: io::Error) -> WriteError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        WriteError::NotAFolder {
            path: path.to_path_buf(),
        }
    } else {
        WriteError::from_io(path, error)
    }
}
