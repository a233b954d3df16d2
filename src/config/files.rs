//! Reads the files of a config, and not more of them than is sane.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::Path;
use std::sync::LazyLock;

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

/// Tells contents apart within this process. The hash is keyed at random, so that nothing can be learnt from it of a
/// secret.
pub fn mark(content: &[u8]) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(content)
}
