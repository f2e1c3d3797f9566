//! `[solver]`: the method, its tolerances and limits.

use std::collections::BTreeMap;

use crate::model::Expression;

/// `[solver]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SolverSettings {
    /// method's name
    pub method: SolverMethod,
    /// relative tolerance
    pub rtol: f64,
    /// absolute tolerance
    pub atol: AbsoluteTolerance,
    /// size of every step, without error control; there where the method [needs it](SolverMethod::needs_step)
    pub step: Option<f64>,
    /// first step, if given
    pub first_step: Option<f64>,
    /// largest step, if given
    pub max_step: Option<f64>,
    /// limit of steps
    pub max_steps: usize,
    /// how linear systems of implicit methods are solved
    pub linear_solver: LinearSolver,
    /// times that steps must end on, expressions of parameters
    pub stop_times: Vec<Expression>,
    /// limit of events in a run
    pub event_limit: usize,
}

impl Default for SolverSettings {
    fn default() -> Self {
        Self {
            method: SolverMethod::Auto,
            rtol: 1e-6,
            atol: AbsoluteTolerance::Uniform(1e-8),
            step: None,
            first_step: None,
            max_step: None,
            max_steps: 100_000,
            linear_solver: LinearSolver::Auto,
            stop_times: Vec::new(),
            event_limit: 1_000_000,
        }
    }
}

/// The one list of methods: variant, name in scenarios, whether its steps are of a given size (`fixed`) or chosen by an
/// error estimate (`adaptive`), and what it is.
macro_rules! methods {
    ($($variant:ident $name:literal $steps:ident $doc:literal;)*) => {
        /// Solver methods by their names in scenarios.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum SolverMethod {
            // the first, as `#[default]` stands before the whole list
            #[default]
            $(#[doc = $doc] $variant,)*
        }

        impl SolverMethod {
            /// Every method.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The names, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Its name in scenarios.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Whether it has no error estimate to choose steps by, so that `step` must be given.
            pub fn needs_step(self) -> bool {
                match self {
                    $(Self::$variant => methods!(@ $steps),)*
                }
            }

            /// Whether it is an explicit Runge-Kutta method of ours.
            pub fn is_explicit(self) -> bool {
                matches!(
                    self,
                    Self::Euler
                        | Self::Midpoint
                        | Self::Heun
                        | Self::Rk4
                        | Self::Bs3
                        | Self::Dopri5
                        | Self::Tsit5
                        | Self::Dop853
                        | Self::Vern7
                        | Self::Vern9
                )
            }

            /// Whether it can solve its linear systems by GMRES: one that corrects its steps until they are solved,
            /// and by real matrices.
            pub fn takes_gmres(self) -> bool {
                Self::BY_GMRES.contains(&self)
            }

            /// Those that can.
            pub const BY_GMRES: &'static [Self] = &[
                Self::Bdf,
                Self::Ndf,
                Self::TrBdf2,
                Self::Kvaerno3,
                Self::Kvaerno4,
                Self::Kvaerno5,
                Self::KenCarp4,
            ];
        }
    };
    (@ fixed) => { true };
    (@ adaptive) => { false };
}

methods! {
    Auto "auto" adaptive "chosen for the scenario";
    Euler "euler" fixed "Euler's, explicit, order 1";
    Midpoint "midpoint" fixed "explicit midpoint rule, order 2";
    Heun "heun" fixed "Heun's, explicit, order 2";
    Rk4 "rk4" fixed "the classical Runge-Kutta method, explicit, order 4";
    Bs3 "bs3" adaptive "Bogacki & Shampine, explicit, order 3";
    Dopri5 "dopri5" adaptive "Dormand & Prince, explicit, order 5";
    Tsit5 "tsit5" adaptive "Tsitouras, explicit, order 5";
    Dop853 "dop853" adaptive "Dormand & Prince by Hairer, explicit, order 8";
    Vern7 "vern7" adaptive "Verner, explicit, order 7";
    Vern9 "vern9" adaptive "Verner, explicit, order 9";
    Rodas3 "rodas3" adaptive "Rosenbrock, order 3, for stiff systems";
    Rodas4 "rodas4" adaptive "Rosenbrock, order 4, for stiff systems";
    Rodas5p "rodas5p" adaptive "Rosenbrock, order 5, for stiff systems";
    TrBdf2 "tr-bdf2" adaptive "trapezoidal rule and BDF2, diagonally implicit, order 2, for stiff systems";
    Kvaerno3 "kvaerno3" adaptive "Kvaerno, diagonally implicit, order 3, for stiff systems";
    Kvaerno4 "kvaerno4" adaptive "Kvaerno, diagonally implicit, order 4, for stiff systems";
    Kvaerno5 "kvaerno5" adaptive "Kvaerno, diagonally implicit, order 5, for stiff systems";
    KenCarp4 "kencarp4" adaptive "Kennedy & Carpenter, diagonally implicit, order 4, for stiff systems";
    Radau5 "radau5" adaptive "Radau IIA, fully implicit, order 5, for stiff systems";
    Bdf "bdf" adaptive "backward differentiation formulas, orders 1 to 5, for stiff systems";
    Ndf "ndf" adaptive "numerical differentiation formulas, orders 1 to 5, for stiff systems";
    Verlet "verlet" fixed "velocity Verlet, symplectic, order 2";
    Yoshida4 "yoshida4" fixed "Yoshida's composition, symplectic, order 4";
    Yoshida6 "yoshida6" fixed "Yoshida's composition, symplectic, order 6";
    Yoshida8 "yoshida8" fixed "Yoshida's composition, symplectic, order 8";
    ImplicitMidpoint "implicit-midpoint" fixed "implicit midpoint rule, symplectic, order 2";
    OdeSolversDopri5 "ode_solvers.dopri5" adaptive "`dopri5` of the crate `ode_solvers`, a check from outside";
    OdeSolversDop853 "ode_solvers.dop853" adaptive "`dop853` of the crate `ode_solvers`, a check from outside";
}

/// How linear systems of implicit methods are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LinearSolver {
    /// by size and sparsity of the Jacobian
    #[default]
    Auto,
    /// dense LU
    Dense,
    /// banded LU
    Banded,
    /// sparse LU
    Sparse,
    /// GMRES, by products with the Jacobian
    Gmres(Preconditioner),
}

/// What stands in for the matrix in GMRES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preconditioner {
    /// nothing: no Jacobian is formed
    None,
    /// incomplete LU without fill
    #[default]
    Ilu,
    /// LU of dense blocks along the diagonal
    BlockJacobi {
        /// states of a block, in the order of the scenario
        size: usize,
    },
}

impl LinearSolver {
    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dense => "dense",
            Self::Banded => "banded",
            Self::Sparse => "sparse",
            Self::Gmres(_) => "gmres",
        }
    }
}

/// `atol`: a number, or a table by state.
#[derive(Debug, Clone, PartialEq)]
pub enum AbsoluteTolerance {
    /// the same for all
    Uniform(f64),
    /// by state name; a state not named takes 1e-8
    ByState(BTreeMap<String, f64>),
}
