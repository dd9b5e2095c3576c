//! `library-cost CASE PRODUCERS ITEMS`: nanoseconds an item, of one run in this process.
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]
#![expect(clippy::expect_used, reason = "a measurement that went wrong shall end")]

use tidegate_library_bench::{Case, hard, runtime, time};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
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
