//! Sheets of heat maps as a reader gets them: legible, bounded in size, and with the colors of their values.

use costate::report::figure::{
    Axis, Block, ColorScale, Figure, HeatMap, HeatMaps, Ink, Layer, Panel, Plot, Raster, Sheet,
    animation,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::readable::assert_texts_readable;

fn axis(label: &str, size: usize) -> Axis {
    Axis {
        label: label.to_owned(),
        limits: Some((0.5, size as f64 + 0.5)),
        whole: true,
        ..Axis::default()
    }
}

/// Maps of `size` by `size` cells, so many, with values from `low` to `high`.
fn maps(count: usize, columns: usize, size: usize, (low, high): (f64, f64)) -> HeatMaps {
    let value = |m: usize, k: usize| {
        let wave = (0.37 * (k % size) as f64 + m as f64).sin() * (0.11 * (k / size) as f64).cos();
        low + (high - low) * 0.5 * (1.0 + wave)
    };
    let maps: Vec<HeatMap> = (0..count)
        .map(|m| HeatMap {
            title: format!("t = {m}"),
            raster: Raster {
                columns: size,
                rows: size,
                values: (0..size * size).map(|k| value(m, k)).collect(),
            },
        })
        .collect();
    HeatMaps {
        colors: ColorScale::over(maps.iter().flat_map(|m| m.raster.values.iter().copied())),
        maps,
        columns,
        x: axis("i", size),
        y: axis("j", size),
        square: true,
        label: "u (mol)".into(),
    }
}

fn sheet(rows: Vec<Vec<Block>>) -> Figure {
    let sheet = Sheet {
        title: "A field".into(),
        rows,
        ..Sheet::default()
    };
    sheet.draw().expect("a figure")
}

#[test]
fn heat_maps_name_index_time_and_quantity() {
    let rows = [(0.0, 4.5), (-1.0, 0.8)].map(|range| vec![Block::Heat(maps(5, 5, 32, range))]);
    let figure = sheet(rows.to_vec());
    assert_texts_readable(&figure);
    for label in [">\ni\n", ">\nj\n", "t = 4", "u (mol)", "A field"] {
        assert!(figure.svg.contains(label), "{label} missing");
    }
    assert_eq!(
        figure.svg.matches("<image").count(),
        12,
        "ten maps, two bars"
    );
    assert!(figure.png().expect("a picture").starts_with(b"\x89PNG"));
}

#[test]
fn a_large_field_makes_a_small_file() {
    // Six snapshots of 1024 x 1024: drawn as 512 x 512 cells of one byte each, before compression and base64.
    let figure = sheet(vec![vec![Block::Heat(maps(6, 3, 1024, (0.0, 1.0)))]]);
    assert!(figure.svg.len() < 6 * 512 * 512 * 4 / 3 + 100_000);
    assert!(figure.svg.matches('<').count() < 300, "elements");
}

/// A picture of one color, cell by cell: the middle of the map has the color of its value.
#[test]
fn colors_are_those_of_the_values() {
    let mut field = maps(1, 1, 2, (0.0, 1.0));
    field.maps[0].raster.values = vec![0.0; 4];
    field.colors = ColorScale::over([0.0, 1.0].into_iter());
    let figure = sheet(vec![vec![Block::Heat(field)]]);
    let bytes = figure.png().expect("a picture");
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .expect("a header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("pixels");
    let violet = pixels
        .chunks_exact(4)
        .filter(|p| p[..3] == [68, 1, 84])
        .count();
    // The map is at least a quarter of the figure's smaller side squared.
    let side = info.width.min(info.height) as usize;
    assert!(violet > side * side / 4, "{violet} pixels of viridis' zero");
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::with_cases(32) })]

    /// Titles, tick labels and the color bar's numbers stay apart for any range of values, size and number of maps.
    #[test]
    fn texts_of_heat_maps_stay_apart(
        center in -1e4..1e4_f64,
        exponent in -12..12_i32,
        size in 1..700_usize,
        count in 1..7_usize,
        columns in 1..6_usize,
        side_by_side: bool,
    ) {
        let width = 10f64.powi(exponent);
        let mut field = maps(count, columns, 2, (center - width, center + width));
        (field.x, field.y) = (axis("i", size), axis("j", size));
        let rows = if side_by_side && columns < 3 {
            vec![vec![Block::Heat(field.clone()), Block::Heat(field)]]
        } else {
            vec![vec![Block::Heat(field)]]
        };
        assert_texts_readable(&sheet(rows));
    }
}

#[test]
fn a_unit_is_as_long_across_as_up_where_that_is_asked() {
    for (width, height) in [(1.0, 1.0), (7.0, 0.5), (0.5, 7.0), (0.0, 0.0)] {
        let corners = vec![(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)];
        let panel = Panel {
            x: Axis::quantity("x", "m"),
            y: Axis::quantity("y", "m"),
            layers: vec![Layer::Line {
                ink: Ink::Solid(0),
                width: 2.0,
                points: corners,
            }],
            equal_units: true,
            ..Panel::default()
        };
        let figure = sheet(vec![vec![Block::Plot(Plot {
            panels: vec![panel],
            ..Plot::default()
        })]]);
        assert_texts_readable(&figure);
        let line = figure
            .svg
            .lines()
            .find(|line| line.contains("polyline") && line.contains("#0072B2"));
        let Some(line) = line else {
            assert_eq!((width, height), (0.0, 0.0), "only a point is no line");
            continue;
        };
        let points = line.split("points=\"").nth(1).expect("points");
        let points: Vec<(f64, f64)> = points
            .split('"')
            .next()
            .expect("quoted")
            .split_whitespace()
            .map(|p| {
                let (x, y) = p.split_once(',').expect("a pair");
                (x.parse().expect("x"), y.parse().expect("y"))
            })
            .collect();
        let extent = |of: fn(&(f64, f64)) -> f64| {
            let all = points.iter().map(of);
            all.clone().fold(f64::MIN, f64::max) - all.fold(f64::MAX, f64::min)
        };
        let (across, up) = (extent(|p| p.0), extent(|p| p.1));
        // Coordinates are whole tenths of a pixel.
        assert!(
            (across * height - up * width).abs() <= 2.0 * (width + height),
            "{across} by {up} for {width} by {height}"
        );
    }
}

#[test]
fn an_animation_has_its_frames_size_and_times() {
    let draw = |k: usize| {
        let panel = Panel {
            x: axis("i", 10),
            y: Axis {
                limits: Some((0.0, 10.0)),
                ..Axis::default()
            },
            layers: vec![Layer::Line {
                ink: Ink::Solid(0),
                width: 2.0,
                points: vec![(1.0, k as f64), (10.0, 5.0)],
            }],
            ..Panel::default()
        };
        Sheet {
            note: format!("t = {k}"),
            width: 300.0,
            rows: vec![vec![Block::Plot(Plot {
                panels: vec![panel],
                ..Plot::default()
            })]],
            ..Sheet::default()
        }
        .draw()
    };
    let bytes = animation(20, 25.0, draw).expect("an animation");
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let mut reader = options.read_info(&bytes[..]).expect("a GIF");
    assert_eq!(reader.width(), 300);
    let mut frames = 0;
    while let Some(frame) = reader.read_next_frame().expect("a frame") {
        assert_eq!(frame.delay, 4, "hundredths of a second");
        frames += 1;
    }
    assert_eq!(frames, 20);
    assert!(
        animation(0, 25.0, draw).is_err(),
        "no frames are no animation"
    );
}
