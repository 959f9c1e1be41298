//! Files that somebody else may have made: read up to a bound, whatever they are.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The largest policy file, in bytes.
pub const MAX_POLICY: usize = 4 << 20;

/// The largest file of certificate authorities for TLS, in bytes.
pub const MAX_CA_FILE: usize = 4 << 20;

/// The bytes of a file that has no more than `most`. It need not be one that says its size, or ends.
///
/// # Errors
/// It cannot be read, or has more.
pub fn read_file(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        let why = format!("it has more than the {most} bytes that such a file may have");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The text of a file that has no more than `most` bytes.
///
/// # Errors
/// As [`read_file`], or it is no UTF-8.
pub fn read_text_file(path: &Path, most: usize) -> io::Result<String> {
    let bytes = read_file(path, most)?;
    String::from_utf8(bytes).map_err(|_| {
        let why = "it is not text in UTF-8";
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_one_that_does_not_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [0xff; 8]).unwrap();
        assert_eq!(read_file(&path, 8).unwrap(), [0xff; 8]);
        for (path, most) in [(path.as_path(), 7), (Path::new("/dev/zero"), 1 << 16)] {
            let error = read_file(path, most).unwrap_err();
            assert!(error.to_string().contains("more than"), "{error}");
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        }
        let error = read_text_file(&path, 8).unwrap_err();
        assert!(error.to_string().contains("UTF-8"), "{error}");
    }
}
