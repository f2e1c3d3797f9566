//! The tables and keys themselves.

use super::controllers::CONTROLLER_KEYS;
use super::design::{DESIGN_KEYS, SAMPLING_KEYS};
use super::events::EVENT_KEYS;
use super::mechanics::{COORDINATE_KEYS, MECHANICS_KEYS};
use super::solver::SOLVER_KEYS;
use super::tune::{
    CONSTRAINT_KEYS, CONTROL_KEYS, END_KEYS, ENSEMBLE_KEYS, PATH_KEYS, TERMINAL_KEYS, TUNE_KEYS,
    VARY_KEYS,
};
use super::{Key, Kind, REQUIRED, Table};

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        doc,
    }
}

pub(super) const UNIT: Key = key("unit", Kind::Text, "", "unit, as text for axes and reports");

const OVER: Key = key(
    "over",
    Kind::Texts,
    "",
    "of an array: the indices it is over, such as `[\"i\", \"j\"]`",
);

const ACTIVATIONS: Kind = Kind::Choice {
    now: &["tanh", "softplus", "relu", "sigmoid", "swish", "identity"],
    later: &[],
};

/// Every table, each before those inside it.
pub const TABLES: &[Table] = &[
    Table {
        path: "",
        words: "a scenario",
        keys: &[
            key(
                "scenario",
                Kind::Table("scenario"),
                REQUIRED,
                "title and time span",
            ),
            key(
                "indices",
                Kind::Named("indices.*", "size"),
                "",
                "index sets of arrays, and what stands beyond their ends",
            ),
            key(
                "graphs",
                Kind::Named("graphs.*", ""),
                "",
                "edges between the places of an index set, from a file",
            ),
            key(
                "parameters",
                Kind::Named("parameters.*", "value"),
                "",
                "constants of the model, fitted or given",
            ),
            key(
                "states",
                Kind::Named("states.*", "initial"),
                REQUIRED,
                "what evolves, with initial values",
            ),
            key(
                "definitions",
                Kind::Named("definitions.*", "expression"),
                "",
                "named intermediate expressions, in any order",
            ),
            key(
                "equations",
                Kind::NamedExpressions,
                REQUIRED,
                "the time derivative of every state that is not discrete",
            ),
            key(
                "functions",
                Kind::Named("functions.*", ""),
                "",
                "functions for use in expressions",
            ),
            key(
                "networks",
                Kind::Named("networks.*", ""),
                "",
                "neural networks, used like functions; their weights are parameters",
            ),
            key(
                "signals",
                Kind::Named("signals.*", "expression"),
                "",
                "functions of time, usable as names in expressions",
            ),
            key(
                "events",
                Kind::List("events"),
                "",
                "jumps of states, at known times or where an expression crosses zero",
            ),
            key(
                "mass",
                Kind::Rows,
                "",
                "rows of the mass matrix M in M x' = f, by state: `y1 = { y1 = 1.0, y2 = \"c\" }`; an empty row is algebraic, 0 = f",
            ),
            key(
                "mechanics",
                Kind::Table("mechanics"),
                "",
                "equations of motion from energies",
            ),
            key(
                "controllers",
                Kind::Named("controllers.*", ""),
                "",
                "blocks that make states, definitions, equations and events",
            ),
            key(
                "invariants",
                Kind::NamedExpressions,
                "",
                "expressions that an exact solution keeps constant; their drift is reported",
            ),
            key(
                "history",
                Kind::NamedExpressions,
                "the initial values",
                "states before the start, expressions of `t` and parameters by state: what `delay` reads there",
            ),
            key(
                "observables",
                Kind::Named("observables.*", "expression"),
                "each state observes itself",
                "what is measured, and its noise",
            ),
            key(
                "data",
                Kind::Table("data"),
                "",
                "measurements; with experiments, defaults of their data tables",
            ),
            key(
                "experiments",
                Kind::List("experiments"),
                "one, without a name, with the data of `[data]`",
                "runs with own parameters, initial values and data",
            ),
            key(
                "solver",
                Kind::Table("solver"),
                "",
                "how the equations are solved",
            ),
            key(
                "gradient",
                Kind::Table("gradient"),
                "",
                "how derivatives are found",
            ),
            key(
                "fit",
                Kind::Table("fit"),
                "",
                "how parameters are estimated",
            ),
            key(
                "smoothing",
                Kind::NamedLists,
                "",
                "parameters that a fit holds, such as the width of `softabs`, and values to fit with before their own: `width = [1.0, 0.1]`; each start goes on from where it ended with the value before",
            ),
            key(
                "expect",
                Kind::List("expect"),
                "",
                "values the scenario must reproduce",
            ),
            key(
                "design",
                Kind::Table("design"),
                "",
                "measurements to plan, so that they tell most of the parameters",
            ),
            key(
                "tune",
                Kind::Table("tune"),
                "",
                "how controls, gains and designs are found",
            ),
            key("path", Kind::List("path"), "", "bounds at all times"),
            key(
                "terminal",
                Kind::List("terminal"),
                "",
                "conditions at the end",
            ),
        ],
    },
    Table {
        path: "scenario",
        words: "`[scenario]`",
        keys: &[
            key(
                "title",
                Kind::Text,
                "the file's or folder's name",
                "title of plots and reports",
            ),
            key(
                "time",
                Kind::Table("scenario.time"),
                REQUIRED,
                "the span of time that is solved",
            ),
        ],
    },
    Table {
        path: "scenario.time",
        words: "`scenario.time`",
        keys: &[
            key(
                "start",
                Kind::Number,
                REQUIRED,
                "time of the initial values",
            ),
            key(
                "end",
                Kind::Number,
                REQUIRED,
                "last time; before the start, the run goes against time",
            ),
            UNIT,
        ],
    },
    Table {
        path: "scenario.time.end",
        words: "an end that is to be found",
        keys: END_KEYS,
    },
    Table {
        path: "indices.*",
        words: "an index",
        keys: &[
            key(
                "size",
                Kind::Whole,
                REQUIRED,
                "number of places, counted from 1",
            ),
            key(
                "boundary",
                Kind::Boundary,
                "none: nothing is read outside",
                "what stands outside: `periodic`, `clamp` (the last element again), `zero`, or a value",
            ),
        ],
    },
    Table {
        path: "indices.*.boundary",
        words: "a boundary",
        keys: &[
            key(
                "first",
                Kind::Expression,
                REQUIRED,
                "before the first place: `clamp`, `zero`, or a value",
            ),
            key(
                "last",
                Kind::Expression,
                REQUIRED,
                "after the last place: `clamp`, `zero`, or a value",
            ),
        ],
    },
    Table {
        path: "graphs.*",
        words: "a graph",
        keys: &[
            key(
                "index",
                Kind::Text,
                REQUIRED,
                "the index set whose places the edges join",
            ),
            key(
                "file",
                Kind::Text,
                REQUIRED,
                "CSV file with a row for each edge: the places, counted from 1, where it begins and ends",
            ),
            key(
                "from",
                Kind::Text,
                "from",
                "column of the places where edges begin",
            ),
            key(
                "to",
                Kind::Text,
                "to",
                "column of the places where edges end",
            ),
            key(
                "directed",
                Kind::Boolean,
                "false",
                "whether an edge goes one way only; else `sum(edges.NAME, ...)` at either end of it has the other as `from`",
            ),
        ],
    },
    Table {
        path: "networks.*",
        words: "a network",
        keys: &[
            key("inputs", Kind::Whole, REQUIRED, "number of its arguments"),
            key(
                "layers",
                Kind::Wholes,
                REQUIRED,
                "units of each layer, the last of which is the output: `[16, 16, 1]`",
            ),
            key(
                "activation",
                ACTIVATIONS,
                "tanh",
                "what follows each layer but the last",
            ),
            key(
                "output_activation",
                ACTIVATIONS,
                "identity",
                "what follows the last layer",
            ),
            key("seed", Kind::Whole, "0", "of the random first weights"),
            key(
                "fit",
                Kind::Boolean,
                "true",
                "whether a fit estimates the weights",
            ),
            key(
                "prior",
                Kind::Table("parameters.*.prior"),
                "",
                "prior distribution of each weight: what keeps a fit from large ones",
            ),
            key(
                "file",
                Kind::Text,
                "",
                "CSV file with the weights in columns `name` and `value`, as a fit's `parameters.csv`",
            ),
        ],
    },
    Table {
        path: "parameters.*",
        words: "a parameter",
        keys: &[
            OVER,
            key(
                "value",
                Kind::Number,
                "",
                "its value, or the first guess of a fit: a number; of an array also an expression of its indices",
            ),
            key(
                "file",
                Kind::Text,
                "",
                "of an array: CSV file with its values, row by row of the array",
            ),
            key("column", Kind::Text, "the name", "the column of the file"),
            key(
                "bounds",
                Kind::Pair,
                "[-inf, inf]",
                "lowest and highest value; `inf` for no bound",
            ),
            key(
                "scale",
                Kind::Choice {
                    now: &["linear", "log", "log10", "logit"],
                    later: &[],
                },
                "linear",
                "the scale it is searched on",
            ),
            key("fit", Kind::Boolean, "false", "whether a fit estimates it"),
            key(
                "profile_out",
                Kind::Boolean,
                "false",
                "whether a fit solves for it in closed form at every step: a scale or an offset of observables, or the size of their noise",
            ),
            UNIT,
            key(
                "prior",
                Kind::Table("parameters.*.prior"),
                "",
                "prior distribution, of the natural value unless `scaled`",
            ),
            key("tune", Kind::Boolean, "false", "whether `tune` finds it"),
        ],
    },
    Table {
        path: "parameters.*.prior",
        words: "a prior",
        keys: &[
            key(
                "distribution",
                Kind::Choice {
                    now: &["normal", "log-normal", "laplace", "log-laplace", "uniform"],
                    later: &[],
                },
                REQUIRED,
                "its family",
            ),
            key(
                "location",
                Kind::Number,
                "",
                "mean or median (of the logarithm for `log-normal` and `log-laplace`)",
            ),
            key("mean", Kind::Number, "", "another name of `location`"),
            key(
                "scale",
                Kind::Number,
                "",
                "standard deviation or scale (of the logarithm for `log-normal` and `log-laplace`)",
            ),
            key("sd", Kind::Number, "", "another name of `scale`"),
            key("low", Kind::Number, "", "low end of `uniform`"),
            key("high", Kind::Number, "", "high end of `uniform`"),
            key(
                "scaled",
                Kind::Boolean,
                "false",
                "whether it is the density of the value on its search scale, of log10 v for `scale = \"log10\"`",
            ),
        ],
    },
    Table {
        path: "states.*",
        words: "a state",
        keys: &[
            key(
                "initial",
                Kind::Expression,
                REQUIRED,
                "initial value, an expression of parameters",
            ),
            key(
                "discrete",
                Kind::Boolean,
                "false",
                "whether it has no equation, and events alone change it",
            ),
            UNIT,
            OVER,
        ],
    },
    Table {
        path: "definitions.*",
        words: "a definition",
        keys: &[
            key(
                "expression",
                Kind::Expression,
                REQUIRED,
                "what the name stands for",
            ),
            UNIT,
            OVER,
        ],
    },
    Table {
        path: "mechanics",
        words: "`[mechanics]`",
        keys: MECHANICS_KEYS,
    },
    Table {
        path: "mechanics.coordinates.*",
        words: "a coordinate",
        keys: COORDINATE_KEYS,
    },
    Table {
        path: "controllers.*",
        words: "a controller",
        keys: CONTROLLER_KEYS,
    },
    Table {
        path: "functions.*",
        words: "a function",
        keys: &[
            key("arguments", Kind::Texts, REQUIRED, "names of its arguments"),
            key("expression", Kind::Expression, REQUIRED, "its value"),
        ],
    },
    Table {
        path: "signals.*",
        words: "a signal",
        keys: &[
            key(
                "kind",
                Kind::Choice {
                    now: &[
                        "step",
                        "ramp",
                        "sine",
                        "pulse",
                        "expression",
                        "table",
                        "piecewise-constant",
                        "piecewise-linear",
                        "cubic-spline",
                    ],
                    later: &["chirp"],
                },
                REQUIRED,
                "what it is; the other keys depend on it",
            ),
            UNIT,
        ],
    },
    Table {
        path: "signals.*:step",
        words: "a signal of kind `step`",
        keys: &[
            key("at", Kind::Expression, REQUIRED, "time of the jump"),
            key("before", Kind::Expression, "0", "value before it"),
            key("after", Kind::Expression, "1", "value from then on"),
        ],
    },
    Table {
        path: "signals.*:ramp",
        words: "a signal of kind `ramp`",
        keys: &[
            key(
                "start",
                Kind::Expression,
                REQUIRED,
                "time at which the line starts",
            ),
            key("end", Kind::Expression, REQUIRED, "time at which it ends"),
            key("from", Kind::Expression, "0", "value until the start"),
            key("to", Kind::Expression, "1", "value from the end on"),
        ],
    },
    Table {
        path: "signals.*:sine",
        words: "a signal of kind `sine`",
        keys: &[
            key("amplitude", Kind::Expression, "1", "amplitude"),
            key(
                "frequency",
                Kind::Expression,
                REQUIRED,
                "cycles per unit of time",
            ),
            key("phase", Kind::Expression, "0", "phase in radians"),
            key("offset", Kind::Expression, "0", "mean value"),
        ],
    },
    Table {
        path: "signals.*:pulse",
        words: "a signal of kind `pulse`",
        keys: &[
            key(
                "start",
                Kind::Expression,
                REQUIRED,
                "start of the first pulse",
            ),
            key("width", Kind::Expression, REQUIRED, "its duration"),
            key(
                "period",
                Kind::Expression,
                "one pulse",
                "time from one start to the next",
            ),
            key("low", Kind::Expression, "0", "value outside"),
            key("high", Kind::Expression, "1", "value inside"),
        ],
    },
    Table {
        path: "signals.*:expression",
        words: "a signal of kind `expression`",
        keys: &[key(
            "expression",
            Kind::Expression,
            REQUIRED,
            "an expression of `t`, parameters and other signals",
        )],
    },
    Table {
        path: "signals.*:table",
        words: "a signal of kind `table`",
        keys: &[
            key(
                "file",
                Kind::Text,
                REQUIRED,
                "CSV file, relative to the scenario",
            ),
            key(
                "time",
                Kind::Text,
                "the first column",
                "column of times, strictly ascending",
            ),
            key(
                "column",
                Kind::Text,
                "the signal's name",
                "column of values",
            ),
            key(
                "interpolation",
                Kind::Choice {
                    now: &["hold", "linear", "cubic", "pchip"],
                    later: &[],
                },
                "linear",
                "how it is read between its points",
            ),
        ],
    },
    Table {
        path: "design",
        words: "`[design]`",
        keys: DESIGN_KEYS,
    },
    Table {
        path: "design.sampling_times",
        words: "`sampling_times`",
        keys: SAMPLING_KEYS,
    },
    Table {
        path: "signals.*:piecewise-constant",
        words: "a signal of kind `piecewise-constant`",
        keys: CONTROL_KEYS,
    },
    Table {
        path: "signals.*:piecewise-linear",
        words: "a signal of kind `piecewise-linear`",
        keys: CONTROL_KEYS,
    },
    Table {
        path: "signals.*:cubic-spline",
        words: "a signal of kind `cubic-spline`",
        keys: CONTROL_KEYS,
    },
    Table {
        path: "events",
        words: "an event",
        keys: EVENT_KEYS,
    },
    Table {
        path: "observables.*",
        words: "an observable",
        keys: &[
            key(
                "expression",
                Kind::Expression,
                REQUIRED,
                "what is measured, an expression of states, parameters, signals, `t`",
            ),
            UNIT,
            key(
                "noise",
                Kind::Table("observables.*.noise"),
                "none: unweighted least squares",
                "how measurements scatter",
            ),
            key(
                "loss",
                Kind::Choice {
                    now: &["huber", "soft-l1", "cauchy", "arctan", "tukey"],
                    later: &[],
                },
                "none: the square of the residual",
                "in place of `noise`: a robust loss of the residual, which counts large ones less",
            ),
            key(
                "loss_width",
                Kind::Number,
                "1",
                "the residual at which the loss leaves the square",
            ),
        ],
    },
    Table {
        path: "observables.*.noise",
        words: "a noise model",
        keys: &[
            key(
                "model",
                Kind::Choice {
                    now: &[
                        "normal",
                        "log-normal",
                        "log10-normal",
                        "laplace",
                        "log-laplace",
                        "log10-laplace",
                        "student-t",
                        "poisson",
                        "negative-binomial",
                    ],
                    later: &[],
                },
                "normal",
                "the distribution",
            ),
            key(
                "sigma",
                Kind::Expression,
                "required but for counts",
                "standard deviation (of the logarithm for `log-normal`; the scale for Laplace and `student-t`): a number, an expression or the name of a data column",
            ),
            key(
                "degrees_of_freedom",
                Kind::Number,
                "required for `student-t`",
                "of Student's t distribution: 1 has the heaviest tails, 30 is nearly normal",
            ),
            key(
                "dispersion",
                Kind::Expression,
                "required for `negative-binomial`",
                "phi in the variance y + y^2 / phi: a number, an expression or the name of a data column",
            ),
            key(
                "lower_limit",
                Kind::Number,
                "none",
                "limit of detection: a measurement at or below it is known only to be no more",
            ),
            key(
                "upper_limit",
                Kind::Number,
                "none",
                "limit of detection: a measurement at or above it is known only to be no less",
            ),
        ],
    },
    Table {
        path: "data",
        words: "`[data]`",
        keys: DATA_KEYS,
    },
    Table {
        path: "experiments",
        words: "an experiment",
        keys: &[
            key(
                "name",
                Kind::Text,
                "`experiment 1`, `experiment 2`, ...",
                "its name",
            ),
            key(
                "parameters",
                Kind::NamedExpressions,
                "",
                "parameters with another value here",
            ),
            key(
                "initial",
                Kind::NamedExpressions,
                "",
                "states with another initial value here",
            ),
            key(
                "data",
                Kind::Table("experiments.data"),
                "",
                "its measurements; keys not given are taken from `[data]`",
            ),
            key(
                "steady_state_before",
                Kind::Boolean,
                "false",
                "whether it starts where the system comes to rest, time held at the start; `initial` then sets states there",
            ),
            key(
                "before_parameters",
                Kind::NamedExpressions,
                "",
                "parameters with another value until the system has come to rest",
            ),
        ],
    },
    Table {
        path: "experiments.data",
        words: "an experiment's data",
        keys: DATA_KEYS,
    },
    Table {
        path: "solver",
        words: "`[solver]`",
        keys: SOLVER_KEYS,
    },
    Table {
        path: "gradient",
        words: "`[gradient]`",
        keys: &[
            key(
                "method",
                Kind::Choice {
                    now: &[
                        "auto",
                        "dual",
                        "adjoint",
                        "continuous-adjoint",
                        "finite-difference",
                    ],
                    later: &["forward"],
                },
                "auto",
                "how derivatives are found",
            ),
            key(
                "memory",
                Kind::Text,
                "no bound",
                "what an adjoint may hold of a solve, such as \"64 MiB\"; the rest is solved again",
            ),
            key(
                "error_control",
                Kind::Boolean,
                "false",
                "whether steps are held to the tolerance for derivatives, too",
            ),
        ],
    },
    Table {
        path: "fit",
        words: "`[fit]`",
        keys: &[
            key(
                "algorithm",
                Kind::Choice {
                    now: &[
                        "auto",
                        "levenberg-marquardt",
                        "l-bfgs",
                        "newton-cg",
                        "adam",
                        "gradient-descent",
                        "nelder-mead",
                        "cma-es",
                    ],
                    later: &[],
                },
                "auto",
                "how the best parameters are searched",
            ),
            key(
                "starts",
                Kind::Whole,
                "1",
                "number of starts; the first is the file's values",
            ),
            key("seed", Kind::Whole, "1", "seed of the other starts"),
            key(
                "sampling",
                Kind::Choice {
                    now: &["latin-hypercube", "sobol", "uniform"],
                    later: &[],
                },
                "latin-hypercube",
                "how the other starts are spread inside the bounds",
            ),
            key(
                "candidates",
                Kind::Whole,
                "by the tolerance",
                "points tried by a short, coarse search for each drawn start; the lowest ones become the starts",
            ),
            key(
                "start_points",
                Kind::Text,
                "none",
                "CSV file with further starts: a row each, a column for each parameter that does not start at its own value",
            ),
            key(
                "global",
                Kind::Choice {
                    now: &["scatter-search"],
                    later: &[],
                },
                "none",
                "a global method that sends the starts' searches out from a population of points",
            ),
            key(
                "max_evaluations",
                Kind::Whole,
                "1000 a parameter",
                "evaluations after which the global method ends",
            ),
            key(
                "max_iterations",
                Kind::Whole,
                "500",
                "limit of iterations a start",
            ),
            key(
                "gradient_tolerance",
                Kind::Number,
                "1e-6",
                "norm of the scaled projected gradient at which a start has converged",
            ),
            key(
                "geodesic_acceleration",
                Kind::Boolean,
                "false",
                "whether steps of `levenberg-marquardt` follow geodesics to second order, for one Jacobian more each",
            ),
            key(
                "restarts",
                Kind::Whole,
                "0",
                "runs of `cma-es` after the first in each start, each with twice the points a generation",
            ),
            key(
                "multiple_shooting",
                Kind::Whole,
                "none",
                "pieces into which runs are cut before a start's fit: for data that oscillate, where a run from a wrong start loses them",
            ),
        ],
    },
    Table {
        path: "tune",
        words: "`[tune]`",
        keys: TUNE_KEYS,
    },
    Table {
        path: "tune.constraints",
        words: "a constraint",
        keys: CONSTRAINT_KEYS,
    },
    Table {
        path: "tune.ensemble",
        words: "`[tune.ensemble]`",
        keys: ENSEMBLE_KEYS,
    },
    Table {
        path: "tune.ensemble.vary.*",
        words: "a parameter that varies",
        keys: VARY_KEYS,
    },
    Table {
        path: "path",
        words: "a path constraint",
        keys: PATH_KEYS,
    },
    Table {
        path: "terminal",
        words: "a terminal constraint",
        keys: TERMINAL_KEYS,
    },
    Table {
        path: "expect",
        words: "an expectation",
        keys: &[
            key(
                "expression",
                Kind::Expression,
                REQUIRED,
                "a functional of the run, such as `final(x)`",
            ),
            key("value", Kind::Number, REQUIRED, "its value"),
            key(
                "relative",
                Kind::Number,
                "1e-6",
                "allowed error relative to the value",
            ),
            key(
                "absolute",
                Kind::Number,
                "",
                "allowed absolute error, instead of `relative`",
            ),
            key(
                "experiment",
                Kind::Text,
                "the first",
                "experiment it is evaluated in",
            ),
        ],
    },
];

const DATA_KEYS: &[Key] = &[
    key(
        "file",
        Kind::Text,
        "",
        "CSV file, relative to the scenario: a time column, a column an observable; empty or NaN is missing",
    ),
    key("time", Kind::Text, "the first column", "column of times"),
    key(
        "columns",
        Kind::NamedTexts,
        "columns named as observables",
        "column of each observable",
    ),
    key(
        "rows",
        Kind::NamedTexts,
        "all rows",
        "rows to take: those whose columns hold these values, such as `{ subject = 3 }`",
    ),
];
