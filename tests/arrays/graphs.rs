//! Couplings over the edges of graphs: against the same model with a matrix of couplings, against each node's equation written by hand, and what is
//! wrong with a file or an expression is told with its place.

use std::path::{Path, PathBuf};

use costate::compile::Backend;
use costate::diagnostic::Severity;
use costate::scenario::GradientMethod;
use costate::study::{FunctionalStudy, Solving, Study, Variable, simulate};

/// A folder with a file of edges.
fn folder(name: &str, edges: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("costate-graphs-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("edges.csv"), edges).expect("written");
    folder
}

fn study(text: &str, folder: &Path) -> Study {
    let (study, findings) = Study::from_text(text, folder, Backend::Auto);
    let errors: Vec<_> = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    study.expect("a study")
}

fn gradient(study: &Study, of: &str, method: GradientMethod) -> Vec<f64> {
    let functional = FunctionalStudy::parse(study, of).expect("a functional");
    let solving = Solving::choose(study).expect("a method");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let mut gradient = vec![0.0; p.len()];
    functional
        .gradient(study, &solving, method, &p, &variables, &mut gradient)
        .expect("a gradient");
    gradient
}

/// Edges of a ring of `n` nodes with chords, each with a weight: (from, to, weight).
fn edges(n: usize) -> Vec<(usize, usize, f64)> {
    let weight = |k: usize| 0.4 + 0.1 * (k % 7) as f64;
    let ring = (0..n).map(|k| (k, (k + 1) % n, weight(k)));
    let chords = (0..n)
        .step_by(3)
        .map(|k| (k, (k * k + 5) % n, weight(k + 3)));
    ring.chain(chords)
        .filter(|(from, to, _)| from != to)
        .collect()
}

fn file(edges: &[(usize, usize, f64)]) -> String {
    let rows = edges
        .iter()
        .map(|(from, to, k)| format!("{},{},{k}\n", from + 1, to + 1));
    std::iter::once("from,to,k\n".to_owned())
        .chain(rows)
        .collect()
}

const TIME: &str = "[scenario]\ntime = { start = 0.0, end = 2.0 }\n";
const SOLVER: &str = "[solver]\nmethod = \"METHOD\"\nrtol = 1e-9\natol = 1e-9\n";

/// The swing equations of a network by its edges.
fn by_edges(n: usize, method: &str, directed: bool) -> String {
    format!(
        r#"{TIME}[indices]
i = {n}
[graphs.grid]
index = "i"
file = "edges.csv"
directed = {directed}
[parameters]
k = {{ over = ["grid"], file = "edges.csv" }}
damping = 0.3
[states]
theta = {{ over = ["i"], initial = "0.3*i - floor(0.3*i)" }}
omega = {{ over = ["i"], initial = 0.1 }}
[equations]
theta = "omega"
omega = "sin(i) - damping*omega + sum(edges.grid, k*sin(theta[from] - theta[to]))"
[observables]
mean_speed = "mean(omega)"
energy = "sum(grid, k*(1 - cos(theta[from] - theta[to])))"
{}"#,
        SOLVER.replace("METHOD", method)
    )
}

/// The same with the equation of each node written out.
fn by_hand(n: usize, method: &str, directed: bool, edges: &[(usize, usize, f64)]) -> String {
    let (mut parameters, mut states, mut equations) = (String::new(), String::new(), String::new());
    for (e, (_, _, k)) in edges.iter().enumerate() {
        parameters += &format!("k{e} = {k}\n");
    }
    for i in 0..n {
        let mut terms = String::new();
        for (e, &(from, to, _)) in edges.iter().enumerate() {
            if to == i {
                terms += &format!(" + k{e}*sin(theta{from} - theta{i})");
            }
            if from == i && !directed {
                terms += &format!(" + k{e}*sin(theta{to} - theta{i})");
            }
        }
        let place = i as f64 + 1.0;
        states += &format!(
            "theta{i} = {}\nomega{i} = 0.1\n",
            0.3 * place - (0.3 * place).floor()
        );
        equations += &format!(
            "theta{i} = \"omega{i}\"\nomega{i} = \"sin({place}) - damping*omega{i}{terms}\"\n"
        );
    }
    format!(
        "{TIME}[parameters]\n{parameters}damping = 0.3\n[states]\n{states}[equations]\n{equations}{}",
        SOLVER.replace("METHOD", method)
    )
}

/// Trajectories and gradients of a network, small enough to be written out as machine code and too large for that, are
/// those of the equations written by hand, by dual numbers and by the adjoint, by an explicit and a stiff method.
#[test]
fn a_network_is_its_nodes_equations() {
    for (n, method, directed) in [
        (7, "tsit5", false),
        (60, "tsit5", false),
        (60, "tsit5", true),
        (60, "rodas5p", false),
    ] {
        let edges = edges(n);
        let folder = folder(&format!("{n}-{method}-{directed}"), &file(&edges));
        let network = study(&by_edges(n, method, directed), &folder);
        let written = study(&by_hand(n, method, directed, &edges), &folder);
        let times = [0.0, 0.7, 2.0];
        let mine = simulate(&network, 0, &network.values(), &times).expect("a run");
        let theirs = simulate(&written, 0, &written.values(), &times).expect("a run");
        for row in 0..times.len() {
            for i in 0..n {
                for (state, other) in [(i, 2 * i), (n + i, 2 * i + 1)] {
                    let (a, b) = (mine.states[state][row], theirs.states[other][row]);
                    // the same equations, the terms of sums in another order: roundings, carried along
                    assert!((a - b).abs() < 1e-12, "{n} {method} state {state}: {a} {b}");
                }
            }
        }
        for gradient_method in [GradientMethod::Dual, GradientMethod::Adjoint] {
            let a = gradient(&network, "final(omega[4])", gradient_method);
            let b = gradient(&written, "final(omega3)", gradient_method);
            for (k, (a, b)) in a.iter().zip(&b).enumerate() {
                assert!(
                    (a - b).abs() < 1e-11,
                    "{n} {method} derivative {k}: {a} {b}"
                );
            }
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }
}

/// A sum over all edges has each once; `leaving` goes over those that begin at a node; a mean is over a node's edges; states may be over edges;
/// definitions with sums over edges are read at the ends of edges.
#[test]
fn every_way_to_go_over_edges() {
    // 1 -> 2, 1 -> 3, 2 -> 3, 3 -> 3
    let folder = folder("ways", "a,b,w\n1,2,0.5\n1,3,0.25\n2,3,2.0\n3,3,8.0\n");
    let text = |directed: bool| {
        format!(
            r#"{TIME}[indices]
i = 3
[graphs.g]
index = "i"
file = "edges.csv"
from = "a"
to = "b"
directed = {directed}
[parameters]
w = {{ over = ["g"], file = "edges.csv" }}
[states]
x = {{ over = ["i"], initial = "10^i" }}
flow = {{ over = ["g"], initial = 0.0 }}
[definitions]
arriving = {{ over = ["i"], expression = "sum(edges.g, w*x[from])" }}
leaves = {{ over = ["i"], expression = "sum(leaving.g, w*x[to])" }}
typical = {{ over = ["i"], expression = "mean(edges.g, w)" }}
second = {{ over = ["i"], expression = "sum(edges.g, arriving[from])" }}
[equations]
x = "0"
flow = "x[from] - 2*x[to] + w"
[observables]
all = "sum(g, w*x[from])"
arriving_1 = "arriving[1]"
arriving_3 = "arriving[3]"
leaves_1 = "leaves[1]"
leaves_2 = "leaves[2]"
typical_3 = "typical[3]"
second_3 = "second[3]"
"#
        )
    };
    let check = |directed: bool, expected: &[f64]| {
        let study = study(&text(directed), &folder);
        let run = simulate(&study, 0, &study.values(), &[0.0, 2.0]).expect("a run");
        let found: Vec<f64> = run.observables.iter().map(|o| o[0]).collect();
        assert_eq!(found, expected, "directed {directed}");
        let flows: Vec<f64> = run.states[3..].iter().map(|s| s[1]).collect();
        let rates = [
            10.0 - 200.0 + 0.5,
            10.0 - 2000.0 + 0.25,
            100.0 - 2000.0 + 2.0,
            -1000.0 + 8.0,
        ];
        for (flow, rate) in flows.iter().zip(rates) {
            assert!(
                (flow - 2.0 * rate).abs() < 1e-9 * rate.abs(),
                "{flow} {rate}"
            );
        }
    };
    let all = 0.5 * 10.0 + 0.25 * 10.0 + 2.0 * 100.0 + 8.0 * 1000.0;
    let at_3 = 0.25 * 10.0 + 2.0 * 100.0 + 8.0 * 1000.0;
    // arriving: 1: 0, 2: 5, 3: 8202.5; second of 3: those of 1, 2, 3
    check(
        true,
        &[
            all,
            0.0,
            at_3,
            0.5 * 100.0 + 0.25 * 1000.0,
            2.0 * 1000.0,
            (0.25 + 2.0 + 8.0) / 3.0,
            0.0 + 5.0 + at_3,
        ],
    );
    let (at_1, at_2) = (0.5 * 100.0 + 0.25 * 1000.0, 0.5 * 10.0 + 2.0 * 1000.0);
    check(
        false,
        &[
            all,
            at_1,
            at_3,
            at_1,
            at_2,
            (0.25 + 2.0 + 8.0) / 3.0,
            at_1 + at_2 + at_3,
        ],
    );
    std::fs::remove_dir_all(folder).expect("removed");
}

/// What is written instead of what, and the first error: its code, a part of its message and of its help.
#[test]
fn mistakes_are_told_with_their_places() {
    let sound = by_edges(3, "tsit5", false);
    let wrong: &[(&str, &str, &str, [&str; 3])] = &[
        (
            "index = \"i\"",
            "index = \"j\"",
            "",
            ["scenario::graph", "`[indices]` has no `j`", "`i`"],
        ),
        (
            "index = \"i\"\n",
            "",
            "",
            ["scenario::missing", "index", ""],
        ),
        (
            "file = \"edges.csv\"\ndir",
            "file = \"egdes.csv\"\ndir",
            "",
            ["file::", "egdes.csv", ""],
        ),
        (
            "edges.grid",
            "edges.gird",
            "",
            ["model::unknown-name", "no graph `gird`", "`grid`"],
        ),
        (
            "edges.grid, ",
            "edges.grid, i, ",
            "",
            [
                "model::argument-count",
                "one expression",
                "sum(edges.grid, ...)",
            ],
        ),
        (
            "mean(omega)",
            "sum(edges.grid, k)",
            "",
            [
                "model::array",
                "no place of `i` sees edges here",
                "sum(grid, ...)",
            ],
        ),
        (
            "theta[from]",
            "theta[from+1]",
            "",
            ["model::array", "a place is", ""],
        ),
        (
            "theta[from]",
            "theta[form]",
            "",
            ["model::unknown-name", "form", "from"],
        ),
        (
            "",
            "",
            "from,to,k\n1,2,1\n1,4,1\n",
            ["data::bad-cell", "`4` is no place", "which are 1 to 3"],
        ),
        (
            "",
            "",
            "from,to,k\n1,2,1\n1.5,3,1\n",
            ["data::bad-cell", "`1.5` is no place", "1 to 3"],
        ),
        (
            "",
            "",
            "from,to,k\n1,2,1\n,3,1\n",
            ["data::bad-cell", "is no place", "1 to 3"],
        ),
        (
            "",
            "",
            "fro,to,k\n1,2,1\n",
            ["data::missing-column", "no column `from`", "`fro`"],
        ),
        (
            "",
            "",
            "from,to,k\n",
            ["scenario::graph", "`grid` has no edges", "row"],
        ),
    ];
    for (k, (what, instead, edges, [code, message, help])) in wrong.iter().enumerate() {
        let edges = if edges.is_empty() {
            "from,to,k\n1,2,1.0\n2,3,1.0\n"
        } else {
            edges
        };
        let folder = folder(&format!("wrong-{k}"), edges);
        let text = sound.replacen(what, instead, 1);
        let (_, findings) = Study::from_text(&text, &folder, Backend::Auto);
        let first = findings
            .iter()
            .find(|f| f.severity == Severity::Error)
            .unwrap_or_else(|| panic!("{instead}: no error"));
        assert!(first.code.starts_with(code), "{instead}: {first:#?}");
        assert!(first.message.contains(message), "{instead}: {first:#?}");
        assert!(
            first.help.as_deref().unwrap_or("").contains(help),
            "{instead}: {first:#?}"
        );
        assert!(first.span.is_some(), "{instead}");
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
