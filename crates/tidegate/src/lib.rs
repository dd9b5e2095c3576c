//! Adaptive batching.
