//! Writing files so that a crash, a full disk or a pulled plug never leaves half of one.
//!
//! A file is written under a temporary name in the folder it belongs to, forced to disk, and renamed over its place in one step. Until
//! that step the old file is untouched; after it the new one is complete.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file or folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder the file is to lie in does not exist.
    #[error("cannot write `{}`: there is no folder `{}`", path.display(), folder.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// The missing folder.
        folder: PathBuf,
    },
    /// A folder stands where the file is to be.
    #[error("cannot write `{}`: it is a folder", path.display())]
    IsFolder {
        /// The place.
        path: PathBuf,
    },
    /// Something that is no folder stands where one is needed.
    #[error("cannot write to `{}`: it is not a folder", path.display())]
    NotAFolder {
        /// The place.
        path: PathBuf,
    },
    /// The file or its folder may not be written to.
    #[error("cannot write `{}`: permission denied", path.display())]
    PermissionDenied {
        /// The file.
        path: PathBuf,
    },
    /// The file system is mounted read-only.
    #[error("cannot write `{}`: the file system is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// No space or no quota is left.
    #[error("cannot write `{}`: no space left on the disk", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A file that no run has written stands where a run's file is to be.
    #[error("will not replace `{}`: it was not written by a run", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A name that is not a plain file name.
    #[error("`{name}` is not a plain file name")]
    BadName {
        /// The name.
        name: String,
    },
    /// A value that cannot be serialized.
    #[error("cannot write `{}`: {message}", path.display())]
    Serialize {
        /// The file.
        path: PathBuf,
        /// What the serializer said.
        message: String,
    },
    /// Any other failure.
    #[error("cannot write `{}`: {source}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl WriteError {
    /// The error for `path` that an [`io::Error`] means.
    pub fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => {
                let folder = folder_of(&path).to_path_buf();
                WriteError::NoFolder { path, folder }
            }
            io::ErrorKind::IsADirectory => WriteError::IsFolder { path },
            io::ErrorKind::NotADirectory => WriteError::NotAFolder { path },
            io::ErrorKind::PermissionDenied => WriteError::PermissionDenied { path },
            io::ErrorKind::ReadOnlyFilesystem => WriteError::ReadOnly { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                WriteError::DiskFull { path }
            }
            _ => WriteError::Other { path, source },
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Replaces the file at `path` by `bytes` in one step.
///
/// # Errors
/// [`WriteError`]; an existing file is then as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    write_atomically_with(path, |target| target.write_all(bytes))
}

/// Replaces the file at `path` by what `write` writes, in one step.
///
/// A link is followed, and the file it points to is replaced. What exists but is no regular file, such as `/dev/stdout` or a pipe, is
/// written to directly, since there is nothing to rename over.
///
/// # Errors
/// [`WriteError`]; an existing file is then as it was.
pub fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    let fail = |source| WriteError::from_io(path, source);
    let existing = fs::metadata(path).ok();
    if let Some(metadata) = &existing {
        if metadata.is_dir() {
            return Err(WriteError::IsFolder {
                path: path.to_path_buf(),
            });
        }
        if !metadata.is_file() {
            let mut device = fs::OpenOptions::new()
                .write(true)
                .open(path)
                .map_err(fail)?;
            return write(&mut device)
                .and_then(|()| device.flush())
                .map_err(fail);
        }
        if metadata.permissions().readonly() {
            return Err(WriteError::PermissionDenied {
                path: path.to_path_buf(),
            });
        }
    }
    let place = match &existing {
        Some(_) => fs::canonicalize(path).map_err(fail)?,
        None => path.to_path_buf(),
    };
    let folder = folder_of(&place);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".costate-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What any new file gets, less the umask; temporary files are private by default.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // The temporary file removes itself when it is dropped before the rename.
    let mut part = builder.tempfile_in(folder).map_err(fail)?;
    {
        let mut buffered = io::BufWriter::new(part.as_file_mut());
        write(&mut buffered)
            .and_then(|()| buffered.flush())
            .map_err(fail)?;
    }
    if let Some(metadata) = existing {
        part.as_file()
            .set_permissions(metadata.permissions())
            .map_err(fail)?;
    }
    part.as_file().sync_all().map_err(fail)?;
    part.persist(&place).map_err(|error| fail(error.error))?;
    // The rename itself reaches the disk with its folder; systems that cannot sync a folder still have a whole file.
    if let Ok(folder) = fs::File::open(folder) {
        let _synced = folder.sync_all();
    }
    Ok(())
}
