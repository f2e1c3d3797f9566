//! Append-only journals: one JSON document a line, on the disk before the work goes on.
//!
//! A process that is killed leaves at most a last line without its end; opening the journal cuts that off, and what was complete stays. One
//! process writes at a time: the file is locked for as long as it is open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::file::WriteError;

/// Why a journal cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading, writing or creating the file failed.
    #[error(transparent)]
    File(#[from] WriteError),
    /// Another process has it open.
    #[error("`{}` is being written by another run", path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// A line before the last is no JSON: the file is no journal, or was changed.
    #[error("`{}`, line {line}: not a line of a journal", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// A journal open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// bytes of complete lines
    length: u64,
}

impl Journal {
    /// Begins a journal at `path`, in place of one that may be there.
    ///
    /// # Errors
    /// [`JournalError::File`], [`JournalError::InUse`].
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let mut journal = Self::locked(path, true)?;
        journal.cut(0)?;
        Ok(journal)
    }

    /// Opens a journal and reads its complete lines.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Value>), JournalError> {
        let mut journal = Self::locked(path, false)?;
        let mut bytes = Vec::new();
        let read = journal.file.read_to_end(&mut bytes);
        read.map_err(|error| WriteError::from_io(path, error))?;
        let mut lines = Vec::new();
        let mut complete = 0;
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let ends: Vec<usize> = ends.map(|(at, _)| at).collect();
        for (number, &end) in ends.iter().enumerate() {
            match serde_json::from_slice(&bytes[complete..end]) {
                Ok(line) => lines.push(line),
                // a block that never reached the disk before the power failed reads as zeros
                Err(_) if number + 1 == ends.len() => break,
                Err(_) => {
                    return Err(JournalError::Damaged {
                        path: path.to_path_buf(),
                        line: number + 1,
                    });
                }
            }
            complete = end + 1;
        }
        journal.cut(complete as u64)?;
        Ok((journal, lines))
    }

    fn locked(path: &Path, create: bool) -> Result<Self, JournalError> {
        let fail = |error| WriteError::from_io(path, error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::InUse {
                    path: path.to_path_buf(),
                });
            }
            // A file system without locks: two runs on one folder at once are then the user's to avoid.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(fail(error).into()),
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            length: 0,
        })
    }

    /// Leaves the first `length` bytes.
    fn cut(&mut self, length: u64) -> Result<(), WriteError> {
        let fail = |error| WriteError::from_io(&self.path, error);
        self.file.set_len(length).map_err(fail)?;
        self.file.seek(SeekFrom::Start(length)).map_err(fail)?;
        self.length = length;
        Ok(())
    }

    /// Writes a line and waits until the disk has it.
    ///
    /// # Errors
    /// [`WriteError`]; the journal then ends with the line before.
    pub fn append(&mut self, line: &Value) -> Result<(), WriteError> {
        let text = format!("{line}\n");
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a line is no harm, opening would cut it off; without it the file also reads well.
                let _cut = self.cut(self.length);
                Err(WriteError::from_io(&self.path, error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_complete_survives() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::create(&path).expect("created");
        journal.append(&json!({"a": 0.1})).expect("written");
        journal.append(&json!([1, 2])).expect("written");
        assert!(matches!(
            Journal::open(&path),
            Err(JournalError::InUse { .. })
        ));
        drop(journal);
        // killed in the middle of a line
        let whole = std::fs::read(&path).expect("read");
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("written");
            let (mut journal, lines) = Journal::open(&path).expect("opened");
            let complete = whole[..cut].iter().filter(|b| **b == b'\n').count();
            assert_eq!(lines.len(), complete);
            journal.append(&json!("next")).expect("written");
            drop(journal);
            let (_, lines) = Journal::open(&path).expect("opened");
            assert_eq!(lines.len(), complete + 1);
        }
    }

    #[test]
    fn damage_is_told_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{}\nnot json\n{}\n").expect("written");
        assert!(matches!(
            Journal::open(&path),
            Err(JournalError::Damaged { line: 2, .. })
        ));
        assert!(matches!(
            Journal::open(&folder.path().join("none")),
            Err(JournalError::File(WriteError::NoFolder { .. }))
        ));
    }
}
