//! Invariant: what an event allocates is a share of what its request does: nothing is allocated for
//! each event.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that went wrong shall end"
)]
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

#[path = "../../counting.rs"]
mod counting;

use tidegate_path_bench::{Case, EVENTS, Path, body};

use counting::allocations;

/// Allocations a request of the case, once buffers have grown.
fn per_request(case: Case) -> u64 {
    const REQUESTS: u64 = 200;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut path, body) = (Path::new(case).unwrap(), body());
    runtime.block_on(async {
        for _ in 0..REQUESTS {
            path.request(body.as_bytes()).await.unwrap();
        }
        let before = allocations();
        for _ in 0..REQUESTS {
            path.request(body.as_bytes()).await.unwrap();
        }
        (allocations() - before).div_ceil(REQUESTS)
    })
}

/// One test, so that no other allocates meanwhile.
#[test]
fn a_request_allocates_what_is_stated() {
    // Groups and rows; then the frame, its table and lists, and what the reader hands out; then the
    // list of slices and the beginnings of names.
    for ((name, case), most) in Case::ALL.into_iter().zip([2, 10, 15]) {
        let each = per_request(case);
        println!("{name}: {each} allocations a request of {EVENTS} events");
        assert!(each <= most, "{name}: {each} allocations a request, and {most} are stated");
    }
}
