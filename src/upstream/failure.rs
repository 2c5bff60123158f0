//! Why a request to a platform got no answer.

/// A failed send, by what the platform can have seen of it.
#[derive(Debug, thiserror::Error)]
pub enum SendFailure {
    /// No connection: the platform has seen nothing.
    #[error("no connection: {0}")]
    NotConnected(String),
    /// The connection broke after the request may have been read.
    #[error("the connection broke before an answer: {0}")]
    Broken(String),
    /// No answer in time.
    #[error("no answer within {seconds} s")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// The answer is longer than `max_answer_bytes`.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

impl SendFailure {
    /// Whether the platform may have worked on the request, and so billed it.
    pub fn was_sent(&self) -> bool {
        !matches!(self, Self::NotConnected(_))
    }
}

impl From<hyper::Error> for SendFailure {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(chain(&error))
    }
}

/// An error with its causes. None of hyper's or tungstenite's texts holds a header or a body.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
