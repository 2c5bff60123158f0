//! What a question offers to fill arguments with: its subjects and its numbers.
//!
//! "What is the weather in Paris and Tokyo?" offers `Paris` and `Tokyo`;
//! "合肥今天天气怎么样?" offers `合肥`. Nothing here understands language: it
//! takes what is written as a name or what stands where names stand.

/// A question, taken apart.
#[derive(Debug)]
pub(super) struct Hints<'a> {
    /// The question itself.
    pub text: &'a str,
    /// What it seems to be about, best first.
    pub subjects: Vec<String>,
    pub numbers: Vec<f64>,
}

impl<'a> Hints<'a> {
    pub(super) fn of(text: &'a str) -> Hints<'a> {
        let mut subjects = names(text);
        if subjects.is_empty() {
            subjects = chinese_subjects(text);
        }
        Hints { text, subjects, numbers: numbers(text) }
    }

    /// The best subject, or the question itself in short.
    pub(super) fn subject(&self) -> String {
        match self.subjects.first() {
            Some(subject) => subject.clone(),
            None => short(self.text, 24),
        }
    }

    /// The same question seen as being about its `n`th subject alone.
    pub(super) fn about(&self, n: usize) -> Hints<'a> {
        let mut subjects = self.subjects.clone();
        if !subjects.is_empty() {
            let turn = n % subjects.len();
            subjects.rotate_left(turn);
        }
        Hints { text: self.text, subjects, numbers: self.numbers.clone() }
    }
}

/// Whether `text` is to be answered in Chinese.
pub(super) fn is_chinese(text: &str) -> bool {
    text.chars().any(is_han)
}

pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// The beginning of `text`, at most `chars` characters, on one line.
pub(super) fn short(text: &str, chars: usize) -> String {
    let mut line: String = text.trim().chars().take(chars).collect();
    if line.contains(['\n', '\r']) {
        line = line.replace(['\n', '\r'], " ");
    }
    line
}

/// Runs of capitalized words. One word alone that only begins a sentence counts if a
/// list goes on after it ("Alice and Bob…"), or if there is no other name.
fn names(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut doubtful = None;
    let mut run = Run::default();
    let mut sentence_begins = true;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let bare = bare.strip_suffix("'s").unwrap_or(bare);
        let ends = word.ends_with([',', ';', '.', '?', '!', ':', ')']);
        let may_begin = !(sentence_begins && run.words.is_empty() && is_ordinary(bare));
        let named = is_capital(bare) && may_begin;
        if named {
            run.begins_sentence |= run.words.is_empty() && sentence_begins;
            run.words.push(bare);
        }
        if !named || ends {
            let goes_on = word.ends_with(',') || matches!(word, "and" | "or" | "&");
            let done = std::mem::take(&mut run);
            let name = done.words.join(" ");
            if done.words.len() == 1 && done.begins_sentence && !goes_on {
                doubtful = doubtful.or(Some(name));
            } else if !name.is_empty() && !found.contains(&name) {
                found.push(name);
            }
        }
        sentence_begins = word.ends_with(['.', '?', '!', ':']);
    }
    let name = run.words.join(" ");
    if !name.is_empty() && !found.contains(&name) {
        found.push(name);
    }
    if found.is_empty() {
        found.extend(doubtful);
    }
    found
}

/// Capitalized words that stand together.
#[derive(Default)]
struct Run<'a> {
    words: Vec<&'a str>,
    begins_sentence: bool,
}

fn is_capital(word: &str) -> bool {
    const NOT_NAMES: &[&str] = &["I", "I'm", "I'd", "JSON", "OK", "API"];
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.is_ascii()
        && !NOT_NAMES.contains(&word)
}

/// Words that begin sentences without being names.
fn is_ordinary(word: &str) -> bool {
    const ORDINARY: &[&str] = &[
        "A",
        "An",
        "And",
        "Answer",
        "Are",
        "Call",
        "Can",
        "Check",
        "Compare",
        "Compute",
        "Could",
        "Create",
        "Describe",
        "Do",
        "Does",
        "Explain",
        "Extract",
        "Find",
        "For",
        "Get",
        "Give",
        "Has",
        "Have",
        "Hello",
        "Hi",
        "How",
        "If",
        "In",
        "Is",
        "It",
        "List",
        "Look",
        "Make",
        "My",
        "Name",
        "Now",
        "On",
        "Please",
        "Read",
        "Reply",
        "Return",
        "Say",
        "Search",
        "Show",
        "Solve",
        "Summarize",
        "Tell",
        "The",
        "Then",
        "There",
        "This",
        "Translate",
        "Use",
        "We",
        "What",
        "What's",
        "When",
        "Where",
        "Which",
        "Who",
        "Why",
        "Will",
        "Write",
        "You",
        "Your",
    ];
    ORDINARY.contains(&word)
}

/// What stands before 的, 今天, 天气 and the like.
fn chinese_subjects(text: &str) -> Vec<String> {
    const ENDS: &[&str] = &[
        "的",
        "今天",
        "明天",
        "昨天",
        "现在",
        "天气",
        "有多少",
        "是什么",
        "是谁",
        "多少",
        "怎么",
        "几点",
        "如何",
        "在哪",
        "气温",
        "时间",
    ];
    const STARTS: &[&str] = &[
        "请问",
        "请",
        "查询",
        "查一下",
        "查",
        "告诉我",
        "帮我",
        "一下",
        "我想知道",
        "计算",
        "搜索",
        "介绍",
        "用一句话介绍",
        "看看",
        "说说",
        "比较",
        "关于",
    ];
    let mut found: Vec<String> = Vec::new();
    for clause in text.split(|c: char| !is_han(c)).filter(|clause| !clause.is_empty()) {
        let mut rest = clause;
        while let Some(start) = STARTS.iter().find(|start| rest.starts_with(**start)) {
            rest = &rest[start.len()..];
        }
        let end = ENDS.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        for name in rest[..end].split(['和', '与', '及', '、']) {
            let length = name.chars().count();
            if (1..=8).contains(&length) && !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

fn numbers(text: &str) -> Vec<f64> {
    let mut found = Vec::new();
    for part in text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')) {
        let part = part.trim_end_matches(['.', '-']);
        if let Ok(number) = part.parse::<f64>() {
            found.push(number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_names_are_subjects() {
        let hints = Hints::of("What's the weather in San Francisco, Tokyo, and Paris?");
        assert_eq!(hints.subjects, ["San Francisco", "Tokyo", "Paris"]);
        let hints = Hints::of("Alice and Bob are going to a science fair on Friday.");
        assert_eq!(hints.subjects, ["Alice", "Bob", "Friday"]);
        assert_eq!(Hints::of("hello there").subject(), "hello there");
    }

    #[test]
    fn chinese_places_are_subjects() {
        assert_eq!(Hints::of("合肥今天天气怎么样?").subjects, ["合肥"]);
        assert_eq!(Hints::of("北京和上海的天气").subjects, ["北京", "上海"]);
        assert_eq!(Hints::of("合肥有多少人口?").subject(), "合肥");
    }

    #[test]
    fn numbers_are_found_in_order() {
        assert_eq!(Hints::of("add 17 and -3.5, please.").numbers, [17.0, -3.5]);
    }
}
