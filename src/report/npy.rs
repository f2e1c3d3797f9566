//! Arrays in NumPy's file format (NPY version 1.0), which NumPy, Julia, MATLAB and others read.
//!
//! A file is the bytes `93 4E 55 4D 50 59 01 00`, the length of the header as a little-endian 16-bit number, the header (a Python dictionary
//! with the type, the order and the shape, filled with spaces so that the data begin at a multiple of 64 bytes), and the numbers, here
//! little-endian 64-bit floats with the last index fastest. (NumPy Enhancement Proposal 1.)

use std::io::{self, Write};

/// Writes an array of `shape`; `values` are its numbers with the last index fastest.
///
/// # Errors
/// Whatever `target` reports; [`io::ErrorKind::InvalidInput`] where the values are not as many as the shape says, or the shape has so many
/// dimensions that the header has no room for them.
pub fn write(
    target: &mut dyn Write,
    shape: &[usize],
    values: impl Iterator<Item = f64>,
) -> io::Result<()> {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut sizes = sizes.join(", ");
    if shape.len() == 1 {
        sizes.push(','); // as Python writes a tuple of one
    }
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({sizes}), }}");
    // magic, version and length take 10 bytes, the line feed that ends the header one
    let filled = (10 + header.len() + 1).next_multiple_of(64);
    header.extend(std::iter::repeat_n(' ', filled - 11 - header.len()));
    header.push('\n');
    let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
    let length = u16::try_from(header.len()).map_err(|_| invalid("too many dimensions"))?;
    target.write_all(b"\x93NUMPY\x01\x00")?;
    target.write_all(&length.to_le_bytes())?;
    target.write_all(header.as_bytes())?;
    let mut written = 0_usize;
    for value in values {
        target.write_all(&value.to_le_bytes())?;
        written += 1;
    }
    if shape
        .iter()
        .try_fold(1_usize, |n, size| n.checked_mul(*size))
        != Some(written)
    {
        return Err(invalid("the values are not as many as the shape says"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_numpy_writes_them() {
        let mut bytes = Vec::new();
        write(&mut bytes, &[2, 1, 3], (0..6).map(f64::from)).expect("written");
        // numpy.save of numpy.arange(6.0).reshape(2, 1, 3), NumPy 2.3
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(bytes[127], b'\n');
        let header = std::str::from_utf8(&bytes[10..127]).expect("text");
        assert_eq!(
            header.trim_end(),
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1, 3), }"
        );
        assert_eq!(bytes.len(), 128 + 6 * 8);
        assert_eq!(bytes[136..144], 1.0_f64.to_le_bytes());
        let mut bytes = Vec::new();
        write(&mut bytes, &[4], (0..4).map(f64::from)).expect("written");
        let header = std::str::from_utf8(&bytes[10..127]).expect("text");
        assert!(header.contains("'shape': (4,), }"), "{header}");
    }

    #[test]
    fn values_must_be_as_many_as_the_shape_says() {
        let error = write(&mut Vec::new(), &[2, 2], [1.0, 2.0, 3.0].into_iter());
        assert_eq!(
            error.expect_err("three").kind(),
            io::ErrorKind::InvalidInput
        );
        write(&mut Vec::new(), &[0, 5], std::iter::empty()).expect("nothing");
    }
}
