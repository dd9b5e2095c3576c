//! A disk that can lose power, fail reads, writes and syncs, answer with less than was asked for,
//! and be full.
//!
//! What is written is visible at once and durable only after a sync. At a crash each unsynced
//! write survives, or not, sector by sector and whatever became of those before it, and of the
//! unsynced changes of the directory some survive: up to some point, or any of them. A write may
//! be under way when the power goes. A failed write has written a part. A failed sync forgets what
//! it was to save: it stays visible until the power goes, and a later sync does not save it — as
//! real systems do.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use tidegate_journal::{Storage, StorageFile};

const SECTOR: usize = 512;

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// Reading from a file.
    Read,
    /// Writing to a file, or changing its length.
    Write,
    /// Syncing a file.
    Sync,
    /// Creating, renaming or removing a file.
    Name,
    /// Syncing the directory.
    SyncDir,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Resize(u64),
}

#[derive(Debug, Clone, Default)]
struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    /// Made since the last sync.
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Rename {
    Link(String, usize),
    Unlink(String),
    Move(String, String),
}

#[derive(Debug, Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<Rename>,
    /// Bytes all files may have together, if bounded.
    room: Option<usize>,
    /// So many of each succeed before one fails.
    until_failure: BTreeMap<Call, u32>,
    /// How many reads there were: some return less than they could.
    reads: u32,
    /// So many changes or syncs until the power goes by itself.
    steps_left: Option<u32>,
    /// Syncs wait.
    held: bool,
    /// Syncs that wait or have waited.
    held_syncs: u32,
    /// Syncs of files so far.
    syncs: u32,
    /// The power is gone: whoever still runs gets errors.
    dead: bool,
}

/// A handle to the disk; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<(Mutex<State>, Condvar)>);

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => {
                let at = *at as usize;
                if content.len() < at + bytes.len() {
                    content.resize(at + bytes.len(), 0);
                }
                content[at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Resize(bytes) => content.resize(*bytes as usize, 0),
        }
    }

    /// Applies each sector, or not.
    fn apply_torn(&self, content: &mut Vec<u8>, dice: &mut Dice) {
        let Self::Write(at, bytes) = self else {
            if dice.coin() {
                self.apply(content);
            }
            return;
        };
        // All, nothing, a beginning, or any mixture: whole commits must be lost often enough too.
        let mode = dice.below(4);
        let cut = dice.below(bytes.len() as u64 / SECTOR as u64 + 2);
        let mut from = 0;
        let mut sector = 0;
        while from < bytes.len() {
            let in_sector = (*at as usize + from) % SECTOR;
            let until = (from + SECTOR - in_sector).min(bytes.len());
            let survives = match mode {
                0 => true,
                1 => false,
                2 => sector < cut,
                _ => dice.coin(),
            };
            if survives {
                Self::Write(at + from as u64, bytes[from..until].to_vec()).apply(content);
            }
            from = until;
            sector += 1;
        }
    }
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
            Self::Move(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

/// A small deterministic source of chance.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

impl Disk {
    /// What is left after the power has gone; the old disk is dead from now on.
    pub(crate) fn crash(&self, seed: u64) -> Self {
        let mut state = self.lock();
        state.dead = true;
        let mut left = state.clone();
        drop(state);
        let mut dice = Dice(seed);
        for inode in &mut left.inodes {
            let mut content = std::mem::take(&mut inode.durable);
            for change in inode.unsynced.drain(..) {
                change.apply_torn(&mut content, &mut dice);
            }
            inode.durable.clone_from(&content);
            inode.visible = content;
        }
        let in_order = dice.coin();
        let until = dice.below(left.unsynced_names.len() as u64 + 1) as usize;
        let mut names = left.durable_names.clone();
        for (at, rename) in left.unsynced_names.drain(..).enumerate() {
            if if in_order { at < until } else { dice.coin() } {
                rename.apply(&mut names);
            }
        }
        left.names.clone_from(&names);
        left.durable_names = names;
        left.revive()
    }

    /// What the next process sees if only this one dies: everything written.
    pub(crate) fn kill(&self) -> Self {
        let mut state = self.lock();
        state.dead = true;
        state.clone().revive()
    }

    pub(crate) fn set_room(&self, bytes: Option<usize>) {
        self.lock().room = bytes;
    }

    pub(crate) fn used(&self) -> usize {
        self.lock().used()
    }

    /// The sync after `n` more fails.
    pub(crate) fn fail_sync_after(&self, n: u32) {
        self.fail_after(Call::Sync, n);
    }

    /// The call of this kind after `n` more fails, once.
    pub(crate) fn fail_after(&self, call: Call, n: u32) {
        self.lock().until_failure.insert(call, n);
    }

    /// Nothing fails any more, and there is room; false if the power is gone.
    pub(crate) fn mend(&self) -> bool {
        let mut state = self.lock();
        (state.room, state.steps_left) = (None, None);
        state.until_failure.clear();
        !state.dead
    }

    /// The power goes after `n` more changes or syncs.
    pub(crate) fn die_after(&self, n: u32) {
        self.lock().steps_left = Some(n);
    }

    /// Changes one byte among the frames of some segment.
    pub(crate) fn damage(&self, at: proptest::sample::Index, flip: u8) {
        let mut state = self.lock();
        let segments: Vec<_> = state
            .names
            .iter()
            .filter(|(name, _)| name.ends_with(".seg"))
            .map(|(_, &n)| n)
            .collect();
        let frames_at = 4096;
        let sizes = segments.iter().map(|&n| state.inodes[n].visible.len() - frames_at);
        let mut at = at.index(sizes.sum());
        for n in segments {
            let inode = &mut state.inodes[n];
            let bytes = inode.visible.len() - frames_at;
            if at < bytes {
                inode.visible[frames_at + at] ^= flip;
                inode.durable.clone_from(&inode.visible);
                return;
            }
            at -= bytes;
        }
    }

    /// Lets syncs wait until [`Disk::release`].
    pub(crate) fn hold(&self) {
        self.lock().held = true;
    }

    pub(crate) fn release(&self) {
        self.lock().held = false;
        self.0.1.notify_all();
    }

    /// Waits until so many syncs were held.
    pub(crate) fn await_held(&self, syncs: u32) {
        let state = self.lock();
        drop(self.0.1.wait_while(state, |state| state.held_syncs < syncs).unwrap());
    }

    pub(crate) fn syncs(&self) -> u32 {
        self.lock().syncs
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// For whatever changes or syncs something.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        match &mut state.steps_left {
            Some(0) => state.dead = true,
            Some(n) => *n -= 1,
            None => {}
        }
        drop(state);
        self.alive()
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.dead { Err(io::Error::other("the power is gone")) } else { Ok(state) }
    }
}

impl State {
    fn revive(mut self) -> Disk {
        (self.room, self.steps_left) = (None, None);
        self.until_failure.clear();
        self.dead = false;
        Disk(Arc::new((Mutex::new(self), Condvar::new())))
    }

    fn used(&self) -> usize {
        self.names.values().map(|&inode| self.inodes[inode].visible.len()).sum()
    }

    /// Whether this call succeeds.
    fn count(&mut self, call: Call) -> io::Result<()> {
        let Some(left) = self.until_failure.get_mut(&call) else { return Ok(()) };
        if let Some(less) = left.checked_sub(1) {
            *left = less;
            return Ok(());
        }
        self.until_failure.remove(&call);
        Err(io::Error::other(format!("{call:?}: the disk failed")))
    }

    fn free(&self) -> usize {
        self.room.map_or(usize::MAX, |room| room.saturating_sub(self.used()))
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Storage for Disk {
    fn place(&self) -> String {
        "the model of a disk".into()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.alive()?.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let inode = *self.alive()?.names.get(name).ok_or_else(not_found)?;
        Ok(Box::new(Handle { disk: self.clone(), inode }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.step()?;
        state.count(Call::Name)?;
        if state.free() == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        let link = Rename::Link(name.to_owned(), inode);
        link.apply(&mut state.names);
        state.unsynced_names.push(link);
        Ok(Box::new(Handle { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.step()?;
        state.count(Call::Name)?;
        if !state.names.contains_key(from) {
            return Err(not_found());
        }
        let rename = Rename::Move(from.to_owned(), to.to_owned());
        rename.apply(&mut state.names);
        state.unsynced_names.push(rename);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.step()?;
        state.count(Call::Name)?;
        let unlink = Rename::Unlink(name.to_owned());
        state.names.remove(name).ok_or_else(not_found)?;
        state.unsynced_names.push(unlink);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.step()?;
        // What a failed sync leaves undone may still come, or be lost with the power.
        state.count(Call::SyncDir)?;
        state.unsynced_names.clear();
        let names = state.names.clone();
        state.durable_names = names;
        Ok(())
    }
}

struct Handle {
    disk: Disk,
    inode: usize,
}

impl StorageFile for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.alive()?;
        state.count(Call::Read)?;
        state.reads += 1;
        let most =
            if state.reads.is_multiple_of(3) { buffer.len().div_ceil(2) } else { usize::MAX };
        let content = &state.inodes[self.inode].visible;
        let rest = content.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(buffer.len()).min(most);
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let going = self.disk.lock().steps_left == Some(0);
        let mut state = if going { self.disk.alive()? } else { self.disk.step()? };
        let failed = state.count(Call::Write);
        let grows =
            (offset as usize + bytes.len()).saturating_sub(state.inodes[self.inode].visible.len());
        // A full disk takes what fits, as real ones do; a failing or a dying one some of it.
        let mut fits = bytes.len() - grows.saturating_sub(state.free()).min(bytes.len());
        if going || failed.is_err() {
            fits = fits.min(Dice(offset ^ bytes.len() as u64).below(bytes.len() as u64) as usize);
        }
        let inode = &mut state.inodes[self.inode];
        let change = Change::Write(offset, bytes[..fits].to_vec());
        if fits > 0 {
            change.apply(&mut inode.visible);
            inode.unsynced.push(change);
        }
        drop(state);
        if going {
            drop(self.disk.step()?);
        }
        failed?;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.step()?;
        state.syncs += 1;
        if state.held {
            state.held_syncs += 1;
            self.disk.0.1.notify_all();
            state = self.disk.0.1.wait_while(state, |state| state.held).unwrap();
        }
        let outcome = state.count(Call::Sync);
        let inode = &mut state.inodes[self.inode];
        let unsynced = std::mem::take(&mut inode.unsynced);
        outcome?;
        for change in unsynced {
            change.apply(&mut inode.durable);
        }
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.step()?;
        state.count(Call::Write)?;
        let inode = &mut state.inodes[self.inode];
        let change = Change::Resize(bytes);
        change.apply(&mut inode.visible);
        inode.unsynced.push(change);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.alive()?.inodes[self.inode].visible.len() as u64)
    }
}
