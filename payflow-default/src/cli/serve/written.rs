//! Settings as people write them into a file.

use super::web;
use ecs_systems::units::Msat;
use payflow_default::shell::Speed;
use serde::Deserialize;
use std::net::SocketAddr;

pub(super) fn listen<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    web::listen(&text).map(Some).map_err(serde::de::Error::custom)
}

pub(super) fn amount<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Msat>, D::Error> {
    /// As people write it.
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an amount is msat, or a text such as \"5sat\"")]
    enum Written {
        Msat(u64),
        Text(String),
    }
    let text = match Written::deserialize(from)? {
        Written::Msat(msat) => msat.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

pub(super) fn speed<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Speed>, D::Error> {
    /// As people write it.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Whole(u32),
        Broken(f64),
        Text(String),
    }
    let text = match Written::deserialize(from)? {
        Written::Whole(times) => times.to_string(),
        Written::Broken(times) => times.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map(Some).map_err(serde::de::Error::custom)
}
