//! Events, mass rows, invariants, stops of the solver, and functionals that read more than samples.

use super::lines::{error, ok, scenario, stops, values, with};
use crate::model::{NodeId, TriggerModel, build, evaluate};
use crate::scenario::Direction;

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, code, place, words) in [
        (
            "eq x = 1\nfalling e = x < k - 1\nend e = 1",
            "model::event",
            "x < k - 1",
            "write `when = \"x - (k - 1)\"`, `direction = \"falling\"`",
        ),
        (
            "eq x = 1\nfalling e = x >= 0\nend e = 1",
            "model::event",
            "x >= 0",
            "write `when = \"x\"`, `direction = \"rising\"`",
        ),
        (
            "eq x = 1\nfalling e = low\nend e = 1\ndef low = x == k",
            "model::event",
            "low",
            "write `when = \"x - k\"`",
        ),
        (
            "eq x = 1\nfalling e = not x > 1\nend e = 1",
            "model::event",
            "not x > 1",
            "the rest as `only_if`",
        ),
        (
            "eq x = 1\ntimes e = 1; x\nset x = 0",
            "model::not-allowed-here",
            "x",
            "cannot stand in a time of an event",
        ),
        (
            "eq x = 1\nevery e = 1; t\nset x = 0",
            "model::not-allowed-here",
            "t",
            "a time of an event cannot depend on time",
        ),
        (
            "eq x = 1\nevery e = 1 - 1; 0\nset x = 0",
            "model::event",
            "1 - 1",
            "above zero",
        ),
        (
            "eq x = 1\ntimes e = 1\nset y = 0",
            "model::unknown-name",
            "y",
            "there is no state `y`",
        ),
        (
            "eq x = 1\ntimes e = 1\nset x = kk",
            "model::unknown-name",
            "kk",
            "did you mean `k`?",
        ),
        (
            "eq x = 1\ntimes e = 1\nset x = 0\nif e = xx > 1",
            "model::unknown-name",
            "xx",
            "did you mean `x`?",
        ),
        (
            "eq x = 1\nmass x,x = x + 1",
            "model::not-allowed-here",
            "x",
            "cannot stand in a coefficient of `[mass]`",
        ),
        (
            "eq x = 1\nmass x,x = 1 + t",
            "model::not-allowed-here",
            "t",
            "cannot depend on time",
        ),
        (
            "eq x = 1\nmass x,y = 1",
            "model::unknown-name",
            "y",
            "there is no state `y`",
        ),
        (
            "eq x = 1\ninvariant e = xx^2",
            "model::unknown-name",
            "xx",
            "did you mean `x`?",
        ),
        (
            "eq x = 1\nstop s = 2*x",
            "model::not-allowed-here",
            "x",
            "cannot stand in a stop time",
        ),
        (
            "eq x = integral(x)",
            "model::not-allowed-here",
            "integral",
            "`[[expect]]`",
        ),
        (
            "eq x = 1\nexpect e = integral(x, 1)",
            "model::argument-count",
            "integral(x, 1)",
            "takes 1 argument, not 2",
        ),
        (
            "eq x = 1\nexpect e = event_time(hit)",
            "model::unknown-name",
            "hit",
            "no `[[events]]`",
        ),
        (
            "eq x = 1\ntimes hits = 1\nset x = 0\nexpect e = event_time(hit, 2)",
            "model::unknown-name",
            "hit",
            "did you mean `hits`?",
        ),
        (
            "eq x = 1\ntimes hits = 1\nset x = 0\nexpect e = event_time(3*x)",
            "model::unknown-name",
            "3*x",
            "events: `hits`",
        ),
        (
            "eq x = 1\ntimes hits = 1\nset x = 0\nexpect e = event_time(hits, 0)",
            "model::event",
            "0",
            "at least 1",
        ),
        (
            "eq x = 1\ntimes hits = 1\nset x = 0\nexpect e = event_time(hits, k)",
            "model::event",
            "k",
            "a whole number",
        ),
        (
            "eq x = 1\ntimes hits = 1\nset x = 0\nexpect e = event_time()",
            "model::argument-count",
            "event_time()",
            "1 to 2 arguments",
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
fn events_jump_states_from_their_values_before() {
    let model = ok("
param k = 0.5
param shift = 1.0
state height = 1
state speed = 0
discrete mode = 1
def hit = height
step push = shift; 0; 2
eq height = speed
eq speed = if(mode > 0.5, -9.81, 0)*softabs(push, 1)
falling bounce = hit - push
set speed = -k*speed + t
set mode = mode + 1
if bounce = mode == 1 and abs(speed) > k
times dose = 0; 3*shift; 24 + shift
set height = height + k
every beat = 2*k; shift
end beat = 1
invariant energy = 9.75*height + 0.5*speed^2 + push
stop s = 4*k
stop again = shift
expect e = event_time(bounce, 2) - event_time(dose)
");
    assert_eq!(model.discrete, [false, false, true]);
    assert_eq!(model.mass, None);
    let (t, x, p) = ([3.0, 2.5], [10.0, -4.0, 1.0], [0.5, 1.0]);
    assert_eq!(values(&model, &model.rhs[2..], t, &x, &p), [0.0]);
    let number = |node: NodeId| values(&model, &[node], t, &x, &p)[0];
    let names: Vec<&str> = model.events.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["bounce", "dose", "beat"]);

    let bounce = &model.events[0];
    let TriggerModel::Root { node, direction } = bounce.trigger else {
        panic!("{bounce:?}");
    };
    assert_eq!((number(node), direction), (8.0, Direction::Falling));
    let set: Vec<(usize, f64)> = bounce.set.iter().map(|&(k, v)| (k, number(v))).collect();
    assert_eq!(set, [(1, 5.0), (2, 2.0)], "all from the state before");
    let guard = bounce.guard.expect("a guard");
    assert_eq!(number(guard), 1.0);
    assert_eq!(values(&model, &[guard], t, &[10.0, -4.0, 2.0], &p), [0.0]);
    assert_eq!(values(&model, &[guard], t, &[10.0, -0.1, 1.0], &p), [0.0]);
    assert!(!bounce.terminal);

    let TriggerModel::Times { at } = &model.events[1].trigger else {
        panic!("{:?}", model.events[1]);
    };
    assert_eq!(values(&model, at, t, &[], &p), [0.0, 3.0, 25.0]);
    assert_eq!(model.events[1].guard, None);
    let TriggerModel::Every { every, first } = model.events[2].trigger else {
        panic!("{:?}", model.events[2]);
    };
    assert_eq!((number(every), number(first)), (1.0, 1.0));
    assert!(model.events[2].terminal && model.events[2].set.is_empty());

    assert_eq!(model.invariants[0].0, "energy");
    assert_eq!(number(model.invariants[0].1), 97.5 + 8.0 + 2.0);
    // the signal's step, then the solver's stops, each once
    assert_eq!(stops(&model, &p), [(1.0, None), (2.0, None)]);
    let functional = &model.expectations[0];
    assert_eq!(functional.event_times, [(0, 1), (1, 0)], "counted from 0");
    let inputs = [&[][..], &[], &p, &[], &[], &[], &[7.0, 3.0]];
    assert_eq!(evaluate(&model.graph, &[functional.root], &inputs), [4.0]);
}

#[test]
fn a_guard_is_no_rough_operation_and_the_rest_is() {
    let (model, _) = build(&scenario(&with(
        "eq x = 1\ntimes e = 1\nset x = abs(x)\nif e = x > 1",
    )));
    let model = model.expect("a model");
    let found: Vec<&str> = model
        .nonsmooth
        .iter()
        .map(|found| found.operation.as_str())
        .collect();
    assert_eq!(found, ["abs"]);
}

#[test]
fn what_discrete_states_decide_is_no_rough_operation() {
    let (model, _) = build(&scenario(&with(
        "discrete mode = 0\ntimes e = 1\nset mode = 1\n\
         eq x = if(mode == 1, -x, abs(mode - 0.5)) + if(mode > x, 1, 0)",
    )));
    let model = model.expect("a model");
    let found: Vec<&str> = model
        .nonsmooth
        .iter()
        .map(|found| found.operation.as_str())
        .collect();
    assert_eq!(found, [">"]);
}

#[test]
fn a_mass_matrix_has_every_row() {
    let model = ok("
param c = 2.0
state a = 1
state b = 1
discrete mode = 0
state z = 1
state w = 1
eq a = b
eq b = a
eq z = a + b - z
eq w = 1
times e = 1
set mode = 1
mass a,a = -c
mass a,b = c/4
algebraic z = 0
mass w,w = 3
mass w,a = 0
");
    let entries = model.mass.as_ref().expect("a mass matrix");
    let found: Vec<(usize, usize, f64)> = entries
        .iter()
        .map(|e| {
            let value = values(&model, &[e.node], [0.0; 2], &[], &[2.0])[0];
            (e.row, e.column, value)
        })
        .collect();
    assert_eq!(
        found,
        [
            (0, 0, -2.0),
            (0, 1, 0.5),
            (1, 1, 1.0),
            (2, 2, 1.0),
            (4, 4, 3.0)
        ],
        "the algebraic row has none, a zero is none"
    );
}

#[test]
fn integrals_share_inputs_as_samples_do() {
    let model = ok(&with(
        "eq x = -k*x\nobs y = 2*x\nexpect e = integral(x^2) + k*integral(y + t) + 3*integral(x*x) - final(x)",
    ));
    let functional = &model.expectations[0];
    let (t, x, p) = ([3.0; 2], [5.0], [2.0]);
    let count = functional.integrals.len();
    let integrands = values(&model, &functional.integrals, t, &x, &p);
    // x^2 and x x are two ways to the same number: one input or two, each has its integrand
    assert!((2..=3).contains(&count), "{count}");
    assert_eq!(integrands[..2], [25.0, 13.0]);
    let q: Vec<f64> = integrands.clone();
    let inputs = [&[][..], &[], &p, &[100.0], &[], &q];
    let root = evaluate(&model.graph, &[functional.root], &inputs);
    assert_eq!(root, [25.0 + 2.0 * 13.0 + 75.0 - 100.0]);
    let twice = ok(&with("eq x = -k*x\nexpect e = integral(x) + 2*integral(x)"));
    assert_eq!(twice.expectations[0].integrals.len(), 1);
}

#[test]
fn a_run_against_time_is_sampled_within_its_span() {
    let mut backward = scenario(&with("eq x = 1\nexpect e = at(x, 5)"));
    (backward.start, backward.end) = (10.0, 0.0);
    let (model, diagnostics) = build(&backward);
    assert!(model.is_some(), "{diagnostics:?}");
    (backward.start, backward.end) = (4.0, 0.0);
    assert_eq!(build(&backward).1[0].code, "model::sample-time");
}
