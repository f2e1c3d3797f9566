//! Values on a grid as a picture of cells, large grids averaged down to as many cells as can be seen.

use super::colormap::{ColorScale, LEVELS};

/// Values by rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Raster {
    /// Cells across.
    pub columns: usize,
    /// Cells up.
    pub rows: usize,
    /// `values[row * columns + column]`, the lowest row first; what is missing or not finite is drawn gray.
    pub values: Vec<f64>,
}

impl Raster {
    /// The raster with at most `columns` by `rows` cells.
    ///
    /// A new cell is the mean of what it covers, parts of cells counted by their share, so that the mean of the whole stays what it is. A
    /// cell that covers anything not finite is not finite.
    pub fn averaged(&self, columns: usize, rows: usize) -> Raster {
        let columns = self.columns.min(columns.max(1));
        let rows = self.rows.min(rows.max(1));
        if (columns, rows) == (self.columns, self.rows) {
            return self.clone();
        }
        let value = |k: usize| self.values.get(k).copied().unwrap_or(f64::NAN);
        let across = Shares::new(self.columns, columns);
        let mut narrow = vec![0.0; columns * self.rows];
        for row in 0..self.rows {
            for column in 0..columns {
                narrow[row * columns + column] =
                    across.mean(column, |k| value(row * self.columns + k));
            }
        }
        let up = Shares::new(self.rows, rows);
        let mut values = vec![0.0; columns * rows];
        for row in 0..rows {
            for column in 0..columns {
                values[row * columns + column] = up.mean(row, |k| narrow[k * columns + column]);
            }
        }
        Raster {
            columns,
            rows,
            values,
        }
    }

    /// The picture as an indexed PNG, the top row first, a pixel a cell.
    pub(super) fn png(&self, scale: &ColorScale) -> Result<Vec<u8>, png::EncodingError> {
        let (width, height) = (self.columns.max(1), self.rows.max(1));
        let mut levels = vec![LEVELS as u8; width * height];
        for row in 0..self.rows {
            for column in 0..self.columns {
                let value = self.values.get(row * self.columns + column);
                let value = value.copied().unwrap_or(f64::NAN);
                levels[(height - 1 - row) * width + column] = scale.level(value);
            }
        }
        let palette: Vec<u8> = scale
            .colors()
            .into_iter()
            .flat_map(|c| [c.0, c.1, c.2])
            .collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&levels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// How `from` cells of a line are shared among `to` cells, `to <= from`.
struct Shares {
    from: usize,
    to: usize,
}

impl Shares {
    fn new(from: usize, to: usize) -> Self {
        Shares { from, to }
    }
    /// The mean of new cell `k`, which covers the old ones from k from/to to (k + 1) from/to.
    fn mean(&self, k: usize, value: impl Fn(usize) -> f64) -> f64 {
        let (from, to) = (self.from as u128, self.to as u128);
        // in units of 1/to of an old cell, so that shares are whole numbers
        let (begin, end) = (k as u128 * from, (k as u128 + 1) * from);
        let mut sum = 0.0;
        let mut cell = begin / to;
        while cell * to < end {
            let share = end.min((cell + 1) * to) - begin.max(cell * to);
            sum += share as f64 * value(cell as usize);
            cell += 1;
        }
        sum / from as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(columns: usize, rows: usize, value: impl Fn(usize, usize) -> f64) -> Raster {
        let at = |k: usize| value(k % columns, k / columns);
        Raster {
            columns,
            rows,
            values: (0..columns * rows).map(at).collect(),
        }
    }

    #[test]
    fn averaging_keeps_the_mean_and_lines() {
        let whole = raster(513, 70, |x, y| {
            (0.1 * x as f64).sin() + 0.01 * (y * y) as f64
        });
        let small = whole.averaged(100, 33);
        assert_eq!((small.columns, small.rows), (100, 33));
        let mean = |r: &Raster| r.values.iter().sum::<f64>() / r.values.len() as f64;
        // sums of 36,000 terms of size 50: rounding is far below 1e-10
        assert!((mean(&whole) - mean(&small)).abs() < 1e-10);
        // two of three cells each, by hand
        let line = raster(3, 1, |x, _| [1.0, 4.0, 10.0][x]).averaged(2, 1);
        assert_eq!(
            line.values,
            [(1.0 + 0.5 * 4.0) / 1.5, (0.5 * 4.0 + 10.0) / 1.5]
        );
        let four = raster(4, 2, |x, y| (x + 10 * y) as f64).averaged(2, 1);
        assert_eq!(four.values, [5.5, 7.5]);
    }

    #[test]
    fn small_rasters_stay_and_gaps_spread_no_further_than_their_cell() {
        let small = raster(5, 4, |x, y| (x * y) as f64);
        assert_eq!(small.averaged(5, 4), small);
        assert_eq!(small.averaged(400, 400), small);
        let hole = raster(4, 1, |x, _| if x == 3 { f64::NAN } else { 1.0 }).averaged(2, 1);
        assert_eq!(hole.values[0], 1.0);
        assert!(hole.values[1].is_nan());
    }

    #[test]
    fn a_picture_has_the_lowest_row_at_its_bottom() {
        let scale = ColorScale::over([0.0, 1.0].into_iter());
        let bytes = raster(2, 2, |x, y| if y == 0 { x as f64 } else { f64::NAN })
            .png(&scale)
            .expect("a picture");
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .expect("a header");
        assert_eq!((reader.info().width, reader.info().height), (2, 2));
        let mut pixels = vec![0; 4];
        reader.next_frame(&mut pixels).expect("pixels");
        assert_eq!(pixels, [255, 255, 0, 254]);
    }
}
