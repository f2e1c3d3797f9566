mod hybrid;
mod lines;

use std::path::PathBuf;

use super::*;
use crate::diagnostic::SourceFile;
use crate::model::graph::TIME;
use crate::model::{When, evaluate, parse};
use lines::{error, errors, ok, stops, values, with};

#[test]
fn a_predator_and_its_prey() {
    let model = ok("
param alpha = 0.5
param beta = 0.25
param hare0 = 30.0
state hare = hare0
state lynx = hare0/10
def eaten = beta*met
def met = hare*lynx
eq hare = alpha*hare - eaten
eq lynx = eaten - lynx
obs pelts = 2*hare
sigma s = 0.1*hare + alpha
with beta = 2*alpha
start lynx = beta + 1
expect e = final(pelts) - 2*at(hare, 5) + alpha*objective() + initial(lynx + t)
");
    assert_eq!(model.states.iter().collect::<Vec<_>>(), ["hare", "lynx"]);
    assert_eq!(model.parameters, ["alpha", "beta", "hare0"]);
    let (x, p) = ([2.0, 3.0], [0.5, 0.25, 30.0]);
    assert_eq!(values(&model, &model.rhs, [0.0; 2], &x, &p), [-0.5, -1.5]);
    let observable = &model.observables[0];
    let nodes = [observable.value, observable.sigma.expect("a sigma")];
    assert_eq!(
        values(&model, &nodes, [0.0; 2], &x, &p),
        [4.0, 0.1 * 2.0 + 0.5]
    );
    let experiment = &model.experiments[0];
    assert_eq!(
        values(&model, &experiment.parameters, [0.0; 2], &[], &p),
        [0.5, 1.0, 30.0]
    );
    assert_eq!(
        values(
            &model,
            &experiment.initial,
            [0.0; 2],
            &[],
            &[0.5, 1.0, 30.0]
        ),
        [30.0, 2.0]
    );
    let functional = &model.expectations[0];
    assert_eq!(
        functional.samples.iter().map(|s| s.0).collect::<Vec<_>>(),
        [When::Final, When::At(5.0), When::Initial]
    );
    assert!(functional.uses_objective);
    let root = evaluate(
        &model.graph,
        &[functional.root],
        &[&[], &[], &p, &[10.0, 3.0, 7.0], &[100.0]],
    );
    assert_eq!(root, [10.0 - 6.0 + 50.0 + 7.0]);
}

#[test]
fn equal_expressions_are_one_node() {
    let model = ok(&with(
        "param a = 1.0\neq x = a*x + k\nobs y = k + x*a\ndef d = (a)*x",
    ));
    assert_eq!(model.rhs[0], model.observables[0].value);
    let before = model.graph.len();
    let mut graph = model.graph.clone();
    let (x, a) = (graph.input(STATES, 0), graph.input(PARAMETERS, 1));
    assert_eq!(graph.mul(a, x), model.definitions[0].1);
    assert_eq!(graph.len(), before);
}

#[test]
fn names_are_resolved_or_reported_with_the_nearest() {
    for (text, code, place, words) in [
        (
            "eq x = kk*x",
            "model::unknown-name",
            "kk",
            "did you mean `k`?",
        ),
        (
            "eq x = -sin*x",
            "model::unknown-name",
            "sin",
            "in parentheses",
        ),
        ("eq x = e^x", "model::unknown-name", "e", "exp(1)"),
        ("eq x = sine(x)", "model::unknown-function", "sine", "`sin`"),
        (
            "eq x = ln(x)",
            "model::unknown-function",
            "ln",
            "called `log`",
        ),
        (
            "eq x = k(x + 1)",
            "model::unknown-function",
            "k",
            "`k*(...)`",
        ),
        (
            "eq x = atan2(x)",
            "model::argument-count",
            "atan2(x)",
            "takes 2 arguments, not 1",
        ),
        (
            "eq x = max(x)",
            "model::argument-count",
            "max(x)",
            "at least 2 arguments, not 1",
        ),
        (
            "eq x = final(x)",
            "model::not-allowed-here",
            "final",
            "`[[expect]]`",
        ),
        (
            "eq x = 1\nfn f(a) = a + zz",
            "model::unknown-name",
            "zz",
            "there is no `zz`",
        ),
        (
            "eq x = f(1)\nfn f(a,b) = a*b",
            "model::argument-count",
            "f(1)",
            "2 arguments",
        ),
        (
            "eq x = 1\nstate k = 1\neq k = 1",
            "model::duplicate-name",
            "k",
            "a parameter already",
        ),
        ("eq x = 1\ndef t = 1", "model::reserved-name", "t", "time"),
        (
            "eq x = 1\nfn sin(a) = a",
            "model::reserved-name",
            "sin",
            "built-in",
        ),
        (
            "eq x = 1\nwith q = 1",
            "model::unknown-name",
            "q",
            "no parameter `q`",
        ),
        (
            "eq x = 1\nwith k = x",
            "model::not-allowed-here",
            "x",
            "is a state",
        ),
        (
            "eq x = 1\nstart x = t + 1",
            "model::not-allowed-here",
            "t",
            "cannot depend on time",
        ),
        (
            "eq x = 1\ndef d = 2*x\nstart x = d",
            "model::not-allowed-here",
            "d",
            "on a state",
        ),
        (
            "eq x = 1\nstep s = x; 0; 1",
            "model::not-allowed-here",
            "x",
            "is a state",
        ),
        (
            "eq x = 1\nsignal s = x",
            "model::not-allowed-here",
            "x",
            "is a state",
        ),
        (
            "eq x = 1\nexpect e = x",
            "model::not-allowed-here",
            "x",
            "final(x)",
        ),
        (
            "eq x = 1\nexpect e = at(x, x)",
            "model::not-allowed-here",
            "x",
            "a time of `at`",
        ),
        (
            "eq x = 1\nexpect e = at(x, 11)",
            "model::sample-time",
            "11",
            "outside",
        ),
        (
            "eq x = 1\nramp r = 2; 1; 0; 1",
            "model::signal",
            "1",
            "ends after",
        ),
        (
            "eq x = 1\npulse u = 0; 1; 0; 1; 0",
            "model::signal",
            "0",
            "period",
        ),
    ] {
        let found = error(&with(text));
        assert_eq!(
            (found.0, found.1.as_str()),
            (code, place),
            "{text}: {found:?}"
        );
        assert!(found.2.contains(words), "{text}: {found:?}");
    }
}

#[test]
fn all_findings_come_in_one_pass() {
    let found = errors(&with(
        "eq x = foo*bar(x) + f(1, 2)\nfn f(a) = a + a*zz\nobs y = qux\ndef d = atan2(1)",
    ));
    let codes: Vec<_> = found.iter().map(|d| d.code).collect();
    assert_eq!(codes.len(), 6, "{found:#?}");
}

#[test]
fn cycles_are_told_with_their_way_and_places() {
    let (code, place, words) = error(&with("eq x = a\ndef a = b + 1\ndef b = 2*c\ndef c = a"));
    assert_eq!((code, place.as_str()), ("model::cycle", "a"));
    assert!(words.contains("a -> b -> c -> a"), "{words}");
    assert!(words.contains("`b` at 5:5"), "{words}");
    let (_, _, words) = error(&with("eq x = a\ndef a = a + 1"));
    assert!(words.contains("a -> a"), "{words}");
    // recursion, directly and through a definition
    let (_, _, words) = error(&with("eq x = f(x)\nfn f(a) = g(a)\nfn g(a) = f(a - 1)"));
    assert!(words.contains("f -> g -> f"), "{words}");
    let (_, _, words) = error(&with("eq x = d\ndef d = f(1)\nfn f(a) = a*d"));
    assert!(words.contains("d -> f -> d"), "{words}");
}

#[test]
fn functions_are_expanded_with_their_own_arguments() {
    let model = ok(&with(
        "eq x = hill(x, k, 2) + twice(twice(x))\nfn hill(x,k,n) = x^n/(k^n + x^n)\nfn twice(k) = 2*k",
    ));
    assert_eq!(
        values(&model, &model.rhs, [0.0; 2], &[4.0], &[2.0]),
        [0.8 + 16.0]
    );
}

#[test]
fn long_and_branching_scenarios_end() {
    // 20000 definitions, each of the next, in the worst order
    let mut text = with("eq x = d0\n");
    for k in 0..20_000 {
        text.push_str(&format!("def d{k} = d{} + 1\n", k + 1));
    }
    text.push_str("def d20000 = k");
    let model = ok(&text);
    assert_eq!(
        values(&model, &model.rhs, [0.0; 2], &[0.0], &[2.0]),
        [20_002.0]
    );
    // functions that double: shared, so small
    let mut text = with("eq x = f0(x)\n");
    for k in 0..60 {
        text.push_str(&format!("fn f{k}(a) = f{0}(a) + f{0}(a)\n", k + 1));
    }
    text.push_str("fn f60(a) = a");
    assert!(ok(&text).graph.len() < 200);
    // and that truly grow: refused
    let mut text = with("eq x = f0(x)\n");
    for k in 0..60 {
        text.push_str(&format!(
            "fn f{k}(a) = f{0}(a + {k}) * f{0}(a*{k} - 1)\n",
            k + 1
        ));
    }
    text.push_str("fn f60(a) = a");
    assert!(errors(&text).iter().all(|d| d.code == "model::size"));
    // as high and as nested as a text can be
    let mut text = with("eq x = f0(x)\n");
    for k in 0..4 {
        text.push_str(&format!(
            "fn f{k}(a) = f{}(a){}\n",
            k + 1,
            " + a".repeat(990)
        ));
    }
    text.push_str("fn f4(a) = a");
    assert!(errors(&text).iter().all(|d| d.code == "model::size"));
    // a cycle of all of them
    let mut text = with("eq x = d0\n");
    for k in 0..5000 {
        text.push_str(&format!("def d{k} = d{} + 1\n", (k + 1) % 5000));
    }
    assert!(error(&text).2.len() < 1000);
}

#[test]
fn signals_switch_by_the_middle_of_the_stretch() {
    let model = ok(&with(
        "step s = k; -1; 3
ramp r = 1; k + 2; 10; 40
pulse u = 1; 0.5; 0; 5; k
pulse once = 1; 0.5; 0; 5
sine w = 2; 0.25; pi/2; 1
signal e = s*t + r
table h = hold; 0 1 2; 5 6 7
table l = linear; 0 1 2; 5 6 8
table c = cubic; 0 1 2 3; 0 1 0 1
eq x = s",
    ));
    let nodes: Vec<_> = model.signals.iter().map(|s| s.1).collect();
    let p = [2.0];
    // on the switch itself each side has its own value
    let before = values(&model, &nodes, [2.0, 1.9], &[], &p);
    let after = values(&model, &nodes, [2.0, 2.1], &[], &p);
    assert_eq!(before[..4], [-1.0, 20.0, 0.0, 0.0]);
    assert_eq!(after[..4], [3.0, 20.0, 0.0, 0.0]);
    assert!((before[4] - (1.0 + 2.0 * (std::f64::consts::PI * 1.5).sin())).abs() < 1e-15);
    assert_eq!((before[5], after[5]), (18.0, 26.0));
    assert_eq!((before[6], after[6]), (6.0, 7.0));
    assert_eq!((before[7], after[7]), (8.0, 8.0));
    assert_eq!(before[8], after[8]);
    // pulses: on in [1, 1.5), again in [3, 3.5) with the period 2 of k
    for (t, periodic, single) in [
        (0.5, 0.0, 0.0),
        (1.2, 5.0, 5.0),
        (3.2, 5.0, 0.0),
        (3.7, 0.0, 0.0),
    ] {
        let v = values(&model, &nodes[2..4], [t, t], &[], &p);
        assert_eq!(v, [periodic, single], "{t}");
    }
    let found = stops(&model, &p);
    for stop in [
        (2.0, None),
        (1.0, None),
        (4.0, None),
        (1.0, Some(2.0)),
        (1.5, Some(2.0)),
        (1.5, None),
        (0.0, None),
        (3.0, None),
    ] {
        assert!(found.contains(&stop), "{stop:?} is not in {found:?}");
    }
}

#[test]
fn comparisons_of_time_stop_where_they_switch() {
    for (text, expected) in [
        ("if(t < 5, 1, 2)", Some(5.0)),
        ("if(k >= t, 1, 2)", Some(2.0)),
        ("if(t - k > 1 and x > 0, 1, 2)", Some(3.0)),
        ("if(10 - t < k, 1, 2)", Some(8.0)),
        ("heaviside(t - k)", Some(2.0)),
        ("max(t - 4, 0)", Some(4.0)),
        ("abs(t - k)", Some(2.0)),
        ("if(x < 5, 1, 2)", None),
        ("if(t < x, 1, 2)", None),
        ("if(t == 5, 1, 2)", None),
    ] {
        let model = ok(&with(&format!("eq x = {text}")));
        let found = stops(&model, &[2.0]);
        assert_eq!(found.first().map(|s| s.0), expected, "{text}");
        assert!(found.len() <= 1);
        if let Some(time) = expected {
            // at the switch, the middle decides
            let at = |middle: f64| values(&model, &model.rhs, [time, middle], &[1.0], &[2.0])[0];
            let away = |t: f64| values(&model, &model.rhs, [t, t], &[1.0], &[2.0])[0];
            assert!((at(time - 0.1) - away(time - 1e-9)).abs() < 1e-8, "{text}");
            assert!((at(time + 0.1) - away(time + 1e-9)).abs() < 1e-8, "{text}");
        }
    }
    // a stop has its derivative in the parameters
    let mut model = ok(&with("eq x = if(t < k, 1, 2)"));
    let one = model.graph.constant(1.0);
    let k = model.graph.input(PARAMETERS, 0);
    let stop = model.stops[0].at;
    let gradient = crate::model::vjp(&mut model.graph, &[stop], &[one], &[k]);
    assert_eq!(gradient, [one]);
    let t = model.graph.input(TIME, 0);
    let rhs = model.rhs[0];
    let rate = crate::model::jvp(&mut model.graph, &[rhs], &[(t, one)]);
    assert_eq!(model.graph.constant_value(rate[0]), Some(0.0));
}

#[test]
fn rough_operations_are_named_with_their_smooth_forms() {
    let model = ok(&with(
        "def late = t > k
def high = x > k
fn f(a) = sign(a) + f2(a)
fn f2(a) = floor(a)
eq x = max(x, 0) + if(x < 1, abs(x), 2) + if(t < k, 1, 2) + max(k, 1) + if(x, 1, 2) + if(late, 1, 2)
obs y = f(x) + f(2*x) + if(high, 1, 0) + mod(t, 1) + max(t - 1, 0) + clamp(k, 0, 1)",
    ));
    let found: Vec<_> = model
        .nonsmooth
        .iter()
        .map(|n| (n.operation.as_str(), n.span.text(), n.smooth_form.is_some()))
        .collect();
    assert_eq!(
        found,
        [
            (">", "x > k", true),
            ("sign", "sign(a)", true),
            ("floor", "floor(a)", false),
            ("max", "max(x, 0)", true),
            ("<", "x < 1", true),
            ("abs", "abs(x)", true),
            ("if", "if(x, 1, 2)", true),
            ("if", "if(high, 1, 0)", true),
            ("mod", "mod(t, 1)", false),
        ]
    );
}

#[test]
fn functionals_are_lowered_after_the_model() {
    let mut model = ok(&with("eq x = -k*x\nobs y = 2*x\ndef d = x^2"));
    let file = Arc::new(SourceFile {
        path: PathBuf::from("--of"),
        text: "max(final(y), final(d)) - k*final(y)".into(),
    });
    let (expression, _) = parse(&file.text, &file, 0);
    let functional =
        super::super::functional(&mut model, &expression.expect("parses")).expect("lowers");
    assert_eq!(functional.samples.len(), 2);
    let (wrong, _) = parse("final(q)", &file, 0);
    let found = super::super::functional(&mut model, &wrong.expect("parses"));
    assert_eq!(found.expect_err("no q")[0].code, "model::unknown-name");
    let (nested, _) = parse("final(final(x))", &file, 0);
    let found = super::super::functional(&mut model, &nested.expect("parses"));
    assert_eq!(
        found.expect_err("nested")[0].code,
        "model::not-allowed-here"
    );
}
