//! A window's period in a word: `day`, `5h`, `7d`.

use crate::accounts::Period;

/// The word for a period.
pub(super) fn word(period: &Period) -> String {
    let seconds = match period {
        Period::Day { .. } => return "day".to_owned(),
        Period::FromFirstUse { seconds } => *seconds,
    };
    match seconds {
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// The zone whose midnight ends it, if one does.
pub(super) fn zone(period: &Period) -> Option<&str> {
    match period {
        Period::Day { zone } => Some(zone),
        Period::FromFirstUse { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_told_as_people_say_them() {
        let told = |seconds| word(&Period::FromFirstUse { seconds });
        assert_eq!([told(18_000), told(604_800), told(90), told(120)], ["5h", "7d", "90s", "2m"]);
        assert_eq!(word(&Period::Day { zone: "UTC".into() }), "day");
    }
}
