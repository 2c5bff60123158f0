//! Single fields that Messages calls otherwise, or has other rules for.

use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text, text_to_json};

/// How long an answer may be that is waited for: the official SDK refuses more without a
/// stream, since it may take longer than ten minutes (`_calculate_nonstreaming_timeout`).
const LONGEST_WHOLE: u64 = 21_333;

/// The longest `metadata.user_id` (Anthropic's API reference).
const LONGEST_USER: usize = 256;

/// The answer's limit: the caller's, else the model's own, for Messages needs one.
pub(super) fn max_tokens(
    fields: &Object<'_>,
    most: Option<u64>,
    streams: bool,
) -> Result<u64, BadRequest> {
    for name in ["max_completion_tokens", "max_tokens"] {
        if let Some(json) = fields.given(name) {
            let wrong = || {
                let message = format!("Invalid '{name}': expected an integer of 1 or more.");
                BadRequest::field(name, message)
            };
            let wanted: u64 = json.parse().map_err(|_| wrong())?;
            if wanted == 0 {
                return Err(wrong());
            }
            return Ok(wanted.min(most.unwrap_or(u64::MAX)));
        }
    }
    let most = most.unwrap_or(LONGEST_WHOLE);
    Ok(if streams { most } else { most.min(LONGEST_WHOLE) })
}

/// Takes the stops out, each a JSON string. The platform refuses blank ones, which stop nothing
/// that anybody would miss.
pub(super) fn stops(fields: &mut Object<'_>) -> Result<Vec<String>, BadRequest> {
    let Some(json) = fields.remove("stop").filter(|json| json != "null") else {
        return Ok(Vec::new());
    };
    let wrong = || {
        let message = "Invalid type for 'stop': expected a string or a list of strings.";
        BadRequest::field("stop", message)
    };
    let listed =
        if json.starts_with('[') { elements(&json).map_err(|_| wrong())? } else { vec![&*json] };
    let mut stops = Vec::new();
    for json in listed {
        let stop = read_text(json).ok_or_else(wrong)?;
        if !stop.trim().is_empty() {
            stops.push(json.to_owned());
        }
    }
    Ok(stops)
}

/// Sampling goes neither with thinking nor as a pair (Anthropic's migration guides).
pub(super) fn sampling(fields: &mut Object<'_>, thinks: bool) {
    if thinks {
        fields.remove("temperature");
    }
    if thinks || fields.get("temperature").is_some() {
        fields.remove("top_p");
    }
}

/// Who asks, by either of the front's names.
pub(super) fn people(fields: &mut Object<'_>) {
    let names = [fields.remove("user"), fields.remove("safety_identifier")];
    let fits = |json: &&str| {
        read_text(json).is_some_and(|id| (1..=LONGEST_USER).contains(&id.chars().count()))
    };
    if let Some(id) = names.iter().flatten().map(|json| &**json).find(fits) {
        let metadata = format!("{{\"user_id\":{id}}}");
        fields.set("metadata", metadata);
    }
}

/// The service tier, where Messages has a word for it.
pub(super) fn tier(fields: &mut Object<'_>) {
    let tier = match fields.remove("service_tier").as_deref() {
        Some("\"auto\"") => "auto",
        Some("\"default\"") => "standard_only",
        _ => return,
    };
    fields.set("service_tier", text_to_json(tier));
}
