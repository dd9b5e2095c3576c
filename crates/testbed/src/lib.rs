//! What do tests and measurements run against? The real thing, in a private directory, on a free
//! port, ended with the test; and servers that misbehave on purpose, where no real one would do so
//! when asked.

pub mod http;
