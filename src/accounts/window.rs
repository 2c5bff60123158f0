//! Windows: a token limit over a period.
//!
//! A window rolls lazily, on every look at it, so its limit is right however
//! long nobody looked. Time zones are known to the caller alone, who passes each
//! zone's next two resets: the second serves a window that was last looked at
//! just before the first.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::Tokens;

/// How long a window lasts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From 00:00 to 00:00 in an IANA time zone.
    Day {
        /// The zone's name, such as `Asia/Shanghai`.
        zone: String,
    },
    /// So many seconds, beginning with the first use after the last end.
    FromFirstUse {
        /// Length in seconds.
        seconds: i64,
    },
}

impl Period {
    /// The zone whose midnights end it.
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Day { zone } => Some(zone),
            Self::FromFirstUse { .. } => None,
        }
    }
}

/// A window as the catalogue or a person sets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSpec {
    /// How long it lasts.
    pub period: Period,
    /// Its limit; `None`: not known, nothing is refused by it.
    pub limit: Option<Tokens>,
}

/// A window on an account, with what was used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How long it lasts.
    pub period: Period,
    /// Its limit; `None`: not known, nothing is refused by it.
    pub limit: Option<Tokens>,
    /// Used since it began.
    pub used: Tokens,
    /// When it ends; `None`: it has not begun.
    pub resets_at: Option<Timestamp>,
}

impl From<WindowSpec> for Window {
    fn from(spec: WindowSpec) -> Self {
        Self { period: spec.period, limit: spec.limit, used: Tokens::ZERO, resets_at: None }
    }
}

impl Window {
    /// Ends the window if its time has come, and begins a day's next one.
    pub fn roll(&mut self, now: Timestamp, resets: &Resets) {
        if self.resets_at.is_some_and(|end| end <= now) {
            self.used = Tokens::ZERO;
            self.resets_at = None;
        }
        if let (None, Period::Day { zone }) = (self.resets_at, &self.period) {
            self.resets_at = resets.next(zone, now);
        }
    }

    /// Adds a use, and begins a window that begins with its first use.
    pub fn charge(&mut self, tokens: Tokens, now: Timestamp) {
        self.used += tokens;
        if let (None, Period::FromFirstUse { seconds }) = (self.resets_at, &self.period) {
            self.resets_at = now.checked_add(SignedDuration::from_secs(*seconds)).ok();
        }
    }

    /// What is left before leases; negative when overdrawn, `None` without a limit.
    pub fn left(&self) -> Option<i64> {
        self.limit.map(|limit| limit.signed().saturating_sub(self.used.signed()))
    }
}

/// A zone's next two midnights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneResets {
    /// The zone's IANA name.
    pub zone: String,
    /// The next 00:00, and the one after it.
    pub next: [Timestamp; 2],
}

/// The next two resets of every zone in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resets(pub Vec<ZoneResets>);

impl Resets {
    /// Reads the zones' next two midnights after `now` from the zone database.
    ///
    /// A zone that the database does not know is left out; the configuration
    /// refuses such a zone before it comes here.
    pub fn after<'a>(now: Timestamp, zones: impl IntoIterator<Item = &'a str>) -> Self {
        Self(zones.into_iter().filter_map(|zone| zone_resets(now, zone)).collect())
    }

    /// The first reset of a zone after `now`.
    pub fn next(&self, zone: &str, now: Timestamp) -> Option<Timestamp> {
        let known = self.0.iter().find(|known| known.zone == zone)?;
        known.next.into_iter().find(|&reset| reset > now)
    }

    /// Whether every first reset still lies ahead.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.0.iter().all(|zone| zone.next[0] > now)
    }
}

fn zone_resets(now: Timestamp, zone: &str) -> Option<ZoneResets> {
    let here = now.to_zoned_datetime(TimeZone::get(zone).ok()?);
    let midnight = |days: i64| {
        let day = here.date().checked_add(days.days()).ok()?;
        Some(day.to_zoned_datetime(here.time_zone().clone()).ok()?.timestamp())
    };
    Some(ZoneResets { zone: zone.into(), next: [midnight(1)?, midnight(2)?] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn day(zone: &str) -> Window {
        WindowSpec { period: Period::Day { zone: zone.into() }, limit: Some(Tokens(100)) }.into()
    }

    #[test]
    fn a_day_ends_at_midnight_of_its_zone() {
        let now = at("2026-11-24T15:59:59Z");
        let resets = Resets::after(now, ["Asia/Shanghai"]);
        let mut window = day("Asia/Shanghai");
        window.roll(now, &resets);
        window.charge(Tokens(60), now);
        assert_eq!(window.resets_at, Some(at("2026-11-24T16:00:00Z")));
        window.roll(at("2026-11-24T16:00:00Z"), &resets);
        assert_eq!(window.used, Tokens::ZERO);
        assert_eq!(window.resets_at, Some(at("2026-11-25T16:00:00Z")));
    }

    #[test]
    fn a_day_with_daylight_saving_is_as_long_as_that_day() {
        let resets = Resets::after(at("2026-03-29T00:30:00Z"), ["Europe/Berlin"]);
        assert_eq!(resets.0[0].next, [at("2026-03-29T22:00:00Z"), at("2026-03-30T22:00:00Z")]);
    }

    #[test]
    fn five_hours_begin_with_the_first_use() {
        let spec = WindowSpec { period: Period::FromFirstUse { seconds: 18_000 }, limit: None };
        let mut window = Window::from(spec);
        let now = at("2026-11-24T12:00:00Z");
        window.roll(now, &Resets::default());
        assert_eq!(window.resets_at, None);
        window.charge(Tokens(1), now);
        assert_eq!(window.resets_at, Some(at("2026-11-24T17:00:00Z")));
    }
}
