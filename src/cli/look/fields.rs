//! Arrays as pictures of cells: of one index over it and time, of two at one time.

use costate::report::figure::{Axis, ColorScale, HeatMap, HeatMaps, Raster};
use costate::study::Simulation;

use super::quantity::Quantity;

/// The axis of an index, from edge to edge of its cells.
pub fn index_axis((name, size): &(String, usize)) -> Axis {
    Axis {
        label: name.clone(),
        limits: Some((0.5, *size as f64 + 0.5)),
        whole: true,
        ..Axis::default()
    }
}

/// An array of one index over index and time, time upward.
pub fn space_time(q: &Quantity, result: &Simulation, time: &str) -> HeatMaps {
    let columns = q.len();
    let (low, high) = ends(&result.t);
    let rows = rows_of_times(&result.t);
    let mut values = Vec::with_capacity(columns * rows.len());
    for &k in &rows {
        values.extend(
            q.all_series(result)
                .map(|series| series.get(k).copied().unwrap_or(f64::NAN)),
        );
    }
    HeatMaps {
        colors: ColorScale::over(values.iter().copied()),
        maps: vec![HeatMap {
            title: String::new(),
            raster: Raster {
                columns,
                rows: rows.len(),
                values,
            },
        }],
        columns: 1,
        x: index_axis(&q.indices[0]),
        y: Axis {
            label: time.to_owned(),
            limits: Some((low, high)),
            ..Axis::default()
        },
        square: false,
        label: q.label(),
    }
}

fn ends(t: &[f64]) -> (f64, f64) {
    let (first, last) = (
        t.first().copied().unwrap_or(0.0),
        t.last().copied().unwrap_or(1.0),
    );
    match first.total_cmp(&last) {
        std::cmp::Ordering::Less => (first, last),
        std::cmp::Ordering::Greater => (last, first),
        std::cmp::Ordering::Equal => (first - 0.5, first + 0.5),
    }
}

/// Rows of equal height between the first time and the last, as many as there are times: for each the output that is nearest to its
/// middle. Equidistant outputs each get their row; at a jump, whose time stands twice, one of the two is nearest.
fn rows_of_times(t: &[f64]) -> Vec<usize> {
    let (low, high) = ends(t);
    let n = t.len();
    // each output belongs at its fraction of the span, its row at the middle of a row
    let backward = t.first() > t.last();
    let mut k = 0;
    let mut rows: Vec<usize> = (0..n)
        .map(|row| {
            let fraction = row as f64 / (n - 1).max(1) as f64;
            let (from, to) = if backward { (high, low) } else { (low, high) };
            let time = from + fraction * (to - from);
            while k + 1 < n && (t[k + 1] - time).abs() <= (t[k] - time).abs() {
                k += 1;
            }
            k
        })
        .collect();
    if backward {
        rows.reverse();
    }
    rows
}

/// An array of two or more indices at output `k`: of more than two the last two, at the middle of the others.
pub fn plane(q: &Quantity, result: &Simulation, k: usize) -> Raster {
    let [.., (_, columns), (_, rows)] = q.indices[..] else {
        return Raster::default();
    };
    let first = middle(q)
        .iter()
        .zip(&q.indices)
        .fold(0, |first, (place, (_, size))| first * size + place - 1)
        * columns
        * rows;
    let value = |column: usize, row: usize| {
        let series = q.series(result, first + column * rows + row);
        series.get(k).copied().unwrap_or(f64::NAN)
    };
    Raster {
        columns,
        rows,
        values: (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (column, row)))
            .map(|(column, row)| value(column, row))
            .collect(),
    }
}

/// The places, counted from 1, of the indices before the last two.
fn middle(q: &Quantity) -> Vec<usize> {
    let others = q.indices.len().saturating_sub(2);
    q.indices[..others]
        .iter()
        .map(|(_, size)| size.div_ceil(2))
        .collect()
}

/// What the color bar of an array of two or more indices says.
pub fn plane_label(q: &Quantity) -> String {
    let at: Vec<String> = middle(q)
        .iter()
        .zip(&q.indices)
        .map(|(place, (name, _))| format!("{name} = {place}"))
        .collect();
    if at.is_empty() {
        q.label()
    } else {
        format!("{}, {}", q.label(), at.join(", "))
    }
}

/// Heat maps of an array of two or more indices, with the last but one across and the last up.
pub fn plane_maps(
    q: &Quantity,
    maps: Vec<HeatMap>,
    columns: usize,
    colors: ColorScale,
) -> HeatMaps {
    let last = q.indices.len() - 1;
    HeatMaps {
        maps,
        columns,
        x: index_axis(&q.indices[last - 1]),
        y: index_axis(&q.indices[last]),
        square: true,
        colors,
        label: plane_label(q),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_equidistant_time_has_its_row() {
        let t: Vec<f64> = (0..11).map(|k| 0.1 * f64::from(k)).collect();
        assert_eq!(rows_of_times(&t), (0..11).collect::<Vec<_>>());
        let backward: Vec<f64> = t.iter().rev().copied().collect();
        assert_eq!(rows_of_times(&backward), (0..11).rev().collect::<Vec<_>>());
        // a jump at 0.5: six outputs on five intervals
        assert_eq!(rows_of_times(&[0.0, 0.5, 0.5, 1.0]), [0, 2, 2, 3]);
    }
}
