//! What a run will need: memory before it starts, and the structure of its Jacobian.

use costate::scenario::SolverMethod;
use costate::study::{Solving, Study};
use costate_solvers::linalg::{Coloring, IterationMatrix};
use costate_solvers::{LinearSolver, Pattern};

use super::simulate::default_points;

/// Numbers that a method keeps for each state, beside matrices: stages, differences, the state and its like.
fn numbers_a_state(method: SolverMethod) -> f64 {
    match method {
        SolverMethod::Dop853 | SolverMethod::Vern7 | SolverMethod::Vern9 => 26.0,
        SolverMethod::Radau5 | SolverMethod::Auto => 24.0,
        _ => 18.0,
    }
}

/// Whether a method solves systems with the Jacobian.
fn is_implicit(method: SolverMethod) -> bool {
    let splits_or_foreign = matches!(
        method,
        SolverMethod::Verlet
            | SolverMethod::Yoshida4
            | SolverMethod::Yoshida6
            | SolverMethod::Yoshida8
            | SolverMethod::OdeSolversDopri5
            | SolverMethod::OdeSolversDop853
    );
    !method.is_explicit() && !splits_or_foreign
}

/// Bytes that a simulation needs, within a factor of two: states at the output times, twice while they are put in
/// order, what the method keeps, and the Jacobian with its factors.
pub fn estimate(study: &Study, solving: &Solving, points: usize) -> f64 {
    let n = study.equations.states() as f64;
    let method = solving.stepper;
    let mut bytes = 8.0 * n * (2.0 * points as f64 + numbers_a_state(method));
    if is_implicit(method)
        && let Ok(linear) = study.equations.rhs.linearization()
    {
        let entries = linear.pattern.non_zeros() as f64;
        let matrix = IterationMatrix::<f64>::new(&linear.pattern, None, LinearSolver::Auto);
        let factors = (matrix.foreseen_fill() * entries).max(matrix.factor_non_zeros() as f64);
        // values and their places before and after assembly; factors with places
        bytes += 40.0 * entries + 16.0 * factors;
    }
    bytes
}

/// Bytes that are free, where the system says so.
fn available() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// Says so where a simulation would not fit.
pub fn warning(study: &Study, solving: &Solving, points: usize) -> Option<String> {
    let needed = estimate(study, solving, points);
    let free = available()?;
    (needed > free).then(|| {
        format!(
            "this run needs about {}, of which {} are free: ask for fewer output times (`--points`){}",
            size_text(needed),
            size_text(free),
            if is_implicit(solving.stepper) {
                ", or solve by `linear_solver = \"gmres\"`"
            } else {
                ""
            }
        )
    })
}

/// Bytes in words.
pub fn size_text(bytes: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| bytes >= *size)
        .unwrap_or((1.0, "bytes"));
    format!("{:.3} {unit}", bytes / size)
}

/// The structure of a Jacobian: entries below and above the diagonal, and colors of its columns.
pub struct Structure {
    /// largest row less column of an entry
    pub below: usize,
    /// largest column less row
    pub above: usize,
    /// colors, products J v that give all of J
    pub colors: u32,
}

impl Structure {
    /// That of a pattern.
    pub fn of(pattern: &Pattern) -> Self {
        let (mut below, mut above) = (0, 0);
        for column in 0..pattern.columns() {
            for &row in &pattern.rows[pattern.starts[column]..pattern.starts[column + 1]] {
                below = below.max(row.saturating_sub(column));
                above = above.max(column.saturating_sub(row));
            }
        }
        Self {
            below,
            above,
            colors: Coloring::new(pattern).count,
        }
    }
}

/// The lines of `check` on a scenario with arrays.
pub fn report(study: &Study, solving: Option<&Solving>) -> String {
    let mut text = String::new();
    let arrays = study.equations.model().states.slots().iter();
    for slot in arrays.filter(|slot| !slot.extents.is_empty()) {
        let extents: Vec<String> = slot.extents.iter().map(u32::to_string).collect();
        text += &format!("array         {} of {}\n", slot.name, extents.join(" x "));
    }
    if text.is_empty() {
        return text;
    }
    if let Ok(linear) = study.equations.rhs.linearization() {
        let found = Structure::of(&linear.pattern);
        text += &format!(
            "bandwidth     {} below the diagonal, {} above; {} colors\n",
            found.below, found.above, found.colors
        );
    }
    if let Some(solving) = solving {
        let points = default_points(study);
        text += &format!(
            "memory        about {} to simulate by {} at {points} times\n",
            size_text(estimate(study, solving, points as usize)),
            solving.stepper.name()
        );
        if let Some(warning) = warning(study, solving, points as usize) {
            text += &format!("              {warning}\n");
        }
    }
    text
}
