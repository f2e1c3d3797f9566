//! Figures of what is known of parameters: profiles, correlations, draws.

use costate::report::figure::{
    Axis, Correlation, Figure, Ink, Layer, PairPlot, PairVariable, Panel, Plot, ProfileFigure,
    ProfilePanel, Scale, Trace, Traces,
};

use crate::readable::assert_texts_readable;

/// Checks the picture's texts, that no coordinate is lost, and that it becomes a PNG.
fn keep(name: &str, figure: &Figure) {
    assert_texts_readable(figure);
    assert!(!figure.svg.contains("NaN"), "{name}");
    let png = figure.png().expect("a picture");
    if let Ok(folder) = std::env::var("COSTATE_FIGURES") {
        std::fs::write(format!("{folder}/{name}.svg"), &figure.svg).expect("writable folder");
        std::fs::write(format!("{folder}/{name}.png"), png).expect("writable folder");
    }
}

fn profile(label: &str, scale: Scale, values: impl Fn(f64) -> f64) -> ProfilePanel {
    let points = |rise: fn(f64) -> f64| -> Vec<(f64, f64)> {
        (-10..=10)
            .map(|k| f64::from(k) / 5.0)
            .map(|s| (values(s), rise(s)))
            .collect()
    };
    ProfilePanel {
        label: label.to_owned(),
        scale,
        points: points(|s| 0.5 * s * s),
        curve: points(|s| 0.5 * s * s),
        parabola: points(|s| 0.6 * s * s),
        best: values(0.0),
        ends: vec![values(-1.96), values(1.96)],
        ..ProfilePanel::default()
    }
}

#[test]
fn profiles_name_their_parameters_and_the_threshold() {
    let flat = ProfilePanel {
        title: "structurally not identifiable".to_owned(),
        label: "k (1/h)".to_owned(),
        scale: Scale::Logarithmic,
        points: vec![(1e-5, 0.0), (1.0, 0.0), (1e5, 0.0)],
        curve: vec![(1e-5, 0.0), (1.0, 0.0), (1e5, 0.0)],
        best: 1.0,
        ..ProfilePanel::default()
    };
    let figure = ProfileFigure {
        title: "Profiles".to_owned(),
        threshold: 1.92,
        threshold_label: "95 % threshold".to_owned(),
        rise_label: "rise of the objective".to_owned(),
        panels: vec![
            profile("alpha (1/year)", Scale::Logarithmic, f64::exp),
            profile("offset", Scale::Linear, |s| 1e6 + s),
            flat,
        ],
        ..ProfileFigure::default()
    };
    let drawn = figure.draw().expect("a figure");
    for word in [
        "alpha (1/year)",
        "offset",
        "k (1/h)",
        "structurally not identifiable",
        "95 % threshold",
        "rise of the objective",
    ] {
        assert!(drawn.svg.contains(word), "{word}");
    }
    keep("profiles", &drawn);
    // nothing known is still a picture
    let empty = ProfileFigure {
        threshold: f64::NAN,
        panels: vec![ProfilePanel::default()],
        ..ProfileFigure::default()
    };
    keep("profiles-empty", &empty.draw().expect("a figure"));
}

#[test]
fn correlations_are_numbers_where_they_have_room() {
    let matrix = |m: usize| -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| match i == j {
            true => 1.0,
            false => ((i * 7 + j * 3) as f64).sin(),
        };
        (0..m)
            .map(|i| (0..m).map(|j| entry(i, j)).collect())
            .collect()
    };
    let mut few = Correlation {
        title: "Correlations".to_owned(),
        names: ["a", "a_rather_long_name_of_a_parameter", "k[1,2]"]
            .map(str::to_owned)
            .to_vec(),
        matrix: matrix(3),
        ..Correlation::default()
    };
    few.matrix[2][0] = f64::NAN;
    let drawn = few.draw().expect("a figure");
    assert!(drawn.svg.contains("1.00") && drawn.svg.contains("k[1,2]"));
    // (2, 1): sin(7 * 2 + 3 * 1) = sin 17 = -0.9614
    assert!(drawn.svg.contains("-0.96"));
    keep("correlation", &drawn);
    let many = Correlation {
        names: (0..30).map(|k| format!("p{k}")).collect(),
        matrix: matrix(30),
        ..Correlation::default()
    };
    let drawn = many.draw().expect("a figure");
    assert!(!drawn.svg.contains("1.00"));
    keep("correlation-many", &drawn);
    keep(
        "correlation-none",
        &Correlation::default().draw().expect("a figure"),
    );
}

fn variable(label: &str, scale: Scale, value: impl Fn(f64) -> f64) -> PairVariable {
    PairVariable {
        label: label.to_owned(),
        scale,
        values: (0..500)
            .map(|k| value((f64::from(k) * 0.7).sin()))
            .collect(),
    }
}

#[test]
fn pairs_and_traces_show_every_variable() {
    let plot = PairPlot {
        title: "Posterior".to_owned(),
        note: "500 draws".to_owned(),
        variables: vec![
            variable("alpha", Scale::Linear, |s| s),
            variable("beta", Scale::Logarithmic, |s| (3.0 * s).exp()),
            variable("constant", Scale::Linear, |_| 2.0),
            variable("tiny", Scale::Linear, |s| 1e-9 * (1.0 + s * s)),
        ],
        marked: vec![3, 7, 10_000],
    };
    let drawn = plot.draw().expect("a figure");
    for word in ["alpha", "beta", "constant", "tiny"] {
        assert!(drawn.svg.contains(word), "{word}");
    }
    // beta is exp(3 alpha): on its logarithmic axis the correlation is 1
    assert!(drawn.svg.contains("1.00"));
    keep("pairs", &drawn);
    keep("pairs-none", &PairPlot::default().draw().expect("a figure"));

    let chain = |shift: f64| {
        (0..2000)
            .map(|k| shift + (f64::from(k) * 0.37).sin())
            .collect()
    };
    let traces = Traces {
        title: "Traces".to_owned(),
        traces: vec![
            Trace {
                label: "alpha (1/year)".to_owned(),
                chains: vec![chain(5.0), chain(5.1)],
            },
            Trace {
                label: "constant".to_owned(),
                chains: vec![vec![1.0; 10], vec![1.0; 3]],
            },
        ],
        ..Traces::default()
    };
    let drawn = traces.draw().expect("a figure");
    assert!(drawn.svg.contains("chain 2") && drawn.svg.contains("alpha (1/year)"));
    keep("traces", &drawn);
}

#[test]
fn ribbons_break_where_a_value_is_missing_and_stay_in_their_frame() {
    let ribbon = |points: Vec<(f64, f64, f64)>| Plot {
        panels: vec![Panel {
            x: Axis::quantity("t", "s"),
            y: Axis {
                label: "y".to_owned(),
                limits: Some((0.0, 1.0)),
                ..Axis::default()
            },
            layers: vec![Layer::Ribbon {
                ink: Ink::Solid(0),
                strength: 0.4,
                points,
            }],
            ..Panel::default()
        }],
        ..Plot::default()
    };
    let all: Vec<(f64, f64, f64)> = (0..6).map(|k| (f64::from(k), 0.2, 0.6)).collect();
    let whole = ribbon(all.clone()).draw().expect("a figure");
    assert_eq!(whole.svg.matches("<polygon").count(), 1);
    let mut broken = all;
    broken[2].1 = f64::NAN;
    broken[5].2 = 1e30;
    let broken = ribbon(broken).draw().expect("a figure");
    assert_eq!(broken.svg.matches("<polygon").count(), 2);
    keep("ribbon", &broken);
}
