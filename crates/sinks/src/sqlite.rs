//! How do events reach a SQLite database exactly once?
