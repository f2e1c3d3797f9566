//! The keys of `[controllers.*]`.

use super::tables::key;
use super::{Key, Kind, REQUIRED};

/// Kinds of controller, each with the keys it has beside those of every controller.
pub const KINDS: &[(&str, &[&str])] = &[
    ("pid", &PID),
    ("pi", &PID),
    (
        "lead-lag",
        &["setpoint", "measurement", "input", "gain", "lead", "lag"],
    ),
    (
        "notch",
        &[
            "setpoint",
            "measurement",
            "input",
            "gain",
            "frequency",
            "zero_damping",
            "pole_damping",
        ],
    ),
    (
        "transfer-function",
        &[
            "setpoint",
            "measurement",
            "input",
            "numerator",
            "denominator",
        ],
    ),
    (
        "state-feedback",
        &["gains", "reference", "feedforward", "observer"],
    ),
    (
        "lqr",
        &[
            "state_weights",
            "input_weight",
            "operating_point",
            "operating_input",
            "reference",
            "feedforward",
            "observer",
        ],
    ),
    (
        "observer",
        &[
            "measurement",
            "measured",
            "gains",
            "process_noise",
            "measurement_noise",
            "operating_point",
            "operating_input",
        ],
    ),
    ("expression", &["expression"]),
];

const PID: [&str; 9] = [
    "setpoint",
    "measurement",
    "gains",
    "form",
    "derivative_filter",
    "derivative_on",
    "setpoint_weights",
    "feedforward",
    "tracking_time",
];

/// What a controller of any kind may have.
pub const SHARED: &[&str] = &[
    "kind",
    "output",
    "initial",
    "limits",
    "anti_windup",
    "anti_windup_band",
    "deadband",
    "quantization",
    "rate_limit",
    "actuator_lag",
    "sample_time",
    "offset",
    "computation_delay",
];

pub(super) const CONTROLLER_KEYS: &[Key] = &[
    key(
        "kind",
        Kind::Choice {
            now: &[
                "pid",
                "pi",
                "lead-lag",
                "notch",
                "transfer-function",
                "state-feedback",
                "lqr",
                "observer",
                "expression",
            ],
            later: &[],
        },
        REQUIRED,
        "what it is; the other keys depend on it",
    ),
    key(
        "output",
        Kind::Text,
        REQUIRED,
        "the name of its output, for the equations to use",
    ),
    key(
        "setpoint",
        Kind::Expression,
        "0",
        "what the measurement is to be",
    ),
    key("measurement", Kind::Expression, "", "what is measured"),
    key(
        "input",
        Kind::Expression,
        "setpoint - measurement",
        "of a linear block: what goes into it",
    ),
    key(
        "gains",
        Kind::NamedExpressions,
        "",
        "of pid and pi: `kp`, `ki`, `kd`, or `k`, `ti`, `td` in the ideal and series forms; of state-feedback and observer: a gain for each state",
    ),
    key(
        "form",
        Kind::Choice {
            now: &["parallel", "ideal", "series"],
            later: &[],
        },
        "as the gains are named: parallel or ideal",
        "parallel: kp e + ki/s e + kd s e; ideal: k (1 + 1/(ti s) + td s) e; series: k (1 + 1/(ti s)) (1 + td s) e",
    ),
    key(
        "derivative_filter",
        Kind::Expression,
        "0, for which a sampled controller takes differences",
        "time constant of the derivative's filter, s/(derivative_filter s + 1); a continuous controller needs it",
    ),
    key(
        "derivative_on",
        Kind::Choice {
            now: &["error", "measurement"],
            later: &[],
        },
        "error",
        "what is differentiated; with `measurement`, jumps of the setpoint give no kick",
    ),
    key(
        "setpoint_weights",
        Kind::NamedExpressions,
        "1",
        "`proportional` and `derivative`: parts of the setpoint that these terms see",
    ),
    key(
        "feedforward",
        Kind::Expression,
        "0",
        "added to the output before its limits",
    ),
    key(
        "limits",
        Kind::Expressions,
        "none",
        "lowest and highest output: `[-24, 24]`, numbers or expressions of parameters",
    ),
    key(
        "anti_windup",
        Kind::Choice {
            now: &["back-calculation", "clamping", "conditional", "none"],
            later: &[],
        },
        "back-calculation",
        "what keeps the integral from growing at a limit: the excess fed back; no integration further beyond it; no integration beyond it",
    ),
    key(
        "tracking_time",
        Kind::Expression,
        "kp/ki, or sqrt(kd/ki) with a derivative",
        "time constant of back-calculation",
    ),
    key(
        "anti_windup_band",
        Kind::Expression,
        "0.01 times the span of the limits",
        "of a continuous controller: `clamping` and `conditional` fade the integration out over so much beyond the limit, as a switch would chatter",
    ),
    key(
        "deadband",
        Kind::Expression,
        "0",
        "the output is 0 where it would be less than this, and less by this beyond",
    ),
    key(
        "quantization",
        Kind::Expression,
        "none",
        "of a sampled controller: the output is a multiple of this",
    ),
    key(
        "rate_limit",
        Kind::Expression,
        "none",
        "fastest change of the output; a continuous controller needs `actuator_lag` with it",
    ),
    key(
        "actuator_lag",
        Kind::Expression,
        "none",
        "of a continuous controller: time constant with which the output follows",
    ),
    key(
        "sample_time",
        Kind::Expression,
        "none: it is continuous",
        "time between two samples; the output is held between them",
    ),
    key(
        "offset",
        Kind::Expression,
        "0",
        "time of the first sample after the start",
    ),
    key(
        "computation_delay",
        Kind::Expression,
        "0",
        "time from a sample to the output that it gives",
    ),
    key(
        "gain",
        Kind::Expression,
        "1",
        "of lead-lag and notch: gain at frequency 0",
    ),
    key(
        "lead",
        Kind::Expression,
        "0",
        "time constant of the zero, gain (lead s + 1)/(lag s + 1)",
    ),
    key("lag", Kind::Expression, "0", "time constant of the pole"),
    key(
        "frequency",
        Kind::Expression,
        "",
        "of a notch: its angular frequency w, gain (s^2 + 2 zero_damping w s + w^2)/(s^2 + 2 pole_damping w s + w^2)",
    ),
    key(
        "zero_damping",
        Kind::Expression,
        "0",
        "of a notch: how deep, 0 the deepest",
    ),
    key(
        "pole_damping",
        Kind::Expression,
        "1",
        "of a notch: how wide",
    ),
    key(
        "numerator",
        Kind::Expressions,
        "",
        "coefficients of powers of s, the highest first",
    ),
    key(
        "denominator",
        Kind::Expressions,
        "",
        "coefficients of powers of s, the highest first, no fewer than the numerator's",
    ),
    key(
        "state_weights",
        Kind::NamedExpressions,
        "",
        "of lqr: q in the cost, the integral of the sum of q x^2 + r u^2, by state",
    ),
    key("input_weight", Kind::Expression, "1", "of lqr: r"),
    key(
        "operating_point",
        Kind::NamedExpressions,
        "0",
        "of lqr and observer: states about which the model is linearized",
    ),
    key(
        "operating_input",
        Kind::Expression,
        "0",
        "the output about which the model is linearized: of lqr its own, of an observer that of the other controllers",
    ),
    key(
        "measured",
        Kind::Expression,
        "the measurement",
        "of an observer: the signal that its sensor gives, such as the measurement with a disturbance",
    ),
    key(
        "process_noise",
        Kind::NamedExpressions,
        "",
        "of an observer: intensities of white noise on the rates of change, by state, from which its gains follow as those of the stationary Kalman filter",
    ),
    key(
        "measurement_noise",
        Kind::Expression,
        "",
        "of an observer with `process_noise`: intensity of white noise on the measurement",
    ),
    key(
        "observer",
        Kind::Text,
        "none: the states themselves are fed back",
        "of state-feedback and lqr: name of the observer whose estimates are fed back",
    ),
    key(
        "reference",
        Kind::NamedExpressions,
        "the operating point of lqr, else 0",
        "of state feedback: where the states are to be, by state",
    ),
    key(
        "expression",
        Kind::Expression,
        "",
        "of an expression: the output",
    ),
    key(
        "initial",
        Kind::NamedExpressions,
        "0",
        "initial values of the block's own states, by the part of their names behind the controller's: `integral`, `derivative`, `output`, `1`, `2`, ...",
    ),
];
