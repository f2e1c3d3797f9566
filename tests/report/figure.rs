//! Figures as a reader gets them: labels present, coordinates finite, pictures not blank, no system font needed.

use costate::report::figure::{
    Convergence, Curve, Figure, FigureError, History, Observations, Plot, ResidualPanel,
    ResidualSeries, Residuals, Scale, Trajectories, TrajectoryPanel, Waterfall, rasterize,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::readable::assert_texts_readable;

const YEARS: [f64; 21] = [
    1900., 1901., 1902., 1903., 1904., 1905., 1906., 1907., 1908., 1909., 1910., 1911., 1912.,
    1913., 1914., 1915., 1916., 1917., 1918., 1919., 1920.,
];
const HARE: [f64; 21] = [
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3, 19.5,
    11.2, 7.6, 14.6, 16.2, 24.7,
];
const LYNX: [f64; 21] = [
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1, 29.7,
    15.8, 9.7, 10.1, 8.6,
];

/// Checks the picture's texts and writes it where `COSTATE_FIGURES` says, for a person to look at.
fn keep(name: &str, figure: &Figure) {
    assert_texts_readable(figure);
    if let Ok(folder) = std::env::var("COSTATE_FIGURES") {
        std::fs::write(format!("{folder}/{name}.svg"), &figure.svg).expect("writable folder");
        std::fs::write(
            format!("{folder}/{name}.png"),
            figure.png().expect("a picture"),
        )
        .expect("writable folder");
    }
}

/// Hare and lynx by Lotka and Volterra with rates near the published fit, by small Euler steps.
fn lynx_hare() -> Trajectories {
    let (mut u, mut v, h) = (33.9, 5.9, 1e-3);
    let (mut time, mut hare, mut lynx) = (vec![], vec![], vec![]);
    for i in 0..=20_000 {
        if i % 20 == 0 {
            time.push(1900.0 + f64::from(i) * h);
            hare.push(u);
            lynx.push(v);
        }
        let (du, dv) = ((0.547 - 0.028 * v) * u, (0.024 * u - 0.803) * v);
        u += h * du;
        v += h * dv;
    }
    let curve = |name: &str, values: Vec<f64>| Curve {
        name: name.to_owned(),
        time: time.clone(),
        values,
    };
    let data = |name: &str, values: &[f64]| Observations {
        name: name.to_owned(),
        time: YEARS.to_vec(),
        values: values.to_vec(),
        errors: values.iter().map(|v| 0.1 * v).collect(),
    };
    Trajectories {
        title: "Hudson Bay hare and lynx pelts".to_owned(),
        note: String::new(),
        time_label: "year".to_owned(),
        curve_label: "fit".to_owned(),
        data_label: "data".to_owned(),
        panels: vec![TrajectoryPanel {
            value_label: "pelts (1000)".to_owned(),
            curves: vec![curve("hare", hare), curve("lynx", lynx)],
            data: vec![data("hare", &HARE), data("lynx", &LYNX)],
            ..TrajectoryPanel::default()
        }],
    }
}

#[test]
fn trajectories_name_axes_series_and_plain_years() {
    let figure = lynx_hare().draw().expect("a figure");
    keep("lynx_hare", &figure);
    for label in [
        "year",
        "pelts (1000)",
        "hare",
        "lynx",
        "fit",
        "data",
        "1900",
        "1920",
    ] {
        assert!(figure.svg.contains(label), "{label} missing");
    }
    assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"));
}

fn wave(name: &str, frequency: f64, scale: f64) -> Curve {
    let time: Vec<f64> = (0..=400).map(|i| f64::from(i) * 0.025).collect();
    Curve {
        name: name.to_owned(),
        values: time.iter().map(|t| scale * (frequency * t).sin()).collect(),
        time,
    }
}

#[test]
fn residuals_count_what_lies_outside_the_band() {
    let series = |name: &str, shift: f64| ResidualSeries {
        name: name.to_owned(),
        time: YEARS.to_vec(),
        residuals: (0..21)
            .map(|i| 2.4 * (f64::from(i) * 1.7 + shift).sin())
            .collect(),
    };
    let expected = (0..21)
        .flat_map(|i| [0.0, 1.0].map(|s| 2.4 * (f64::from(i) * 1.7 + s).sin()))
        .filter(|r| r.abs() > 2.0)
        .count();
    let figure = Residuals {
        title: "Standardized residuals".to_owned(),
        time_label: "year".to_owned(),
        panels: vec![
            ResidualPanel {
                title: "hare".to_owned(),
                series: vec![series("hare", 0.0)],
            },
            ResidualPanel {
                title: "lynx".to_owned(),
                series: vec![series("lynx", 1.0)],
            },
        ],
    }
    .draw()
    .expect("a figure");
    keep("residuals", &figure);
    assert!(figure.svg.contains(&format!("{expected} of 42 outside")));
}

#[test]
fn waterfall_sorts_marks_the_best_and_counts_failures() {
    let mut objectives: Vec<f64> = (0..20)
        .map(|i| 132.6 + 1e-7 * f64::from(i * i % 7))
        .collect();
    objectives.extend((0..8).map(|i| 180.0 + 0.01 * f64::from(i)));
    objectives.extend([350.0, 900.0, 4.0e5, f64::NAN, f64::INFINITY]);
    objectives.reverse();
    let figure = Waterfall {
        title: "Final objectives of 33 starts".to_owned(),
        objective_label: "objective".to_owned(),
        objectives,
    }
    .draw()
    .expect("a figure");
    keep("waterfall", &figure);
    for label in ["33 starts, 2 failed", "best objective 132.6", "best\n"] {
        assert!(figure.svg.contains(label), "{label} missing");
    }
}

#[test]
fn convergence_sets_off_the_best_start() {
    let starts = (1..=12)
        .map(|s| History {
            objectives: (0..=(10 + 3 * s))
                .map(|i| {
                    let plateau = if s % 3 == 0 { 47.0 } else { 0.0 };
                    let value =
                        132.6 + plateau + 1e4 * (-f64::from(i) * 6.0 / f64::from(s + 4)).exp();
                    if s == 5 && i > 8 { f64::NAN } else { value }
                })
                .collect(),
        })
        .collect();
    let figure = Convergence {
        title: "Convergence of 12 starts".to_owned(),
        objective_label: "objective".to_owned(),
        starts,
    }
    .draw()
    .expect("a figure");
    keep("convergence", &figure);
    assert!(figure.svg.contains("best start") && figure.svg.contains("other starts"));
}

#[test]
fn twelve_experiments_share_one_legend() {
    let panels = (1..=12)
        .map(|s| TrajectoryPanel {
            title: format!("subject {s}"),
            value_label: "concentration (mg/L)".to_owned(),
            curves: vec![Curve {
                name: "concentration".to_owned(),
                time: (0..=240).map(|i| f64::from(i) * 0.1).collect(),
                values: (0..=240)
                    .map(|i| {
                        let t = f64::from(i) * 0.1;
                        10.0 * (1.0 + 0.05 * f64::from(s)) * ((-0.08 * t).exp() - (-1.5 * t).exp())
                    })
                    .collect(),
            }],
            data: vec![Observations {
                name: "concentration".to_owned(),
                time: vec![0.25, 0.57, 1.12, 2.02, 3.82, 5.1, 7.03, 9.05, 12.12, 24.37],
                values: vec![2.84, 6.57, 10.5, 9.66, 8.58, 8.36, 7.47, 6.89, 5.94, 3.28],
                errors: vec![],
            }],
            ..TrajectoryPanel::default()
        })
        .collect();
    let figure = Trajectories {
        title: "Theophylline, twelve subjects".to_owned(),
        note: "one-compartment model, pooled fit".to_owned(),
        time_label: "time (h)".to_owned(),
        curve_label: "fit".to_owned(),
        data_label: "data".to_owned(),
        panels,
    }
    .draw()
    .expect("a figure");
    keep("theophylline", &figure);
    assert!((1..=12).all(|s| figure.svg.contains(&format!("subject {s}\n"))));
    assert_eq!(
        figure.svg.matches("fit\n").count(),
        2,
        "note and one legend entry"
    );
}

#[test]
fn long_legends_labels_and_extreme_numbers_stay_inside() {
    let many = (1..=30).map(|i| {
        wave(
            &format!("species_with_a_name_{i}"),
            0.3 * f64::from(i),
            4.2e9,
        )
    });
    let tall = TrajectoryPanel {
        title: "large".to_owned(),
        value_label: "a very long label of a quantity that nobody could want to read along an axis, but that \
                      a scenario may have (mol·m⁻³·s⁻¹)".to_owned(),
        curves: many.collect(),
        ..TrajectoryPanel::default()
    };
    let tiny = TrajectoryPanel {
        title: "small".to_owned(),
        value_label: "current (A)".to_owned(),
        curves: vec![wave("species_with_a_name_1", 2.0, -3.1e-9)],
        ..TrajectoryPanel::default()
    };
    let figure = Trajectories {
        title: "A title long enough that it has to be broken into more than one line to be seen at all in a \
                figure of this width".to_owned(),
        time_label: "t (s)".to_owned(),
        panels: vec![tall, tiny],
        ..Trajectories::default()
    }
    .draw()
    .expect("a figure");
    keep("long", &figure);
    for label in ["species_with_a_name_30", "×10⁹", "×10⁻⁹"] {
        assert!(figure.svg.contains(label), "{label} missing");
    }
}

#[test]
fn odd_data_still_give_a_picture() {
    let nan = f64::NAN;
    let cases: Vec<(&str, Vec<f64>, Vec<f64>)> = vec![
        ("empty", vec![], vec![]),
        ("one point", vec![3.0], vec![7.0]),
        ("constant", vec![0.0, 1.0, 2.0], vec![5.0, 5.0, 5.0]),
        ("all zero", vec![0.0, 1.0, 2.0], vec![0.0, 0.0, 0.0]),
        ("all NaN", vec![0.0, 1.0], vec![nan, nan]),
        (
            "gap & <tag>",
            vec![0.0, 1.0, 2.0, 3.0, 4.0],
            vec![1.0, 2.0, nan, 3.0, 1.0],
        ),
        (
            "infinite",
            vec![0.0, 1.0, 2.0],
            vec![1.0, f64::INFINITY, 2.0],
        ),
        ("largest", vec![0.0, 1.0], vec![-f64::MAX, f64::MAX]),
        ("subnormal", vec![0.0, 1.0], vec![0.0, 5e-324]),
        ("offset", vec![1e9, 1e9 + 1e-3], vec![1.0, 1.0 + 1e-9]),
        ("negative", vec![-3.0, -1.0], vec![-120.0, -80.0]),
        (
            "control \u{0}\u{7}\n\u{FFFF} 温度",
            vec![0.0, 1.0],
            vec![0.3, 0.1],
        ),
    ];
    for scale in [Scale::Linear, Scale::Logarithmic] {
        let panels = cases
            .iter()
            .map(|(name, time, values)| TrajectoryPanel {
                title: (*name).to_owned(),
                value_label: "value".to_owned(),
                scale,
                curves: vec![Curve {
                    name: "x".to_owned(),
                    time: time.clone(),
                    values: values.clone(),
                }],
                data: vec![Observations {
                    name: "x".to_owned(),
                    time: time.clone(),
                    values: values.clone(),
                    errors: vec![nan, f64::INFINITY, 0.1],
                }],
            })
            .collect();
        let figure = Trajectories {
            title: "Odd data".to_owned(),
            time_label: "t".to_owned(),
            curve_label: "fit".to_owned(),
            data_label: "data".to_owned(),
            panels,
            ..Trajectories::default()
        }
        .draw()
        .expect("a figure");
        keep(&format!("odd_{scale:?}"), &figure);
        assert!(figure.svg.contains("no finite values"));
        assert_coordinates_finite(&figure);
        figure.png().expect("a picture");
    }
    assert!(
        Plot::default()
            .draw()
            .is_ok_and(|figure| figure.png().is_ok())
    );
}

/// Every coordinate, size and point list of the SVG is a finite number.
fn assert_coordinates_finite(figure: &Figure) {
    let mut checked = 0;
    for name in [
        "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height", "points",
    ] {
        for part in figure.svg.split(&format!(" {name}=\"")).skip(1) {
            let value = part.split('"').next().expect("a quoted attribute");
            for number in value.split([',', ' ']).filter(|n| !n.is_empty()) {
                assert!(
                    number.parse::<f64>().is_ok_and(f64::is_finite),
                    "{name}={number}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 100);
}

/// Width, height and the fraction of dark pixels of a PNG in the part of it given as fractions.
fn darkness(png: &[u8], part: [f64; 4]) -> (u32, u32, f64) {
    let pixels = resvg::tiny_skia::Pixmap::decode_png(png).expect("a valid PNG");
    let (width, height) = (pixels.width(), pixels.height());
    let side = |fraction: f64, side: u32| (fraction * f64::from(side)) as u32;
    let (mut dark, mut all) = (0.0, 0.0);
    for y in side(part[1], height)..side(part[3], height) {
        for x in side(part[0], width)..side(part[2], width) {
            all += 1.0;
            if pixels
                .pixel(x, y)
                .is_some_and(|p| p.red() < 100 && p.blue() < 100)
            {
                dark += 1.0;
            }
        }
    }
    (width, height, dark / all)
}

#[test]
fn png_has_the_announced_size_and_its_text_needs_no_system_font() {
    let figure = lynx_hare().draw().expect("a figure");
    assert_coordinates_finite(&figure);
    let png = figure.png().expect("a picture");
    // The title alone has dark letters in the top strip; the font database holds only the embedded faces.
    let (width, height, title) = darkness(&png, [0.3, 0.0, 0.7, 0.08]);
    assert_eq!(f64::from(width), 2.0 * figure.width);
    assert_eq!(f64::from(height), 2.0 * figure.height);
    assert!(title > 0.02, "no letters in the title: {title}");
    let untitled = Trajectories {
        title: String::new(),
        ..lynx_hare()
    }
    .draw()
    .expect("a figure");
    let (_, _, blank) = darkness(&untitled.png().expect("a picture"), [0.3, 0.0, 0.7, 0.02]);
    assert_eq!(blank, 0.0);
}

#[test]
fn a_picture_out_of_bounds_is_an_error() {
    let figure = lynx_hare().draw().expect("a figure");
    for scale in [0.0, -1.0, 1e9, f64::NAN] {
        assert!(rasterize(&figure.svg, scale).is_err());
    }
    assert!(rasterize("not svg", 1.0).is_err());
}

#[test]
fn the_file_name_chooses_the_format() {
    let figure = Plot::default().draw().expect("a figure");
    let bytes = |name: &str| figure.bytes_for(std::path::Path::new(name));
    assert!(bytes("a/fit.SVG").is_ok_and(|b| b.starts_with(b"<svg")));
    assert!(bytes("fit.png").is_ok_and(|b| b.starts_with(b"\x89PNG")));
    assert!(matches!(
        bytes("fit.pdf"),
        Err(FigureError::UnknownFormat { .. })
    ));
    assert!(matches!(
        bytes("svg"),
        Err(FigureError::UnknownFormat { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any numbers at all give a drawable figure with finite coordinates and valid SVG.
    #[test]
    fn any_data_draw(
        values in prop::collection::vec((any::<u64>(), any::<u64>()), 0..12),
        errors in prop::collection::vec(any::<f64>(), 0..4),
        logarithmic: bool,
        title in ".*",
    ) {
        let (time, values): (Vec<f64>, Vec<f64>) = values
            .into_iter()
            .map(|(t, v)| (f64::from_bits(t), f64::from_bits(v)))
            .unzip();
        let scale = if logarithmic { Scale::Logarithmic } else { Scale::Linear };
        let panel = TrajectoryPanel {
            title: title.clone(),
            value_label: title.clone(),
            scale,
            curves: vec![Curve { name: title.clone(), time: time.clone(), values: values.clone() }],
            data: vec![Observations { name: "y".to_owned(), time, values: values.clone(), errors }],
        };
        let figure = Trajectories {
            title: title.clone(),
            time_label: title,
            curve_label: "fit".to_owned(),
            data_label: "data".to_owned(),
            panels: vec![panel],
            ..Trajectories::default()
        }
        .draw()
        .expect("a figure");
        assert_coordinates_finite(&figure);
        prop_assert!(rasterize(&figure.svg, 0.2).is_ok());
        let waterfall = Waterfall { objectives: values.clone(), ..Waterfall::default() };
        let figure = waterfall.draw().expect("a figure");
        prop_assert!(rasterize(&figure.svg, 0.2).is_ok());
        let starts = vec![History { objectives: values }];
        let figure = Convergence { starts, ..Convergence::default() }.draw().expect("a figure");
        prop_assert!(rasterize(&figure.svg, 0.2).is_ok());
    }
}

proptest! {
    // The same cases every time: a layout is judged here, and a new case that misses must not turn unrelated work red.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::with_cases(48) })]

    /// Titles, labels and tick labels stay apart for any window of values and any number of panels.
    #[test]
    fn texts_stay_apart(
        windows in prop::collection::vec((-1e4..1e4_f64, -12..12_i32), 1..14),
        word in "[ -~α-ω]{0,60}",
        logarithmic: bool,
    ) {
        let scale = if logarithmic { Scale::Logarithmic } else { Scale::Linear };
        let panels = windows.iter().map(|&(center, exponent)| {
            let width = 10f64.powi(exponent);
            let ends = vec![center - width, center, center + width];
            TrajectoryPanel {
                title: word.clone(),
                value_label: word.clone(),
                scale,
                curves: vec![Curve { name: word.clone(), time: ends.clone(), values: ends }],
                ..TrajectoryPanel::default()
            }
        });
        let figure = Trajectories {
            title: word.clone(),
            note: word.clone(),
            time_label: word.clone(),
            panels: panels.collect(),
            ..Trajectories::default()
        };
        assert_texts_readable(&figure.draw().expect("a figure"));
    }
}
