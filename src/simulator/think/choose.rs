//! Which tools a question calls for.

use super::hints::{Hints, is_han};
use crate::simulator::ask::{Ask, Choice, Role, Tool};

/// Most calls in one answer.
const MOST: usize = 8;

/// The tools to call, each with the number of the subject that the call is about.
///
/// A named tool is called once. Else the tools whose names or descriptions share
/// words with the question; all of them if none does. One alone if calls may not
/// be parallel. A single fitting tool is called once for each subject of a list
/// ("Paris, Tokyo and Rome").
pub(super) fn tools<'a>(ask: &'a Ask, hints: &Hints<'_>) -> Vec<(&'a Tool, usize)> {
    if let Choice::Named(name) = &ask.choice {
        return ask
            .tools
            .iter()
            .filter(|tool| tool.name == *name)
            .map(|t| (t, 0))
            .take(1)
            .collect();
    }
    let mut chosen = fitting(ask, hints.text);
    if !ask.parallel {
        chosen.truncate(1);
    }
    chosen.truncate(MOST);
    let [only] = chosen[..] else {
        return chosen.into_iter().map(|tool| (tool, 0)).collect();
    };
    let listed = hints.subjects.len() > 1 && takes_one_word(only) && is_list(hints);
    let times = if ask.parallel && listed { hints.subjects.len().min(MOST) } else { 1 };
    (0..times).map(|about| (only, about)).collect()
}

fn fitting<'a>(ask: &'a Ask, question: &str) -> Vec<&'a Tool> {
    const ALL: &[&str] = &[
        "both",
        "all tools",
        "each tool",
        "every tool",
        "两个工具",
        "所有工具",
        "分别调用",
        "parallel",
        "并行",
    ];
    let text = question.to_lowercase();
    if ALL.iter().any(|word| text.contains(word)) {
        return ask.tools.iter().collect();
    }
    let scores: Vec<usize> = ask.tools.iter().map(|tool| score(tool, &text)).collect();
    let best = scores.iter().copied().max().unwrap_or(0);
    let mut chosen: Vec<&Tool> = Vec::new();
    for (tool, score) in ask.tools.iter().zip(scores) {
        if score * 2 > best || best == 0 {
            chosen.push(tool);
        }
    }
    // The same question again after a result: the next tool, not the same one.
    if ask.turns.last().is_some_and(|turn| turn.role == Role::Tool) {
        let called = |tool: &&Tool| {
            ask.turns.iter().any(|turn| turn.calls.iter().any(|(_, name)| *name == tool.name))
        };
        if chosen.iter().any(|tool| !called(tool)) {
            chosen.retain(|tool| !called(tool));
        }
    }
    chosen
}

/// How many words a tool shares with the question; those of its name weigh three.
fn score(tool: &Tool, question: &str) -> usize {
    let mut score = 0;
    for word in name_words(&tool.name) {
        score += 3 * usize::from(mentions(question, &word));
    }
    for word in tool.description.split(|c: char| !c.is_ascii_alphanumeric()) {
        let word = word.to_lowercase();
        score += usize::from(word.len() > 3 && !is_common(&word) && mentions(question, &word));
    }
    let han: Vec<char> = tool.description.chars().collect();
    for pair in han.windows(2).filter(|pair| pair.iter().all(|c| is_han(*c))) {
        let pair: String = pair.iter().collect();
        const COMMON: &[&str] =
            &["查询", "一个", "获取", "现在", "当前", "返回", "指定", "根据", "在的"];
        score += 2 * usize::from(!COMMON.contains(&pair.as_str()) && question.contains(&pair));
    }
    score
}

/// `getCurrentWeather`, `get_current_weather` → weather.
fn name_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || c.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| word.len() > 2 && !is_common(word));
    words
}

/// Whether the question has a word that begins alike ("time" and "times").
fn mentions(question: &str, word: &str) -> bool {
    question
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|said| said.starts_with(word) || (said.len() > 3 && word.starts_with(said)))
}

fn is_common(word: &str) -> bool {
    const COMMON: &[&str] = &[
        "get", "set", "the", "and", "for", "with", "from", "this", "that", "given", "current",
        "tool", "function", "fetch", "returns", "return", "retrieve", "lookup", "query", "what",
        "user", "name", "about", "into", "when", "which",
    ];
    COMMON.contains(&word)
}

/// Whether a call is about one thing: its required arguments include a plain string.
fn takes_one_word(tool: &Tool) -> bool {
    let Some(properties) = tool.parameters.get("properties").and_then(|p| p.as_object()) else {
        return false;
    };
    const ONE: &[&str] =
        &["city", "location", "place", "name", "country", "symbol", "stock", "town"];
    properties.iter().any(|(name, schema)| {
        let name = name.to_lowercase();
        schema.get("type").and_then(|kind| kind.as_str()) == Some("string")
            && ONE.iter().any(|one| name.contains(one))
    })
}

/// Whether the subjects stand as a list of equals, with "and", 和 or commas.
fn is_list(hints: &Hints<'_>) -> bool {
    let joined = |word: &str| hints.text.contains(word);
    [" and ", ", ", " & ", "和", "、", "与"].into_iter().any(joined)
}
