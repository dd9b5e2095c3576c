//! What breaks when? Drawn from a seed before anything runs, so that a seed is a schedule.

use std::time::Duration;

/// Something that is done to the server or what is around it.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Kill,
    PostgresKill,
    PostgresRestart,
    /// Ends an outage that a kill began.
    PostgresStart,
    ConnectionsCut,
    /// The next connection to PostgreSQL is cut at a place that hurts.
    CutArmed(u8, u64),
    PostgresRefuses(bool),
    /// The API's next requests meet these: kinds of deeds.
    ApiScript(Vec<u8>),
    /// The largest body that the API takes from now on.
    ApiBodyMax(Option<u64>),
    /// Whether the API hangs up on a share of all requests at random.
    ApiFlaky(bool),
    DiskFull(bool),
    /// The wall clock is so many seconds off.
    Clock(i64),
}

impl Action {
    /// The fault that it is; nothing if it only ends one.
    pub const fn fault(&self) -> Option<&'static str> {
        Some(match self {
            Self::Kill => "server_killed",
            Self::PostgresKill => "postgres_killed",
            Self::PostgresRestart => "postgres_restarted",
            Self::ConnectionsCut => "connections_cut",
            Self::CutArmed(..) => "connection_cut_at_a_place",
            Self::PostgresRefuses(true) => "postgres_refuses",
            Self::ApiScript(_) => "api_script",
            Self::ApiBodyMax(Some(_)) => "api_413",
            Self::ApiFlaky(true) => "api_hangs_up",
            Self::DiskFull(true) => "disk_full",
            Self::Clock(_) => "clock_stepped",
            _ => return None,
        })
    }

    /// A name for it, if it is no fault but the end of one.
    pub const fn name(&self) -> &'static str {
        match (self.fault(), self) {
            (Some(fault), _) => fault,
            (None, Self::PostgresStart) => "postgres_started",
            (None, Self::DiskFull(_)) => "disk_has_room",
            (None, _) => "mended",
        }
    }
}

/// An action and its time from the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub at: Duration,
    pub action: Action,
}

/// What this machine lets us break.
#[derive(Debug, Clone, Copy)]
pub struct Can {
    pub fill_disk: bool,
    pub step_clock: bool,
}

impl Can {
    pub fn left_out(self) -> Vec<&'static str> {
        let missing = [
            (self.fill_disk, "disk full: no file system may be mounted"),
            (self.step_clock, "clock: no libfaketime"),
        ];
        missing.iter().filter(|(can, _)| !can).map(|(_, what)| *what).collect()
    }
}

/// Between two kills up to three other faults begin; each ends by itself, perhaps after the kill.
pub fn draw(kills: u64, seed: u64, can: Can) -> Vec<Step> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut steps = Vec::new();
    let mut now = 1_000;
    for _ in 0..kills {
        let life = dice.u64(900..3_200);
        for _ in 0..dice.u32(0..4) {
            let at = now + dice.u64(0..life);
            fault(&mut dice, at, can, &mut steps);
        }
        now += life;
        push(&mut steps, now, Action::Kill);
    }
    steps.sort_by_key(|step| step.at);
    without_overlaps(steps)
}

fn push(steps: &mut Vec<Step>, at_ms: u64, action: Action) {
    steps.push(Step { at: Duration::from_millis(at_ms), action });
}

fn fault(dice: &mut fastrand::Rng, at: u64, can: Can, steps: &mut Vec<Step>) {
    let until = at + dice.u64(150..1_500);
    match dice.u32(0..12) {
        0 => {
            push(steps, at, Action::PostgresKill);
            push(steps, until, Action::PostgresStart);
        }
        1 => push(steps, at, Action::PostgresRestart),
        2 => push(steps, at, Action::ConnectionsCut),
        3 | 4 => push(steps, at, Action::CutArmed(dice.u8(0..5), dice.u64(1..20_000))),
        5 => {
            push(steps, at, Action::PostgresRefuses(true));
            push(steps, until, Action::PostgresRefuses(false));
        }
        6 | 7 => {
            let deeds = (0..dice.usize(1..12)).map(|_| dice.u8(0..9)).collect();
            push(steps, at, Action::ApiScript(deeds));
        }
        8 => {
            push(steps, at, Action::ApiBodyMax(Some(dice.u64(1_000..20_000))));
            push(steps, until, Action::ApiBodyMax(None));
        }
        9 => {
            push(steps, at, Action::ApiFlaky(true));
            push(steps, until, Action::ApiFlaky(false));
        }
        10 if can.fill_disk => {
            push(steps, at, Action::DiskFull(true));
            push(steps, until + 700, Action::DiskFull(false));
        }
        11 if can.step_clock => push(steps, at, Action::Clock(dice.i64(-240..240))),
        _ => push(steps, at, Action::ConnectionsCut),
    }
}

/// A second outage of PostgreSQL that begins within the first is dropped, with its end.
fn without_overlaps(steps: Vec<Step>) -> Vec<Step> {
    let mut down = false;
    let keep = |step: &Step| match step.action {
        Action::PostgresKill => !std::mem::replace(&mut down, true),
        Action::PostgresStart => std::mem::replace(&mut down, false),
        Action::PostgresRestart => !down,
        _ => true,
    };
    let mut keep = keep;
    steps.into_iter().filter(|step| keep(step)).collect()
}

#[test]
fn the_same_seed_is_the_same_schedule() {
    let can = Can { fill_disk: true, step_clock: true };
    assert_eq!(draw(50, 7, can), draw(50, 7, can));
    assert_ne!(draw(50, 7, can), draw(50, 8, can));
    let kills = draw(50, 7, can).iter().filter(|step| step.action == Action::Kill).count();
    assert_eq!(kills, 50);
}
