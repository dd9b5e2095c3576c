//! Invariant: every example runs to its end, and what it shows is so: each asserts that itself.
//!
//! The ported program also does with fewer lines what it did before.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "the examples are modules here")]

#[path = "../examples/cache_warming.rs"]
mod cache_warming;
#[path = "../examples/email.rs"]
mod email;
#[path = "../examples/log_shipping.rs"]
mod log_shipping;
#[path = "../examples/metrics_forwarding.rs"]
mod metrics_forwarding;
#[path = "../examples/policy_validation.rs"]
mod policy_validation;
#[path = "../examples/port_after.rs"]
mod port_after;
#[path = "../examples/port_before.rs"]
mod port_before;
#[path = "../examples/postgres.rs"]
mod postgres;
#[path = "../examples/rate_limited_api.rs"]
mod rate_limited_api;
#[path = "../examples/sqlite.rs"]
mod sqlite;
#[path = "../examples/webhooks.rs"]
mod webhooks;

#[test]
fn cache_warming_runs() {
    cache_warming::main().unwrap();
}

#[test]
fn email_runs() {
    email::main().unwrap();
}

#[test]
fn log_shipping_runs() {
    log_shipping::main().unwrap();
}

#[test]
fn metrics_forwarding_runs() {
    metrics_forwarding::main().unwrap();
}

#[test]
fn policy_validation_runs() {
    policy_validation::main().unwrap();
}

#[test]
fn port_after_runs() {
    port_after::main().unwrap();
}

#[test]
fn port_before_runs() {
    port_before::main().unwrap();
}

#[test]
fn postgres_runs() {
    postgres::main().unwrap();
}

#[test]
fn rate_limited_api_runs() {
    rate_limited_api::main().unwrap();
}

#[test]
fn sqlite_runs() {
    sqlite::main().unwrap();
}

#[test]
fn webhooks_runs() {
    webhooks::main().unwrap();
}

/// Lines of code: no comments, no empty ones.
fn lines(source: &str) -> usize {
    source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn the_ported_program_is_shorter() {
    let before = lines(include_str!("../examples/port_before.rs"));
    let after = lines(include_str!("../examples/port_after.rs"));
    assert!(after < before, "{after} lines after, {before} before");
}

/// Every file of the folder is one of the modules above.
#[test]
fn no_example_is_left_out() {
    let here = include_str!("examples.rs");
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(here.contains(&format!("../examples/{name}")), "{name} does not run");
    }
}
