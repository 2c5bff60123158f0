//! Windows: a token limit over a period.
//!
//! A window rolls lazily, on every look at it, so its limit is right however
//! long nobody looked. Time zones are known to the caller alone, who passes each
//! zone's resets around its own clock: the last, and the next two. So the store, whose
//! clock counts, finds the right one though the caller's be off by hours.

use std::fmt;

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
    /// Reads `day` (in UTC), or a length as `5h`, `7d`, `30m`.
    pub fn named(text: &str) -> Option<Self> {
        if text == "day" {
            return Some(Self::Day { zone: "UTC".to_owned() });
        }
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        let count: i64 = count.parse().ok().filter(|count| *count > 0)?;
        Some(Self::FromFirstUse { seconds: count.checked_mul(seconds)? })
    }

    /// The zone whose midnights end it.
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Day { zone } => Some(zone),
            Self::FromFirstUse { .. } => None,
        }
    }
}

/// Where a window's limit comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The platform's entry in the catalogue: a document's figure, or a guess.
    #[default]
    Catalogue,
    /// A person set it. What a platform tells does not change it.
    Hand,
    /// The platform's answers told it.
    Learned,
}

/// As people say it: `day`, `5h`, `7d`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day { .. } => f.write_str("day"),
            Self::FromFirstUse { seconds: s } if s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            Self::FromFirstUse { seconds: s } if s % 3600 == 0 => write!(f, "{}h", s / 3600),
            Self::FromFirstUse { seconds: s } if s % 60 == 0 => write!(f, "{}m", s / 60),
            Self::FromFirstUse { seconds } => write!(f, "{seconds}s"),
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
    /// Where the limit comes from.
    #[serde(default)]
    pub origin: Origin,
}

/// A window on an account, with what was used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How long it lasts.
    pub period: Period,
    /// Its limit; `None`: not known, nothing is refused by it.
    pub limit: Option<Tokens>,
    /// Where the limit comes from.
    pub origin: Origin,
    /// Used since it began.
    pub used: Tokens,
    /// When it ends; `None`: it has not begun.
    pub resets_at: Option<Timestamp>,
    /// The platform told that end.
    pub end_told: bool,
}

impl From<WindowSpec> for Window {
    fn from(spec: WindowSpec) -> Self {
        Self {
            period: spec.period,
            limit: spec.limit,
            origin: spec.origin,
            used: Tokens::ZERO,
            resets_at: None,
            end_told: false,
        }
    }
}

impl Window {
    /// Ends the window if its time has come, and begins a day's next one.
    pub fn roll(&mut self, now: Timestamp, resets: &Resets) {
        if self.resets_at.is_some_and(|end| end <= now) {
            self.used = Tokens::ZERO;
            self.resets_at = None;
            self.end_told = false;
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

/// A zone's midnights around an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneResets {
    /// The zone's IANA name.
    pub zone: String,
    /// The last 00:00, the next, and the one after it.
    pub around: [Timestamp; 3],
}

/// The resets of every zone in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resets(pub Vec<ZoneResets>);

impl Resets {
    /// Reads the zones' midnights around `now` from the zone database.
    ///
    /// A zone that the database does not know is left out; the configuration
    /// refuses such a zone before it comes here.
    pub fn after<'a>(now: Timestamp, zones: impl IntoIterator<Item = &'a str>) -> Self {
        Self(zones.into_iter().filter_map(|zone| zone_resets(now, zone)).collect())
    }

    /// The first reset of a zone after `now`.
    pub fn next(&self, zone: &str, now: Timestamp) -> Option<Timestamp> {
        let known = self.0.iter().find(|known| known.zone == zone)?;
        known.around.into_iter().find(|&reset| reset > now)
    }

    /// Whether every next reset still lies ahead.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.0.iter().all(|zone| zone.around[1] > now)
    }
}

fn zone_resets(now: Timestamp, zone: &str) -> Option<ZoneResets> {
    let here = now.to_zoned_datetime(TimeZone::get(zone).ok()?);
    let midnight = |days: i64| {
        let day = here.date().checked_add(days.days()).ok()?;
        Some(day.to_zoned_datetime(here.time_zone().clone()).ok()?.timestamp())
    };
    Some(ZoneResets { zone: zone.into(), around: [midnight(0)?, midnight(1)?, midnight(2)?] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn day(zone: &str) -> Window {
        let period = Period::Day { zone: zone.into() };
        WindowSpec { period, limit: Some(Tokens(100)), origin: Origin::Hand }.into()
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
        let around = ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"];
        assert_eq!(resets.0[0].around, around.map(at));
    }

    #[test]
    fn a_midnight_that_a_zone_skips_comes_when_its_day_begins() {
        // In Cairo the clock goes from 00:00 to 01:00 on that day.
        let resets = Resets::after(at("2026-04-23T12:00:00Z"), ["Africa/Cairo"]);
        let around = ["2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"];
        assert_eq!(resets.0[0].around, around.map(at));
    }

    #[test]
    fn a_caller_whose_clock_is_off_moves_no_reset() {
        let now = at("2026-11-24T15:59:00Z");
        for clock in ["2026-11-24T15:40:00Z", "2026-11-24T15:59:00Z", "2026-11-24T16:20:00Z"] {
            let resets = Resets::after(at(clock), ["Asia/Shanghai"]);
            let mut window = day("Asia/Shanghai");
            window.roll(now, &resets);
            assert_eq!(window.resets_at, Some(at("2026-11-24T16:00:00Z")), "{clock}");
            window.roll(at("2026-11-24T16:00:00Z"), &resets);
            assert_eq!(window.resets_at, Some(at("2026-11-25T16:00:00Z")), "{clock}");
        }
    }

    #[test]
    fn periods_are_told_as_people_say_them() {
        for (seconds, word) in [(18_000, "5h"), (604_800, "7d"), (90, "90s"), (120, "2m")] {
            let period = Period::FromFirstUse { seconds };
            assert_eq!(period.to_string(), word);
            assert!(word == "90s" || Period::named(word) == Some(period));
        }
        assert_eq!(Period::named("day").unwrap().to_string(), "day");
        assert_eq!(["", "h", "0h", "5x"].map(Period::named), [const { None }; 4]);
    }

    #[test]
    fn five_hours_begin_with_the_first_use() {
        let spec = WindowSpec {
            period: Period::FromFirstUse { seconds: 18_000 },
            limit: None,
            origin: Origin::Catalogue,
        };
        let mut window = Window::from(spec);
        let now = at("2026-11-24T12:00:00Z");
        window.roll(now, &Resets::default());
        assert_eq!(window.resets_at, None);
        window.charge(Tokens(1), now);
        assert_eq!(window.resets_at, Some(at("2026-11-24T17:00:00Z")));
    }
}
