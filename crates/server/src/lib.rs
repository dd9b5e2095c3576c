//! Sources, lanes, configuration, HTTP API and telemetry around the journal and the sinks.

pub mod config;
