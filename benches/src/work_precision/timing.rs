//! CPU time of a thread, medians of blocks in turn.

use std::time::{Duration, Instant};

/// A block of solves lasts at least this long.
const BLOCK: Duration = Duration::from_micros(500);
/// All blocks of one solve together last about this long.
const BUDGET: Duration = Duration::from_millis(150);

/// CPU time this thread has used, user and system.
pub fn thread_cpu() -> Duration {
    let mut time = std::mem::MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` is a valid place for one `timespec`, zeroed before, and clock_gettime writes nothing else.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr());
        time.assume_init()
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Median CPU seconds of each piece of work, all taken in turn so that a busy machine slows each alike.
pub fn medians(works: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    medians_by(thread_cpu, works)
}

/// The same in seconds that pass.
pub fn wall_medians(works: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let start = Instant::now();
    medians_by(|| start.elapsed(), works)
}

fn medians_by(clock: impl Fn() -> Duration, works: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    // The first runs warm caches, allocators and the branch predictor, and say how many runs fill a block.
    let plans: Vec<(u32, usize)> = works
        .iter_mut()
        .map(|work| {
            work();
            let (start, mut runs) = (clock(), 0);
            while runs == 0 || clock() - start < BLOCK {
                work();
                runs += 1;
            }
            let block = (clock() - start).as_secs_f64();
            let blocks = (BUDGET.as_secs_f64() / block) as usize;
            (runs, blocks.clamp(5, 101))
        })
        .collect();
    let rounds = plans.iter().map(|&(_, blocks)| blocks).max().unwrap_or(0);
    let mut times = vec![Vec::new(); works.len()];
    for round in 0..rounds {
        for (i, work) in works.iter_mut().enumerate() {
            let (runs, blocks) = plans[i];
            if round >= blocks {
                continue;
            }
            let start = clock();
            for _ in 0..runs {
                work();
            }
            times[i].push((clock() - start).as_secs_f64() / f64::from(runs));
        }
    }
    times
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
        .collect()
}
