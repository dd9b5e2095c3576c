//! How is the condition of a journal told?

use std::io::{self, Write};

use serde_json::{Value, json};
use tidegate_journal::{AtRest, Cause, Condition, CursorsFound, Missing, Repair};

use super::Format;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    All,
    Damage,
}

pub(super) fn tell(rest: &AtRest, format: Format, detail: Detail) -> io::Result<()> {
    let mut out = std::io::stdout().lock();
    let condition = rest.condition();
    if format == Format::Json {
        return writeln!(out, "{}", whole(rest));
    }
    let Condition { identity, frames, items, first, next, .. } = condition;
    writeln!(out, "journal {}, opened {} times", identity.id, identity.epoch)?;
    let ended = if condition.closed_in_order { "closed in order" } else { "not closed in order" };
    writeln!(out, "{ended}; {items} events in {frames} frames, positions {first}..{next}")?;
    if detail == Detail::All {
        for segment in &condition.segments {
            let positions = segment.positions.as_ref();
            let positions =
                positions.map_or("no frame".to_owned(), |at| format!("{}..{}", at.start, at.end));
            let bad = match segment.bad_spots {
                0 => String::new(),
                spots => format!(", {spots} places cannot be read"),
            };
            let (name, bytes, frames) = (&segment.name, segment.bytes, segment.frames);
            writeln!(out, "  {name}: {positions}, {bytes} bytes, {frames} frames{bad}")?;
        }
        lanes(rest, &mut out)?;
        let keys = condition.keys.known;
        writeln!(out, "{keys} request keys; {} files are left over", condition.leftovers.len())?;
    }
    damage(condition, &mut out)
}

fn lanes(rest: &AtRest, out: &mut impl Write) -> io::Result<()> {
    let condition = rest.condition();
    match &condition.cursors {
        CursorsFound::Absent => writeln!(out, "no lane has noted a delivery")?,
        CursorsFound::Broken => {
            writeln!(out, "`cursors` cannot be read: lanes ask their sinks where they are")?;
        }
        CursorsFound::Lanes(lanes) => {
            for lane in lanes {
                let open = undelivered(rest, &lane.name);
                let (name, low) = (&lane.name, lane.low_water);
                writeln!(out, "lane {name}: all below {low} delivered, {open} events wait")?;
            }
        }
    }
    for (lane, batches) in &condition.in_doubt {
        writeln!(out, "lane {lane}: {} batches were on their way", batches.len())?;
    }
    Ok(())
}

fn undelivered(rest: &AtRest, lane: &str) -> u64 {
    let Condition { first, next, .. } = *rest.condition();
    rest.undelivered(lane, first..next).into_iter().map(|range| range.end - range.start).sum()
}

fn damage(condition: &Condition, out: &mut impl Write) -> io::Result<()> {
    if let Some(problem) = condition.meta_problem {
        writeln!(out, "DAMAGE: `meta` {problem}")?;
    }
    for file in &condition.unusable {
        writeln!(out, "DAMAGE: {file} is no usable segment")?;
    }
    for missing in &condition.missing {
        let Missing { positions, segment, offset, .. } = missing;
        let (kind, why) = match missing.cause {
            Cause::Unfinished => ("unfinished", "its commit was under way"),
            Cause::Body => ("DAMAGE", "what the frame holds is not what was written"),
            Cause::Unreadable => ("DAMAGE", "no frame can be recognized"),
            Cause::EndLost => ("DAMAGE", "the segments end before"),
        };
        let (start, end) = (positions.start, positions.end);
        writeln!(out, "{kind}: positions {start}..{end}, segment {segment} at {offset}: {why}")?;
    }
    if let Some(torn) = &condition.torn {
        let (segment, offset) = (torn.segment, torn.offset);
        writeln!(
            out,
            "an unfinished write stands in segment {segment} at {offset}; the next start clears it"
        )?;
    }
    let sound = if condition.is_sound() { "sound" } else { "DAMAGED" };
    writeln!(out, "{sound}")
}

fn whole(rest: &AtRest) -> Value {
    let condition = rest.condition();
    let range = |at: &std::ops::Range<u64>| json!([at.start, at.end]);
    let segments = condition.segments.iter().map(|segment| {
        json!({
            "file": segment.name, "bytes": segment.bytes, "frames": segment.frames,
            "events": segment.items, "positions": segment.positions.as_ref().map(range),
            "bad_spots": segment.bad_spots,
        })
    });
    let missing = condition.missing.iter().map(|missing| {
        let cause = match missing.cause {
            Cause::Body => "body",
            Cause::Unreadable => "unreadable",
            Cause::EndLost => "end_lost",
            Cause::Unfinished => "unfinished",
        };
        json!({
            "positions": range(&missing.positions), "segment": missing.segment,
            "offset": missing.offset, "cause": cause,
        })
    });
    let lanes = match &condition.cursors {
        CursorsFound::Lanes(lanes) => lanes.as_slice(),
        CursorsFound::Absent | CursorsFound::Broken => &[],
    };
    let lanes = lanes.iter().map(|lane| {
        json!({
            "name": lane.name, "low_water": lane.low_water,
            "undelivered": undelivered(rest, &lane.name),
        })
    });
    let torn = condition.torn.as_ref();
    json!({
        "id": condition.identity.id.to_string(), "epoch": condition.identity.epoch,
        "meta_problem": condition.meta_problem, "closed_in_order": condition.closed_in_order,
        "frames": condition.frames, "events": condition.items,
        "first": condition.first, "next": condition.next,
        "segments": segments.collect::<Vec<_>>(), "missing": missing.collect::<Vec<_>>(),
        "torn": torn.map(|torn| json!({ "segment": torn.segment, "offset": torn.offset, "bytes": torn.bytes })),
        "unusable": condition.unusable, "leftovers": condition.leftovers,
        "cursors_readable": !matches!(condition.cursors, CursorsFound::Broken),
        "lanes": lanes.collect::<Vec<_>>(),
        "in_doubt": condition.in_doubt.iter().map(|(lane, batches)| {
            json!({ "lane": lane, "batches": batches.iter().map(range).collect::<Vec<_>>() })
        }).collect::<Vec<_>>(),
        "request_keys": condition.keys.known, "request_keys_lost": condition.keys.lost,
        "sound": condition.is_sound(),
    })
}

/// One step of a repair.
pub(super) fn step(repair: &Repair) -> Value {
    match repair {
        Repair::Meta => json!({ "what": "meta" }),
        Repair::SetAside { file } => json!({ "what": "set_aside", "file": file }),
        Repair::Gap { file, bytes, positions } => json!({
            "what": "gap", "file": file, "bytes": [bytes.start, bytes.end],
            "positions": [positions.start, positions.end],
        }),
    }
}
