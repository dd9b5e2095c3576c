//! How does the server behave? First as its script says, then as its dice fall, then as usual.

use std::time::Duration;

/// What becomes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It is taken, as far as the behaviour lets it.
    Take,
    /// It is taken after a while.
    Slow(Duration),
    /// It is answered like this, and not taken.
    Refuse(Reply),
    /// It is answered like this by a gateway in front of the server: nobody looks at its key.
    Bar(Reply),
    /// It is never answered, and not taken.
    Hang,
    /// It is not taken, and the connection is closed without an answer.
    Drop,
    /// It is taken, and the connection is closed without an answer.
    TakeAndDrop,
    /// It is taken, and the connection is closed in the middle of the answer's body.
    TakeAndCut,
}

impl Deed {
    /// A refusal with nothing but a status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Refuse(Reply::status(status))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Reply {
    /// One with nothing but a status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }
}

/// How a server behaves without a script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Behaviour {
    /// Deeds at random, in place of taking what comes.
    pub random: Option<Random>,
    /// Items that it does not take.
    pub poison: Option<Poison>,
    /// How it answers what it took.
    pub answers: Answers,
    /// Whether a request whose key it knows is answered as before and not taken again.
    pub honours_keys: bool,
    /// How many requests it takes; over the limit it answers 429.
    pub rate: Option<Rate>,
    /// How long it works on a request; at once if not given.
    pub service: Option<Service>,
    /// The largest body it takes, in bytes as sent; over the limit it answers 413.
    pub body_bytes_max: Option<u64>,
    /// Whether it only counts items: for measurements. It then knows neither ids nor poison.
    pub only_counts: bool,
}

/// Deeds at random.
#[derive(Debug, Clone, PartialEq)]
pub struct Random {
    /// The same seed gives the same row of deeds.
    pub seed: u64,
    /// Share of requests that meet a deed of the list, 0 to 1.
    pub share: f64,
    /// The deeds, each as likely as the others.
    pub deeds: Vec<Deed>,
}

/// Items that are not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// Those whose JSON holds this text.
    pub marker: String,
    /// The status they get: of their own with [`Answers::Listed`] and [`Answers::Bulk`], else of
    /// the whole request, of which then nothing is taken.
    pub status: u16,
}

/// How an answer says what was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answers {
    /// A 200 for all of it.
    #[default]
    Status,
    /// A 207 with a list of ids and statuses.
    Listed,
    /// A 200 as from a `_bulk` endpoint.
    Bulk,
}

/// A limit on requests: a token bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens a second.
    pub per_second: f64,
    /// Most tokens at once.
    pub burst: f64,
    /// Whether a 429 says how long to wait, in whole seconds.
    pub says_when: bool,
}

/// How long the server works: each of its workers on one request at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Requests that are worked on at once; the others wait.
    pub workers: u32,
    /// Time for a request.
    pub base: Duration,
    /// More time for each item in it.
    pub per_item: Duration,
}

/// Dice: the same seed, the same throws (SplitMix64).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The deed that falls, if one does.
    pub(super) fn deed(&mut self, random: &Random) -> Option<Deed> {
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let which = self.next() % random.deeds.len().max(1) as u64;
        (share < random.share).then(|| random.deeds.get(which as usize).cloned()).flatten()
    }
}
