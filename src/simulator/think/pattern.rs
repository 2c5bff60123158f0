//! The shortest plain string that a regular expression accepts.
//!
//! Knows what schemas use: literals, classes, groups, alternatives, quantifiers,
//! anchors. What it does not know (look-around, back references) gives `None`.

/// A string that matches `pattern`.
pub(super) fn sample(pattern: &str) -> Option<String> {
    let mut reader = Reader { rest: pattern, depth: 0 };
    let made = reader.alternatives()?;
    reader.rest.is_empty().then_some(made)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn eat(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(word) else { return false };
        self.rest = rest;
        true
    }

    /// The first of the alternatives counts; the others are read over.
    fn alternatives(&mut self) -> Option<String> {
        self.depth += 1;
        if self.depth > 32 {
            return None;
        }
        let first = self.sequence()?;
        while self.eat("|") {
            self.sequence()?;
        }
        self.depth -= 1;
        Some(first)
    }

    fn sequence(&mut self) -> Option<String> {
        let mut made = String::new();
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let piece = self.piece()?;
            let times = self.times()?;
            made.push_str(&piece.repeat(times));
        }
        Some(made)
    }

    fn piece(&mut self) -> Option<String> {
        match self.next()? {
            '^' | '$' => Some(String::new()),
            '.' => Some("a".to_owned()),
            '[' => self.class(),
            '(' => {
                if self.rest.starts_with('?') && !self.eat("?:") {
                    return None;
                }
                let made = self.alternatives()?;
                self.eat(")").then_some(made)
            }
            '\\' => self.escaped().map(String::from),
            '*' | '+' | '?' | '{' => None,
            c => Some(c.to_string()),
        }
    }

    fn escaped(&mut self) -> Option<char> {
        match self.next()? {
            'd' => Some('0'),
            'w' => Some('a'),
            's' => Some(' '),
            'D' | 'S' => Some('x'),
            'W' => Some('-'),
            'n' => Some('\n'),
            't' => Some('\t'),
            c if c.is_ascii_alphanumeric() => None,
            c => Some(c),
        }
    }

    /// The first member of a class; of a negated one, a letter that it lacks.
    fn class(&mut self) -> Option<String> {
        let negated = self.eat("^");
        let mut members = Vec::new();
        let mut first = true;
        loop {
            let c = match self.next()? {
                ']' if !first => break,
                '\\' => self.escaped()?,
                c => c,
            };
            first = false;
            let ranged = self.rest.starts_with('-') && !self.rest.starts_with("-]");
            if ranged && self.eat("-") {
                let end = match self.next()? {
                    '\\' => self.escaped()?,
                    end => end,
                };
                members.push((c, end));
            } else {
                members.push((c, c));
            }
        }
        if !negated {
            return members.first().map(|(c, _)| c.to_string());
        }
        let free = |c: &char| members.iter().all(|(low, high)| !(low..=high).contains(&c));
        "xyzabc0189_- ".chars().find(free).map(String::from)
    }

    fn times(&mut self) -> Option<usize> {
        let times = match self.rest.chars().next() {
            Some('*' | '?') => {
                self.next();
                0
            }
            Some('+') => {
                self.next();
                1
            }
            Some('{') => {
                let (bounds, rest) = self.rest[1..].split_once('}')?;
                self.rest = rest;
                let low = bounds.split(',').next()?;
                low.trim().parse::<usize>().ok().filter(|n| *n <= 1000)?
            }
            _ => return Some(1),
        };
        self.eat("?"); // lazy
        Some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_patterns_are_sampled() {
        let made = |pattern| sample(pattern).expect("a plain pattern");
        assert_eq!(made("^[A-Z]{2}\\d{3}$"), "AA000");
        assert_eq!(made("^(?:red|green)-\\w+$"), "red-a");
        assert_eq!(made("^[^@]+@[a-z]+\\.com$"), "x@a.com");
        assert_eq!(made("^\\+?1?[0-9]{2,4}$"), "00");
        assert_eq!(sample("^(?=x)y$"), None);
    }
}
