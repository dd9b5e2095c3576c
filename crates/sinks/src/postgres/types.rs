//! Which of PostgreSQL's types can a column have, which fields fit it, and how is a value written
//! in its binary form?
//!
//! Source of the forms: the `*_recv` functions in PostgreSQL's `src/backend/utils/adt`. All numbers
//! are big-endian; times count from 2000-01-01 UTC, in microseconds or days.

use tokio_postgres::types::Type;

use super::decimal;
use crate::mapping::{Misfit, Nature, Value};

/// The type of a column, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    /// `text`, `varchar`, `char`, `citext`, and enumerations: their binary form is their text.
    Text,
    Json,
    Jsonb,
    Bytea,
    Uuid,
    Timestamptz,
    /// `timestamp` without a time zone: UTC is written.
    Timestamp,
    Date,
}

/// Microseconds from 1970 to 2000.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from 1970 to 2000.
const EPOCH_DAYS: i64 = 10_957;
const DAY_NANOS: i64 = 86_400_000_000_000;

impl Kind {
    /// The kind of a base type, by its name in the catalogue; of an enumeration in any case.
    pub(super) fn of(name: &str, is_enum: bool) -> Option<Self> {
        Some(match name {
            _ if is_enum => Self::Text,
            "bool" => Self::Bool,
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            "float4" => Self::Float4,
            "float8" => Self::Float8,
            "numeric" => Self::Numeric,
            "text" | "varchar" | "bpchar" | "citext" => Self::Text,
            "json" => Self::Json,
            "jsonb" => Self::Jsonb,
            "bytea" => Self::Bytea,
            "uuid" => Self::Uuid,
            "timestamptz" => Self::Timestamptz,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            _ => return None,
        })
    }

    /// The type of an array of it, as a parameter.
    pub(super) const fn array(self) -> Type {
        match self {
            Self::Bool => Type::BOOL_ARRAY,
            Self::Int2 => Type::INT2_ARRAY,
            Self::Int4 => Type::INT4_ARRAY,
            Self::Int8 => Type::INT8_ARRAY,
            Self::Float4 => Type::FLOAT4_ARRAY,
            Self::Float8 => Type::FLOAT8_ARRAY,
            Self::Numeric => Type::NUMERIC_ARRAY,
            Self::Text => Type::TEXT_ARRAY,
            Self::Json => Type::JSON_ARRAY,
            Self::Jsonb => Type::JSONB_ARRAY,
            Self::Bytea => Type::BYTEA_ARRAY,
            Self::Uuid => Type::UUID_ARRAY,
            Self::Timestamptz => Type::TIMESTAMPTZ_ARRAY,
            Self::Timestamp => Type::TIMESTAMP_ARRAY,
            Self::Date => Type::DATE_ARRAY,
        }
    }

    /// The type itself.
    pub(super) const fn element(self) -> Type {
        match self {
            Self::Bool => Type::BOOL,
            Self::Int2 => Type::INT2,
            Self::Int4 => Type::INT4,
            Self::Int8 => Type::INT8,
            Self::Float4 => Type::FLOAT4,
            Self::Float8 => Type::FLOAT8,
            Self::Numeric => Type::NUMERIC,
            Self::Text => Type::TEXT,
            Self::Json => Type::JSON,
            Self::Jsonb => Type::JSONB,
            Self::Bytea => Type::BYTEA,
            Self::Uuid => Type::UUID,
            Self::Timestamptz => Type::TIMESTAMPTZ,
            Self::Timestamp => Type::TIMESTAMP,
            Self::Date => Type::DATE,
        }
    }

    /// Whether a column of this kind can take a field of this nature at all; else what to do.
    pub(super) const fn fits(self, nature: Nature) -> Result<(), &'static str> {
        match (nature, self) {
            (_, Self::Text | Self::Json | Self::Jsonb) | (Nature::Any, _) => Ok(()),
            (Nature::Text, Self::Bytea) => Ok(()),
            (
                Nature::Integer,
                Self::Int2 | Self::Int4 | Self::Int8 | Self::Float4 | Self::Float8 | Self::Numeric,
            ) => Ok(()),
            (
                Nature::Instant,
                Self::Timestamptz | Self::Timestamp | Self::Date | Self::Int8 | Self::Numeric,
            ) => Ok(()),
            (Nature::Id(_), Self::Bytea) | (Nature::Id(16), Self::Uuid) => Ok(()),
            (Nature::Text, _) => Err("map a field of that type, or make the column text"),
            (Nature::Object, _) => Err("make the column jsonb, or map one attribute of it"),
            (Nature::Integer, _) => Err("make the column an integer, numeric or text"),
            (Nature::Instant, _) => {
                Err("make the column timestamptz, or bigint for nanoseconds since 1970")
            }
            (Nature::Id(_), _) => Err("make the column text or bytea (or uuid for 16 bytes)"),
        }
    }

    /// Writes the value with its length before it.
    pub(super) fn write(self, value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match self {
            Self::Bool => fixed(value.boolean()?.map(|bool| [u8::from(bool)]), out),
            Self::Int2 => fixed(integer::<i16>(value)?.map(i16::to_be_bytes), out),
            Self::Int4 => fixed(integer::<i32>(value)?.map(i32::to_be_bytes), out),
            Self::Int8 => fixed(value.integer()?.map(i64::to_be_bytes), out),
            Self::Float4 => {
                let number = value.float()?.map(|number| number as f32);
                if number.is_some_and(f32::is_infinite) {
                    return Err(Misfit);
                }
                fixed(number.map(f32::to_be_bytes), out);
            }
            Self::Float8 => fixed(value.float()?.map(f64::to_be_bytes), out),
            Self::Numeric => match value.decimal()? {
                None => null(out),
                Some(digits) => decimal::write(&digits, out).ok_or(Misfit)?,
            },
            Self::Text => sized(value.text().as_deref().map(str::as_bytes), &[], out),
            Self::Json => sized(value.json().as_deref().map(str::as_bytes), &[], out),
            Self::Jsonb => sized(value.json().as_deref().map(str::as_bytes), &[1], out),
            Self::Bytea => sized(value.bytes().as_deref(), &[], out),
            Self::Uuid => fixed(value.uuid()?, out),
            Self::Timestamptz | Self::Timestamp => {
                fixed(value.instant()?.map(|at| micros(at).to_be_bytes()), out);
            }
            Self::Date => {
                let days = value.instant()?.map(|at| at.div_euclid(DAY_NANOS) - EPOCH_DAYS);
                // A moment of 64 bits of nanoseconds is within 107,000 days of 1970.
                fixed(days.and_then(|days| i32::try_from(days).ok()).map(i32::to_be_bytes), out);
            }
        }
        Ok(())
    }
}

/// Nanoseconds since 1970 as PostgreSQL's microseconds since 2000; what is finer is cut.
pub(super) const fn micros(nanoseconds: i64) -> i64 {
    nanoseconds.div_euclid(1_000) - EPOCH_MICROS
}

fn integer<T: TryFrom<i64>>(value: &Value<'_>) -> Result<Option<T>, Misfit> {
    value.integer()?.map(|number| T::try_from(number).map_err(|_| Misfit)).transpose()
}

/// Writes that there is nothing.
pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

fn fixed<const N: usize>(value: Option<[u8; N]>, out: &mut Vec<u8>) {
    sized(value.as_ref().map(<[u8; N]>::as_slice), &[], out);
}

fn sized(value: Option<&[u8]>, before: &[u8], out: &mut Vec<u8>) {
    let Some(value) = value else { return null(out) };
    // No value is longer than the row it came in, which is below 2 GiB.
    let length = i32::try_from(before.len() + value.len()).unwrap_or(i32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(before);
    out.extend_from_slice(value);
}
