//! Which files a config was read from, and what they were like: enough to see that one has changed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files;

/// What becomes of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// It is only looked at: whoever uses it reads it again.
    Anew,
    /// It is in force until the next load.
    Kept,
}

/// The files that a load has read or missed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<PathBuf, Seen>);

/// What the files are like at a moment, without their contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glimpse(Vec<Option<Stamp>>);

/// What changes when a file is replaced, written or permitted: device, inode, size, times of modification and of
/// change in seconds and nanoseconds.
type Stamp = (u64, u64, u64, [i64; 4]);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    how: Use,
    /// None where there was no file.
    stamp: Option<Stamp>,
    /// None where it could not be read.
    content: Option<u64>,
}

impl Sources {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What was there when the files were read.
    pub fn then(&self) -> Glimpse {
        Glimpse(self.0.values().map(|seen| seen.stamp).collect())
    }

    /// What is there now. Blocks for as long as the disk does.
    pub fn now(&self) -> Glimpse {
        Glimpse(self.0.keys().map(|path| std::fs::metadata(path).ok().map(|meta| stamp(&meta))).collect())
    }

    /// Whether a load of both finds the same.
    pub fn say_the_same(&self, other: &Self) -> bool {
        let said = |(path, seen): (&PathBuf, &Seen)| (path.clone(), seen.content);
        self.0.iter().map(said).eq(other.0.iter().map(said))
    }

    /// Those whose content is in force.
    pub(super) fn retain_kept(&mut self) {
        self.0.retain(|_, seen| seen.how == Use::Kept);
    }

    /// What was seen first counts: if the file has changed since, that will show.
    fn add(&mut self, path: &Path, seen: Seen) {
        let how = seen.how;
        let first = self.0.entry(path.to_owned()).or_insert(seen);
        first.how = first.how.max(how);
    }
}

impl Glimpse {
    /// Whether a file that was there is missing now.
    pub fn misses_some_of(&self, before: &Self) -> bool {
        self.0.iter().zip(&before.0).any(|(now, before)| now.is_none() && before.is_some())
    }
}

/// Reads files, and remembers which.
#[derive(Debug, Default)]
pub struct Reader(RefCell<Sources>);

impl Reader {
    /// Reads a plain file.
    ///
    /// # Errors
    /// As [`files::read`].
    pub fn read(&self, path: &Path, how: Use) -> io::Result<Vec<u8>> {
        self.remember(path, how, files::read)
    }

    /// The same, also from a pipe, which can't be followed.
    ///
    /// # Errors
    /// As [`files::read_stream`].
    pub fn read_stream(&self, path: &Path, how: Use) -> io::Result<Vec<u8>> {
        match std::fs::metadata(path) {
            Ok(meta) if !meta.is_file() => files::read_stream(path),
            _ => self.remember(path, how, files::read_stream),
        }
    }

    /// The files that were read, or missed.
    pub fn into_sources(self) -> Sources {
        self.0.into_inner()
    }

    fn remember(
        &self,
        path: &Path,
        how: Use,
        read: impl Fn(&Path) -> io::Result<Vec<u8>>,
    ) -> io::Result<Vec<u8>> {
        // Before the content, so that a change in between shows as one.
        let stamp = std::fs::metadata(path).ok().map(|meta| stamp(&meta));
        let content = read(path);
        let seen = Seen { how, stamp, content: content.as_deref().ok().map(files::mark) };
        self.0.borrow_mut().add(path, seen);
        content
    }
}

fn stamp(meta: &Metadata) -> Stamp {
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    (meta.dev(), meta.ino(), meta.size(), times)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[&Path]) -> Sources {
        let reader = Reader::default();
        for file in files {
            let _ = reader.read(file, Use::Kept);
        }
        reader.into_sources()
    }

    #[test]
    fn what_is_written_replaced_or_gone_shows() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&file, "one").unwrap();
        let before = sources(&[&file, &other]);
        assert_eq!(before.now(), before.then());

        std::fs::write(&other, "one").unwrap();
        let there = sources(&[&file, &other]);
        assert!(before.now() != before.then() && !before.say_the_same(&there));

        std::fs::rename(&other, &file).unwrap();
        let replaced = there.now();
        assert!(replaced != there.then() && replaced.misses_some_of(&there.then()));
        assert!(!there.then().misses_some_of(&replaced));
        assert!(sources(&[&file]).say_the_same(&sources(&[&file])));
    }

    #[test]
    fn the_same_content_in_another_file_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "one").unwrap();
        let before = sources(&[&file]);
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "one").unwrap();
        let after = sources(&[&file]);
        assert!(before.then() != after.then() && before.say_the_same(&after));
        std::fs::write(&file, "two").unwrap();
        assert!(!before.say_the_same(&sources(&[&file])));
    }

    #[test]
    fn what_is_read_again_at_each_use_is_not_followed_once_the_load_is_good() {
        let folder = tempfile::tempdir().unwrap();
        let [token, ca] = ["token", "ca"].map(|name| folder.path().join(name));
        std::fs::write(&token, "t").unwrap();
        std::fs::write(&ca, "c").unwrap();
        let reader = Reader::default();
        for (file, how) in [(&token, Use::Anew), (&ca, Use::Anew), (&ca, Use::Kept)] {
            reader.read(file, how).unwrap();
        }
        let mut read = reader.into_sources();
        assert_eq!(read.count(), 2);
        read.retain_kept();
        assert_eq!(read.0.keys().collect::<Vec<_>>(), [&ca]);
    }
}
