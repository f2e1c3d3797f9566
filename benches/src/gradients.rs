//! What a gradient by the discrete adjoint costs beside the plain solve of the same steps.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{FunctionalStudy, Solving, Study, Variable};

use crate::work_precision::timing::wall_medians;

/// A scenario, what is differentiated, and by which method it is solved.
struct Case {
    name: String,
    text: String,
    folder: &'static str,
    of: String,
    /// the most that the ratio may be
    bound: Option<f64>,
}

fn lotka_volterra() -> String {
    r#"
[scenario]
time = { start = 0.0, end = 10.0 }
[parameters]
a = 1.5
b = 1.0
c = 3.0
d = 1.0
[states]
x = 1.0
y = 1.0
[equations]
x = "a*x - b*x*y"
y = "d*x*y - c*y"
[solver]
method = "tsit5"
rtol = 1e-6
atol = 1e-6
"#
    .into()
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

/// A scenario of the repository with its `[solver]` and what follows replaced.
fn of_gallery(path: &str, solver: &str) -> Result<String, String> {
    let text = read(path)?;
    let kept = text.split("[solver]").next().unwrap_or_default();
    let kept = kept.split("[data]").next().unwrap_or_default();
    Ok(format!("{kept}\n[solver]\n{solver}\n"))
}

/// Task T4 with a value of each of four parameters in each cell.
fn brusselator(n: usize) -> String {
    let text = crate::arrays::brusselator(n, "method = \"rodas5p\"\nrtol = 1e-6\natol = 1e-8");
    let over = |name: &str, value: &str| {
        (
            format!("{name} = {value}\n"),
            format!("{name} = {{ over = [\"i\", \"j\"], value = {value} }}\n"),
        )
    };
    let mut text = text.replace("alpha = 0.1\n", "alpha = 0.1\nbeta = 0.1\n");
    for (name, value) in [
        ("A", "3.4"),
        ("B", "1.0"),
        ("alpha", "0.1"),
        ("beta", "0.1"),
    ] {
        let (from, to) = over(name, value);
        text = text.replace(&from, &to);
    }
    let text = text.replace(
        "k = \"alpha*",
        "k = { over = [\"i\", \"j\"], expression = \"alpha*",
    );
    let text = text.replace(
        &format!("alpha*{n}^2\"\n"),
        &format!(
            "alpha*{n}^2\" }}\nk2 = {{ over = [\"i\", \"j\"], expression = \"beta*{n}^2\" }}\n"
        ),
    );
    text.replace("u^2*v + k*(v", "u^2*v + k2*(v")
        .replace("start = 0.0, end = 11.5", "start = 0.0, end = 1.0")
}

/// Two states, driven by so many parameters, linearly.
fn linear(parameters: usize) -> String {
    format!(
        r#"
[scenario]
time = {{ start = 0.0, end = 1000.0 }}
[indices]
i = {parameters}
[parameters]
p = {{ over = ["i"], value = "sin(i)" }}
[states]
x = 1.0
y = 0.0
[equations]
x = "y - 0.001*x*sum(i, p)/{parameters}"
y = "-x + 0.1*sum(i, p)/{parameters}"
[solver]
method = "tsit5"
rtol = 1e-8
atol = 1e-8
"#
    )
}

fn cases() -> Result<Vec<Case>, String> {
    let mut stars = String::from("0");
    for k in 1..=7 {
        write!(stars, " + final(x[{k}])^2 + final(y[{k}])^2").map_err(|e| e.to_string())?;
    }
    let case = |name: &str, text: String, folder, of: &str, bound| Case {
        name: name.into(),
        text,
        folder,
        of: of.into(),
        bound,
    };
    let explicit = "method = \"tsit5\"\nrtol = 1e-6\natol = 1e-6";
    let stiff = "method = \"rodas5p\"\nrtol = 1e-6\natol = 1e-8";
    let field = "final(sum(i, sum(j, u^2 + v^2)))";
    let mut cases = vec![
        case(
            "Lotka-Volterra, tsit5",
            lotka_volterra(),
            ".",
            "final(x)^2 + final(y)^2",
            Some(3.0),
        ),
        case(
            "Pleiades, tsit5",
            of_gallery("scenarios/pleiades/scenario.toml", explicit)?,
            "scenarios/pleiades",
            &stars,
            Some(3.5),
        ),
        case(
            "POLLU, rodas5p",
            of_gallery("tests/data/pollu/scenario.toml", stiff)?,
            "tests/data/pollu",
            "final(y1)^2 + final(y2)^2",
            Some(4.0),
        ),
        case(
            "Brusselator N = 16, rodas5p",
            brusselator(16),
            ".",
            field,
            Some(4.0),
        ),
    ];
    for count in [10, 1000, 100_000] {
        let name = format!("linear, {count} parameters, tsit5");
        cases.push(case(&name, linear(count), ".", "final(x)^2", None));
    }
    Ok(cases)
}

/// Prints the table.
pub fn run() -> Result<(), String> {
    println!("The gradient by the discrete adjoint beside the plain solve; medians, microseconds");
    println!(
        "{:34} {:>10} {:>10} {:>7} {:>6} {:>8} {:>8} {:>9}",
        "", "solve", "gradient", "ratio", "bound", "no steps", "gradient", "of steps"
    );
    for case in cases()? {
        let (study, findings) = Study::from_text(&case.text, Path::new(case.folder), Backend::Auto);
        let study = study.ok_or(format!("{}: {findings:?}", case.name))?;
        let solving = Solving::choose(&study).map_err(|e| e.to_string())?;
        let functional = FunctionalStudy::parse(&study, &case.of)
            .map_err(|e| format!("{}: {e:?}", case.name))?;
        let p = study.values();
        let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
        let mut gradient = vec![0.0; p.len()];
        let mut by_adjoint = || {
            let method = GradientMethod::Adjoint;
            functional.gradient(&study, &solving, method, &p, &variables, &mut gradient)
        };
        by_adjoint().map_err(|e| format!("{}: {e}", case.name))?;
        let mut solve = || {
            black_box(functional.value(&study, &solving, &p)).ok();
        };
        let mut differentiate = || {
            black_box(by_adjoint()).ok();
        };
        // the same without a step: what is done once for all parameters, reading and writing them
        let start = case.of.replace("final(", "initial(");
        let still =
            FunctionalStudy::parse(&study, &start).map_err(|e| format!("{}: {e:?}", case.name))?;
        let mut read = || {
            black_box(still.value(&study, &solving, &p)).ok();
        };
        let mut pulled = vec![0.0; p.len()];
        let mut write = || {
            let method = GradientMethod::Adjoint;
            let done = still.gradient(&study, &solving, method, &p, &variables, &mut pulled);
            black_box(done).ok();
        };
        let times = wall_medians(&mut [&mut solve, &mut differentiate, &mut read, &mut write]);
        let bound = case.bound.map_or(String::new(), |bound| bound.to_string());
        println!(
            "{:34} {:>10.1} {:>10.1} {:>7.2} {bound:>6} {:>8.1} {:>8.1} {:>9.2}",
            case.name,
            1e6 * times[0],
            1e6 * times[1],
            times[1] / times[0],
            1e6 * times[2],
            1e6 * times[3],
            (times[1] - times[3]) / (times[0] - times[2])
        );
    }
    Ok(())
}
