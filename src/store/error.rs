//! What can go wrong in a store.

/// A store's failure. Its text names no key, value or credential.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store can't be reached or refuses to work: try again later.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// The embedded store's disk is full; what was wanted, and what to do.
    #[error("the disk is full: {0}")]
    Full(String),
    /// What lies in the store can't be read.
    #[error("the store holds a {what} that can't be read: {why}")]
    Corrupt {
        /// What it should have been.
        what: &'static str,
        /// Why it can't be read.
        why: String,
    },
    /// A name is in use.
    #[error("there is already {0}")]
    Taken(String),
    /// It was there and is no more.
    #[error("{0} is gone")]
    Gone(String),
    /// The store's URL or file can't be used.
    #[error("{0}")]
    Unusable(String),
}

impl StoreError {
    /// Whether what was asked can be done later, as it is.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }
}
