//! The kinds of Components: each macro declares Components of one JSON shape.

/// Declares Components whose presence is all they say: JSON `true`.
macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $spec:expr;)*) => {$(
        #[derive(bevy_ecs::component::Component, Clone, Copy, Debug, PartialEq, Eq)]
        $(#[$doc])*
        #[component(storage = "SparseSet")]
        pub struct $name;

        impl ecs_core::WireComponent for $name {
            const SPEC: ecs_core::ComponentSpec = $spec;

            fn from_json(json: &ecs_core::Json) -> Result<Self, ecs_core::Shape> {
                match json.text() {
                    "true" => Ok(Self),
                    _ => Err(ecs_core::Shape::default()),
                }
            }

            fn to_json(&self) -> ecs_core::Json {
                ecs_core::Json::yes()
            }
        }
    )*};
}

/// Declares Components that hold an amount: JSON `"Nmsat"`, read from every msat form.
macro_rules! amounts {
    ($($(#[$doc:meta])* $name:ident = $spec:expr, min $min:expr;)*) => {$(
        $(#[$doc])*
        #[derive(bevy_ecs::component::Component, Clone, Copy, Debug, PartialEq, Eq)]
        #[component(storage = "SparseSet")]
        pub struct $name(pub payecs_units::Msat);

        impl ecs_core::WireComponent for $name {
            const SPEC: ecs_core::ComponentSpec = $spec;

            fn from_json(json: &ecs_core::Json) -> Result<Self, ecs_core::Shape> {
                let amount: payecs_units::Msat = json.decode()?;
                if amount < $min {
                    return Err(ecs_core::Shape(Some(format!("at least {}", $min))));
                }
                Ok(Self(amount))
            }

            fn to_json(&self) -> ecs_core::Json {
                ecs_core::Json::of(&self.0.to_string())
            }
        }
    )*};
}

/// Declares Components that hold a value with a serde codec whose text is canonical.
macro_rules! values {
    ($($(#[$doc:meta])* $name:ident($type:ty) = $spec:expr;)*) => {$(
        #[derive(bevy_ecs::component::Component, Clone, Debug, PartialEq, Eq)]
        $(#[$doc])*
        #[component(storage = "SparseSet")]
        pub struct $name(pub $type);

        impl ecs_core::WireComponent for $name {
            const SPEC: ecs_core::ComponentSpec = $spec;

            fn from_json(json: &ecs_core::Json) -> Result<Self, ecs_core::Shape> {
                match json.decode() {
                    Ok(value) => Ok(Self(value)),
                    // What is wrong with a secret could repeat it.
                    Err(_) if Self::SPEC.secret => Err(ecs_core::Shape::default()),
                    Err(error) => Err(error.into()),
                }
            }

            fn to_json(&self) -> ecs_core::Json {
                ecs_core::Json::of(&self.0)
            }
        }
    )*};
}

/// Declares Components that keep the text they came as, once `check` has accepted it.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $spec:expr, check $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(bevy_ecs::component::Component, Clone, Debug, PartialEq, Eq)]
        #[component(storage = "SparseSet")]
        pub struct $name(pub ecs_core::Json);

        impl ecs_core::WireComponent for $name {
            const SPEC: ecs_core::ComponentSpec = $spec;

            fn from_json(json: &ecs_core::Json) -> Result<Self, ecs_core::Shape> {
                let check: fn(&ecs_core::Json) -> Result<(), ecs_core::Shape> = $check;
                check(json)?;
                Ok(Self(json.clone()))
            }

            fn to_json(&self) -> ecs_core::Json {
                self.0.clone()
            }
        }
    )*};
}

pub(super) use {amounts, flags, texts, values};
