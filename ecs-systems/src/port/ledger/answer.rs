//! An answer as a text: a line of the books is read as a tagged object, which keeps no raw JSON.

use ecs_core::{ErrorObject, Json};
use serde::{Deserialize, Deserializer, Serializer, de, ser};

#[expect(clippy::ref_option, reason = "serde gives the signature")]
pub(super) fn serialize<S: Serializer>(
    answer: &Option<ErrorObject>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let answer = answer.as_ref().ok_or_else(|| ser::Error::custom("no answer"))?;
    to.serialize_str(Json::of(answer).text())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<ErrorObject>, D::Error> {
    let text = String::deserialize(from)?;
    let json = Json::parse(&text).map_err(de::Error::custom)?;
    json.decode().map(Some).map_err(de::Error::custom)
}
