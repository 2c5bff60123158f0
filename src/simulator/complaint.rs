//! Why a platform refuses a request, before it is said in that platform's words.

/// A refusal. Each platform's `wire` file phrases it with its own status and envelope.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Complaint {
    /// No credential was sent.
    NoKey,
    /// A credential that is not of the platform's form; masked.
    BadKey(String),
    /// The body is no JSON object.
    NotJson,
    /// No such path.
    NoRoute,
    /// No such model.
    UnknownModel(String),
    /// The model was retired.
    Offline(String),
    /// The prompt has `prompt` tokens and may have `limit`.
    TooLong { prompt: u64, limit: u64 },
    /// A parameter breaks a rule.
    Invalid { param: String, rule: Rule },
    /// A fault that the operator of the simulator asked for.
    Class(Class),
}

/// The rule that a parameter breaks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// It is required and not there.
    Missing,
    /// It should have been this.
    Type(&'static str),
    /// It is a number outside of its range.
    Range { range: Range, got: f64 },
    /// The parameter, or this value of it, is not supported.
    Unsupported(Option<String>),
    /// The platform knows no such parameter.
    Unknown,
    /// A tool message that answers no call.
    Orphan,
    /// Calls that no tool message answers.
    Unanswered(Vec<String>),
    /// An image for a model that takes none.
    NoSight,
    /// A role that the platform does not know.
    Role(String),
    /// The platform's own words.
    Words(String),
}

/// The range of a numeric parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
    /// The ends are not part of the range.
    pub low_open: bool,
    pub high_open: bool,
    pub whole: bool,
}

impl Range {
    pub(super) const fn new(low: f64, high: f64) -> Range {
        Range { low, high, low_open: false, high_open: false, whole: false }
    }

    pub(super) const fn whole(low: u64, high: u64) -> Range {
        Range { low: low as f64, high: high as f64, low_open: false, high_open: false, whole: true }
    }

    pub(super) const fn low_open(self) -> Range {
        Range { low_open: true, ..self }
    }

    pub(super) const fn high_open(self) -> Range {
        Range { high_open: true, ..self }
    }

    pub(super) fn holds(&self, n: f64) -> bool {
        self.above_low(n) && self.below_high(n) && (!self.whole || n.fract() == 0.0)
    }

    pub(super) fn above_low(&self, n: f64) -> bool {
        if self.low_open { n > self.low } else { n >= self.low }
    }

    fn below_high(&self, n: f64) -> bool {
        if self.high_open { n < self.high } else { n <= self.high }
    }
}

/// `[0, 2)`, as vendors print it.
impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (open, close) =
            (if self.low_open { '(' } else { '[' }, if self.high_open { ')' } else { ']' });
        if self.whole {
            write!(f, "{open}{}, {}{close}", self.low, self.high)
        } else {
            write!(f, "{open}{:.1}, {:.1}{close}", self.low, self.high)
        }
    }
}

/// The classes of failure that a platform documents errors for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    RateLimited,
    QuotaExhausted,
    AuthExpired,
    Banned,
    Overloaded,
    UpstreamFault,
    ContentFiltered,
    ContextLength,
    NotFound,
    /// What an edge in front of the platform says: 502 and a page.
    Html,
    /// 502 and nothing at all.
    Empty,
}

impl Complaint {
    pub(super) fn invalid(param: impl Into<String>, rule: Rule) -> Complaint {
        Complaint::Invalid { param: param.into(), rule }
    }

    pub(super) fn words(param: impl Into<String>, words: impl Into<String>) -> Complaint {
        Complaint::Invalid { param: param.into(), rule: Rule::Words(words.into()) }
    }
}
