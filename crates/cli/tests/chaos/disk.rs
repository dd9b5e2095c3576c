//! A small file system of its own for the server's data, which can be filled: a tmpfs. It survives
//! every kill of the process, as a disk does. Only root may mount one.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const BYTES: u64 = 96 << 20;

/// Where the data is, and whether that is a file system of its own.
pub struct Disk {
    path: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Mounts one at `path`, if that is allowed.
    pub fn mount(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let size = format!("size={BYTES}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tidegate-chaos"])
            .arg(path)
            .output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        Self { path: path.to_owned(), mounted }
    }

    pub const fn can_be_filled(&self) -> bool {
        self.mounted
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Takes all room there is.
    pub fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        for chunk in [1 << 20, 4096, 1] {
            let zeros = vec![0; chunk];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    pub fn free(&self) {
        let _ = std::fs::remove_file(self.ballast());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(&self.path).status();
        }
    }
}
