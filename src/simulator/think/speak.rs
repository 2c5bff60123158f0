//! The text of an answer, in the language of the question.

use super::Call;
use super::hints::{is_chinese, short};
use super::pictures;
use crate::simulator::ask::{Ask, Role, Turn};

/// The words that `say N words` is made of: each one token.
const WORDS: &[&str] = &[
    "river", "stone", "light", "cloud", "green", "quiet", "north", "water", "field", "morning",
    "silver", "bridge", "garden", "paper", "window", "winter",
];

/// Most words that are said on request.
const MOST_WORDS: usize = 2_000_000;

/// The answer to the last message.
pub(super) fn text(ask: &Ask, choice: usize) -> String {
    let question = ask.question();
    let results: Vec<&Turn> = results(ask);
    if !results.is_empty() {
        return quote_results(ask, &results, question);
    }
    if let Some(literal) = literal(question) {
        return literal;
    }
    let chinese = is_chinese(question);
    let mut said = if chinese {
        format!("我是 {}。您问的是：“{}”。", ask.model.name, short(question, 120))
    } else {
        format!("This is {}. You asked: \"{}\".", ask.model.name, short(question, 240))
    };
    for note in notes(ask, chinese) {
        said.push_str(if chinese { "" } else { " " });
        said.push_str(&note);
    }
    if choice > 0 {
        said.push_str(&if chinese {
            format!("（第 {} 个回答。）", choice + 1)
        } else {
            format!(" (Answer {}.)", choice + 1)
        });
    }
    said
}

/// What is thought before an answer.
pub(super) fn thoughts(question: &str, calls: &[Call]) -> String {
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    if is_chinese(question) {
        let next = if names.is_empty() {
            "直接回答即可。".to_owned()
        } else {
            format!("需要调用 {}。", names.join("、"))
        };
        format!("用户说：“{}”。先想清楚要点，{next}", short(question, 40))
    } else {
        let next = if names.is_empty() {
            "A short answer will do.".to_owned()
        } else {
            format!("This needs {}.", names.join(", "))
        };
        format!("The user says: \"{}\". {next}", short(question, 80))
    }
}

/// What is said before calls, by models that say something.
pub(super) fn announcement(question: &str) -> &'static str {
    if is_chinese(question) { "我来查一下。" } else { "Let me check." }
}

/// Whether the text asks for something to the letter.
pub(super) fn is_literal(question: &str) -> bool {
    repeated(question).is_some() || word_count(question).is_some()
}

/// `repeat: …` and `say N words`.
fn literal(question: &str) -> Option<String> {
    if let Some(text) = repeated(question) {
        return Some(text.to_owned());
    }
    let count = word_count(question)?;
    let mut said = String::with_capacity(count * 7);
    for n in 0..count {
        if n > 0 {
            said.push(' ');
        }
        said.push_str(WORDS[n % WORDS.len()]);
    }
    Some(said)
}

fn repeated(question: &str) -> Option<&str> {
    question.split_once("repeat: ").map(|(_, text)| text)
}

fn word_count(question: &str) -> Option<usize> {
    let mut words = question.split_whitespace();
    while let Some(word) = words.next() {
        if !word.eq_ignore_ascii_case("say") {
            continue;
        }
        let count = words.next().and_then(|count| count.parse::<usize>().ok());
        let named = words.next().is_some_and(|word| word.starts_with("word"));
        if let (Some(count), true) = (count, named) {
            return Some(count.min(MOST_WORDS));
        }
    }
    None
}

/// The tool messages at the conversation's end.
fn results(ask: &Ask) -> Vec<&Turn> {
    let tail = ask.turns.iter().rev().take_while(|turn| turn.role == Role::Tool);
    let mut results: Vec<&Turn> = tail.collect();
    results.reverse();
    results
}

fn quote_results(ask: &Ask, results: &[&Turn], question: &str) -> String {
    let chinese = is_chinese(question);
    let named = |turn: &Turn| {
        let id = turn.answers.as_deref().unwrap_or_default();
        let calls = ask.turns.iter().flat_map(|turn| &turn.calls);
        calls
            .filter(|(call, _)| call == id)
            .map(|(_, name)| name.clone())
            .next_back()
            .unwrap_or_default()
    };
    let quotes: Vec<String> = results
        .iter()
        .map(|turn| {
            if chinese {
                format!("{} 的结果是 {}", named(turn), turn.text)
            } else {
                format!("{} says {}", named(turn), turn.text)
            }
        })
        .collect();
    if chinese { format!("{}。", quotes.join("；")) } else { format!("{}.", quotes.join("; ")) }
}

/// What else arrived: images, earlier turns, instructions.
fn notes(ask: &Ask, chinese: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let images: Vec<String> =
        ask.turns.iter().flat_map(|turn| &turn.images).map(|url| pictures::describe(url)).collect();
    let earlier: Vec<&Turn> = ask.turns.iter().filter(|turn| turn.role == Role::User).collect();
    let earlier = earlier.split_last().map_or(&[][..], |(_, earlier)| earlier);
    let instructions = ask.turns.iter().find(|turn| turn.role == Role::System);
    let list = |items: Vec<String>| items.join(if chinese { "；" } else { "; " });
    if !images.is_empty() {
        notes.push(if chinese {
            format!("我看到 {} 张图片：{}。", images.len(), list(images))
        } else {
            format!("I see {} image(s): {}.", images.len(), list(images))
        });
    }
    if !earlier.is_empty() {
        let said = list(earlier.iter().map(|turn| short(&turn.text, 80)).collect());
        notes.push(if chinese {
            format!("之前您说过：“{said}”。")
        } else {
            format!("Earlier you said: \"{said}\".")
        });
    }
    if let Some(turn) = instructions {
        let said = short(&turn.text, 80);
        notes.push(if chinese {
            format!("我遵循的要求是：“{said}”。")
        } else {
            format!("I follow the instruction: \"{said}\".")
        });
    }
    notes
}
