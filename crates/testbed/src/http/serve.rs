//! How is one request answered?

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::behaviour::{Answers, Behaviour, Deed, Dice, Poison, Rate, Reply, Service};
use super::body::{self, Item};
use super::ledger::{Received, Shared};

/// What all connections share.
pub(super) struct Server {
    pub(super) ledger: Shared,
    state: Mutex<State>,
}

struct State {
    behaviour: Behaviour,
    script: VecDeque<Deed>,
    dice: Dice,
    /// Tokens that are left, and when they were counted.
    tokens: Option<(f64, Instant)>,
    /// When each of the workers is free again.
    free_at: Vec<Instant>,
    /// Answers that were given, by key.
    answered: BTreeMap<String, Reply>,
    /// Keys of requests that are being worked on.
    working: BTreeSet<String>,
}

impl State {
    fn new(behaviour: Behaviour) -> Self {
        let workers = behaviour.service.map_or(0, |service| service.workers as usize);
        let free_at = vec![now(); workers];
        Self {
            script: VecDeque::new(),
            dice: Dice::new(behaviour.random.as_ref().map_or(0, |random| random.seed)),
            tokens: None,
            free_at,
            answered: BTreeMap::new(),
            working: BTreeSet::new(),
            behaviour,
        }
    }
}

impl Server {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self { ledger: Shared::default(), state: Mutex::new(State::new(behaviour)) }
    }

    pub(super) fn script(&self, deeds: impl IntoIterator<Item = Deed>) {
        self.state().script.extend(deeds);
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        let mut state = self.state();
        let answered = std::mem::take(&mut state.answered);
        let working = std::mem::take(&mut state.working);
        *state = State { answered, working, ..State::new(behaviour) };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next deed, and the behaviour it happens under.
    fn next(&self) -> (Deed, Behaviour) {
        let mut state = self.state();
        let behaviour = state.behaviour.clone();
        let deed = state.script.pop_front().or_else(|| {
            let random = behaviour.random.as_ref()?;
            state.dice.deed(random)
        });
        (deed.unwrap_or(Deed::Take), behaviour)
    }

    /// Takes a token, or says how long it is until there is one.
    fn token(&self, rate: Rate) -> Result<(), Duration> {
        let now = now();
        let mut state = self.state();
        let (left, at) = state.tokens.unwrap_or((rate.burst, now));
        let left = (left + now.duration_since(at).as_secs_f64() * rate.per_second).min(rate.burst);
        let is_there = left >= 1.0;
        state.tokens = Some((if is_there { left - 1.0 } else { left }, now));
        let missing = Duration::from_secs_f64((1.0 - left).max(0.0) / rate.per_second);
        if is_there { Ok(()) } else { Err(missing) }
    }

    /// Works on a request of so many items, once a worker is free: requests are worked on in the
    /// order in which they came. Each worker has a timetable, and the next request begins when the
    /// one before was due: a timer that rings late delays one answer, and takes nothing from the
    /// rate.
    async fn work(&self, service: Service, items: u64) {
        match self.due(service, items) {
            Some(due) => tokio::time::sleep_until(due.into()).await,
            None => std::future::pending().await,
        }
    }

    /// When a request that is there now will have been worked on; `None` without a worker.
    fn due(&self, service: Service, items: u64) -> Option<Instant> {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let mut state = self.state();
        let first = state.free_at.iter_mut().min()?;
        *first = now().max(*first) + service.base + service.per_item * items;
        Some(*first)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<ReplyBody>, Dropped> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let (deed, behaviour) = self.next();
        if behaviour.only_counts {
            if let Some(service) = behaviour.service {
                self.work(service, lines(&body)).await;
            }
            return Ok(self.count(&body));
        }
        let read = body::unpacked(&head.headers, &body)
            .map_err(|error| error.to_string())
            .and_then(|plain| body::items(&head.headers, &plain));
        let text = |value: &hyper::header::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        let headers = head.headers.iter();
        let received = Received {
            line: format!("{} {}", head.method, head.uri),
            headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
            ids: read.iter().flatten().map(|(id, _)| id.clone()).collect(),
            status: 0,
        };
        let key = received.key().to_owned();
        let place = self.ledger.write(|ledger| {
            ledger.request_count += 1;
            ledger.body_bytes += body.len() as u64;
            ledger.requests.push(received);
            ledger.requests.len() - 1
        });
        let reply = match read {
            // What it cannot read is our own fault: no script may hide it.
            Err(why) => (Reply::status(400).body(format!("unreadable: {why}")), false),
            Ok(items) => self.act(deed, &behaviour, &key, &items, body.len() as u64).await?,
        };
        let (reply, is_cut) = reply;
        self.ledger.write(|ledger| {
            if let Some(received) = ledger.requests.get_mut(place) {
                received.status = reply.status;
            }
        });
        response(reply, is_cut)
    }

    /// Begins to work on the request with this key, unless that is being done.
    fn begin<'s>(&'s self, key: &'s str) -> Option<Working<'s>> {
        let is_new = self.state().working.insert(key.to_owned());
        is_new.then_some(Working { server: self, key })
    }

    /// What becomes of a request, and whether its answer is cut.
    async fn act(
        &self,
        deed: Deed,
        behaviour: &Behaviour,
        key: &str,
        items: &[Item],
        bytes: u64,
    ) -> Result<(Reply, bool), Dropped> {
        let known = self.state().answered.get(key).cloned().filter(|_| behaviour.honours_keys);
        let takes = !matches!(deed, Deed::Refuse(_) | Deed::Bar(_) | Deed::Drop | Deed::Hang);
        let _working = if behaviour.honours_keys && takes {
            let Some(working) = self.begin(key) else {
                // Nor does it say anything else of what it may be about to take.
                return Ok((Reply::status(409), false));
            };
            Some(working)
        } else {
            None
        };
        match &deed {
            // Who looks at keys does not refuse what it has taken.
            Deed::Refuse(_) if known.is_some() => {}
            Deed::Refuse(reply) | Deed::Bar(reply) => return Ok((reply.clone(), false)),
            Deed::Drop => return Err(Dropped),
            Deed::Hang => std::future::pending().await,
            Deed::Slow(wait) => tokio::time::sleep(*wait).await,
            Deed::Take | Deed::TakeAndDrop | Deed::TakeAndCut => {}
        }
        if let Some(rate) = behaviour.rate
            && let Err(wait) = self.token(rate)
        {
            let reply = Reply::status(429);
            // Whole seconds are all the header can say.
            let seconds = wait.as_secs_f64().ceil().to_string();
            let reply = if rate.says_when { reply.header("Retry-After", &seconds) } else { reply };
            return Ok((reply, false));
        }
        // Nor does it refuse for its size what it has taken: its sender could only cut it, and parts
        // have keys of their own.
        if known.is_none() && behaviour.body_bytes_max.is_some_and(|max| bytes > max) {
            return Ok((Reply::status(413), false));
        }
        if let Some(service) = behaviour.service {
            self.work(service, items.len() as u64).await;
        }
        let reply = known.unwrap_or_else(|| self.take(behaviour, key, items));
        match deed {
            Deed::TakeAndDrop => Err(Dropped),
            Deed::TakeAndCut => Ok((reply.body("half of what was to be sai"), true)),
            _ => Ok((reply, false)),
        }
    }

    /// Takes the items that are no poison.
    fn take(&self, behaviour: &Behaviour, key: &str, items: &[Item]) -> Reply {
        let poison = behaviour.poison.as_ref();
        let bad = |item: &Item| poison.filter(|poison| is_poison(poison, item));
        if behaviour.answers == Answers::Status
            && let Some((item, poison)) = items.iter().find_map(|item| Some((item, bad(item)?)))
        {
            return Reply::status(poison.status).body(format!("cannot take {}", item.0));
        }
        self.ledger.write(|ledger| {
            for (id, text) in items.iter().filter(|item| bad(item).is_none()) {
                ledger.take(id, text);
            }
        });
        let status = |item| bad(item).map_or(201, |poison| poison.status);
        let error = |status| if status < 300 { json!(null) } else { json!({"reason": "poison"}) };
        let listed = items.iter().map(|item| (&item.0, status(item)));
        let reply = match behaviour.answers {
            Answers::Status => Reply::status(200),
            Answers::Listed => {
                let element =
                    |(id, status)| json!({"id": id, "status": status, "error": error(status)});
                let elements: Vec<_> = listed.map(element).collect();
                Reply::status(207).body(json!(elements).to_string())
            }
            Answers::Bulk => {
                let element = |(id, status)| json!({"create": {"_id": id, "status": status, "error": error(status)}});
                let errors = listed.clone().any(|(_, status)| status >= 300);
                let elements: Vec<_> = listed.map(element).collect();
                Reply::status(200).body(json!({"errors": errors, "items": elements}).to_string())
            }
        };
        self.state().answered.insert(key.to_owned(), reply.clone());
        reply
    }

    fn count(&self, body: &[u8]) -> Response<ReplyBody> {
        let lines = lines(body);
        self.ledger.write(|ledger| {
            ledger.request_count += 1;
            ledger.body_bytes += body.len() as u64;
            ledger.item_count += lines;
        });
        Response::new(ReplyBody { rest: None, cut: Cut::Never })
    }
}

/// A request that is being worked on, until this is dropped.
struct Working<'s> {
    server: &'s Server,
    key: &'s str,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.server.state().working.remove(self.key);
    }
}

fn lines(body: &[u8]) -> u64 {
    body.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn is_poison(poison: &Poison, (_, text): &Item) -> bool {
    text.contains(&poison.marker)
}

#[expect(clippy::disallowed_methods, reason = "a rate is a rate in real time")]
fn now() -> Instant {
    Instant::now()
}

/// The connection is to be closed without a word.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
pub(super) struct Dropped;

fn response(reply: Reply, is_cut: bool) -> Result<Response<ReplyBody>, Dropped> {
    let mut builder = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        builder = builder.header(name, value);
    }
    let cut = if is_cut { Cut::Soon } else { Cut::Never };
    builder.body(ReplyBody { rest: Some(reply.body.into()), cut }).map_err(|_| Dropped)
}

/// A body that may end in the middle.
pub(super) struct ReplyBody {
    rest: Option<Bytes>,
    cut: Cut,
}

/// When a body breaks off.
#[derive(Debug, Clone, Copy)]
enum Cut {
    Never,
    Soon,
    Now,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match (self.rest.take().filter(|rest| !rest.is_empty()), self.cut) {
            (Some(rest), _) => Poll::Ready(Some(Ok(Frame::data(rest)))),
            (None, Cut::Never) => Poll::Ready(None),
            (None, Cut::Soon) => {
                // What was said so far is sent only when there is nothing more to say for now.
                self.cut = Cut::Now;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (None, Cut::Now) => Poll::Ready(Some(Err(Dropped))),
        }
    }
}

/// Serves one connection until it ends.
pub(super) async fn connection(
    server: Arc<Server>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) -> Result<(), Infallible> {
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { server.answer(request).await }
    });
    let builder = hyper::server::conn::http1::Builder::new();
    // How a connection ends is the client's business; what counts is in the ledger.
    let _ = match tls {
        None => builder.serve_connection(TokioIo::new(stream), service).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
            Err(_) => return Ok(()),
        },
    };
    Ok(())
}
