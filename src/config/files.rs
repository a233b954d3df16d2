//! Reads the files of a config, and not more of them than is sane.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Most bytes of any file.
pub const MAX_BYTES: usize = 4 << 20;

/// Reads at most `MAX_BYTES + 1` bytes, also from a pipe (`--config <(...)`).
///
/// # Errors
/// When it can't be opened or read.
pub fn read_stream(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// Reads a plain file: a certificate, a key, a token. A pipe would be waited for, and could be read only once.
///
/// # Errors
/// When it can't be opened or read, or is no plain file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"));
    }
    read_stream(path)
}

/// What changes when a file is replaced or written: time of modification, inode, size.
///
/// # Errors
/// When there is no such file.
pub fn stamp(path: &Path) -> io::Result<(i64, i64, u64, u64)> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.mtime(), meta.mtime_nsec(), meta.ino(), meta.len()))
}
