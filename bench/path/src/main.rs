//! `path-cost CASE REQUESTS`: runs requests along a piece of the way, to be counted from outside.
//! `path-cost rate CASE REQUESTS`: nanoseconds an event.
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]

use std::error::Error;

use tidegate_path_bench::{Case, Path, body};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let timed = arguments.first().is_some_and(|first| first == "rate");
    if timed {
        arguments.remove(0);
    }
    let [case, requests] = &arguments[..] else {
        return Err("usage: path-cost [rate] CASE REQUESTS".into());
    };
    let case = Case::by_name(case).ok_or("CASE is parse, hand-over or encode")?;
    let requests: u64 = requests.parse()?;
    tokio::runtime::Builder::new_current_thread().build()?.block_on(run(case, requests, timed))
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
async fn run(case: Case, requests: u64, timed: bool) -> Result<(), Box<dyn Error>> {
    let (mut path, body) = (Path::new(case)?, body());
    let (mut events, start) = (0, std::time::Instant::now());
    for _ in 0..requests {
        events += path.request(std::hint::black_box(body.as_bytes())).await?;
    }
    if timed {
        println!("{:.1} ns an event", start.elapsed().as_nanos() as f64 / events as f64);
    }
    Ok(())
}
