//! Whole runs of the program, from process start to exit.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::clock::{Timing, cpu_of, median};
use crate::task::folder;

const RUNS: usize = 20;

/// The program to time: `COSTATE`, or the workspace's release build.
pub fn program() -> PathBuf {
    match std::env::var_os("COSTATE") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/costate"),
    }
}

/// Median wall and CPU time of a command over the task's scenario, or what went wrong.
pub fn time(program: &Path, command: &str, options: &[&str]) -> Result<Timing, String> {
    let resolve = |path: &Path| {
        path.canonicalize()
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    let (program, scenario) = (resolve(program)?, resolve(&folder().join("scenario.toml"))?);
    let out = std::env::temp_dir().join(format!("costate-bench-{}", std::process::id()));
    let once = || {
        let _ = std::fs::remove_dir_all(&out);
        std::fs::create_dir(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let (wall, cpu) = (Instant::now(), cpu_of(libc::RUSAGE_CHILDREN));
        // The program writes its run folder, if any, below the directory it is started in.
        let status = Command::new(&program)
            .arg(command)
            .arg(&scenario)
            .args(options)
            .current_dir(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let timing = (wall.elapsed(), cpu_of(libc::RUSAGE_CHILDREN) - cpu);
        if status.success() {
            Ok(timing)
        } else {
            Err(format!("`{command}` ended with {status}"))
        }
    };
    once()?;
    let runs: Vec<(Duration, Duration)> = (0..RUNS).map(|_| once()).collect::<Result<_, _>>()?;
    let _ = std::fs::remove_dir_all(&out);
    let (walls, cpus) = runs.into_iter().unzip();
    Ok(Timing {
        wall: median(walls),
        cpu: median(cpus),
    })
}
