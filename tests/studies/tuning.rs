//! `tune` beside reference answers (`tests/data/control/README.md`): optimal control problems with known optima, each from a neutral
//! start. Tolerances: what the knots of a control cost where the optimum is no function of their kind, else the tolerance of the solve.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::diagnostic::SourceFile;
use costate::model::parse;
use costate::optimize::SqpStatus;
use costate::study::{Study, Tune, front, tune};

use crate::delays::T12;

fn tuned(text: &str) -> Tune {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:#?}"));
    let begun = std::time::Instant::now();
    let result = tune(&study, &AtomicBool::new(false), &|p| {
        println!(
            "{:4} f {:.12e} violation {:.1e} kkt {:.1e} step {:.1e} fraction {:.1e} {}",
            p.iteration, p.value, p.violation, p.residual, p.step_norm, p.fraction, p.elastic
        );
    })
    .unwrap_or_else(|error| panic!("{error}"));
    println!(
        "objective {:.12} kkt {:?} {:?} {:?} in {:?}\n{:?}\n{:?}",
        result.objective,
        result.kkt,
        result.status,
        result.sensitivities,
        begun.elapsed(),
        result.best,
        result.constraints
    );
    assert!(result.converged(), "{:?} {:?}", result.status, result.kkt);
    result
}

fn near(value: f64, reference: f64, tolerance: f64) {
    assert!(
        (value - reference).abs() <= tolerance,
        "{value} is {:.1e} from {reference}",
        (value - reference).abs()
    );
}

fn sensitivity(result: &Tune, name: &str) -> f64 {
    let found = result.sensitivities.iter().find(|(own, _)| own == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

fn value(result: &Tune, name: &str) -> f64 {
    let place = result.names.iter().position(|own| own == name);
    result.best[place.unwrap_or_else(|| panic!("no {name}"))]
}

/// T01: the gains of a linear-quadratic regulator are those of the Riccati equation. A horizon of 40 stands for the infinite one
/// (what is left is of the order e^-69).
#[test]
fn gains_of_a_linear_quadratic_regulator() {
    let result = tuned(
        r#"
        [scenario]
        time = { start = 0.0, end = 40.0 }
        [parameters]
        k1 = { value = 0.4, tune = true }
        k2 = { value = 0.6, tune = true }
        [states]
        x1 = 1.0
        x2 = 0.5
        [definitions]
        u = "-(k1*x1 + k2*x2)"
        [equations]
        x1 = "x2"
        x2 = "u"
        [solver]
        rtol = 1e-10
        atol = 1e-11
        [tune]
        minimize = "integral(x1^2 + x2^2 + u^2)"
        "#,
    );
    // x0' P x0 with P = [[sqrt 3, 1], [1, sqrt 3]]
    let root = 3f64.sqrt();
    near(result.objective, root * 1.25 + 1.0, 1e-8);
    near(value(&result, "k1"), 1.0, 1e-6);
    near(value(&result, "k2"), root, 1e-6);
}

/// T01, finite horizon: x0' P(0) x0 of the Riccati equation over two units of time. The optimum is smooth, a cubic spline costs O(h^8).
#[test]
fn open_loop_control_of_a_finite_horizon() {
    let result = tuned(
        r#"
        [scenario]
        time = { start = 0.0, end = 2.0 }
        [signals]
        u = { kind = "cubic-spline", knots = 17, optimize = true }
        [states]
        x1 = 1.0
        x2 = 0.0
        [equations]
        x1 = "x2"
        x2 = "u"
        [solver]
        rtol = 1e-10
        atol = 1e-11
        [tune]
        minimize = "integral(x1^2 + x2^2 + u^2)"
        "#,
    );
    near(result.objective, 1.536_474_934_152_553, 1e-8);
}

/// T03: minimum time of a double integrator, from rest to rest by a control constant on two intervals that follow the free end, and with
/// a speed at the start by a switching time; how the time depends on the bound and the distance.
#[test]
fn minimum_time_of_a_double_integrator() {
    let rest = tuned(
        r#"
        [scenario]
        time = { start = 0.0, end = { value = 3.0, bounds = [0.5, 10.0], tune = true } }
        [parameters]
        d = 1.0
        [signals]
        u = { kind = "piecewise-constant", knots = 2, bounds = [-1, 1], optimize = true }
        [states]
        x = 0.0
        v = 0.0
        [equations]
        x = "v"
        v = "u"
        [tune]
        minimize = "final(t)"
        [[terminal]]
        expression = "x - d"
        equals = 0.0
        [[terminal]]
        expression = "v"
        equals = 0.0
        "#,
    );
    near(rest.objective, 2.0, 1e-8);
    near(value(&rest, "u[1]"), 1.0, 1e-8);
    near(value(&rest, "u[2]"), -1.0, 1e-8);
    near(sensitivity(&rest, "d"), 1.0, 1e-6);
    let moving = tuned(
        r#"
        [scenario]
        time = { start = 0.0, end = { value = 3.0, bounds = [0.5, 10.0], tune = true } }
        [parameters]
        most = 1.0
        switch = { value = 1.0, bounds = [0.1, 5.0], tune = true }
        [signals]
        u = { kind = "step", at = "switch", before = "-most", after = "most" }
        [states]
        x = 1.0
        v = 0.5
        [equations]
        x = "v"
        v = "u"
        [tune]
        minimize = "final(t)"
        [[terminal]]
        expression = "x"
        equals = 0.0
        [[terminal]]
        expression = "v"
        equals = 0.0
        "#,
    );
    near(moving.objective, 2.621_320_343_559_642_4, 1e-8);
    near(value(&moving, "switch"), 0.5 + 1.125f64.sqrt(), 1e-7);
}

/// T04: the brachistochrone, whose angle is linear in time, and how its time depends on gravity and both distances.
#[test]
fn brachistochrone() {
    let result = tuned(
        r#"
        [scenario]
        time = { start = 0.0, end = { value = 2.0, bounds = [0.5, 10.0], tune = true } }
        [parameters]
        g = 9.80665
        across = 10.0
        down = 5.0
        [signals]
        theta = { kind = "piecewise-linear", knots = 5, initial = 1.0, bounds = [0, 3.14159], optimize = true }
        [states]
        x = 0.0
        y = 10.0
        v = 0.0
        [equations]
        x = "v*sin(theta)"
        y = "-v*cos(theta)"
        v = "g*cos(theta)"
        [solver]
        rtol = 1e-10
        atol = 1e-10
        [tune]
        minimize = "final(t)"
        [[terminal]]
        expression = "x - across"
        equals = 0.0
        [[terminal]]
        expression = "10 - y - down"
        equals = 0.0
        "#,
    );
    near(result.objective, 1.801_603_122_453_081_3, 1e-7);
    near(sensitivity(&result, "g"), -0.091_856_195_665_853_35, 1e-6);
    near(
        sensitivity(&result, "across"),
        0.099_287_697_434_121_9,
        1e-6,
    );
    near(
        sensitivity(&result, "down"),
        -0.018_415_082_622_935_657,
        1e-6,
    );
}

/// T05: Bryson and Denham's problem, a bound on the position at all times, of second order. Its control is linear between thirds of the
/// time where the bound holds on an arc, and between halves where it is touched.
#[test]
fn bryson_denham_path_constraint() {
    for (l, knots, optimum, slope) in [
        (1.0 / 9.0, 7, 4.0, -36.0),
        (0.2, 7, 2.24, -9.6),
        (0.3, 4, 2.0, 0.0),
    ] {
        let result = tuned(&format!(
            r#"
            [scenario]
            time = {{ start = 0.0, end = 1.0 }}
            [parameters]
            l = {l}
            [signals]
            u = {{ kind = "piecewise-linear", knots = {knots}, optimize = true }}
            [states]
            x = 0.0
            v = 1.0
            [equations]
            x = "v"
            v = "u"
            [tune]
            minimize = "0.5*integral(u^2)"
            [[path]]
            expression = "x - l"
            bounds = [-inf, 0.0]
            [[terminal]]
            expression = "x"
            equals = 0.0
            [[terminal]]
            expression = "v"
            equals = -1.0
            "#
        ));
        near(result.objective, optimum, 1e-6 * optimum);
        near(sensitivity(&result, "l"), slope, 1e-3);
        assert!(result.constraints[2].violation <= 1e-8 || result.constraints[1].kind == "path");
    }
}

/// T06: a turnpike with layers at both ends.
#[test]
fn hypersensitive_turnpike() {
    let result = tuned(
        r#"
        [scenario]
        time = { start = 0.0, end = 10.0 }
        [signals]
        u = { kind = "cubic-spline", knots = 51, optimize = true }
        [states]
        x = 1.5
        [equations]
        x = "-x + u"
        [tune]
        minimize = "0.5*integral(x^2 + u^2)"
        [[terminal]]
        expression = "x"
        equals = 1.0
        "#,
    );
    near(result.objective, 1.673_093_978_412_193, 1e-6);
}

/// T06 with a cubic on a long way: nothing happens for most of it, and layers at the ends ask for many knots.
#[test]
fn hypersensitive_cubic() {
    let result = tuned(
        r#"
        [scenario]
        time = { start = 0.0, end = 30.0 }
        [signals]
        u = { kind = "cubic-spline", knots = 301, optimize = true }
        [states]
        x = 1.5
        [equations]
        x = "-x^3 + u"
        [tune]
        minimize = "0.5*integral(x^2 + u^2)"
        [[terminal]]
        expression = "x"
        equals = 1.0
        "#,
    );
    assert!(result.converged());
    near(result.objective, 1.330_806_904_943_002_2, 1e-6);
}

fn van_der_pol(end: f64, signal: &str, more: &str) -> Tune {
    tuned(&format!(
        r#"
        [scenario]
        time = {{ start = 0.0, end = {end} }}
        [signals]
        u = {{ {signal}, optimize = true }}
        [states]
        x1 = 0.0
        x2 = 1.0
        [equations]
        x1 = "(1 - x2^2)*x1 - x2 + u"
        x2 = "x1"
        [solver]
        rtol = 1e-9
        atol = 1e-10
        [tune]
        minimize = "integral(x1^2 + x2^2 + u^2)"
        {more}
        "#
    ))
}

/// T08a, b, e: the van der Pol oscillator with a smooth control, free and bounded.
#[test]
fn van_der_pol_with_a_smooth_control() {
    let free = van_der_pol(10.0, "kind = \"cubic-spline\", knots = 101", "");
    near(free.objective, 2.873_143_851_18, 1e-7);
    near(value(&free, "u[1]"), -0.414_212_45, 1e-3);
    // straight lines keep to the bound everywhere, and stay above the optimum by the square of their length; the reference has five digits
    let lines = "kind = \"piecewise-linear\", knots = 201, bounds = [-10, 0.75]";
    let bounded = van_der_pol(20.0, lines, "multiple_shooting = 20");
    assert!(bounded.converged());
    assert!((3.174_96..3.175_1).contains(&bounded.objective));
}

/// T08c: a control constant on 20 intervals: no discretization stands between, the optimum is the reference's.
#[test]
fn van_der_pol_with_a_stepwise_control() {
    let steps = "kind = \"piecewise-constant\", knots = 20, bounds = [-1, 1]";
    let free = van_der_pol(10.0, steps, "");
    near(free.objective, 2.933_006_94, 1e-7);
}

/// Requirements on a step response: the functionals are located on the solution itself, their derivatives exact.
#[test]
fn step_response_requirements() {
    let text = r#"
        [scenario]
        time = { start = 0.0, end = 12.0 }
        [parameters]
        zeta = { value = 0.9, bounds = [0.05, 2.0], tune = true }
        w = 2.0
        [states]
        y = 0.0
        v = 0.0
        [equations]
        y = "v"
        v = "w^2*(1 - y) - 2*zeta*w*v"
        [solver]
        rtol = 1e-10
        atol = 1e-11
        [tune]
        minimize = "rise_time(y, 1)"
        constraints = [{ expression = "overshoot(y, 1)", max = 0.05 }]
    "#;
    let result = tuned(text);
    // overshoot is exp(-pi zeta / sqrt(1 - zeta^2))
    let log = 0.05f64.ln().abs();
    let exact = log / log.hypot(std::f64::consts::PI);
    near(value(&result, "zeta"), exact, 1e-6);
    assert!(result.constraints[0].active);
    assert!(result.constraints[0].multiplier > 0.0);
}

/// The worst of two plants: x' = -k x + a with a = -1, 1 leaves the mean free; the largest end value is least where both are equal.
#[test]
fn the_worst_plant_and_the_mean() {
    let text = |aggregate: &str| {
        format!(
            r#"
            [scenario]
            time = {{ start = 0.0, end = 1.0 }}
            [parameters]
            k = {{ value = 0.3, bounds = [-5.0, 5.0], tune = true }}
            a = 0.0
            [states]
            x = 0.0
            [equations]
            x = "k - a"
            [tune]
            minimize = "final(x)^2"
            [tune.ensemble]
            vary = {{ a = {{ distribution = "list", values = [0.0, 1.0, 4.0] }} }}
            aggregate = "{aggregate}"
            "#
        )
    };
    // (k - a)^2: the mean of a, the middle of its ends
    let mean = tuned(&text("mean"));
    near(value(&mean, "k"), 5.0 / 3.0, 1e-7);
    let worst = tuned(&text("worst"));
    near(value(&worst, "k"), 2.0, 1e-7);
    near(worst.objective, 4.0, 1e-7);
    // the mean of the worst third is the worst of three
    let tail = tuned(&text("cvar(0.6666666666666666)"));
    near(tail.objective, 4.0, 1e-6);
}

/// T08d: the same with a bound on the states at the ends of the intervals, far from which u = 0 is: by multiple shooting.
#[test]
fn van_der_pol_with_bounds_at_the_ends_of_intervals() {
    let ends: Vec<String> = (1..=20)
        .map(|k| {
            let t = 0.5 * f64::from(k);
            format!("{{ expression = \"at(x1, {t:?})\", min = -0.25 }}")
        })
        .collect();
    let steps = "kind = \"piecewise-constant\", knots = 20, bounds = [-1, 1]";
    let more = format!(
        "multiple_shooting = 20\nconstraints = [{}]",
        ends.join(", ")
    );
    let result = van_der_pol(10.0, steps, &more);
    near(result.objective, 3.732_970_777, 1e-7);
    let reference = [
        0.486_639, 0.933_131, 0.858_599, 0.775_965, 0.685_163, 0.586_130, 0.537_696, 0.447_794,
    ];
    for (k, u) in reference.iter().enumerate() {
        near(result.best[k], *u, 1e-6);
    }
    // what is at the cuts is no result
    assert_eq!(result.names.len(), 20);
    assert_eq!(result.constraints.len(), 20);
}

/// T09: the swing-up of a cart-pole from a straight line, its sensitivities, costates and Hamiltonian. (The spline of 41 knots costs some
/// 2e-7 of the objective, and more of its derivatives and of the Hamiltonian between knots.)
#[test]
fn cart_pole_swing_up() {
    let text = include_str!("../../scenarios/cart-pole-swing-up/scenario.toml");
    let result = tuned(text);
    near(result.objective, 58.807_667_458_3, 1e-6 * 58.8);
    for (name, slope) in [
        ("cart", 97.147_907),
        ("bob", 68.224_752),
        ("length", 72.999_452),
        ("gravity", 8.637_566),
        ("distance", -3.618_955),
        ("time.end", -3.476_981),
    ] {
        near(sensitivity(&result, name), slope, 2e-5 * slope.abs());
    }
    let costates = result.costates.as_ref().expect("a control problem");
    // position, angle, speed, spin
    let reference = [3.618_955_28, -52.001_219_01, 4.850_476_53, 4.289_904_82];
    for (p, reference) in costates.at_start.iter().zip(reference) {
        near(p.abs(), f64::abs(reference), 1e-4 * f64::abs(reference));
    }
    for h in &costates.hamiltonian {
        near(h.abs(), 3.476_981, 3e-2);
    }
}

/// T11b: the most integral gain under a bound on the peak of the sensitivity, for a lag of third order.
#[test]
fn most_integral_gain_under_a_bound_on_the_sensitivity() {
    for (most, [kp, ki]) in [
        (1.4, [0.632_97, 0.325_317_412]),
        (2.0, [1.221_96, 0.685_190_194]),
    ] {
        let result = tuned(&format!(
            r#"
            [scenario]
            time = {{ start = 0.0, end = 1.0 }}
            [parameters]
            kp = {{ value = 0.1, bounds = [0, 10], tune = true }}
            ki = {{ value = 0.05, bounds = [0, 10], tune = true }}
            [states]
            a = 0.0
            b = 0.0
            y = 0.0
            [controllers.loop]
            kind = "pi"
            setpoint = "1"
            measurement = "y"
            output = "u"
            gains = {{ kp = "kp", ki = "ki" }}
            [equations]
            a = "u - a"
            b = "a - b"
            y = "b - y"
            [tune]
            minimize = "-ki"
            constraints = [{{ expression = "sensitivity_peak(loop)", max = {most} }}]
            "#
        ));
        near(value(&result, "ki"), ki, 1e-6);
        near(value(&result, "kp"), kp, 1e-4);
        assert!(result.constraints[0].active);
    }
}

fn tank(samples: usize) -> String {
    let text = include_str!("../../scenarios/tank-level/scenario.toml");
    text.replace("samples = 32", &format!("samples = {samples}"))
}

/// Bounds on the run and on the linearized loop of several nonlinear plants at once, which another method confirms; the same bits on one
/// thread and on two.
#[test]
fn requirements_of_a_nonlinear_loop_over_many_plants() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads").install(|| tuned(&tank(6)))
    };
    let (one, two) = (on(1), on(2));
    assert_eq!(one.best, two.best);
    assert_eq!(one.objective.to_bits(), two.objective.to_bits());
    assert_eq!(one.plant_objectives.len(), 6);
    let worst = one.plant_objectives.iter().copied().fold(0.0, f64::max);
    near(one.objective, worst, 1e-9);
    for constraint in &one.constraints {
        assert!(constraint.violation <= 1e-8, "{constraint:?}");
    }
    let second = one.second_opinion.expect("a second opinion");
    // values at a relative tolerance of 1e-9; a settling time moves by the error over the slope there
    assert!(second.violation <= 1e-4, "{second:?}");
    near(second.objective, one.objective, 1e-7 * one.objective);
}

/// What cannot be had is named, with how far off it stays.
#[test]
fn a_requirement_that_cannot_be_met_is_named() {
    let text = tank(2).replace(
        "settling_time(level, target, 0.02)\", max = 90.0",
        "settling_time(level, target, 0.02)\", max = 2.0",
    );
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:#?}"));
    let result = tune(&study, &AtomicBool::new(false), &|_| {}).unwrap_or_else(|e| panic!("{e}"));
    assert!(!result.converged());
    let settling = &result.constraints[1];
    assert!(settling.text.starts_with("settling_time"));
    assert!(settling.violation > 0.1, "{settling:?}");
}

/// T10: the best PI gains for a lag with dead time by eight criteria, from SIMC's gains. |e| has kinks where the error crosses zero, so that
/// differences of the solve's steps keep the residual above the tolerance there; the objective is what the reference gives.
#[test]
fn the_best_gains_for_a_plant_with_dead_time() {
    for (target, load, criterion, gains, optimum) in [
        ("1", "0", "e^2", [1.80586, 1.63654], 0.728_865_716),
        ("1", "0", "t*e^2", [1.53585, 1.34444], 0.308_052_587),
        ("1", "0", "abs(e)", [1.3188, 1.17429], 1.015_242_104),
        ("1", "0", "t*abs(e)", [1.10232, 1.06441], 0.681_423_437),
        ("0", "1", "e^2", [2.45263, 1.28442], 0.169_543_268),
        ("0", "1", "t*e^2", [2.18508, 1.14104], 0.243_155_467),
        ("0", "1", "abs(e)", [1.89675, 1.07339], 0.608_654_11),
        ("0", "1", "t*abs(e)", [1.63028, 0.9726], 1.031_270_994),
    ] {
        let text = format!(
            r#"
            [scenario]
            time = {{ start = 0.0, end = 40.0 }}
            [parameters]
            kc = {{ value = 1.0, bounds = [0.1, 5.0], tune = true }}
            ti = {{ value = 1.0, bounds = [0.1, 10.0], tune = true }}
            [states]
            y = 0.0
            sum = 0.0
            [definitions]
            e = "{target} - y"
            u = "kc*(e + sum/ti) + {load}"
            [equations]
            y = "-y + delay(if(t < 0, 0, u), 0.5)"
            sum = "e"
            [solver]
            method = "vern7"
            rtol = 1e-11
            atol = 1e-11
            [tune]
            minimize = "integral({criterion})"
            "#
        );
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let study = study.unwrap_or_else(|| panic!("{findings:#?}"));
        let result = tune(&study, &AtomicBool::new(false), &|_| {}).expect("an optimum");
        near(result.objective, optimum, 1e-8);
        for (gain, reference) in result.best.iter().zip(gains) {
            near(*gain, reference, 1e-4);
        }
        assert!(
            result.kkt.residual() < 1e-3,
            "{criterion}: {:?}",
            result.kkt
        );
    }
}

/// T12: a sampled PI controller with limits and anti-windup before a dead time, whose best gains put one sample right at the limit.
#[test]
fn the_optimum_of_a_saturated_sampled_loop_is_on_a_kink() {
    let text =
        T12.replace(
            "Kp = 2.0",
            "Kp = { value = 2.0, tune = true, bounds = [0.1, 5.0] }",
        )
        .replace(
            "Ki = 1.5",
            "Ki = { value = 1.5, tune = true, bounds = [0.1, 5.0] }",
        ) + "[tune]\nminimize = \"integral((1 - y)^2) + 0.1*integral((u - 1/K)^2)\"\n";
    let result = tuned(&text);
    assert!(
        matches!(result.status, SqpStatus::Kink { .. }),
        "{}",
        result.status
    );
    assert!((result.objective - 0.6283392932983).abs() < 1e-8);
    near(result.best[0], 1.55031, 1e-4);
    near(result.best[1], 1.46422, 1e-4);
    // how the optimum moves, kink and all: by what cancels the gradients, and by differences of optima
    let found = result.sensitivities.iter().find(|(own, _)| own == "K");
    let (_, slope) = found.expect("a sensitivity");
    let h = 1e-3;
    let at = |k: f64| tuned(&text.replace("K = 1.0", &format!("K = {k}"))).objective;
    let difference = (at(1.0 + h) - at(1.0 - h)) / (2.0 * h);
    near(*slope, difference, 1e-4);
}

const TWO_BALLS: &str = r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[parameters]
radius = 0.2
[signals]
ux = { kind = "piecewise-linear", knots = 3, bounds = [-10, 10], optimize = true }
uy = { kind = "piecewise-linear", knots = 3, bounds = [-10, 10], optimize = true }
[states]
x1 = -2.0
y1 = -2.0
vx1 = 0.0
vy1 = 0.0
x2 = -1.0
y2 = -1.0
vx2 = 0.0
vy2 = 0.0
free = { initial = 1.0, discrete = true }
[definitions]
dx = "x2 - x1"
dy = "y2 - y1"
push = "((vx2 - vx1)*dx + (vy2 - vy1)*dy)/(dx^2 + dy^2)"
[equations]
x1 = "vx1"
y1 = "vy1"
vx1 = "ux*free"
vy1 = "uy*free"
x2 = "vx2"
y2 = "vy2"
vx2 = "0"
vy2 = "0"
[[events]]
name = "collision"
when = "dx^2 + dy^2 - (2*radius)^2"
direction = "falling"
set = { vx1 = "vx1 + push*dx", vy1 = "vy1 + push*dy", vx2 = "vx2 - push*dx", vy2 = "vy2 - push*dy", free = "0" }
[solver]
rtol = 1e-10
atol = 1e-10
[tune]
minimize = "final(x2^2 + y2^2) + 0.1*integral(free*(ux^2 + uy^2))"
"#;

/// T14: one ball pushes another home. Without a push nothing is hit, and no gradient says that anything could be.
#[test]
fn a_first_contact_is_found_from_a_start_that_feels_nothing() {
    let result = tuned(TWO_BALLS);
    assert!(result.converged());
    assert_eq!(result.starts.len(), 16);
    near(result.objective_before, 2.0, 1e-12);
    assert!((result.objective - 1.396_542_160_123_197_3).abs() < 1e-9);
    near(result.best[0], 3.931_350_187_159_798, 1e-5);
    // asked for one search, it is one search
    let one = tuned(&format!("{TWO_BALLS}\nstarts = 1\n"));
    assert_eq!(one.starts.len(), 1);
    near(one.objective, 2.0, 1e-12);
}

/// `from_fit`: plants with the covariance of a fit's estimates, of which those that `tune` finds, or the scenario lacks, are left out.
#[test]
fn an_ensemble_from_a_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("earlier");
    std::fs::create_dir(&run).expect("a folder");
    let text = r#"
[scenario]
time = { start = 0.0, end = 4.0 }
[parameters]
k = { value = 1.0, bounds = [0.0, 9.0] }
tau = { value = 1.0, bounds = [0.1, 9.0], scale = "log" }
gain = { value = 1.0, tune = true, bounds = [0.1, 5.0] }
[states]
y = 0.0
[equations]
y = "(k*gain*(1 - y) - y)/tau"
[tune]
minimize = "integral((1 - y)^2) + 0.02*gain^2"
[tune.ensemble]
samples = 12
from_fit = "earlier"
aggregate = "worst"
"#;
    let write = |text: &str| std::fs::write(run.join("result.json"), text).expect("written");
    let read = || Study::from_text(text, folder.path(), Backend::Auto);
    write(
        r#"{ "best": { "sigma": 0.1, "tau": 2.0, "gain": 3.0, "k": 1.5 },
             "standard_errors": { "sigma": 0.01, "tau": 0.2, "gain": 1.0, "k": 0.3 },
             "correlation": [[1, 0, 0, 0], [0, 1, 0.1, -0.6], [0, 0.1, 1, 0.2], [0, -0.6, 0.2, 1]] }"#,
    );
    let (study, findings) = read();
    let study = study.unwrap_or_else(|| panic!("{findings:#?}"));
    let tune_settings = study.scenario.tune.as_ref().expect("tune");
    let ensemble = tune_settings.ensemble.as_ref().expect("an ensemble");
    let together = ensemble.together.as_ref().expect("from a fit");
    // tau first, as in the fit: its relative error 0.1 of the logarithm, then k, of which -0.6 goes with tau
    assert_eq!(together.parameters, [1, 0]);
    assert_eq!(together.logarithmic, [true, false]);
    assert!((together.factor[0][0] - 0.1).abs() < 1e-15);
    assert!((together.factor[1][0] + 0.18).abs() < 1e-15);
    assert!((together.factor[1][1] - 0.24).abs() < 1e-15);
    let result = tune(&study, &AtomicBool::new(false), &|_| {}).expect("tuned");
    assert!(result.converged() && result.plants == 12);
    let spread = |k: usize| {
        let all = result.plant_parameters.iter().map(|p| p[k]);
        all.clone().fold(f64::NEG_INFINITY, f64::max) - all.fold(f64::INFINITY, f64::min)
    };
    assert!(spread(0) > 0.3 && spread(1) > 0.2 && spread(2) == 0.0);

    let message = |json: &str| {
        write(json);
        let (_, findings) = read();
        findings
            .iter()
            .map(|f| f.message.clone())
            .collect::<String>()
    };
    let said = message(
        r#"{ "best": { "k": 1.5 }, "standard_errors": { "k": null }, "correlation": null }"#,
    );
    assert_eq!(
        said,
        "`earlier/result.json` says nothing of plants: the data do not determine `k`, which has no standard error"
    );
    let said = message(
        r#"{ "best": { "z": 1.5 }, "standard_errors": { "z": 0.1 }, "correlation": [[1]] }"#,
    );
    assert!(
        said.ends_with(
            "none of its parameters is one of this scenario's that `tune` does not find"
        ),
        "{said}"
    );
    assert!(message("none").contains("it is no JSON"));
}

/// T07: the Goddard rocket, which burns at full thrust, then along a singular arc, then not at all; as COPS has it, and in feet and slugs.
#[test]
fn goddard_rocket() {
    let rocket =
        |end: &str, constants: &str, thrust: &str, start: &str, equations: &str, mass: f64| {
            tuned(&format!(
                r#"
        [scenario]
        time = {{ start = 0.0, end = {{ {end}, tune = true }} }}
        [parameters]
        {constants}
        [signals]
        T = {{ kind = "piecewise-linear", knots = 61, {thrust}, optimize = true }}
        [states]
        {start}
        [equations]
        h = "v"
        {equations}
        m = "-T/c"
        [solver]
        method = "tsit5"
        rtol = 1e-9
        atol = 1e-10
        [tune]
        minimize = "-final(h)"
        [[terminal]]
        expression = "m"
        equals = {mass}
        "#
            ))
        };
    // a control of straight lines cannot jump between knots: it stays below the optimum by what is allowed here, and never above
    let cops = rocket(
        "value = 0.2, bounds = [0.05, 0.5]",
        "c = 0.5",
        "bounds = [0.0, 3.5], initial = 1.5",
        "h = 1.0\nv = 0.0\nm = 1.0",
        r#"v = "(T - 310*v^2*exp(-500*(h - 1)))/m - 1/h^2""#,
        0.6,
    );
    assert!(cops.converged());
    let below = 1.012_836_918_3 + cops.objective;
    assert!((-1e-8..1e-6).contains(&below), "{below:e}");
    let end = cops.names.iter().position(|name| name == "time.end");
    near(cops.best[end.expect("the end")], 0.198_856_262_1, 1e-3);
    let feet = rocket(
        "value = 40.0, bounds = [10, 100]",
        "c = 1580.9425",
        "bounds = [0.0, 200.0], initial = 70.0",
        "h = 0.0\nv = 0.0\nm = 3.0",
        r#"v = "(T - 5.4915e-5*v^2*exp(-h/23800))/m - 32.174""#,
        1.0,
    );
    assert!(feet.converged());
    let below = 1.0 + feet.objective / 18_744.477_7;
    assert!((-1e-6..1e-5).contains(&below), "{below:e}");
}

/// A front in closed form: a^2 against (1 - a)^2, where a unit less of the second costs a/(1 - a) of the first.
#[test]
fn the_front_of_two_objectives() {
    let text = r#"
        [scenario]
        time = { start = 0.0, end = 1.0 }
        [parameters]
        a = { value = 0.7, bounds = [-5.0, 5.0], tune = true }
        b = { value = 0.4, bounds = [-5.0, 5.0], tune = true }
        [states]
        x = 0.0
        y = 0.0
        [equations]
        x = "a"
        y = "b"
        [tune]
        minimize = "final(x^2 + y^2)"
    "#;
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:#?}"));
    let file = Arc::new(SourceFile {
        path: "other".into(),
        text: "final((x - 1)^2 + y^2)".to_owned(),
    });
    let other = parse(&file.text, &file, 0).0.expect("an expression");
    let found = front(&study, &other, 6, &AtomicBool::new(false), &|_| {}).expect("a front");
    assert_eq!(found.points.len(), 6);
    for (k, point) in found.points.iter().enumerate() {
        let bound = 1.0 - k as f64 / 5.0;
        let a = 1.0 - bound.sqrt();
        assert!((point.other - bound).abs() < 1e-7, "{point:?}");
        assert!((point.objective - a * a).abs() < 1e-6, "{point:?} {a}");
        assert_eq!(point.status, SqpStatus::Converged);
        if (1..5).contains(&k) {
            near(point.exchange, a / (1.0 - a), 1e-5);
        }
    }
}

/// Bounds on margins stand among the others, and have their rows behind them: the rate of exchange is still that of the second objective.
#[test]
fn a_front_beside_bounds_on_margins() {
    let text = r#"
        [scenario]
        time = { start = 0.0, end = 8.0 }
        [parameters]
        kp = { value = 1.0, bounds = [0.1, 20.0], tune = true }
        ki = { value = 1.0, bounds = [0.1, 20.0], tune = true }
        [states]
        y = 0.0
        [equations]
        y = "u - y"
        [controllers.c]
        kind = "pi"
        setpoint = "1.0"
        measurement = "y"
        output = "u"
        gains = { kp = "kp", ki = "ki" }
        [solver]
        rtol = 1e-9
        atol = 1e-10
        [tune]
        minimize = "integral((1 - y)^2)"
        constraints = [
            { expression = "phase_margin(c)", min = 20.0 },
            { expression = "maximum(y)", max = 50.0 },
        ]
    "#;
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:#?}"));
    let file = Arc::new(SourceFile {
        path: "other".into(),
        text: "integral(u^2)".to_owned(),
    });
    let other = parse(&file.text, &file, 0).0.expect("an expression");
    let found = front(&study, &other, 5, &AtomicBool::new(false), &|_| {}).expect("a front");
    let points = &found.points;
    for k in 1..4 {
        // the curve is convex: its slope lies between those of the chords to both neighbors
        let chord = |a: usize, b: usize| {
            (points[b].objective - points[a].objective) / (points[a].other - points[b].other)
        };
        let (before, after) = (chord(k - 1, k), chord(k, k + 1));
        assert!(points[k].exchange > 0.0, "{:?}", points[k]);
        assert!(
            before < points[k].exchange && points[k].exchange < after,
            "{points:?}"
        );
    }
}
