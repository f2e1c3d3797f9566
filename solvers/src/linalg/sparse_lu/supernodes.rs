//! Supernodes: neighboring columns of L with (nearly) the same rows, stored together.
//!
//! A supernode of columns first..end holds a dense block for its own rows (the strict lower triangle is L,
//! the upper one U) and, for the rows below, a panel:
//!
//! ```text
//!   first  end
//!   [ \ U U ]   diagonal block, column-major
//!   [ L \ U ]
//!   [ L L \ ]
//!   [ l l l ]   four rows of the panel: one chunk, its columns side by side
//!   [ l l l ]
//! ```
//!
//! A later column that needs the supernode subtracts the product of the panel with up to `end - first`
//! numbers. By chunks of four rows that product stays in registers, and a row is looked up once for all
//! columns, where a column-by-column code looks it up for each: this is what makes the factorization
//! faster than one of the same operations in single columns. The non-zeros of a column of U within a
//! supernode are a segment that runs to the supernode's end, so that U needs no row numbers either.
//!
//! Columns whose rows differ by little are joined too; the zeros this stores cost less than the
//! bookkeeping they save.
//!
//! J. W. Demmel, S. C. Eisenstat, J. R. Gilbert, X. S. Li and J. W. H. Liu, A supernodal approach to sparse
//! partial pivoting, SIAM J. Matrix Anal. Appl. 20 (1999), doi 10.1137/S0895479895291765; C. Ashcraft and
//! R. Grimes, ACM TOMS 15 (1989), doi 10.1145/76909.76910, on joining.

use super::pivoting::Factors;

/// Rows a chunk of a panel holds.
pub const CHUNK: usize = 4;

/// Most columns of a supernode: beyond, diagonal blocks grow, and their kernel is the slower one.
pub const MAX_WIDTH: usize = 24;

/// Columns first..end of L, and where they lie in storage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Supernode {
    pub first: u32,
    pub end: u32,
    /// range in `Structure::rows`
    pub chunks: (u32, u32),
    /// offset of the diagonal block
    pub diagonal: usize,
    /// offset of the panel, in chunks
    pub panel: usize,
}

impl Supernode {
    /// Number of columns.
    #[inline]
    pub fn width(&self) -> usize {
        (self.end - self.first) as usize
    }
    /// Range of its row chunks.
    #[inline]
    pub fn row_chunks(&self) -> std::ops::Range<usize> {
        self.chunks.0 as usize..self.chunks.1 as usize
    }
}

/// Rows `first` to the end of an earlier supernode, in a column of U.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    pub supernode: u32,
    pub first: u32,
    pub end: u32,
}

impl Segment {
    /// The rows.
    #[inline]
    pub fn rows(&self) -> std::ops::Range<usize> {
        self.first as usize..self.end as usize
    }
}

/// Where every number of the factors lies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Structure {
    pub supernodes: Vec<Supernode>,
    /// rows of the panels; those that fill up the last chunk are n, one past the last row
    pub rows: Vec<[u32; CHUNK]>,
    /// segments of each column, by ascending rows
    pub segment_starts: Vec<u32>,
    pub segments: Vec<Segment>,
    /// offset of each column's segments in the values of U
    pub upper_starts: Vec<usize>,
    pub diagonal_length: usize,
    pub panel_length: usize,
}

impl Structure {
    /// Of factors with the given patterns and blocks.
    pub fn new(factors: &Factors, blocks: &[u32]) -> Self {
        let n = factors.position.len();
        let mut structure = Self::default();
        let mut of_column = vec![0; n];
        let mut rows: Vec<u32> = Vec::new();
        let mut joined: Vec<u32> = Vec::new();
        for block in blocks.windows(2) {
            let mut k = block[0] as usize;
            let end = block[1] as usize;
            while k < end {
                let first = k;
                rows.clear();
                rows.extend_from_slice(lower(factors, k));
                let mut own = rows.len();
                k += 1;
                while k < end && k - first < MAX_WIDTH {
                    let next = lower(factors, k);
                    unite(&rows, next, k as u32, &mut joined);
                    let width = k + 1 - first;
                    let stored = width * joined.len() + width * (width - 1) / 2;
                    if !worthwhile(width, stored, own + next.len()) {
                        break;
                    }
                    own += next.len();
                    std::mem::swap(&mut rows, &mut joined);
                    k += 1;
                }
                of_column[first..k].fill(structure.supernodes.len() as u32);
                structure.push(first, k, &rows, n as u32);
            }
        }
        structure.segment_starts.push(0);
        structure.upper_starts.push(0);
        let mut length = 0;
        for k in 0..n {
            let own = of_column[k];
            let mut last = own;
            for &row in &factors.upper[factors.upper_starts[k]..factors.upper_starts[k + 1]] {
                let supernode = of_column[row as usize];
                if supernode != own && supernode != last {
                    last = supernode;
                    let end = structure.supernodes[supernode as usize].end;
                    structure.segments.push(Segment {
                        supernode,
                        first: row,
                        end,
                    });
                    length += (end - row) as usize;
                }
            }
            structure
                .segment_starts
                .push(structure.segments.len() as u32);
            structure.upper_starts.push(length);
        }
        structure
    }

    fn push(&mut self, first: usize, end: usize, rows: &[u32], n: u32) {
        let start = self.rows.len() as u32;
        for chunk in rows.chunks(CHUNK) {
            let mut padded = [n; CHUNK];
            padded[..chunk.len()].copy_from_slice(chunk);
            self.rows.push(padded);
        }
        let width = end - first;
        self.supernodes.push(Supernode {
            first: first as u32,
            end: end as u32,
            chunks: (start, self.rows.len() as u32),
            diagonal: self.diagonal_length,
            panel: self.panel_length,
        });
        self.diagonal_length += width * width;
        self.panel_length += width * rows.len().div_ceil(CHUNK);
    }

    /// Range of the segments of column k.
    #[inline]
    pub fn column_segments(&self, k: usize) -> std::ops::Range<usize> {
        self.segment_starts[k] as usize..self.segment_starts[k + 1] as usize
    }
}

fn lower(factors: &Factors, k: usize) -> &[u32] {
    &factors.lower[factors.lower_starts[k]..factors.lower_starts[k + 1]]
}

/// The union of two ascending lists, without `k`.
fn unite(left: &[u32], right: &[u32], k: u32, out: &mut Vec<u32>) {
    out.clear();
    let mut right = right.iter().copied().peekable();
    for &row in left.iter().filter(|&&row| row != k) {
        while let Some(other) = right.next_if(|&other| other < row) {
            out.push(other);
        }
        right.next_if_eq(&row);
        out.push(row);
    }
    out.extend(right);
}

/// Whether a supernode of this width may store so many entries of L for so many that are not zero: the
/// wider it is, the fewer zeros in a hundred are worth it.
fn worthwhile(width: usize, stored: usize, own: usize) -> bool {
    let percent = match width {
        0..=4 => 20,
        5..=12 => 10,
        _ => 5,
    };
    100 * (stored - own) <= percent * stored
}
