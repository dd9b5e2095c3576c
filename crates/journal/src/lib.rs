//! The durable log of accepted items.
