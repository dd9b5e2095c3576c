//! How is a compressed body unpacked? In steps, against a bound and the shared budget.
//!
//! A small body can unpack to any size, so nothing is trusted: the output grows chunk by chunk and
//! ends at the bound, and each chunk is leased before it is filled.

use std::io::Read;

use bytes::Bytes;

use super::budget::Lease;
use super::refusal::Refusal;

/// How a body was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The encoding that a `Content-Encoding` header names.
    pub(super) fn named(name: &str) -> Result<Self, Refusal> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Refusal::UnknownEncoding { name: name.to_owned() }),
        }
    }
}

const CHUNK: usize = 64 * 1024;

/// The largest window a zstd frame may ask for: 2^23 bytes, what the format asks every decoder to
/// support. More would be memory that the sender chooses.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Unpacks `body`, to at most `bytes_max`.
pub(super) fn unpack(
    body: Bytes,
    encoding: Encoding,
    bytes_max: usize,
    lease: &mut Lease,
) -> Result<Bytes, Refusal> {
    let packed = body.len();
    match encoding {
        Encoding::Identity => Ok(body),
        Encoding::Gzip => {
            let reader = flate2::read::MultiGzDecoder::new(body.as_ref());
            read_bounded(reader, "gzip", packed, bytes_max, lease)
        }
        Encoding::Zstd => {
            let broken = |error: std::io::Error| Refusal::BrokenEncoding {
                name: "zstd",
                why: error.to_string(),
            };
            let mut reader = zstd::Decoder::with_buffer(body.as_ref()).map_err(broken)?;
            reader.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
            read_bounded(reader, "zstd", packed, bytes_max, lease)
        }
    }
}

fn read_bounded(
    mut reader: impl Read,
    name: &'static str,
    packed: usize,
    bytes_max: usize,
    lease: &mut Lease,
) -> Result<Bytes, Refusal> {
    let mut out = Vec::new();
    loop {
        let start = out.len();
        lease.grow_to(packed + start + CHUNK)?;
        out.resize(start + CHUNK, 0);
        // Reading from memory is never interrupted, so an error is the body's.
        let read = reader
            .read(&mut out[start..])
            .map_err(|error| Refusal::BrokenEncoding { name, why: error.to_string() })?;
        out.truncate(start + read);
        if out.len() > bytes_max {
            return Err(Refusal::UnpacksTooLarge { max: bytes_max });
        }
        if read == 0 {
            return Ok(out.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::budget::Budget;
    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap().into()
    }

    fn unpacked(body: Bytes, encoding: Encoding, max: usize) -> Result<Bytes, Refusal> {
        unpack(body, encoding, max, &mut Budget::new(64 << 20).lease())
    }

    #[test]
    fn what_was_packed_comes_out() {
        let text = "high water\n".repeat(50_000);
        let zipped = gzip(text.as_bytes());
        assert_eq!(unpacked(zipped, Encoding::Gzip, 1 << 20).unwrap(), text);
        let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert_eq!(unpacked(packed.into(), Encoding::Zstd, 1 << 20).unwrap(), text);
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound_whatever_it_would_unpack_to() {
        let bomb = gzip(&vec![0; 50 << 20]);
        assert!(bomb.len() < 300_000);
        let refusal = unpacked(bomb.clone(), Encoding::Gzip, 1 << 20).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the body unpacks to more than 1048576 bytes: send smaller requests"
        );
        let lease = &mut Budget::new(2 << 20).lease();
        let refusal = unpack(bomb, Encoding::Gzip, 32 << 20, lease).unwrap_err();
        assert!(matches!(refusal, Refusal::Overloaded), "{refusal}");
    }

    #[test]
    fn half_a_body_is_told() {
        let mut half = gzip("high water\n".repeat(500).as_bytes());
        half.truncate(half.len() / 2);
        let refusal = unpacked(half, Encoding::Gzip, 1 << 20).unwrap_err();
        assert!(refusal.to_string().starts_with("the body is not valid gzip"), "{refusal}");
        let refusal = unpacked(Bytes::from_static(b"{}"), Encoding::Zstd, 1 << 20).unwrap_err();
        assert!(refusal.to_string().starts_with("the body is not valid zstd"), "{refusal}");
    }
}
