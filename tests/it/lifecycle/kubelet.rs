//! A ConfigMap or Secret as the kubelet mounts it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A mounted volume. The kubelet writes all files anew into a folder with the time in its name, and swaps the link `..data`
/// to it; the files that users name are links through that one (AtomicWriter in k8s.io/kubernetes/pkg/volume/util).
pub struct Mount {
    folder: PathBuf,
    generation: u32,
}

impl Mount {
    /// Mounted with these files.
    pub fn new(folder: &Path, files: &[(&str, &str)]) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let mut mount = Self { folder: folder.to_owned(), generation: 0 };
        mount.publish(files);
        mount
    }

    /// The files of a new version, all at once.
    pub fn publish(&mut self, files: &[(&str, &str)]) {
        self.generation += 1;
        let data = self.folder.join("..data");
        let before = fs::read_link(&data).ok();
        let version = format!("..2026_11_22_13_05_33.{:010}", self.generation);
        fs::create_dir(self.folder.join(&version)).expect("a folder");
        for (name, content) in files {
            let path = self.folder.join(&version).join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("written");
        }
        let next = self.folder.join("..data_tmp");
        symlink(&version, &next).expect("a link");
        fs::rename(next, data).expect("swapped");
        self.show(&files.iter().map(|(name, _)| name.split('/').next().expect("a name")).collect());
        if let Some(before) = before {
            fs::remove_dir_all(self.folder.join(before)).expect("removed");
        }
    }

    /// Makes the links that users name those of this version.
    fn show(&self, names: &BTreeSet<&str>) {
        for name in names {
            let link = self.folder.join(name);
            if !link.is_symlink() {
                symlink(Path::new("..data").join(name), link).expect("a link");
            }
        }
        for entry in fs::read_dir(&self.folder).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            if !name.starts_with("..") && !names.contains(name.as_str()) {
                fs::remove_file(self.folder.join(name)).expect("removed");
            }
        }
    }
}
