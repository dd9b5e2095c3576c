//! Does a secret stay out of everything that is printed, whatever the backend says?

use tidegate_sinks::Sink;
use tidegate_sinks::http::{Answers, HttpSink, Settings};
use tidegate_testbed::http::{Behaviour, Deed, HttpBackend, Reply};

use super::contract::{batch, origin};
use super::pair_with;

const TOKEN: &str = "tok-SECRET-1234";
const QUERY: &str = "qry-SECRET-5678";

fn with_secrets(settings: &mut Settings) {
    settings.url = format!("{}?v=1&api_key={QUERY}", settings.url);
    settings.headers.push(("Authorization".to_owned(), format!("Bearer {TOKEN}")));
    settings.headers.push(("X-Api-Key".to_owned(), format!("{TOKEN}-2")));
}

#[tokio::test]
async fn no_message_repeats_a_secret_that_the_backend_repeats() {
    let change = |settings: &mut Settings| {
        with_secrets(settings);
        settings.answers = Answers::Items;
    };
    let (backend, sink) = pair_with(Behaviour::default(), change).await;
    let echo = format!("no such token: Bearer {TOKEN} ({TOKEN}-2), api_key={QUERY}");
    let element = |status: u16| format!(r#"{{"status":{status},"error":{{"reason":"{echo}"}}}}"#);
    let item = element(400);
    let location = format!("/login?token={TOKEN}");
    let mut deeds: Vec<Deed> = [400, 401, 403, 404, 413, 422, 429, 500, 503]
        .map(|status| Deed::Refuse(Reply::status(status).body(&echo)))
        .into();
    deeds.push(Deed::Refuse(Reply::status(302).header("Location", &location).body(&echo)));
    deeds.push(Deed::Refuse(Reply::status(302).header("Location", &format!("/{TOKEN}"))));
    deeds.push(Deed::Refuse(Reply::status(200).body(&echo)));
    deeds.push(Deed::Refuse(Reply::status(207).body(format!("[{item},{}]", element(200)))));
    deeds.push(Deed::Refuse(Reply::status(207).body(format!("[{0},{0}]", element(429)))));
    deeds.push(Deed::Drop);
    let count = deeds.len();
    backend.script(deeds);
    for _ in 0..count {
        let delivery = sink.deliver(batch(0..2)).await;
        let failure = delivery.failure.as_ref().unwrap();
        let printed = format!("{failure} {delivery:?} {sink:?}");
        assert!(!printed.contains("SECRET"), "{printed}");
    }
    // They were sent, all the same.
    let ledger = backend.ledger();
    let sent = &ledger.requests[0];
    assert_eq!(sent.headers["authorization"], format!("Bearer {TOKEN}"));
    assert!(sent.line.ends_with(&format!("api_key={QUERY}")), "{}", sent.line);
}

#[tokio::test]
async fn neither_settings_nor_refusals_nor_lost_servers_print_one() {
    let backend = HttpBackend::start(Behaviour::default()).unwrap();
    let mut settings = Settings::new(backend.url("/events"), "api");
    drop(backend);
    with_secrets(&mut settings);
    let sink = HttpSink::start(settings.clone()).unwrap();
    let mut printed = format!("{settings:?} {settings:#?} {sink:?}");
    printed.push_str(&format!("{:?}", sink.deliver(batch(0..1)).await));
    sink.open(origin(1)).await.unwrap();
    printed.push_str(&format!("{:?}", sink.deliver(batch(0..1)).await));
    sink.close().await;
    printed.push_str(&format!("{:?}", sink.deliver(batch(0..1)).await));
    let spoilt: [fn(&mut Settings); 7] = [
        |s| s.url = s.url.replace("http:", "gopher:"),
        |s| s.url = s.url.replace("127.0.0.1", &format!("me:{TOKEN}@127.0.0.1")),
        |s| s.url.push_str("{lan}"),
        |s| s.url.push('{'),
        |s| s.headers[0].1.push('\n'),
        |s| s.headers[0].1.push_str("{sin}"),
        |s| s.headers[0].0 = "Content-Length".to_owned(),
    ];
    for spoil in spoilt {
        let mut settings = settings.clone();
        spoil(&mut settings);
        let error = HttpSink::start(settings).unwrap_err();
        printed.push_str(&format!("\n{error} {error:?}"));
    }
    assert!(!printed.contains("SECRET"), "{printed}");
    assert!(printed.contains("did you mean `{lane}`?"), "{printed}");
}
