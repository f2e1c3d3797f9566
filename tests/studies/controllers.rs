//! Controllers as blocks: each is the equations that a hand would have written.

use std::fmt::Write as _;
use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{
    Channel, FunctionalStudy, GradientOf, LinearStudy, OperatingPoint, Solving, Study, Variable,
    gradient,
};
use nalgebra::Complex;

fn study(text: &str) -> Study {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{text}\n{findings:#?}"))
}

/// A functional's value and its gradient in some parameters.
fn evaluated(text: &str, of: &str, wrt: &[&str]) -> Vec<f64> {
    let study = study(text);
    let solving = Solving::choose(&study).expect("a method");
    let functional = FunctionalStudy::parse(&study, of).expect("a functional");
    let variables: Vec<Variable> = wrt
        .iter()
        .map(|name| Variable::parse(name, &study.scenario).expect("a parameter"))
        .collect();
    let of = GradientOf::Functional(&functional);
    let p = study.values();
    let found = gradient(&study, &solving, of, GradientMethod::Dual, &p, &variables);
    let found = found.expect("a gradient");
    let mut all = vec![found.value];
    all.extend(found.gradient);
    all
}

/// A plant of second order with a load, and what controls it.
const PLANT: &str = r#"
[scenario]
time = { start = 0.0, end = 6.0 }
[parameters]
kp = 3.0
ki = 2.0
kd = 0.8
tau = 0.1
b = 0.7
tt = 0.9
high = 2.5
[signals]
load = { kind = "step", at = 3.0, before = 0.0, after = -0.6 }
[solver]
method = "tsit5"
rtol = 1e-9
atol = 1e-9
"#;

fn with_block(controller: &str, equations: &str) -> String {
    format!(
        "{PLANT}[states]\ny = 0.1\nv = 0.0\n[equations]\ny = \"v\"\nv = \"-v - y + u + load\"\n{equations}[controllers.c]\noutput = \"u\"\n{controller}\n"
    )
}

fn by_hand(states: &str, definitions: &str, equations: &str, rest: &str) -> String {
    format!(
        "{PLANT}[states]\ny = 0.1\nv = 0.0\n{states}\n[definitions]\n{definitions}\n[equations]\ny = \"v\"\nv = \"-v - y + u + load\"\n{equations}\n{rest}"
    )
}

const COST: &str = "integral((1 - y)^2) + final(y)";

/// Both solve the same equations by the same steps: what differs is the order of a sum, so that 1e-11 of a gradient is rounding.
fn agree(block: &str, hand: &str, wrt: &[&str]) {
    let (block, hand) = (evaluated(block, COST, wrt), evaluated(hand, COST, wrt));
    for (k, (block, hand)) in block.iter().zip(&hand).enumerate() {
        assert!(
            (block - hand).abs() <= 1e-11 * (1.0 + hand.abs()),
            "{k}: {block} {hand}"
        );
    }
}

#[test]
fn a_pid_block_is_its_equations() {
    let block = with_block(
        r#"kind = "pid"
setpoint = 1.0
measurement = "y"
gains = { kp = "kp", ki = "ki", kd = "kd" }
derivative_filter = "tau"
derivative_on = "measurement"
setpoint_weights = { proportional = "b" }"#,
        "",
    );
    let hand = by_hand(
        "i = 0.0\nz = 0.0",
        r#"u = "kp*(b*1.0 - y) + i + kd*(-y - z)/tau""#,
        "i = \"ki*(1.0 - y)\"\nz = \"(-y - z)/tau\"",
        "",
    );
    agree(&block, &hand, &["kp", "ki", "kd", "tau", "b"]);
}

#[test]
fn ideal_and_series_forms() {
    let ideal = with_block(
        r#"kind = "pid"
setpoint = 1.0
measurement = "y"
gains = { k = "kp", ti = "tt", td = "b" }
derivative_filter = "tau""#,
        "",
    );
    let hand = by_hand(
        "i = 0.0\nz = 0.0",
        r#"u = "kp*(1.0 - y) + i + kp*b*(1 - y - z)/tau""#,
        "i = \"kp/tt*(1.0 - y)\"\nz = \"(1 - y - z)/tau\"",
        "",
    );
    agree(&ideal, &hand, &["kp", "tt", "b", "tau"]);
    let series = ideal.replace("gains =", "form = \"series\"\ngains =");
    let hand = by_hand(
        "i = 0.0\nz = 0.0",
        "d = \"b*(1 - y - z)/tau\"\nu = \"kp*(1.0 - y + d) + i\"",
        "i = \"kp/tt*(1.0 - y + d)\"\nz = \"(1 - y - z)/tau\"",
        "",
    );
    agree(&series, &hand, &["kp", "tt", "b", "tau"]);
}

#[test]
fn anti_windup_of_continuous_controllers() {
    let block = |method: &str| {
        with_block(
            &format!(
                r#"kind = "pi"
setpoint = 1.0
measurement = "y"
gains = {{ kp = "kp", ki = "ki" }}
limits = [-1.0, "high - 1.6"]
anti_windup = "{method}""#
            ),
            "",
        )
    };
    let hand = |rate: &str| {
        by_hand(
            "i = 0.0",
            "w = \"kp*(1 - y) + i\"\nu = \"clamp(w, -1, high - 1.6)\"\nband = \"0.01*(high - 1.6 + 1)\"",
            &format!("i = \"{rate}\""),
            "",
        )
    };
    let fade = "clamp(1 - (w - (high - 1.6))/band, 0, 1)";
    for (method, rate) in [
        ("none", "ki*(1 - y)".to_owned()),
        (
            "back-calculation",
            "ki*(1 - y) + (u - w)/(kp/ki)".to_owned(),
        ),
        (
            "clamping",
            format!(
                "max(ki*(1 - y), 0)*{fade} + min(ki*(1 - y), 0)*clamp(1 - (-1 - w)/band, 0, 1)"
            ),
        ),
        (
            "conditional",
            "ki*(1 - y)*clamp(1 - max(w - (high - 1.6), -1 - w)/band, 0, 1)".to_owned(),
        ),
    ] {
        println!("{method}");
        // the kinks are met by steps that differ in rounding alone
        agree(&block(method), &hand(&rate), &["kp", "ki", "high"]);
    }
}

#[test]
fn sampled_controllers_hold_and_do_not_wind_up() {
    let block = |method: &str| {
        with_block(
            &format!(
                r#"kind = "pid"
setpoint = 1.0
measurement = "y"
gains = {{ kp = "kp", ki = "ki", kd = "kd" }}
derivative_filter = "tau"
limits = [-1.0, "high - 1.6"]
anti_windup = "{method}"
sample_time = 0.2
offset = 0.1"#
            ),
            "",
        )
    };
    let hand = |next: &str| {
        by_hand(
            "u = { initial = 0.0, discrete = true }\ni = { initial = 0.0, discrete = true }\nd = { initial = 0.0, discrete = true }\nlast = { initial = 0.0, discrete = true }\nstarted = { initial = 0.0, discrete = true }",
            "e = \"1 - y\"\nslope = \"if(started > 0, (tau*d + kd*(e - last))/(tau + 0.2), 0)\"\nw = \"kp*e + i + slope\"\nsat = \"clamp(w, -1, high - 1.6)\"",
            "",
            &format!(
                "[[events]]\nname = \"sample\"\nevery = 0.2\nfirst = 0.1\nset = {{ u = \"sat\", i = \"{next}\", d = \"slope\", last = \"e\", started = 1.0 }}\n"
            ),
        )
    };
    for (method, next) in [
        (
            "back-calculation",
            "i + 0.2*ki*e + 0.2/sqrt(kd/ki)*(sat - w)",
        ),
        (
            "clamping",
            "i + if((w > high - 1.6 and ki*e > 0) or (w < -1 and ki*e < 0), 0, 0.2*ki*e)",
        ),
        (
            "conditional",
            "i + if(w > high - 1.6 or w < -1, 0, 0.2*ki*e)",
        ),
    ] {
        println!("{method}");
        agree(
            &block(method),
            &hand(next),
            &["kp", "ki", "kd", "tau", "high"],
        );
    }
}

#[test]
fn actuators_in_words_and_by_hand() {
    let block = with_block(
        r#"kind = "expression"
expression = "kp*(1 - y)"
deadband = 0.1
limits = [-1.0, "high"]
rate_limit = 4.0
actuator_lag = "tau"
initial = { output = 0.3 }"#,
        "",
    );
    let hand = by_hand(
        "u = 0.3",
        "a = \"kp*(1 - y)\"\ncmd = \"clamp(a - clamp(a, -0.1, 0.1), -1, high)\"",
        "u = \"clamp((cmd - u)/tau, -4, 4)\"",
        "",
    );
    agree(&block, &hand, &["kp", "high", "tau"]);
    let block = with_block(
        r#"kind = "expression"
expression = "kp*(1 - y)"
quantization = 0.25
limits = [-1.0, "high"]
rate_limit = "b"
sample_time = 0.3
computation_delay = 0.6"#,
        "",
    );
    let hand = by_hand(
        "u = { initial = 0.0, discrete = true }\nnew = { initial = 0.0, discrete = true }\nold = { initial = 0.0, discrete = true }",
        "cmd = \"clamp(0.25*floor(kp*(1 - y)/0.25 + 0.5), -1, high)\"",
        "",
        "[[events]]\nevery = 0.3\nset = { new = \"new + clamp(cmd - new, -b*0.3, b*0.3)\", old = \"new\", u = \"old\" }\n",
    );
    agree(&block, &hand, &["b"]);
}

#[test]
fn linear_blocks_are_their_transfer_functions() {
    // (2 s^2 + 3 s + 5)/(s^2 + 0.8 s + 4) on the error, in the canonical form by hand
    let block = with_block(
        r#"kind = "transfer-function"
setpoint = 1.0
measurement = "y"
numerator = [2.0, "kp", 5.0]
denominator = [1.0, "kd", 4.0]"#,
        "",
    );
    let hand = by_hand(
        "x1 = 0.0\nx2 = 0.0",
        "e = \"1 - y\"\nu = \"2*e + (kp - 2*kd)*x2 + (5 - 2*4)*x1\"",
        "x1 = \"x2\"\nx2 = \"e - kd*x2 - 4*x1\"",
        "",
    );
    // the block's states are scaled: equal but for the solver's error, 1e-9
    let (block, hand) = (
        evaluated(&block, COST, &["kp", "kd"]),
        evaluated(&hand, COST, &["kp", "kd"]),
    );
    for (block, hand) in block.iter().zip(&hand) {
        assert!((block - hand).abs() < 1e-7, "{block} {hand}");
    }
    // at rest a block has its gain at frequency 0, continuous or sampled: u = 3 (5/4) here, and y = u + load
    for keys in [
        "kind = \"lead-lag\"\ngain = 1.25\nlead = 0.4\nlag = 0.1",
        "kind = \"notch\"\ngain = 1.25\nfrequency = 3.0\nzero_damping = 0.1",
        "kind = \"transfer-function\"\nnumerator = [1.25]\ndenominator = [0.01, 0.2, 1.0]",
    ] {
        for sampled in ["", "\nsample_time = 0.05"] {
            let text = with_block(&format!("input = 3.0\n{keys}{sampled}"), "");
            let end = evaluated(
                &text.replace("end = 6.0", "end = 40.0"),
                "final(y)",
                &["kp"],
            );
            assert!((end[0] - 3.15).abs() < 1e-6, "{keys}{sampled}: {end:?}");
        }
    }
}

/// Tustin's rule at one frequency: a sampled lag has the gain and the phase of the continuous one at (2/Ts) tan(w Ts/2).
#[test]
fn sampled_blocks_follow_tustin() {
    let (period, w) = (0.1_f64, 4.0_f64);
    let text = format!(
        "[scenario]\ntime = {{ start = 0.0, end = 20.0 }}\n[states]\nx = 0.0\n[equations]\nx = \"-x\"\n[controllers.f]\nkind = \"lead-lag\"\noutput = \"u\"\ninput = \"cos({w}*t)\"\nlag = 0.5\nlead = 0.05\nsample_time = {period}\n"
    );
    let warped = 2.0 / period * (w * period / 2.0).tan();
    // (0.05 i w + 1)/(0.5 i w + 1)
    let (top, bottom) = (0.05 * warped, 0.5 * warped);
    let size = ((1.0 + top * top) / (1.0 + bottom * bottom)).sqrt();
    let phase = top.atan() - bottom.atan();
    let study = study(&text);
    // held since the sample at 19.9
    let run = costate::study::simulate(&study, 0, &study.values(), &[19.95]).expect("a run");
    let row = run.t.iter().rposition(|&t| t == 19.95).expect("the time");
    let output = run.states[1..].iter().zip(&study.scenario.states[1..]);
    let found = output
        .filter(|(_, state)| state.name.text == "u")
        .filter_map(|(values, _)| values.get(row).copied())
        .next()
        .expect("the output");
    let expected = size * (w * 19.9 + phase).cos();
    // transients fall by exp(-0.2) a sample: 1e-17 after 199
    assert!((found - expected).abs() < 1e-10, "{found} {expected}");
}

#[test]
fn gains_of_a_regulator_and_their_derivatives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/control/cart-pole-lqr.toml");
    let text = std::fs::read_to_string(path).expect("the scenario");
    // golden case T02: by the Riccati equation and by its implicit derivative, the last digits being rounding of the reference
    let gains = [
        ("x", -3.162277660168391, 0.0),
        ("phi", 49.145277932217375, 0.18578148371996714),
        ("xd", -5.784659094315721, -0.010352748164627161),
        ("phid", 10.642435294961125, 0.017162112713855864),
    ];
    for (state, value, slope) in gains {
        let found = evaluated(&text, &format!("balance_gain_{state}"), &["q22", "slope"]);
        assert!(
            (found[0] - value).abs() < 1e-10 * value.abs(),
            "{state}: {found:?}"
        );
        assert!((found[1] - slope).abs() < 1e-10, "{state}: {found:?}");
        // by a parameter of the model, against central differences: error h^2 and rounding over h
        let at = |slope: f64| {
            let text = text.replace("slope = 25.506", &format!("slope = {slope}"));
            evaluated(&text, &format!("balance_gain_{state}"), &["q22"])[0]
        };
        let differences = (at(25.506 + 1e-4) - at(25.506 - 1e-4)) / 2e-4;
        assert!(
            (found[2] - differences).abs() < 1e-6,
            "{found:?} {differences}"
        );
    }
    // through the run, by the adjoint as by dual numbers
    let study = study(&text);
    let solving = Solving::choose(&study).expect("a method");
    let functional = FunctionalStudy::parse(&study, "final(phi)").expect("a functional");
    let variables = [Variable::parse("q22", &study.scenario).expect("a parameter")];
    let by = |method| {
        let of = GradientOf::Functional(&functional);
        gradient(&study, &solving, of, method, &study.values(), &variables)
            .expect("a gradient")
            .gradient[0]
    };
    let (dual, adjoint) = (by(GradientMethod::Dual), by(GradientMethod::Adjoint));
    assert!(
        dual != 0.0 && (dual - adjoint).abs() < 1e-10 * dual.abs(),
        "{dual} {adjoint}"
    );
}

/// What is wrong with a controller, in words.
#[test]
fn findings() {
    let good = r#"kind = "pid"
measurement = "y"
gains = { kp = 1.0, ki = 0.5 }"#;
    let cases: &[(&str, &str)] = &[
        (
            "kind = \"pdi\"\nmeasurement = \"y\"",
            "`pdi` is no `kind` of a controller | did you mean `pid`?",
        ),
        (
            "kind = \"pid\"\ngains = { kp = 1.0 }",
            "a controller of kind `pid` needs `measurement` | add `measurement = ...`: a number or an expression in quotes",
        ),
        (
            "GOOD\nlead = 2.0",
            "a controller of kind `pid` has no `lead` | its keys: `setpoint`, `measurement`, `gains`, `form`, `derivative_filter`, `derivative_on`, `setpoint_weights`, `feedforward`, `tracking_time`",
        ),
        (
            "GOOD\nlimits = [2.0, \"kp - 4\"]",
            "the lower limit, 2, is not below the upper one, -1 | write the lower one first: `limits = [-1, 2]`",
        ),
        (
            "GOOD\nlimits = [1.0]",
            "`limits` of a controller are two: the lowest and the highest output | write `limits = [-1.0, 1.0]`",
        ),
        (
            "GOOD\nsample_time = 7.0",
            "the sample time, 7, is longer than the run, 6 | the controller would act once: shorten it, or end the run later",
        ),
        (
            "GOOD\nsample_time = 0.0",
            "`sample_time` of a controller is 0; it must be above zero | write a `sample_time` above zero",
        ),
        (
            "GOOD\noffset = 0.1",
            "`offset` is of a sampled controller | remove `offset`, or write `sample_time = 0.01`",
        ),
        (
            "GOOD\nanti_windup = \"clamping\"",
            "`anti_windup` of a controller belongs to `limits`, which this one does not have | remove `anti_windup`, or write `limits = [-1.0, 1.0]`",
        ),
        (
            "kind = \"pid\"\nmeasurement = \"y\"\ngains = { kp = 1.0, kd = 0.5 }",
            "the derivative of a continuous controller needs a filter | add `derivative_filter = ...`, a time constant such as a tenth of td, or a `sample_time`",
        ),
        (
            "kind = \"pid\"\nmeasurement = \"speed\"\ngains = { kp = 1.0 }",
            "there is no `speed` | known are `b`, `high`, `kd`, `ki`, `kp`, `pi`, `t`, `tau`, ...",
        ),
        (
            "kind = \"pid\"\nmeasurement = \"y\"\ngains = { kq = 1.0 }",
            "`gains` of a controller has no `kq` | did you mean `kp`?",
        ),
        (
            "kind = \"pid\"\nmeasurement = \"y\"\ngains = { kp = 1.0, ti = 2.0 }",
            "the ideal form has the gains `k`, `ti`, `td` | `kp`, `ki` and `kd` are those of `form = \"parallel\"`",
        ),
        (
            "GOOD\ninitial = { slope = 1.0 }",
            "`c` has no state `slope` | states: `integral`",
        ),
        (
            "kind = \"transfer-function\"\ninput = \"y\"\nnumerator = [1.0, 2.0, 3.0]\ndenominator = [1.0, 1.0]",
            "the transfer function is improper: its numerator is of degree 2, its denominator of 1 | add a fast pole to the denominator, as a filter: a system cannot differentiate",
        ),
        (
            "kind = \"transfer-function\"\ninput = \"y\"\nnumerator = [1.0]\ndenominator = [0.0]",
            "the denominator's highest coefficient is 0 | begin with the coefficient of the highest power of s that there is",
        ),
        (
            "kind = \"expression\"\nexpression = \"2*u\"",
            "the controller `c` answers to itself at once, an algebraic loop: u -> u | a block with feed-through needs a state in its loop: give it `sample_time` or `actuator_lag`, or let it measure a state of the plant",
        ),
        (
            "kind = \"state-feedback\"\ngains = { z = 1.0 }",
            "`gains` of a controller has no `z` | known: `y`, `v`",
        ),
        (
            "kind = \"lqr\"\nstate_weights = { y = -1.0 }",
            "the weight of `y` is -1; it cannot be below zero | write weights of 0 or more, one of them above",
        ),
        (
            "GOOD\nquantization = 0.1",
            "`quantization` is of a sampled controller: a continuous one would switch infinitely often in a loop | remove `quantization`, or write `sample_time = 0.01`",
        ),
        (
            "kind = \"observer\"\nmeasurement = \"y\"",
            "an observer needs `gains` or `process_noise`, and has neither | give `gains = { x = 4.0 }`, or `process_noise = { x = 0.1 }` with `measurement_noise` for the gains of a Kalman filter",
        ),
        (
            "kind = \"observer\"\nmeasurement = \"y\"\ngains = { y = 1.0 }\nlimits = [0, 1]",
            "an observer has no `limits`: it drives nothing | give it to the controller that uses the estimate",
        ),
        (
            "kind = \"state-feedback\"\ngains = { y = 1.0 }\nobserver = \"d\"",
            "there is no observer `d` | add one: `[controllers.estimate]` with `kind = \"observer\"`",
        ),
        (
            "GOOD\nrate_limit = 1.0",
            "a continuous rate limit needs the time constant of the actuator that has it | add `actuator_lag = ...`, a time short beside those of the loop",
        ),
    ];
    let mut wrong = String::new();
    for (keys, expected) in cases {
        let text = with_block(&keys.replace("GOOD", good), "");
        let (_, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let found: Vec<String> = findings
            .iter()
            .filter(|d| d.severity == costate::diagnostic::Severity::Error)
            .map(|d| format!("{} | {}", d.message, d.help.clone().unwrap_or_default()))
            .collect();
        // names that a refused block would have made are unknown, too: the finding meant comes with them
        if !found.iter().any(|own| own == expected) {
            let _ = writeln!(
                wrong,
                "{keys}\n  expected {expected}\n  found    {found:#?}"
            );
        }
        assert!(findings.iter().all(|d| d.span.is_some()), "{findings:#?}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A pendulum that stands on its head, its angle measured, held up by what an observer says.
const OBSERVED: &str = r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[parameters]
g = 9.81
damping = 0.1
l1 = 12.0
l2 = 50.0
q = 0.4
r = 0.01
[states]
angle = 0.2
spin = 0.0
[definitions]
torque = "g*sin(angle) - friction"
friction = "damping*spin*abs(spin)"
[equations]
angle = "spin"
spin = "torque + push"
[solver]
method = "tsit5"
rtol = 1e-10
atol = 1e-10
[controllers.hold]
kind = "state-feedback"
output = "push"
gains = { angle = 20.0, spin = 6.0 }
observer = "estimate"
[controllers.estimate]
kind = "observer"
output = "seen"
measurement = "angle"
initial = { angle = 0.1 }
"#;

#[test]
fn an_observer_is_a_copy_of_the_plant_that_is_drawn_to_the_measurement() {
    let observed = format!(
        "{OBSERVED}gains = {{ angle = \"l1\", spin = \"l2\" }}\nmeasured = \"angle + 0.01*sin(20*t)\"\n"
    );
    let by_hand = OBSERVED[..OBSERVED.find("[controllers.hold]").expect("controllers")]
        .replace("spin = 0.0\n", "spin = 0.0\ne_angle = 0.1\ne_spin = 0.0\n")
        .replace(
            "[equations]",
            "e_friction = \"damping*e_spin*abs(e_spin)\"\npush = \"-20*e_angle - 6*e_spin\"\nmiss = \"angle + 0.01*sin(20*t) - e_angle\"\n[equations]\ne_angle = \"e_spin + l1*miss\"\ne_spin = \"g*sin(e_angle) - e_friction + push + l2*miss\"",
        );
    for (of, of_hand) in [
        (
            "final(angle) + integral(push^2)",
            "final(angle) + integral(push^2)",
        ),
        ("final(estimate_spin)", "final(e_spin)"),
        ("at(estimate_innovation, 1.0)", "at(miss, 1.0)"),
        ("maximum(seen)", "maximum(e_angle)"),
    ] {
        let wrt = ["g", "damping", "l1", "l2"];
        let (block, hand) = (
            evaluated(&observed, of, &wrt),
            evaluated(&by_hand, of_hand, &wrt),
        );
        // the same equations, in another order
        for (a, b) in block.iter().zip(&hand) {
            assert!(
                (a - b).abs() < 1e-8 * (1.0 + b.abs()),
                "{of}: {block:?} {hand:?}"
            );
        }
    }
}

#[test]
fn gains_of_a_kalman_filter() {
    let noisy =
        format!("{OBSERVED}process_noise = {{ spin = \"q\" }}\nmeasurement_noise = \"r\"\n");
    // linearized where it stands: z'' = g z + w with intensity q, z measured with intensity r. The filter's polynomial s^2 + l1 s + l2 - g
    // has -s^2 reflected onto (s^2 - g)^2 + q/r, so that l2 - g = sqrt(g^2 + q/r), l1 = sqrt(2 l2)
    let (g, q, r) = (9.81_f64, 0.4, 0.01);
    let root = (g * g + q / r).sqrt();
    let spin = g + root;
    let angle = (2.0 * spin).sqrt();
    let found = evaluated(&noisy, "estimate_gain_spin", &["q", "r", "g"]);
    let slopes = [
        spin,
        0.5 / (r * root),
        -0.5 * q / (r * r * root),
        1.0 + g / root,
    ];
    for (a, b) in found.iter().zip(slopes) {
        assert!((a - b).abs() < 1e-9 * b.abs(), "{found:?} {slopes:?}");
    }
    let found = evaluated(&noisy, "estimate_gain_angle", &["q"]);
    assert!(
        (found[0] - angle).abs() < 1e-10 * angle,
        "{found:?} {angle}"
    );
    assert!((found[1] - slopes[1] / angle).abs() < 1e-9, "{found:?}");
    // a scalar plant x' = a x: l = a + sqrt(a^2 + q/r)
    let scalar = r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[parameters]
a = -0.7
[states]
x = 1.0
[equations]
x = "a*x + u"
[controllers.hold]
kind = "state-feedback"
output = "u"
gains = { x = 2.0 }
observer = "filter"
[controllers.filter]
kind = "observer"
output = "seen"
measurement = "3*x"
process_noise = { x = 2.0 }
measurement_noise = 0.5
"#;
    let found = evaluated(scalar, "filter_gain_x", &["a"])[0];
    // with y = c x: l = (a + sqrt(a^2 + c^2 q/r))/c
    let expected = (-0.7 + (0.49_f64 + 9.0 * 4.0).sqrt()) / 3.0;
    assert!((found - expected).abs() < 1e-11, "{found} {expected}");
}

/// The loop of a controller with an observer is opened at the plant: K (sI - A + B K + L C)^-1 L C (sI - A)^-1 B.
#[test]
fn the_loop_through_an_observer() {
    let observed = format!("{OBSERVED}gains = {{ angle = \"l1\", spin = \"l2\" }}\n");
    let study = study(
        &observed
            .replace("angle = 0.2", "angle = 0.0")
            .replace("{ angle = 0.1 }", "{ angle = 0.0 }"),
    );
    let around = Channel::Around {
        controller: "hold".into(),
    };
    let linear = LinearStudy::new(&study, &around).expect("a linear study");
    let found = linear
        .at(&study, &study.values(), OperatingPoint::Time(0.0))
        .expect("linearized");
    let w = 3.0;
    let s = Complex::new(0.0, w);
    let (g, k, l) = (9.81, [20.0, 6.0], [12.0, 50.0]);
    // the compensator's matrix, by Cramer's rule: s I - A + B K + L C = [s + l1, -1; l2 - g + k1, s + k2]
    let (a11, a12, a21, a22) = (
        s + l[0],
        Complex::from(-1.0),
        Complex::from(l[1] - g + k[0]),
        s + k[1],
    );
    let det = a11 * a22 - a12 * a21;
    let z = [
        (a22 * l[0] - a12 * l[1]) / det,
        (a11 * l[1] - a21 * l[0]) / det,
    ];
    let compensator = z[0] * k[0] + z[1] * k[1];
    let expected = compensator / (s * s - g);
    let response = found.system.response(w);
    assert!(
        (response - expected).norm() < 1e-12,
        "{response} {expected}"
    );
    let refused = LinearStudy::new(
        &study,
        &Channel::Around {
            controller: "estimate".into(),
        },
    );
    assert!(refused.is_err());
}
