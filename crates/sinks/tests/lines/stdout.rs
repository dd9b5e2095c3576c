//! What reaches whoever reads our output, and what is said when they have gone?

use std::io::{self, BufRead, BufReader, Write};
use std::sync::{Arc, Mutex};

use tidegate_sinks::Sink;
use tidegate_sinks::stdout::StdoutSink;

use super::contract::json::all_stored;
use super::contract::{self, Subject, batch, deliver, origin, usual};
use super::why;

contract::suite!(at_least_once: subject);

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn subject() -> Subject {
    let kept = Kept::default();
    let read = kept.clone();
    Subject {
        start: Box::new(move || Box::new(StdoutSink::to(Box::new(kept.clone())).unwrap())),
        stored: Box::new(move || {
            let text = String::from_utf8(read.0.lock().unwrap().clone()).unwrap();
            Box::pin(async move { all_stored(text.split_terminator('\n')) })
        }),
        keep: Box::new(()),
    }
}

#[tokio::test]
async fn a_reader_that_has_gone_is_told_from_a_disk_that_is_full() {
    let (reader, writer) = io::pipe().unwrap();
    let sink = StdoutSink::to(Box::new(writer)).unwrap();
    sink.open(origin(1)).await.unwrap();
    deliver(&sink, batch(0..10)).await;
    let mut lines = BufReader::new(reader).lines();
    let read: Vec<_> = lines.by_ref().take(10).map(Result::unwrap).collect();
    assert_eq!(all_stored(read.iter().map(String::as_str)), usual(0..10));
    drop(lines);
    let expected = "standard output: whoever read it has ended. Restart with a reader: what was \
                    not delivered is in the journal";
    for _ in 0..2 {
        assert_eq!(why(sink.deliver(batch(10..20)).await), expected);
    }

    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let sink = StdoutSink::to(Box::new(full)).unwrap();
    sink.open(origin(1)).await.unwrap();
    let expected =
        "standard output: No space left on device (os error 28); the batch is written again";
    assert_eq!(why(sink.deliver(batch(0..10)).await), expected);
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody_else() {
    let (reader, writer) = io::pipe().unwrap();
    let sink = StdoutSink::to(Box::new(writer)).unwrap();
    sink.open(origin(1)).await.unwrap();
    // More than a pipe holds: the write waits on the sink's own thread, and this one goes on.
    let delivered = tokio::spawn(async move {
        deliver(&sink, batch(0..3_000)).await;
        sink.close().await;
    });
    let read = tokio::task::spawn_blocking(|| {
        BufReader::new(reader).lines().map(Result::unwrap).collect::<Vec<_>>()
    });
    delivered.await.unwrap();
    assert_eq!(all_stored(read.await.unwrap().iter().map(String::as_str)), usual(0..3_000));
}
