//! Scenarios that are right: what is read, where its places are, and what `--set` changes.

use std::path::Path;

use costate::diagnostic::{Diagnostic, Severity};
use costate::model::{Arithmetic, Expression, ExpressionKind};
use costate::scenario::{
    self, AbsoluteTolerance, Density, Direction, EventTrigger, ExpectedTolerance, FitAlgorithm,
    GradientMethod, Interpolation, LinearSolver, NoiseModel, Override, Preconditioner, Prior,
    Scale, Scenario, Sigma, SignalKind, SolverMethod,
};

/// The example of the scenario file's description, section 1.
const LYNX_HARE: &str = r#"
[scenario]
title = "Hudson Bay lynx and hare, 1900-1920"
time = { start = 1900.0, end = 1920.0, unit = "year" }   # required: start, end

[parameters]                      # short form: a number. Long form:
alpha   = { value = 0.55,  bounds = [0.01, 10.0], scale = "log", fit = true, unit = "1/year" }
beta    = { value = 0.028, bounds = [1e-4, 1.0],  scale = "log", fit = true }
gamma   = { value = 0.80,  bounds = [0.01, 10.0], scale = "log", fit = true, prior = { distribution = "log-normal", location = 1.6, scale = 0.5 } }
delta   = { value = 0.024, bounds = [1e-4, 1.0],  scale = "log", fit = true }
hare0   = { value = 30.0,  bounds = [1, 200],     scale = "log", fit = true }
lynx0   = { value = 4.0,   bounds = [0.1, 200],   scale = "log", fit = true }
sigma_hare = { value = 0.25, bounds = [0.01, 5],  scale = "log", fit = true }
sigma_lynx = { value = 0.25, bounds = [0.01, 5],  scale = "log", fit = true }

[states]                          # required; the initial value, a number or an expression of parameters
hare = { initial = "hare0", unit = "1000 pelts" }
lynx = "lynx0"

[definitions]                     # named intermediate expressions, in any order, no cycles
encounters = "hare * lynx"

[equations]                       # required: d(state)/dt, one for every state
hare = "alpha*hare - beta*encounters"
lynx = "delta*encounters - gamma*lynx"

[observables]                     # what is measured; default: each state observes itself
hare_pelts = { expression = "hare", noise = { model = "log-normal", sigma = "sigma_hare" } }
lynx_pelts = { expression = "lynx", noise = { model = "log-normal", sigma = "sigma_lynx" } }

[data]                            # one table here, or many under [[experiments]]
file = "pelts.csv"                # relative to the scenario
time = "year"
columns = { hare_pelts = "hare", lynx_pelts = "lynx" }

[solver]
method = "auto"
rtol = 1e-8
atol = 1e-8                       # a number, or a table by state

[gradient]
method = "auto"

[fit]
algorithm = "auto"
starts = 20
seed = 1
"#;

const PELTS: &str = "# thousands\nyear,hare,lynx\n1900,30.0,4.0\n1901,47.2,NaN\n1902,,9.8\n";

fn good(text: &str, files: &[(&str, &str)], overrides: &[&str]) -> (Scenario, Vec<Diagnostic>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("a written file");
    }
    let overrides: Vec<Override> = overrides
        .iter()
        .map(|text| Override::parse(text).expect("name=value"))
        .collect();
    let path = folder.path().join("model.toml");
    let (scenario, diagnostics) = scenario::read_text(&path, text, folder.path(), &overrides);
    assert!(
        diagnostics.iter().all(|d| d.severity == Severity::Warning),
        "{}",
        diagnostics
            .iter()
            .map(|d| format!("{d}\n"))
            .collect::<String>()
    );
    (scenario.expect("a scenario"), diagnostics)
}

fn number(expression: &Expression) -> f64 {
    match expression.kind {
        ExpressionKind::Number(number) => number,
        _ => panic!("{expression:?} is no number"),
    }
}

#[test]
fn the_lynx_and_hare_example_is_read_whole() {
    let (s, warnings) = good(LYNX_HARE, &[("pelts.csv", PELTS)], &[]);
    assert!(warnings.is_empty());
    assert_eq!(s.name, "model");
    assert_eq!(s.title, "Hudson Bay lynx and hare, 1900-1920");
    assert_eq!((s.start, s.end), (1900.0, 1920.0));
    assert_eq!(s.time_unit.as_deref(), Some("year"));
    let names: Vec<&str> = s.parameters.iter().map(|p| p.name.text.as_str()).collect();
    assert_eq!(
        names,
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "hare0",
            "lynx0",
            "sigma_hare",
            "sigma_lynx"
        ],
        "in the order of the file, not of the alphabet"
    );
    let gamma = &s.parameters[2];
    assert_eq!(
        (gamma.value, gamma.bounds, gamma.scale, gamma.fit),
        (0.8, [0.01, 10.0], Scale::Log, true)
    );
    assert_eq!(
        gamma.prior,
        Some(Prior {
            density: Density::LogNormal {
                location: 1.6,
                scale: 0.5
            },
            scaled: false
        })
    );
    assert_eq!(s.parameters[0].unit.as_deref(), Some("1/year"));
    assert_eq!(
        s.parameters[4].bounds,
        [1.0, 200.0],
        "whole numbers are numbers"
    );
    assert_eq!(s.states[0].unit.as_deref(), Some("1000 pelts"));
    assert_eq!(
        s.states[1].initial.kind,
        ExpressionKind::Name("lynx0".into())
    );
    assert_eq!(s.definitions[0].name.text, "encounters");
    assert_eq!(s.equations.len(), 2);
    let ExpressionKind::Arithmetic(Arithmetic::Subtract, _, right) = &s.equations[1].kind else {
        panic!("{:?}", s.equations[1]);
    };
    assert_eq!(
        right.span.text(),
        "gamma*lynx",
        "places are those of the file"
    );
    let noise = s.observables[0].noise.as_ref().expect("noise");
    assert_eq!(noise.model, NoiseModel::LogNormal);
    assert!(
        matches!(&noise.sigma, Sigma::Expression(e) if e.kind == ExpressionKind::Name("sigma_hare".into()))
    );
    assert_eq!(s.experiments.len(), 1);
    assert_eq!(s.experiments[0].name, "");
    let data = s.experiments[0].data.as_ref().expect("data");
    assert_eq!(data.times, [1900.0, 1901.0, 1902.0]);
    assert_eq!(data.values[0][..2], [30.0, 47.2]);
    assert!(
        data.values[0][2].is_nan() && data.values[1][1].is_nan(),
        "empty and NaN are missing"
    );
    assert_eq!(data.values[1][2], 9.8);
    assert!(data.sigmas.iter().all(Vec::is_empty));
    assert_eq!((s.solver.method, s.solver.rtol), (SolverMethod::Auto, 1e-8));
    assert_eq!(s.solver.atol, AbsoluteTolerance::Uniform(1e-8));
    assert_eq!(s.gradient.method, GradientMethod::Auto);
    assert_eq!(
        (s.fit.algorithm, s.fit.starts, s.fit.seed),
        (FitAlgorithm::Auto, 20, 1)
    );
}

const SMALL: &str = "[scenario]\ntime = { start = 0, end = 10 }\n[states]\nx = 1\ny = { initial = \"2*k\" }\n[parameters]\nk = 3\n[equations]\ny = \"-k*x\"\nx = 0\n";

#[test]
fn defaults_are_those_the_schema_states() {
    let (s, _) = good(SMALL, &[], &[]);
    let default_of = |table: &str, key: &str| {
        scenario::schema::table(table)
            .and_then(|table| table.key(key))
            .map(|key| key.default)
            .expect("a key")
    };
    let default = |table, key| default_of(table, key).parse::<f64>().expect("a number");
    assert_eq!(s.solver.rtol, default("solver", "rtol"));
    assert_eq!(
        s.solver.atol,
        AbsoluteTolerance::Uniform(default("solver", "atol"))
    );
    assert_eq!(s.solver.max_steps as f64, default("solver", "max_steps"));
    assert_eq!(
        s.solver.event_limit as f64,
        default("solver", "event_limit")
    );
    assert_eq!(
        s.solver.linear_solver.name(),
        default_of("solver", "linear_solver")
    );
    assert_eq!(s.solver.step, None);
    assert!(s.solver.stop_times.is_empty());
    assert!(s.events.is_empty() && s.mass.is_none() && s.invariants.is_empty());
    assert!(s.states.iter().all(|state| !state.discrete));
    assert_eq!(s.fit.starts as f64, default("fit", "starts"));
    assert_eq!(s.fit.seed as f64, default("fit", "seed"));
    assert_eq!(
        s.fit.max_iterations as f64,
        default("fit", "max_iterations")
    );
    assert_eq!(
        s.fit.gradient_tolerance,
        default("fit", "gradient_tolerance")
    );
    assert_eq!(default_of("parameters.*", "scale"), "linear");
    assert_eq!(s.parameters[0].scale, Scale::Linear);
    assert!(!s.parameters[0].fit);
    assert_eq!(s.parameters[0].bounds, [f64::NEG_INFINITY, f64::INFINITY]);
    // equations follow the states, whatever their order in the file
    assert_eq!(number(&s.equations[0]), 0.0);
    assert_eq!(s.equations[0].span.text(), "0");
    // each state observes itself
    let observed: Vec<&str> = s.observables.iter().map(|o| o.name.text.as_str()).collect();
    assert_eq!(observed, ["x", "y"]);
    assert!(s.observables.iter().all(|o| o.noise.is_none()));
    assert!(s.experiments[0].data.is_none());
}

#[test]
fn signals_of_every_kind() {
    let text = format!(
        "{SMALL}{}",
        r#"
[signals]
set = { kind = "step", at = "k", before = 1.0, after = 2.0 }
climb = { kind = "ramp", start = 1, end = 2, to = 5, unit = "m" }
wave = { kind = "sine", frequency = 0.5, amplitude = "k" }
beat = { kind = "pulse", start = 1, width = 0.1, period = 2 }
other = { kind = "expression", expression = "sin(t)" }
short = "cos(t)"
load = { kind = "table", file = "load.csv", time = "time", column = "force", interpolation = "pchip" }
plain = { kind = "table", file = "load.csv" }
"#
    );
    let (s, _) = good(
        &text,
        &[("load.csv", "time,force,plain\n-1,2,3\n0,3,4\n2.5,4,5\n")],
        &[],
    );
    let kinds: Vec<&SignalKind> = s.signals.iter().map(|signal| &signal.kind).collect();
    assert!(
        matches!(kinds[0], SignalKind::Step { at, after, .. } if at.kind == ExpressionKind::Name("k".into()) && number(after) == 2.0)
    );
    assert!(
        matches!(kinds[1], SignalKind::Ramp { from, to, .. } if number(from) == 0.0 && number(to) == 5.0)
    );
    assert_eq!(s.signals[1].unit.as_deref(), Some("m"));
    assert!(
        matches!(kinds[2], SignalKind::Sine { phase, frequency, .. } if number(phase) == 0.0 && number(frequency) == 0.5)
    );
    assert!(
        matches!(kinds[3], SignalKind::Pulse { period: Some(period), low, high, .. } if number(period) == 2.0 && number(low) == 0.0 && number(high) == 1.0)
    );
    assert!(
        matches!(kinds[4], SignalKind::Expression(_))
            && matches!(kinds[5], SignalKind::Expression(_))
    );
    assert!(
        matches!(kinds[6], SignalKind::Table { times, values, interpolation: Interpolation::Pchip } if times == &[-1.0, 0.0, 2.5] && values == &[2.0, 3.0, 4.0])
    );
    assert!(
        matches!(kinds[7], SignalKind::Table { values, interpolation: Interpolation::Linear, .. } if values == &[3.0, 4.0, 5.0]),
        "by its own name"
    );
}

#[test]
fn experiments_share_a_file_by_rows_and_override_what_they_name() {
    let text = format!(
        "{SMALL}{}",
        r#"
[data]
file = "subjects.csv"
time = "h"
columns = { x = "conc" }
rows = { subject = 2 }
[[experiments]]
name = "one"
parameters = { k = 4 }
initial = { x = "2*k" }
data = { rows = { subject = "1", arm = "low dose" } }
[[experiments]]
data = {}
[[experiments]]
name = "other column"
data = { columns = { y = "effect" }, file = "more.csv", time = "t", rows = {} }
[[experiments]]
name = "not measured"
[[expect]]
expression = "final(x)"
value = 1.5
experiment = "one"
[[expect]]
expression = "final(y)"
value = 0
absolute = 1e-9
"#
    );
    let subjects = "subject,arm,h,conc\n1,low dose,0,1\n1.0,low dose,0,2\n1,high,0,7\n 2 ,high,0,3\n2,high,1,bad\n";
    let subjects = subjects.replace("bad", "4.5");
    let files = [
        ("subjects.csv", subjects.as_str()),
        ("more.csv", "t,effect\n0,1\n1,2\n"),
    ];
    let (s, _) = good(&text, &files, &[]);
    let names: Vec<&str> = s.experiments.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(
        names,
        ["one", "experiment 2", "other column", "not measured"]
    );
    let one = s.experiments[0].data.as_ref().expect("data");
    assert_eq!(one.values[0], [1.0, 2.0]);
    assert_eq!(s.experiments[0].parameters[0].0.text, "k");
    assert_eq!(s.experiments[0].initial[0].0.text, "x");
    let two = s.experiments[1].data.as_ref().expect("data");
    assert_eq!(
        (two.times.as_slice(), two.values[0].as_slice()),
        (&[0.0, 1.0][..], &[3.0, 4.5][..])
    );
    assert!(two.values[1].iter().all(|v| v.is_nan()), "not measured");
    let three = s.experiments[2].data.as_ref().expect("data");
    assert_eq!(three.values[1], [1.0, 2.0]);
    assert!(s.experiments[3].data.is_none());
    assert_eq!(
        s.expectations[0].tolerance,
        ExpectedTolerance::Relative(1e-6)
    );
    assert_eq!(
        s.expectations[1].tolerance,
        ExpectedTolerance::Absolute(1e-9)
    );
}

#[test]
fn a_sigma_may_be_a_column() {
    let text = format!(
        "{SMALL}[observables]\nz = {{ expression = \"x\", noise = {{ sigma = \"sd\" }} }}\nw = \"y\"\n[data]\nfile = \"d.csv\"\n"
    );
    let (s, _) = good(
        &text,
        &[("d.csv", "\u{feff}t , z,sd\r\n0,1,0.5\r\n\r\n1,,\r\n")],
        &[],
    );
    let data = s.experiments[0].data.as_ref().expect("data");
    assert_eq!(
        data.times,
        [0.0, 1.0],
        "a byte-order mark, blanks and Windows line ends do not matter"
    );
    assert_eq!(data.sigmas[0][0], 0.5);
    assert!(data.sigmas[1].is_empty());
    assert!(
        matches!(&s.observables[0].noise.as_ref().expect("noise").sigma, Sigma::Column(name) if name.text == "sd")
    );
}

#[test]
fn a_hybrid_system_with_algebraic_rows_and_invariants() {
    let (s, warnings) = good(
        r#"
[scenario]
time = { start = 2.0, end = 30.0 }
[parameters]
restitution = 0.8
shift = 1.5
dose = 3.0
c = 1.0
[states]
height = 10.0
velocity = { initial = 0.0, unit = "m/s" }
gut = 0
mode = { initial = 1.0, discrete = true }
z = { initial = 0.0, discrete = false }
[equations]
height = "velocity"
velocity = "if(mode == 1, -9.81, 0)"
gut = "-gut"
z = "height + z"
[[events]]
name = "bounce"
when = "height"
direction = "falling"
set = { velocity = "-restitution*velocity", mode = 2 }
only_if = "mode == 1"
[[events]]
name = "dose"
at = [0.0, 12, "24 + shift"]
set = { gut = "gut + dose" }
[[events]]
at = "shift"
set = { gut = 0 }
[[events]]
every = "12*shift"
first = 5
set = { gut = "gut/2" }
[[events]]
every = 2
set = { mode = "3 - mode" }
[[events]]
when = "t - 29"
terminal = true
[mass]
height = { height = "-c", gut = 2 }
z = {}
[invariants]
energy = "0.5*velocity^2 + 9.81*height"
gut = "gut"
[solver]
method = "radau5"
linear_solver = "sparse"
stop_times = [3, "2*shift"]
event_limit = 500
step = 0.25
"#,
        &[],
        &[],
    );
    assert!(warnings.is_empty());
    let discrete: Vec<bool> = s.states.iter().map(|state| state.discrete).collect();
    assert_eq!(discrete, [false, false, false, true, false]);
    assert_eq!(number(&s.equations[3]), 0.0, "nothing moves it");
    assert_eq!(s.equations[4].span.text(), "height + z");

    let names: Vec<&str> = s.events.iter().map(|e| e.name.text.as_str()).collect();
    assert_eq!(
        names,
        ["bounce", "dose", "event 3", "event 4", "event 5", "event 6"]
    );
    let bounce = &s.events[0];
    assert!(
        matches!(&bounce.trigger, EventTrigger::Crossing { expression, direction: Direction::Falling } if expression.span.text() == "height")
    );
    let set: Vec<(&str, &str)> = bounce
        .set
        .iter()
        .map(|(state, value)| (state.text.as_str(), value.span.text()))
        .collect();
    assert_eq!(set, [("velocity", "-restitution*velocity"), ("mode", "2")]);
    let guard = bounce.only_if.as_ref().expect("a guard");
    assert_eq!(guard.span.text(), "mode == 1");
    assert!(!bounce.terminal);
    let times = |event: usize| -> Vec<&str> {
        match &s.events[event].trigger {
            EventTrigger::Times(times) => times.iter().map(|time| time.span.text()).collect(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(times(1), ["0.0", "12", "24 + shift"]);
    assert_eq!(times(2), ["shift"], "one alone is a list of one");
    let EventTrigger::Every { every, first } = &s.events[3].trigger else {
        panic!("{:?}", s.events[3]);
    };
    assert_eq!((every.span.text(), number(first)), ("12*shift", 5.0));
    let EventTrigger::Every { first, .. } = &s.events[4].trigger else {
        panic!("{:?}", s.events[4]);
    };
    assert_eq!(number(first), 2.0, "the scenario's start");
    assert!(matches!(
        s.events[5].trigger,
        EventTrigger::Crossing {
            direction: Direction::Both,
            ..
        }
    ));
    assert!(s.events[5].terminal && s.events[5].set.is_empty());

    let mass = s.mass.as_ref().expect("rows");
    assert_eq!(
        (mass[0].state.text.as_str(), mass[0].coefficients.len()),
        ("height", 2)
    );
    let (column, coefficient) = &mass[0].coefficients[0];
    assert_eq!(
        (column.text.as_str(), coefficient.span.text()),
        ("height", "-c")
    );
    assert_eq!(mass[1].state.text, "z");
    assert!(mass[1].coefficients.is_empty(), "0 = f");
    let invariants: Vec<&str> = s.invariants.iter().map(|i| i.name.text.as_str()).collect();
    assert_eq!(invariants, ["energy", "gut"], "names of their own");
    assert_eq!(s.invariants[0].expression.span.text().len(), 28);

    assert_eq!(s.solver.method, SolverMethod::Radau5);
    assert_eq!(s.solver.linear_solver, LinearSolver::Sparse);
    let stops: Vec<&str> = s.solver.stop_times.iter().map(|e| e.span.text()).collect();
    assert_eq!(stops, ["3", "2*shift"]);
    assert_eq!((s.solver.event_limit, s.solver.step), (500, Some(0.25)));
}

#[test]
fn gmres_takes_its_preconditioner() {
    let solver = |lines: &str| {
        let text = format!(
            "[scenario]\ntime = {{ start = 0, end = 1 }}\n[states]\nx = 1\ny = 2\n[equations]\nx = \"-x\"\ny = \"x\"\n\
             [solver]\nmethod = \"kencarp4\"\nlinear_solver = \"gmres\"\n{lines}"
        );
        let (scenario, findings) =
            scenario::read_text(Path::new("scenario.toml"), &text, Path::new("."), &[]);
        assert!(findings.is_empty(), "{findings:?}");
        scenario.expect("a scenario").solver.linear_solver
    };
    assert_eq!(solver(""), LinearSolver::Gmres(Preconditioner::Ilu));
    assert_eq!(
        solver("preconditioner = \"none\""),
        LinearSolver::Gmres(Preconditioner::None)
    );
    assert_eq!(
        solver("preconditioner = \"block-jacobi\"\nblock_size = 2"),
        LinearSolver::Gmres(Preconditioner::BlockJacobi { size: 2 })
    );
}

#[test]
fn every_method_has_its_name() {
    assert_eq!(SolverMethod::ALL[0], SolverMethod::Auto);
    assert_eq!(SolverMethod::ALL[0], SolverMethod::default());
    for (&method, &name) in SolverMethod::ALL.iter().zip(SolverMethod::NAMES) {
        assert_eq!(method.name(), name);
        let text = format!("{SMALL}[solver]\nmethod = \"{name}\"\nstep = 0.5\n");
        let (s, _) = good(&text, &[], &[]);
        assert_eq!((s.solver.method, s.solver.step), (method, Some(0.5)));
    }
    let fixed: Vec<&str> = SolverMethod::ALL
        .iter()
        .filter(|method| method.needs_step())
        .map(|method| method.name())
        .collect();
    assert_eq!(
        fixed,
        [
            "euler",
            "midpoint",
            "heun",
            "rk4",
            "verlet",
            "yoshida4",
            "yoshida6",
            "yoshida8",
            "implicit-midpoint"
        ]
    );
}

#[test]
fn a_run_may_go_against_time_or_take_none() {
    let text = SMALL.replace("end = 10", "end = -10");
    let text = format!("{text}[data]\nfile = \"d.csv\"\n");
    let (s, _) = good(&text, &[("d.csv", "t,x\n-10,1\n-3,2\n0,4\n")], &[]);
    assert_eq!((s.start, s.end), (0.0, -10.0));
    let data = s.experiments[0].data.as_ref().expect("data");
    assert_eq!(data.times, [-10.0, -3.0, 0.0], "ascending all the same");
    let (s, _) = good(&SMALL.replace("end = 10", "end = 0"), &[], &[]);
    assert_eq!((s.start, s.end), (0.0, 0.0));
}

#[test]
fn places_in_strings_of_every_form() {
    for (written, place) in [
        ("\"k*zz\"", "zz"),
        ("'k*zz'", "zz"),
        ("\"\"\"\nk*\n zz\"\"\"", "zz"),
        ("'''k*zz'''", "zz"),
        // an escape moves letters: the whole value stands for its parts
        ("\"k*z\\u007a\"", "\"k*z\\u007a\""),
    ] {
        let (s, _) = good(&SMALL.replace("\"-k*x\"", written), &[], &[]);
        let ExpressionKind::Arithmetic(Arithmetic::Multiply, _, right) = &s.equations[1].kind
        else {
            panic!("{written}: {:?}", s.equations[1]);
        };
        assert_eq!(right.kind, ExpressionKind::Name("zz".into()), "{written}");
        assert_eq!(right.span.text(), place, "{written}");
    }
}

#[test]
fn set_changes_parameters_and_keys() {
    let (s, _) = good(
        LYNX_HARE,
        &[("pelts.csv", PELTS)],
        &[
            "alpha=0.7",
            "parameters.beta=0.03",
            "parameters.gamma.fit=false",
            "solver.rtol=1e-5",
            "solver.max_step=0.5",
            "solver.method=rodas5p",
            "scenario.time.end=1950",
            "states.hare.initial=2*hare0",
            "states.lynx.unit=pelts",
            "states.lynx.initial=7",
            "definitions.encounters=hare*lynx/2",
            "observables.hare_pelts.noise.sigma=0.5",
            "fit.seed=9",
            "gradient.method=dual",
            "scenario.title=a title = with signs",
        ],
    );
    assert_eq!(s.parameters[0].value, 0.7);
    assert_eq!(s.parameters[0].scale, Scale::Log, "the rest stays");
    assert_eq!(s.parameters[1].value, 0.03);
    assert!(!s.parameters[2].fit);
    assert_eq!(
        (s.solver.rtol, s.solver.max_step, s.solver.method),
        (1e-5, Some(0.5), SolverMethod::Rodas5p)
    );
    assert_eq!(s.end, 1950.0);
    assert_eq!(s.states[0].initial.span.text(), "2*hare0");
    assert_eq!(s.states[0].initial.span.file.path, Path::new("--set"));
    assert_eq!(
        (number(&s.states[1].initial), s.states[1].unit.as_deref()),
        (7.0, Some("pelts"))
    );
    assert_eq!(s.definitions[0].expression.span.text(), "hare*lynx/2");
    assert_eq!(s.fit.seed, 9);
    assert_eq!(s.gradient.method, GradientMethod::Dual);
    assert_eq!(s.title, "a title = with signs");
    // a table that the file does not have is made
    let (s, _) = good(
        SMALL,
        &[],
        &["solver.atol=1e-3", "k=1", "states.x=5", "equations.x=\"k\""],
    );
    assert_eq!(s.solver.atol, AbsoluteTolerance::Uniform(1e-3));
    assert_eq!(
        (s.parameters[0].value, number(&s.states[0].initial)),
        (1.0, 5.0)
    );
}

#[test]
fn set_gives_an_array_other_values_than_its_file_did() {
    let text = format!(
        "{}\n[indices]\ni = 3\n",
        SMALL.replacen(
            "[parameters]",
            "[parameters]\nm = { over = [\"i\"], file = \"m.csv\", column = \"kg\" }",
            1
        )
    );
    let files = [("m.csv", "kg\n5\n6\n7\n")];
    let values = |set: &[&str]| {
        let (s, _) = good(&text, &files, set);
        let all = s.parameters.iter();
        all.filter(|p| p.name.text.starts_with("m["))
            .map(|p| p.value)
            .collect::<Vec<_>>()
    };
    assert_eq!(values(&[]), [5.0, 6.0, 7.0]);
    assert_eq!(values(&["m=2"]), [2.0, 2.0, 2.0]);
    assert_eq!(values(&["parameters.m.value=2*i"]), [2.0, 4.0, 6.0]);
    let given = Override::parse("m[2]=1").expect("name=value");
    let (_, found) = scenario::read_text(Path::new("m.toml"), &text, Path::new("."), &[given]);
    let unknown = found.iter().find(|d| d.code == "set::unknown");
    let help = unknown.and_then(|d| d.help.as_deref()).expect("help");
    assert!(help.contains("`--set m=\"if("), "{found:?}");
}

#[test]
fn a_wrong_set_is_told_the_nearest() {
    for (given, code, help) in [
        ("kk=1", "set::unknown", "did you mean `k`?"),
        (
            "solver.rtoll=1",
            "set::unknown",
            "did you mean `solver.rtol`?",
        ),
        (
            "state.x.initial=1",
            "set::unknown",
            "did you mean `states.x.initial`?",
        ),
        (
            "states.z.initial=1",
            "set::unknown",
            "did you mean `states.",
        ),
        ("solver=1", "set::unknown", "give a parameter's name"),
        ("parameters=1", "set::unknown", "give a parameter's name"),
        ("k.value.x.y=1", "set::unknown", ""),
        ("k=[1, 2]", "set::form", "one number"),
        ("k=abc", "scenario::wrong-type", "[definitions]"),
        ("solver.method=verlet", "scenario::missing", "step"),
        ("events.at=1", "set::unknown", ""),
        (
            "solver.rtol=nan",
            "scenario::not-finite",
            "in place of `nan`",
        ),
        ("states.x.initial=(1", "expression::parenthesis", ""),
        ("\u{fc}ber..=1", "set::unknown", ""),
    ] {
        let given = Override::parse(given).expect("name=value");
        let (_, diagnostics) = scenario::read_text(
            Path::new("m.toml"),
            SMALL,
            Path::new("."),
            std::slice::from_ref(&given),
        );
        assert_eq!(diagnostics.len(), 1, "{given:?}: {diagnostics:?}");
        assert_eq!(diagnostics[0].code, code, "{given:?}");
        let advice = diagnostics[0].help.as_deref().expect("help");
        assert!(advice.contains(help), "{given:?}: {advice}");
        let span = diagnostics[0].span.as_ref().expect("a place");
        assert_eq!(span.file.path, Path::new("--set"));
    }
    for text in ["", "k", "=1", "k="] {
        assert_eq!(
            Override::parse(text).expect_err("no name=value").code,
            "set::form"
        );
    }
}
