//! The agreement matrix: for every method and every kind of thing that a scenario may hold, the gradient by dual numbers and
//! that by the discrete adjoint are derivatives of the same steps and agree to 1e-11 in norm, and differences of those steps
//! to 1e-6.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::{GradientMethod, SolverMethod};
use costate::study::{FunctionalStudy, Solving, Study, Variable};

/// A scenario but for its `[solver]`, and the functionals that are differentiated.
struct Problem {
    name: &'static str,
    text: &'static str,
    functionals: &'static [&'static str],
    /// for methods of a fixed step
    step: f64,
    /// M x' = f, which not every method takes
    mass: bool,
    /// x'' = f(x), which symplectic methods take
    separable: bool,
}

const PLAIN: Problem = Problem {
    name: "plain",
    text: r#"
[scenario]
time = { start = 0.0, end = 4.0 }
[parameters]
a = 1.5
b = 1.0
c = 3.0
[states]
x = 1.0
y = 1.2
[equations]
x = "a*x - b*x*y"
y = "x*y - c*y"
"#,
    functionals: &["final(x) + 2*final(y)^2"],
    step: 0.05,
    mass: false,
    separable: false,
};

/// Initial values of parameters, readings between the steps, an integral.
const READ: Problem = Problem {
    name: "read",
    text: r#"
[scenario]
time = { start = -1.0, end = 3.0 }
[parameters]
mu = 3.0
k = 0.7
start = 1.2
[states]
x = "start*k + 1"
v = "start^2 - exp(k)"
[equations]
x = "v"
v = "mu*(1 - x^2)*v - k*x + 0.3*sin(2*t)"
"#,
    functionals: &[
        "at(x, 0.33)*at(v, 1.234) + at(x, 2.9)^2 + mu*integral(x^2) - initial(v)",
        "at(x, start - k)*at(v*t, mu/2) + at(x + mu*t, start - k) + at(v, 1.234)",
    ],
    step: 0.02,
    mass: false,
    separable: false,
};

/// Signals that jump and bend at times of parameters.
const SIGNALS: Problem = Problem {
    name: "signals",
    text: r#"
[scenario]
time = { start = 0.0, end = 5.0 }
[parameters]
on = 1.3
width = 0.9
height = 2.0
w = 4.0
[signals]
push = { kind = "step", at = "on", before = 0.2, after = "height" }
knock = { kind = "pulse", start = "on + 1", width = "width", high = "3*height" }
[states]
x = 0.4
v = -0.1
[equations]
x = "v"
v = "push - w*sin(x) - 0.4*v + 0.2*knock*cos(t)"
"#,
    functionals: &[
        "at(x, 2.513) + final(v)*at(x, 4.117) + integral(x*v)",
        // at a jump, and between a jump and another
        "at(v, on) + at(x, on + 1 + width/2)*at(v, 3*width)",
    ],
    step: 0.05,
    mass: false,
    separable: false,
};

/// A ball that bounces, root by root, with a reset of parameters.
const BOUNCES: Problem = Problem {
    name: "bounces",
    text: r#"
[scenario]
time = { start = 0.0, end = 2.5 }
[parameters]
height = 1.0
gravity = 9.81
restitution = 0.8
drag = 0.1
wave = 0.05
[states]
y = "height"
v = 0.3
[equations]
y = "v"
v = "-gravity - drag*v*abs(v)"
[[events]]
name = "bounce"
when = "y - wave*sin(3*t)"
direction = "falling"
set = { v = "-restitution*(v - 3*wave*cos(3*t)) + 0.1*t" }
"#,
    functionals: &[
        "final(y)",
        "at(v, 1.113)",
        "at(y, 1.917)",
        "event_time(bounce, 2) + 0.3*final(v) + integral(y^2)",
        "at(v, height + 0.5)*at(y, height + restitution)",
    ],
    step: 0.02,
    mass: false,
    separable: false,
};

/// A thermostat: two roots that change a discrete state, and nothing else, which the equations read.
const MODES: Problem = Problem {
    name: "modes",
    text: r#"
[scenario]
time = { start = 0.0, end = 6.0 }
[parameters]
low = 19.0
high = 21.0
loss = 0.5
power = 8.0
[states]
x = "0.5*low + 0.5*high"
on = { initial = 1, discrete = true }
[equations]
x = "power*on - loss*(x - 10)"
[[events]]
name = "off"
when = "x - high"
direction = "rising"
set = { on = 0 }
[[events]]
name = "on"
when = "x - low"
direction = "falling"
set = { on = 1 }
"#,
    functionals: &[
        "final(x) + event_time(on, 1)*event_time(off, 2)",
        "integral(on*x)",
    ],
    step: 0.05,
    mass: false,
    separable: false,
};

/// Time events that move, at the start, at one instant, with guards; resets that read the state and the time.
const DOSES: Problem = Problem {
    name: "doses",
    text: r#"
[scenario]
time = { start = 0.0, end = 10.0 }
[parameters]
ka = 0.9
ke = 0.4
dose = 2.0
shift = 1.2
period = 2.5
[states]
gut = "dose"
blood = 0.1
[equations]
gut = "-ka*gut"
blood = "ka*gut - ke*blood/(1 + 0.1*blood)"
[[events]]
name = "dose"
at = [0.0, "4 + shift", 10.0]
set = { gut = "gut + dose*exp(-0.05*t)" }
[[events]]
name = "tick"
every = "period"
first = "2.5*shift"
only_if = "blood > 0.3"
set = { gut = "0.9*gut + 0.1*dose", blood = "blood*blood/(1 + blood)" }
"#,
    functionals: &[
        "final(blood) + at(gut, 6.117)*at(blood, 2.23)",
        "integral(blood)",
        "at(blood, 4 + shift + ka) - at(gut, 3.6*dose)",
    ],
    step: 0.1,
    mass: false,
    separable: false,
};

/// A run that its own event ends.
const LANDING: Problem = Problem {
    name: "landing",
    text: r#"
[scenario]
time = { start = 0.0, end = 20.0 }
[parameters]
speed = 20.0
angle = 0.8
drag = 0.02
[states]
x = 0.0
y = 0.5
u = "speed*cos(angle)"
v = "speed*sin(angle)"
[equations]
x = "u"
y = "v"
u = "-drag*u*sqrt(u^2 + v^2)"
v = "-9.81 - drag*v*sqrt(u^2 + v^2)"
[[events]]
name = "ground"
when = "y - 0.01*x"
direction = "falling"
terminal = true
"#,
    functionals: &[
        "final(x) + final(t)*final(v) + at(y, 0.7)",
        "event_time(ground, 1)",
        "at(y, angle)*final(t)",
    ],
    step: 0.05,
    mass: false,
    separable: false,
};

/// Two roots at one instant, and a jump that carries a third across zero.
const TOGETHER: Problem = Problem {
    name: "together",
    text: r#"
[scenario]
time = { start = 0.0, end = 2.0 }
[parameters]
a = 1.0
b = 0.5
[states]
x = "a"
y = "a"
z = 0.0
[equations]
x = "-b*x"
y = "-b*y"
z = "x*y"
[[events]]
name = "first"
when = "x - 0.7"
direction = "falling"
set = { x = "x + 0.3*y + 0.1*t" }
[[events]]
name = "second"
when = "y - 0.7"
direction = "falling"
set = { z = "z + x*y" }
[[events]]
name = "third"
when = "z - 0.95"
direction = "rising"
set = { y = "0.5*y + b*z" }
"#,
    functionals: &["final(x) + final(y)*final(z)"],
    step: 0.05,
    mass: false,
    separable: false,
};

/// Kinetics with an algebraic equation, and a mass matrix of parameters.
const ALGEBRAIC: Problem = Problem {
    name: "algebraic",
    text: r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[parameters]
k1 = 0.8
k2 = 30.0
c = 1.5
total = 1.0
[states]
y1 = "total"
y2 = 0.0
y3 = 0.01
[mass]
y1 = { y1 = "c", y2 = 0.2 }
y2 = { y2 = 1.0 }
y3 = {}
[equations]
y1 = "-k1*y1 + 2*y2*y3 + 0.1*sin(t)"
y2 = "k1*y1 - 2*y2*y3 - k2*y2^2"
y3 = "y1 + y2 + exp(0.1*y3)*y3 - total"
"#,
    functionals: &["final(y1)*final(y2) + at(y3, 1.05)^2", "integral(y3)"],
    step: 0.02,
    mass: true,
    separable: false,
};

/// A pendulum on a spring: kinetic and potential energy apart.
const SEPARABLE: Problem = Problem {
    name: "separable",
    text: r#"
[scenario]
time = { start = 0.0, end = 4.0 }
[parameters]
k = 2.0
m = 0.7
start = 0.9
[states]
q = "start"
r = 0.3
p = 0.1
s = "-0.2*start"
[equations]
q = "p/m"
r = "s"
p = "-k*q - 0.4*q^3 + 0.1*r"
s = "-sin(r) + 0.1*q"
"#,
    functionals: &["final(q)*final(s) + at(r, 1.234) + at(p, 2.7)^2"],
    step: 0.05,
    mass: false,
    separable: true,
};

const PROBLEMS: &[Problem] = &[
    PLAIN, READ, SIGNALS, BOUNCES, MODES, DOSES, LANDING, TOGETHER, ALGEBRAIC, SEPARABLE,
];

/// How the steps are chosen, and how far iterations go.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Steps {
    /// by the tolerance (of a fixed size, where there is no other)
    Controlled,
    /// by a tight tolerance
    Fine,
    /// of a fixed size, with iterations to rounding
    Iterated,
}

fn study(problem: &Problem, method: SolverMethod, steps: Steps) -> Study {
    let name = method.name();
    let steps = match steps {
        Steps::Iterated => format!("step = {}\nrtol = 1e-12\natol = 1e-14", problem.step),
        _ if method.needs_step() => format!("step = {}", problem.step),
        Steps::Fine => "rtol = 1e-10\natol = 1e-12".into(),
        Steps::Controlled => "rtol = 1e-7\natol = 1e-9".into(),
    };
    let text = format!("{}\n[solver]\nmethod = \"{name}\"\n{steps}\n", problem.text);
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{}: {findings:?}", problem.name))
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let difference: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(b)
}

/// A problem and what it is solved by.
fn solved(problem: &Problem, method: SolverMethod, steps: Steps) -> (Study, Solving) {
    let study = study(problem, method, steps);
    let solving = match method {
        // (which studies replace by one of its two methods)
        SolverMethod::Auto => Solving::for_simulation(&study),
        _ => Solving::choose(&study),
    };
    (study, solving.expect("a method"))
}

/// All parameters and an initial value.
fn variables(study: &Study) -> Vec<Variable> {
    let parameters = (0..study.values().len()).map(Variable::Parameter);
    parameters.chain([Variable::Initial(0)]).collect()
}

/// What is wrong with a method's gradients of a problem.
fn disagreements(problem: &Problem, method: SolverMethod, steps: Steps) -> Vec<String> {
    let (study, solving) = solved(problem, method, steps);
    let (p, variables) = (study.values(), variables(&study));
    let mut wrong = Vec::new();
    for text in problem.functionals {
        let functional = FunctionalStudy::parse(&study, text)
            .unwrap_or_else(|findings| panic!("{}: {findings:?}", problem.name));
        let by = |how: GradientMethod| {
            let mut gradient = vec![0.0; variables.len()];
            functional
                .gradient(&study, &solving, how, &p, &variables, &mut gradient)
                .map(|_| gradient)
        };
        let mut say = |what: String| {
            wrong.push(format!(
                "{} by {}: {text}: {what}",
                problem.name,
                method.name()
            ));
        };
        let (dual, adjoint) = match (by(GradientMethod::Dual), by(GradientMethod::Adjoint)) {
            (Ok(dual), Ok(adjoint)) => (dual, adjoint),
            (dual, adjoint) => {
                say(format!("{dual:?} {adjoint:?}"));
                continue;
            }
        };
        let off = distance(&adjoint, &dual);
        if off.is_nan() || off > 1e-11 {
            say(format!("adjoint off by {off:e}: {adjoint:?} {dual:?}"));
        }
        if iterates(method) && steps == Steps::Controlled {
            continue;
        }
        let differences = match by(GradientMethod::FiniteDifference) {
            Ok(differences) => differences,
            Err(error) => {
                say(format!("differences: {error}"));
                continue;
            }
        };
        let off = distance(&differences, &dual);
        if off.is_nan() || off > 1e-6 {
            say(format!(
                "differences off by {off:e}: {differences:?} {dual:?}"
            ));
        }
    }
    wrong
}

/// Methods that iterate leave some 2 % of the tolerance, which a difference of 6e-6 magnifies: those are compared with
/// differences where iterations go on to rounding.
fn iterates(method: SolverMethod) -> bool {
    use SolverMethod as M;
    matches!(
        method,
        M::TrBdf2
            | M::Kvaerno3
            | M::Kvaerno4
            | M::Kvaerno5
            | M::KenCarp4
            | M::Radau5
            | M::Bdf
            | M::Ndf
    )
}

fn fits(problem: &Problem, method: SolverMethod) -> bool {
    use SolverMethod as M;
    match method {
        M::Verlet | M::Yoshida4 | M::Yoshida6 | M::Yoshida8 => problem.separable,
        M::Rodas3 | M::Rodas4 | M::Rodas5p | M::Radau5 | M::Bdf | M::Ndf => true,
        _ => !problem.mass,
    }
}

fn agree(methods: &[SolverMethod]) {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for &method in methods {
        for problem in PROBLEMS.iter().filter(|problem| fits(problem, method)) {
            wrong.extend(disagreements(problem, method, Steps::Controlled));
            if iterates(method) {
                wrong.extend(disagreements(problem, method, Steps::Iterated));
            }
            tried += 1;
        }
    }
    assert!(tried > 0);
    assert!(
        wrong.is_empty(),
        "{} of:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The continuous adjoint differentiates the solution and not the steps, so that it agrees with dual numbers as far as both
/// solves are accurate: at a tolerance of 1e-10, derivatives that grow by some orders along the way, and steps that follow the
/// states alone, leave 1e-6.
#[test]
fn continuous_adjoints() {
    use SolverMethod as M;
    let methods = [
        M::Dopri5,
        M::Tsit5,
        M::Dop853,
        M::Vern7,
        M::Vern9,
        M::Rodas5p,
        M::Kvaerno5,
        M::KenCarp4,
        M::Radau5,
        M::Bdf,
        M::Auto,
    ];
    let mut wrong = Vec::new();
    for method in methods {
        for problem in PROBLEMS.iter().filter(|problem| !problem.mass) {
            let (study, solving) = solved(problem, method, Steps::Fine);
            let variables = variables(&study);
            for text in problem.functionals {
                let functional = FunctionalStudy::parse(&study, text).expect("a functional");
                let by = |how: GradientMethod| {
                    let mut gradient = vec![0.0; variables.len()];
                    functional
                        .gradient(
                            &study,
                            &solving,
                            how,
                            &study.values(),
                            &variables,
                            &mut gradient,
                        )
                        .map(|_| gradient)
                };
                let how = [GradientMethod::Dual, GradientMethod::ContinuousAdjoint];
                let [Ok(dual), Ok(continuous)] = how.map(by) else {
                    wrong.push(format!("{} {text} {:?}", problem.name, how.map(by)));
                    continue;
                };
                let off = distance(&continuous, &dual);
                if off.is_nan() || off > 1e-6 {
                    let name = method.name();
                    wrong.push(format!(
                        "{} by {name}: {text}: {off:e}: {continuous:?} {dual:?}",
                        problem.name
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn explicit_methods_of_fixed_steps() {
    use SolverMethod as M;
    agree(&[M::Euler, M::Midpoint, M::Heun, M::Rk4]);
}

#[test]
fn explicit_methods() {
    use SolverMethod as M;
    agree(&[M::Bs3, M::Dopri5, M::Tsit5, M::Dop853, M::Vern7, M::Vern9]);
}

#[test]
fn rosenbrock_methods() {
    use SolverMethod as M;
    agree(&[M::Rodas3, M::Rodas4, M::Rodas5p]);
}

#[test]
fn diagonally_implicit_methods() {
    use SolverMethod as M;
    agree(&[
        M::TrBdf2,
        M::Kvaerno3,
        M::Kvaerno4,
        M::Kvaerno5,
        M::KenCarp4,
    ]);
}

#[test]
fn radau() {
    agree(&[SolverMethod::Radau5]);
}

#[test]
fn symplectic_methods() {
    use SolverMethod as M;
    agree(&[
        M::Verlet,
        M::Yoshida4,
        M::Yoshida6,
        M::Yoshida8,
        M::ImplicitMidpoint,
    ]);
}

#[test]
fn methods_that_change_on_the_way() {
    agree(&[SolverMethod::Auto]);
}

#[test]
fn multistep_methods() {
    agree(&[SolverMethod::Bdf, SolverMethod::Ndf]);
}
