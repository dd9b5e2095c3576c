//! Where do ids and salts come from? From the operating system.
//!
//! `getrandom` rather than the standard library's `RandomState`: exactly-once delivery rests on
//! two journals never sharing an id, and the standard library promises nothing about how its
//! hasher keys are drawn.

use crate::error::OpenError;

/// 128 random bits.
pub(crate) fn id() -> Result<u128, OpenError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| OpenError::Random(error.to_string()))?;
    Ok(u128::from_le_bytes(bytes))
}

/// 64 random bits for a segment's salt.
pub(crate) fn salt() -> std::io::Result<u64> {
    getrandom::u64().map_err(std::io::Error::other)
}
