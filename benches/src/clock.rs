//! Timing: all rows in turn, many rounds, medians.
//!
//! A shared machine slows down and speeds up over seconds. Taking every row once per round, in turn, exposes all of them
//! to the same weather; the median over rounds then compares like with like.

use std::time::{Duration, Instant};

use crate::task::Answer;

/// One line of the table.
pub struct Row {
    /// tool and method
    pub name: String,
    /// what is computed: solve, forward, adjoint
    pub work: &'static str,
    /// computes it once
    pub run: Box<dyn FnMut() -> Answer>,
}

impl Row {
    /// A row from its parts.
    pub fn new(name: &str, work: &'static str, run: impl FnMut() -> Answer + 'static) -> Self {
        Self {
            name: name.to_owned(),
            work,
            run: Box::new(run),
        }
    }
}

/// Median wall and CPU time of one run.
pub struct Timing {
    /// wall time
    pub wall: Duration,
    /// CPU time of this process
    pub cpu: Duration,
}

const ROUNDS: usize = 31;
const BLOCK: Duration = Duration::from_millis(8);

/// Times all rows.
pub fn measure(rows: &mut [Row]) -> Vec<Timing> {
    // Runs enough times to fill a block, which also warms caches and allocators.
    let repeats: Vec<u32> = rows
        .iter_mut()
        .map(|row| {
            let (start, mut runs) = (Instant::now(), 0);
            while start.elapsed() < BLOCK {
                (row.run)();
                runs += 1;
            }
            runs
        })
        .collect();
    let mut walls = vec![Vec::with_capacity(ROUNDS); rows.len()];
    let mut cpus = walls.clone();
    for _ in 0..ROUNDS {
        for (i, row) in rows.iter_mut().enumerate() {
            let (wall, cpu) = (Instant::now(), cpu_of(libc::RUSAGE_SELF));
            for _ in 0..repeats[i] {
                std::hint::black_box((row.run)());
            }
            walls[i].push(wall.elapsed() / repeats[i]);
            cpus[i].push((cpu_of(libc::RUSAGE_SELF) - cpu) / repeats[i]);
        }
    }
    walls
        .into_iter()
        .zip(cpus)
        .map(|(wall, cpu)| Timing {
            wall: median(wall),
            cpu: median(cpu),
        })
        .collect()
}

/// The middle one.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// CPU time used so far, user and system, by this process or by its finished children.
pub fn cpu_of(who: libc::c_int) -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid place for one `rusage`, zeroed before, and getrusage writes nothing else.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    let of = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}
