//! As whom does the server run? As ourselves, except that PostgreSQL refuses to be root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{Error, system};

/// Another user to run as.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    id: u32,
    group: u32,
}

impl User {
    /// Whom to run as, if not as ourselves.
    pub(super) fn to_run_as() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let known = fs::read_to_string("/etc/passwd").map_err(system("read /etc/passwd"))?;
        let user = ["postgres", "nobody"].iter().find_map(|name| Self::named(&known, name));
        user.map(Some).ok_or(Error::NoUser)
    }

    fn named(known: &str, name: &str) -> Option<Self> {
        let mut fields = known
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        let id = fields.nth(1)?.parse().ok()?;
        Some(Self { id, group: fields.next()?.parse().ok()? })
    }

    /// Has the command run as this user.
    pub(super) fn run(self, command: &mut Command) {
        command.uid(self.id).gid(self.group);
    }

    /// Gives the file to this user.
    pub(super) fn own(self, path: &Path) -> Result<(), Error> {
        chown(path, Some(self.id), Some(self.group))
            .map_err(system(format!("give {} to another user", path.display())))
    }
}

/// The processes that this one has started.
pub(super) fn children(of: u32) -> Result<Vec<u32>, Error> {
    let processes = fs::read_dir("/proc").map_err(system("list the processes in /proc"))?;
    let is_child = |process: &u32| parent(*process) == Some(of);
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.filter(is_child).collect())
}

/// The parent of a process: the second field after the name, which may hold anything but ends
/// with the last parenthesis.
fn parent(of: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{of}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
