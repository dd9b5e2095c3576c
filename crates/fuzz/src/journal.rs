//! A journal's directory in which anything may stand.
//!
//! Bytes by chance never pass a checksum, so an input is a list of changes to a small directory
//! that is sound, each made with or without the checksum being put right again.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use tidegate_journal::{ClassFilter, Durability, Group, Journal, LaneStart, RequestKey, Settings};

use crate::storage::Files;

const SETTINGS: Settings = Settings {
    durability: Durability::Fsync,
    segment_bytes: 64 << 10,
    max_bytes: 512 << 10,
    tail_bytes: 64 << 10,
    queue_bytes: 1 << 20,
    queue_frames: 64,
    notes_bytes: 4 << 10,
    keys_max: 1000,
    keys_age_max: Duration::from_secs(3600),
};

/// Every salt and id of the directory is replaced by this, so that an input means the same each time.
const SALT: u64 = 0x7469_6465_6761_7465;
const HEADER: usize = 48;
const FRAMES_AT: usize = 4096;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn group(class: &str, items: u32, bytes: usize) -> Group {
    Group { class: class.into(), items, rows: vec![b'r'; bytes].into() }
}

/// A directory with two segments, cursors, notes and keys, as a killed process leaves it.
fn template() -> &'static BTreeMap<String, Vec<u8>> {
    static TEMPLATE: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let files = Files::default();
        let contents = runtime().block_on(async {
            let (journal, _) = Journal::open(files.clone(), SETTINGS).unwrap();
            let mut lane = journal.lane("only", ClassFilter::all(), LaneStart::Oldest).unwrap();
            for n in 0..24u32 {
                let groups = vec![group("", 1 + n % 3, 2000), group("urgent", 1, 900)];
                let key = RequestKey { digest: n.into(), body: 1, at: 1_000_000 };
                let claim = match journal.claim(key).await {
                    tidegate_journal::Claimed::New(claim) if n % 2 == 0 => Some(claim),
                    _ => None,
                };
                let appended = match claim {
                    Some(claim) => journal.append_claimed(claim, groups),
                    None => journal.append(groups),
                };
                appended.unwrap().await.unwrap();
            }
            lane.next(1 << 20).await.unwrap();
            lane.cursor().delivered(0..7).unwrap();
            lane.cursor().notes().begin(9..12).await.unwrap();
            let open = files.contents();
            journal.close().await.unwrap();
            // The books are closed in the one, and open in the other; both are of use.
            let mut contents = files.contents();
            contents.insert("meta".into(), open["meta"].clone());
            contents.retain(|name, _| !name.ends_with(".tmp") && !name.ends_with(".spare"));
            contents
        });
        contents
            .into_iter()
            .map(|(name, content)| (name.clone(), settled(&name, content)))
            .collect()
    })
}

/// The file with a fixed id, salt and checksums, and not longer than what it holds.
fn settled(name: &str, mut content: Vec<u8>) -> Vec<u8> {
    let id_at = 8;
    content[id_at..id_at + 16].fill(1);
    if name.ends_with(".seg") {
        let old = u64::from_le_bytes(content[40..48].try_into().unwrap());
        content[40..48].copy_from_slice(&SALT.to_le_bytes());
        seal_segment(&mut content);
        for at in frames(&content) {
            assert_eq!(header_crc(&content, at, old), stored_crc(&content, at));
            seal_frame(&mut content, at);
        }
        let until = content.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        content.truncate((until + 4096).min(content.len()));
    } else if name == "notes" {
        let crc = crc32fast::hash(&content[..24]);
        content[24..28].copy_from_slice(&crc.to_le_bytes());
        content.truncate(512);
    } else {
        seal(&mut content);
    }
    content
}

fn seal(content: &mut [u8]) {
    if let Some((body, crc)) = content.split_last_chunk_mut::<4>() {
        *crc = crc32fast::hash(body).to_le_bytes();
    }
}

/// The header, and its copy.
fn seal_segment(content: &mut [u8]) {
    if content.len() >= 2048 + 64 {
        seal(&mut content[..64]);
        content.copy_within(0..64, 2048);
    }
}

/// Where something stands that begins like a frame.
fn frames(content: &[u8]) -> Vec<usize> {
    let places = (FRAMES_AT..content.len().saturating_sub(HEADER)).step_by(8);
    places.filter(|&at| content[at..].starts_with(b"TGF")).collect()
}

fn header_crc(content: &[u8], at: usize, salt: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&content[at..at + HEADER - 4]);
    crc.update(&salt.to_le_bytes());
    crc.finalize()
}

fn stored_crc(content: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(content[at + HEADER - 4..at + HEADER].try_into().unwrap())
}

fn seal_frame(content: &mut [u8], at: usize) {
    let crc = header_crc(content, at, SALT);
    content[at + HEADER - 4..at + HEADER].copy_from_slice(&crc.to_le_bytes());
}

/// One change: six bytes of the input.
fn change(files: &mut BTreeMap<String, Vec<u8>>, step: [u8; 6]) {
    let [which, what, high, low, value, more] = step;
    let names: Vec<String> = files.keys().cloned().collect();
    let Some(name) = names.get(usize::from(which) % names.len().max(1)).cloned() else { return };
    let at = usize::from(u16::from_be_bytes([high, low]));
    if what % 8 == 0 {
        files.remove(&name);
        return;
    }
    let Some(content) = files.get_mut(&name) else { return };
    match what % 8 {
        1 => content.truncate(at.min(content.len())),
        // One byte of the head of a frame or of a file, where the fields are.
        2 if name.ends_with(".seg") => {
            let all = frames(content);
            if let Some(&frame) = all.get(at % all.len().max(1)) {
                let fields = (HEADER + 64).min(content.len() - frame);
                content[frame + usize::from(more) % fields] = value;
                seal_frame(content, frame);
            }
        }
        3 if name.ends_with(".seg") => {
            if let Some(byte) = content.get_mut(usize::from(more) % 64) {
                *byte = value;
                seal_segment(content);
            }
        }
        // A frame once more, where another one stands.
        4 if name.ends_with(".seg") => {
            let all = frames(content);
            if let (Some(&from), Some(&to)) =
                (all.get(at % all.len().max(1)), all.get(usize::from(value) % all.len().max(1)))
            {
                content.copy_within(from..from + HEADER, to);
                seal_frame(content, to);
            }
        }
        5 => {
            let other = content.clone();
            files.insert(format!("{value:016x}.seg"), other);
        }
        6 if !name.ends_with(".seg") && !content.is_empty() => {
            let at = at % content.len();
            content[at] = value;
            if name == "notes" && content.len() >= 40 {
                let length = u32::from_le_bytes(content[28..32].try_into().unwrap()) as usize;
                let crc = content.get(36..36 + length).map(crc32fast::hash);
                content[32..36].copy_from_slice(&crc.unwrap_or(0).to_le_bytes());
            } else {
                seal(content);
            }
        }
        _ if !content.is_empty() => {
            let at = at % content.len();
            content[at] ^= value;
        }
        _ => {}
    }
}

/// Any directory is opened or refused; what is opened can be read to its end, takes a request, and
/// is found as it was at the next opening.
pub fn journal(data: &[u8]) {
    let mut contents = template().clone();
    for step in data.chunks_exact(6).take(40) {
        change(&mut contents, step.try_into().unwrap());
    }
    let files = Files::default();
    contents.into_iter().for_each(|(name, content)| files.put(&name, content));
    let Ok((journal, report)) = Journal::open(files.clone(), SETTINGS) else { return };
    let opened = runtime().block_on(async {
        let lane = journal.lane("only", ClassFilter::all(), LaneStart::Oldest).ok()?;
        let (mut lane, _cursor) = lane.split();
        let groups = vec![group("", 1, 100)];
        let appended = match journal.append(groups) {
            Ok(appending) => appending.await.ok(),
            Err(_) => None,
        };
        let until = appended.clone().map_or(report.next, |range| range.end);
        lane.call_at(until);
        let mut last = 0;
        while let Ok(Ok(frames)) =
            tokio::time::timeout(Duration::from_secs(5), lane.next(1 << 20)).await
        {
            for frame in &frames {
                assert!(last <= frame.first && frame.first < frame.end, "{frame:?} after {last}");
                last = frame.end;
            }
            if frames.is_empty() || last >= until {
                break;
            }
        }
        if let Some(range) = &appended {
            assert!(range.start >= report.next, "{range:?} below {}", report.next);
            assert_eq!(last, range.end, "what was accepted is not read");
        }
        drop(lane);
        journal.close().await.ok()?;
        appended
    });
    if let Some(range) = opened {
        let (_, again) = Journal::open(files, SETTINGS).expect("what was opened opens again");
        assert!(again.next >= range.end && again.closed_in_order, "{again:?}");
    }
}
