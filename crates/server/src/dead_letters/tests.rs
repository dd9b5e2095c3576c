//! Letters in a real file.
