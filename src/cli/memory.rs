//! What a run will need: memory before it starts, and the structure of its Jacobian.

use costate::scenario::SolverMethod;
use costate::study::{Solving, Study};
use costate_solvers::linalg::{Coloring, IterationMatrix};
use costate_solvers::{LinearSolver, Pattern, Preconditioner};

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

/// Bytes to lay out the pattern of a Jacobian for each of its values: places listed, sorted by column, and distinct.
const LAYING_OUT: f64 = 90.0;
/// Bytes up to which a pattern is laid out only to be described: some seconds.
const DESCRIBED: f64 = 1e9;

/// What is known of a Jacobian.
#[derive(Debug, Clone, Copy)]
pub enum Jacobian<'a> {
    /// where its non-zeros are
    Pattern(&'a Pattern),
    /// how many values make it up, too many to say where they are
    Values(u64),
}

impl<'a> Jacobian<'a> {
    /// That of the equations of a study.
    pub fn of(study: &'a Study) -> Option<Self> {
        let rhs = &study.equations.rhs;
        let values = rhs.jacobian_values().ok()?;
        let room = available().map_or(DESCRIBED, |free| DESCRIBED.min(free));
        if LAYING_OUT * values as f64 > room {
            return Some(Self::Values(values));
        }
        Some(Self::Pattern(&rhs.linearization().ok()?.pattern))
    }

    /// How many non-zeros it has, and no more than that where they are not laid out.
    pub fn entries(&self) -> u64 {
        match self {
            Self::Pattern(pattern) => pattern.non_zeros() as u64,
            Self::Values(values) => *values,
        }
    }

    /// Bytes of its values and places, before and after assembly, and of what solves the systems of Newton's iteration,
    /// with n states; whether factors come on top that cannot be foreseen.
    fn bytes(&self, n: f64, method: SolverMethod, solver: LinearSolver) -> (f64, bool) {
        let entries = self.entries() as f64;
        let vectors = 320.0 * n;
        let krylov = 48.0 * entries + vectors;
        let (solving, more) = match (self, solver) {
            (
                _,
                LinearSolver::Gmres {
                    preconditioner: Preconditioner::None,
                },
            ) => return (vectors, false),
            (_, LinearSolver::Gmres { .. }) => (krylov, false),
            (Self::Pattern(pattern), _) => {
                let matrix = IterationMatrix::<f64>::new(pattern, None, solver);
                if method.takes_gmres() && solver == LinearSolver::Auto && matrix.fills_up() {
                    (krylov, false)
                } else {
                    let factors = matrix.foreseen_fill() * entries;
                    (16.0 * factors.max(matrix.factor_non_zeros() as f64), false)
                }
            }
            (Self::Values(_), LinearSolver::Auto) if method.takes_gmres() => (krylov, false),
            (Self::Values(_), _) => (16.0 * entries, true),
        };
        (solving + LAYING_OUT * entries, more)
    }
}

/// Bytes that a run will need.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    bytes: f64,
    /// there is more to come that cannot be foreseen
    at_least: bool,
}

impl Estimate {
    /// Of a simulation, within a factor of two: states at the output times, twice while they are put in order, what the
    /// method keeps, and the Jacobian with what solves its systems.
    pub fn new(study: &Study, solving: &Solving, points: usize) -> Self {
        let n = study.equations.states() as f64;
        let method = solving.stepper;
        let states = 8.0 * n * (2.0 * points as f64 + numbers_a_state(method));
        let jacobian = is_implicit(method).then(|| Jacobian::of(study)).flatten();
        let (matrices, at_least) = jacobian.map_or((0.0, false), |jacobian| {
            jacobian.bytes(n, method, study.equations.linear_solver)
        });
        Self {
            bytes: states + matrices,
            at_least,
        }
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = if self.at_least { "more than" } else { "about" };
        write!(f, "{how} {}", size_text(self.bytes))
    }
}

/// Bytes that are free, where the system says so: of the machine, of the process's group, and of what its shell allows.
fn available() -> Option<f64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| {
        let kilobytes = field(&text, "MemAvailable:")?;
        Some(kilobytes * 1024.0)
    });
    let group = read("/proc/self/cgroup").and_then(|text| {
        let own = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        let number = |file: &str| -> Option<f64> {
            let text = read(&format!("/sys/fs/cgroup{own}/{file}"))?;
            text.trim().parse().ok()
        };
        Some(number("memory.max")? - number("memory.current")?)
    });
    let shell = read("/proc/self/limits").and_then(|text| {
        let allowed = field(&text, "Max address space")?;
        let taken = field(&read("/proc/self/statm")?, "")? * 4096.0;
        Some(allowed - taken)
    });
    let least = [machine, group, shell].into_iter().flatten();
    least.reduce(f64::min)
}

/// The first number of the line that starts so.
fn field(text: &str, start: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(start))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Says so where a simulation would not fit.
pub fn warning(study: &Study, solving: &Solving, points: usize) -> Option<String> {
    let needed = Estimate::new(study, solving, points);
    let free = available()?;
    (needed.bytes > free).then(|| {
        format!(
            "this run needs {needed}, of which {} are free: ask for fewer output times (`--points`){}",
            size_text(free),
            match solving.stepper {
                _ if !needed.at_least => "",
                method if method.takes_gmres() => ", or solve by `linear_solver = \"gmres\"`",
                _ => ", or take a method that can do without factors, such as `bdf`",
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
    match Jacobian::of(study) {
        Some(Jacobian::Pattern(pattern)) => {
            let found = Structure::of(pattern);
            text += &format!(
                "bandwidth     {} below the diagonal, {} above; {} colors\n",
                found.below, found.above, found.colors
            );
        }
        Some(Jacobian::Values(values)) => {
            text += &format!(
                "bandwidth     not looked for: the places of the Jacobian's entries alone take {}\n",
                size_text(LAYING_OUT * values as f64)
            );
        }
        None => {}
    }
    if let Some(solving) = solving {
        let points = default_points(study);
        text += &format!(
            "memory        {} to simulate by {} at {points} times\n",
            Estimate::new(study, solving, points as usize),
            solving.stepper.name()
        );
        if let Some(warning) = warning(study, solving, points as usize) {
            text += &format!("              {warning}\n");
        }
    }
    text
}
