//! Is the hot path right under every interleaving? Its own files, over a scheduler that tries them.
//!
//! The files of `tidegate::batcher` that producers and the driver meet in are compiled here a
//! second time, unchanged. Only two modules are others: `sync`, whose lock and reference counts are
//! those of [shuttle], so that each of them is a point at which another thread may run; and
//! `clock`, which is a counter. The driver is the same flow, polled on a thread of its own, and the
//! handler answers when the schedule says so.
//!
//! What is not in the model: tokio's tasks and timers. They are covered in real time by the library's
//! own tests.
//!
//! `tests/` holds the properties. `guards` removes one guard of the code after the other and shows
//! the property that fails without it.
// The unit tests of these files are run where they belong, which `--all-targets` does not know.
#![cfg(not(test))]
#![allow(unreachable_pub, reason = "the files are written for another crate")]

pub use tidegate::{
    Bounds, Change, ControllerSettings, Decision, Engine, Epoch, Feedback, FlushReason, Moment,
    Outcome, Plan, Sample, SettingError, bisect, breaker, engine, error, retry,
};

mod time {
    use tidegate::Moment;

    pub(crate) fn earlier(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        }
    }
}

mod batcher {
    #[path = "../../../tidegate/src/batcher/answer.rs"]
    mod answer;
    #[path = "../../../tidegate/src/batcher/batch.rs"]
    mod batch;
    mod clock;
    mod driver;
    #[path = "../../../tidegate/src/batcher/enter.rs"]
    mod enter;
    #[path = "../../../tidegate/src/batcher/error.rs"]
    mod error;
    #[path = "../../../tidegate/src/batcher/flow.rs"]
    mod flow;
    #[path = "../../../tidegate/src/batcher/given_up.rs"]
    mod given_up;
    mod keyed;
    #[path = "../../../tidegate/src/batcher/line.rs"]
    mod line;
    #[path = "../../../tidegate/src/batcher/local.rs"]
    mod local;
    #[path = "../../../tidegate/src/batcher/lone.rs"]
    mod lone;
    #[path = "../../../tidegate/src/batcher/observe/mod.rs"]
    mod observe;
    #[path = "../../../tidegate/src/batcher/piece.rs"]
    mod piece;
    #[path = "../../../tidegate/src/batcher/queue.rs"]
    mod queue;
    #[path = "../../../tidegate/src/batcher/recovery.rs"]
    mod recovery;
    #[path = "../../../tidegate/src/batcher/room.rs"]
    mod room;
    #[path = "../../../tidegate/src/batcher/round.rs"]
    mod round;
    #[path = "../../../tidegate/src/batcher/seat.rs"]
    mod seat;
    #[path = "../../../tidegate/src/batcher/stash.rs"]
    mod stash;
    #[path = "../../../tidegate/src/batcher/stats.rs"]
    mod stats;
    mod sync;

    pub use answer::Answer;
    pub use driver::{Batcher, Settings};
    pub use error::{AddError, Failure, SubmitError};
    pub use given_up::GivenUp;
    pub use local::Local;
    pub use recovery::Retries;

    use clock::Clock;
}

pub use batcher::{
    AddError, Answer, Batcher, Failure, GivenUp, Local, Retries, Settings, SubmitError,
};
