//! What there may be so much of.

use crate::{names::FOREIGN_NAMES_MAX, system::SYSTEMS_MAX};
use std::collections::BTreeMap;

/// The code where there is as much of something as there may be.
pub const QUOTA_REACHED: i32 = 2208;
/// Names that only the flow itself may still use up.
const NAMES_RESERVED: u64 = 256;
/// Names that third parties may use up.
const NAMES_MAX: u64 = FOREIGN_NAMES_MAX as u64 - NAMES_RESERVED;

/// Something that there may be so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// Entities.
    Entities,
    /// Entities that one token made.
    TokenEntities,
    /// Components of one Entity.
    Components,
    /// Bytes of the value of one Component.
    ComponentBytes,
    /// Bytes of the values of one Entity.
    EntityBytes,
    /// Bytes of the values of the Entities that one token made.
    TokenBytes,
    /// Bytes of all values.
    Bytes,
    /// Names of Components that third parties use.
    Names,
    /// Registered Systems.
    Systems,
    /// External Systems that one token registered.
    TokenSystems,
    /// Servers of external Systems at a time.
    Servers,
    /// The servers of one token.
    TokenServers,
    /// Callers that wait at a time for what they only look at.
    Waiters,
    /// The callers of one token that do.
    TokenWaiters,
}

/// What is known of a quota.
struct About {
    name: &'static str,
    default: u64,
    highest: u64,
    /// What there are so many of.
    of: &'static str,
    /// How there are fewer.
    fewer: &'static str,
}

const fn about(
    name: &'static str,
    (default, highest): (u64, u64),
    of: &'static str,
    fewer: &'static str,
) -> About {
    About { name, default, highest, of, fewer }
}

/// Where nothing else is a bound.
const ANY: u64 = u32::MAX as u64;

impl Quota {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Entities,
        Self::TokenEntities,
        Self::Components,
        Self::ComponentBytes,
        Self::EntityBytes,
        Self::TokenBytes,
        Self::Bytes,
        Self::Names,
        Self::Systems,
        Self::TokenSystems,
        Self::Servers,
        Self::TokenServers,
        Self::Waiters,
        Self::TokenWaiters,
    ];

    const fn about(self) -> About {
        let end = "end Entities that nobody needs (payecs_delentity)";
        let less = "store less, or several Components";
        let remove = "remove some (payecs_removesystem)";
        let leave = "end some";
        let wait = "try again later";
        match self {
            Self::Entities => about("entities", (1_000_000, ANY), "Entities", end),
            Self::TokenEntities => {
                about("token-entities", (250_000, ANY), "Entities of one token", end)
            }
            Self::Components => {
                about("components", (256, ANY), "Components of one Entity", "detach some")
            }
            Self::ComponentBytes => {
                about("component-bytes", (16 << 20, ANY), "bytes of one Component", less)
            }
            Self::EntityBytes => {
                about("entity-bytes", (64 << 20, ANY), "bytes of one Entity", "detach Components")
            }
            Self::TokenBytes => {
                about("token-bytes", (256 << 20, u64::MAX), "bytes of one token's Entities", end)
            }
            Self::Bytes => about("bytes", (1 << 30, u64::MAX), "bytes of all Entities", end),
            Self::Names => about(
                "names",
                (NAMES_MAX, NAMES_MAX),
                "names of third parties' Components since the start",
                "put variable data into values",
            ),
            Self::Systems => {
                about("systems", (SYSTEMS_MAX as u64, SYSTEMS_MAX as u64), "Systems", remove)
            }
            Self::TokenSystems => {
                about("token-systems", (128, SYSTEMS_MAX as u64), "Systems of one token", remove)
            }
            Self::Servers => about("servers", (1_024, ANY), "servers", leave),
            Self::TokenServers => about("token-servers", (128, ANY), "servers of one token", leave),
            Self::Waiters => about("waiters", (1_024, ANY), "callers that wait", wait),
            Self::TokenWaiters => {
                about("token-waiters", (256, ANY), "callers of one token that wait", wait)
            }
        }
    }

    /// Its name, in settings and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.about().name
    }

    /// How much there may be unless it is set.
    #[must_use]
    pub const fn default_max(self) -> u64 {
        self.about().default
    }

    /// The most that it can be set to.
    #[must_use]
    pub const fn highest(self) -> u64 {
        self.about().highest
    }

    /// What there may be so much of, in words.
    #[must_use]
    pub const fn of(self) -> &'static str {
        self.about().of
    }

    /// How there is less of it, as a sentence without its full stop.
    fn remedy(self) -> String {
        let fewer = self.about().fewer;
        let first = fewer.chars().next().map(|first| first.to_ascii_uppercase());
        let rest = fewer.get(1..).unwrap_or_default();
        format!("{}{rest}, or have the quota raised", first.unwrap_or_default())
    }

    /// The quota of that name.
    /// ```
    /// # use ecs_core::Quota;
    /// assert_eq!(Quota::named("entity-bytes"), Some(Quota::EntityBytes));
    /// assert_eq!(Quota::named("sheep"), None);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quota| quota.name() == name)
    }
}

/// How much there may be of everything. The default suits a machine with 8 GB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas(BTreeMap<Quota, u64>);

impl Quotas {
    /// The same with another quota.
    /// ```
    /// # use ecs_core::{Quota, Quotas};
    /// let few = Quotas::default().with(Quota::Entities, 10).unwrap();
    /// assert_eq!((few.max(Quota::Entities), few.max(Quota::Components)), (10, 256));
    /// assert!(few.with(Quota::Systems, 1_000_000).is_err());
    /// ```
    ///
    /// # Errors
    /// It is more than [`Quota::highest`].
    pub fn with(mut self, quota: Quota, max: u64) -> Result<Self, QuotaTooHigh> {
        if max > quota.highest() {
            return Err(QuotaTooHigh { quota, max });
        }
        self.0.insert(quota, max);
        Ok(self)
    }

    /// How much there may be.
    #[must_use]
    pub fn max(&self, quota: Quota) -> u64 {
        self.0.get(&quota).copied().unwrap_or(quota.default_max())
    }

    /// Refuses what would be more than there may be.
    ///
    /// # Errors
    /// `wanted` is more than [`Quotas::max`].
    pub fn check(&self, quota: Quota, wanted: u64) -> Result<(), QuotaReached> {
        let max = self.max(quota);
        if wanted > max { Err(QuotaReached { quota, max }) } else { Ok(()) }
    }
}

/// A quota is set to more than it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: at most {}, got {max}", .quota.name(), .quota.highest())]
pub struct QuotaTooHigh {
    /// Which.
    pub quota: Quota,
    /// What was asked for.
    pub max: u64,
}

/// There is as much of something as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Quota `{}` is reached: {max} {}. {}.", .quota.name(), .quota.of(), .quota.remedy())]
pub struct QuotaReached {
    /// Of what.
    pub quota: Quota,
    /// How much that is.
    pub max: u64,
}
