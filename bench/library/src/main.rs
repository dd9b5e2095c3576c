//! `library-cost CASE PRODUCERS ITEMS`: nanoseconds an item, of one run in this process.
//! `library-cost page [PROCESSES [ITEMS]]`: the tables of `bench/LIBRARY.md`.
//! `library-cost overhead`: memory and processor time beside the work.
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]
#![expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]

use tidegate_library_bench::{Case, hard, overhead, page, runtime, time};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    match arguments.first().map(String::as_str) {
        Some("page") => {
            let processes = usize::try_from(number(1).unwrap_or(5)).expect("a few processes");
            let items = number(2).unwrap_or(1_000_000);
            println!("{}", page::tables(processes, items).expect("every process does it right"));
            return;
        }
        Some("overhead") => {
            println!("{}", runtime().block_on(overhead::measure()).expect("the system tells"));
            return;
        }
        _ => {}
    }
    let [case, producers, items] = &arguments[..] else {
        println!("usage: library-cost CASE PRODUCERS ITEMS");
        return;
    };
    let producers = producers.parse().expect("PRODUCERS is a number");
    let items: u64 = items.parse().expect("ITEMS is a number");
    if case == "hard" {
        runtime().block_on(hard::cancellation(producers, items));
        runtime().block_on(hard::panics(producers, items));
        return;
    }
    let case = Case::by_name(case).expect("CASE is one of those in the documentation");
    let took = time(case, producers, items);
    #[expect(clippy::cast_precision_loss, reason = "counts of a run")]
    let each = took.as_secs_f64() * 1e9 / items as f64;
    println!("{each:.1}");
}
