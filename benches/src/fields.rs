//! What whole solves of a field cost: the Brusselator of task T4a beside diffsol, growth with the grid, threads, memory.

use std::path::Path;
use std::time::Instant;

use costate::compile::Backend;
use costate::scenario::SolverMethod;
use costate::study::{Run, Solving, Study, simulate_by};
use costate_solvers::{Samples, Tolerance};
use diffsol::{NalgebraMat, OdeBuilder, OdeSolverMethod, OdeSolverStopReason, Vector};

use crate::arrays::{brusselator, by_hand};
use crate::work_precision::timing::wall_medians;

const SPAN: [f64; 2] = [0.0, 11.5];
const PARAMETERS: [f64; 3] = [1.0, 3.4, 0.1];

/// A solve from the scenario's text, ready to be done again.
struct Ours {
    study: Study,
    run: Run<f64>,
    method: SolverMethod,
    end: f64,
}

impl Ours {
    fn new(n: usize, solver: &str, end: f64) -> Result<Self, String> {
        let text = brusselator(n, solver);
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let study = study.ok_or(format!("{findings:?}"))?;
        Ok(Self {
            run: Run::new(&study.equations),
            method: study.scenario.solver.method,
            study,
            end,
        })
    }

    /// The final states, steps taken.
    fn solve(&mut self, rtol: f64) -> Result<(Vec<f64>, usize), String> {
        let mut options = Solving::options(&self.study);
        options.rtol = rtol;
        options.atol = Tolerance::Uniform(rtol / 100.0);
        options.max_steps = 1_000_000;
        let values = self.study.values();
        self.run
            .prepare(0, &values, SPAN[0], self.end)
            .map_err(|e| e.to_string())?;
        let mut samples = Samples::new(vec![self.end]).map_err(|e| e.to_string())?;
        let statistics = self
            .run
            .solve(self.method, &options, None, &mut samples)
            .map_err(|e| e.to_string())?;
        Ok((samples.values().to_vec(), statistics.steps))
    }
}

/// The final states by diffsol's tsit45 over the loop written by hand.
fn diffsol(n: usize, rtol: f64) -> Result<Vec<f64>, String> {
    let bump = |k: usize| {
        let y = (k + 1) as f64 / n as f64;
        (y * (1.0 - y)).max(0.0).powf(1.5)
    };
    let problem = OdeBuilder::<NalgebraMat<f64>>::new()
        .rtol(rtol)
        .atol([rtol / 100.0])
        .rhs(move |x, _p, t, dx| by_hand(n, t, x, PARAMETERS, dx))
        .init(
            move |_p, _t, x| {
                for k in 0..n * n {
                    x[k] = 22.0 * bump(k % n);
                    x[n * n + k] = 27.0 * bump(k / n);
                }
            },
            2 * n * n,
        )
        .build()
        .map_err(|e| e.to_string())?;
    let mut solver = problem.tsit45().map_err(|e| e.to_string())?;
    solver.set_stop_time(SPAN[1]).map_err(|e| e.to_string())?;
    while solver.step().map_err(|e| e.to_string())? != OdeSolverStopReason::TstopReached {}
    Ok(solver.state().y.clone_as_vec())
}

fn relative(a: &[f64], b: &[f64]) -> f64 {
    let norm = |terms: &mut dyn Iterator<Item = f64>| terms.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

/// The most memory this process ever held, in MiB (Linux; 0 elsewhere).
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) / 1024
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, String> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().map_err(|e| e.to_string())
}

/// Prints the tables.
pub fn run() -> Result<(), String> {
    pool(1)?.install(beside_diffsol)?;
    pool(1)?.install(growth)?;
    threads()
}

fn beside_diffsol() -> Result<(), String> {
    println!("Task T4a, rtol 1e-6, one thread; medians, milliseconds; error of the final states");
    for n in [8, 16, 32] {
        let (reference, _) = Ours::new(n, "method = \"vern9\"", SPAN[1])?.solve(1e-10)?;
        let states = diffsol(n, 1e-6)?;
        let mut peer = || {
            std::hint::black_box(diffsol(n, 1e-6)).ok();
        };
        let mut rows = vec![("diffsol tsit45".to_owned(), relative(&states, &reference))];
        let mut solves: Vec<Box<dyn FnMut()>> = Vec::new();
        for method in ["tsit5", "bs3", "auto", "bdf"] {
            let mut ours = Ours::new(n, &format!("method = \"{method}\""), SPAN[1])?;
            let (states, _) = ours.solve(1e-6)?;
            rows.push((format!("costate {method}"), relative(&states, &reference)));
            solves.push(Box::new(move || {
                std::hint::black_box(ours.solve(1e-6)).ok();
            }));
        }
        let mut works: Vec<&mut dyn FnMut()> = vec![&mut peer];
        works.extend(solves.iter_mut().map(|s| s.as_mut() as &mut dyn FnMut()));
        let times = wall_medians(&mut works);
        for ((name, error), time) in rows.iter().zip(&times) {
            println!(
                "N = {n:3} {name:16} {:9.2} {error:9.1e}  diffsol takes {:5.2} times that",
                time * 1e3,
                times[0] / time
            );
        }
    }
    Ok(())
}

fn growth() -> Result<(), String> {
    println!(
        "\nThe same by stiff methods, first solve, one thread; the power of the number of states"
    );
    for solver in [
        "method = \"bdf\"",
        "method = \"bdf\"\nlinear_solver = \"gmres\"\npreconditioner = \"ilu\"",
        "method = \"auto\"",
    ] {
        println!("{}", solver.replace('\n', ", "));
        let mut before: Option<f64> = None;
        for n in [16, 32, 64, 128] {
            let mut ours = Ours::new(n, solver, SPAN[1])?;
            let start = Instant::now();
            let (_, steps) = ours.solve(1e-6)?;
            let time = start.elapsed().as_secs_f64();
            // twice the grid is four times the states
            let power = before.map_or(String::new(), |b| {
                format!("{:5.2}", (time / b).log2() / 2.0)
            });
            println!(
                "N = {n:3} {:9.1} ms, {steps:5} steps, power {power:5}, peak memory so far {} MiB",
                time * 1e3,
                peak_memory()
            );
            before = Some(time);
        }
    }
    Ok(())
}

/// Grids, and rounds of a solve by one thread and by two, one after the other: what else the machine does slows both.
const ROUNDS: [(usize, usize); 2] = [(256, 15), (512, 5)];

/// Prints what a second thread gains.
pub fn threads() -> Result<(), String> {
    println!("\nThreads: tsit5 to t = 0.02, rounds of one thread and of two in turn, seconds");
    for (n, rounds) in ROUNDS {
        let text = brusselator(n, "method = \"tsit5\"\nrtol = 1e-6\natol = 1e-8")
            .replace("end = 11.5", "end = 0.02");
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let study = study.ok_or(format!("{findings:?}"))?;
        let solving = Solving::choose(&study).map_err(|e| e.to_string())?;
        let solve = || simulate_by(&study, &solving, 0, &study.values(), &[0.02]);
        let pools = [pool(1)?, pool(2)?];
        let mut answers = Vec::new();
        for pool in &pools {
            answers.push(pool.install(solve).map_err(|e| e.to_string())?);
        }
        let same = answers[0].states == answers[1].states;
        let mut gains = Vec::new();
        let mut seconds = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            for (pool, seconds) in pools.iter().zip(&mut seconds) {
                let start = Instant::now();
                pool.install(solve).map_err(|e| e.to_string())?;
                seconds.push(start.elapsed().as_secs_f64());
            }
            gains.push(seconds[0][round] / seconds[1][round]);
        }
        for times in seconds.iter_mut().chain([&mut gains]) {
            times.sort_by(f64::total_cmp);
        }
        let middle = rounds / 2;
        println!(
            "N = {n}: least {:.3}, with two {:.3}: {:.2} times as fast; medians {:.3}, {:.3}: {:.2} (rounds {:.2} to {:.2}), {} steps, same bits: {same}, peak memory {} MiB",
            seconds[0][0],
            seconds[1][0],
            seconds[0][0] / seconds[1][0],
            seconds[0][middle],
            seconds[1][middle],
            gains[middle],
            gains[0],
            gains[rounds - 1],
            answers[0].statistics.steps,
            peak_memory()
        );
    }
    Ok(())
}
