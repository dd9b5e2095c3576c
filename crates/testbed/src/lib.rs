//! What do tests and measurements run against? The real thing, in a private directory, on a free
//! port, ended with the test; and servers that misbehave on purpose, where no real one would do so
//! when asked.
//!
//! | question | module |
//! |---|---|
//! | Where does a real PostgreSQL come from, and how is it stopped, killed and started again? | [`postgres`] |
//! | What does an HTTP sink meet out there? | [`http`] |
//! | Who signs certificates? | [`authority`] |
//! | How is a connection cut at the worst moment? | [`proxy`] |

pub mod authority;
pub mod http;
pub mod postgres;
pub mod proxy;
