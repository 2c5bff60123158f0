//! A platform's own books: what it produced, for which credential.
//!
//! A request is entered when it arrives, and its figures grow as bytes are handed
//! out; so a stream that is cut has what was produced until then. Totals and rows
//! are counters that answers add to without a lock.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::clock;

/// Most rows that are kept; totals go on.
const MOST_ROWS: usize = 100_000;

/// Most prompts that a credential's cache remembers.
const MOST_PREFIXES: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    accounts: HashMap<String, Arc<Account>>,
    rows: VecDeque<Arc<Row>>,
}

#[derive(Debug, Default)]
struct Account {
    requests: AtomicU64,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    prefixes: Mutex<VecDeque<u64>>,
}

#[derive(Debug)]
struct Row {
    id: String,
    credential: String,
    model: String,
    stream: bool,
    at_ms: u64,
    status: AtomicU16,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    produced_bytes: AtomicU64,
    cancelled: AtomicBool,
    done: AtomicBool,
}

/// One request's row, held by whatever answers it.
///
/// Dropping it before `finish` means that the caller hung up.
#[derive(Debug)]
pub(super) struct Entry {
    row: Arc<Row>,
    account: Arc<Account>,
}

impl Ledger {
    /// Enters a request.
    pub(super) fn open(&self, id: &str, credential: &str, model: &str, stream: bool) -> Entry {
        let row = Arc::new(Row {
            id: id.to_owned(),
            credential: credential.to_owned(),
            model: model.to_owned(),
            stream,
            at_ms: clock::now_ms(),
            status: AtomicU16::new(0),
            prompt_tokens: AtomicU64::new(0),
            completion_tokens: AtomicU64::new(0),
            produced_bytes: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            done: AtomicBool::new(false),
        });
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if books.rows.len() == MOST_ROWS {
            books.rows.pop_front();
        }
        books.rows.push_back(Arc::clone(&row));
        let account = match books.accounts.get(credential) {
            Some(account) => Arc::clone(account),
            None => Arc::clone(books.accounts.entry(credential.to_owned()).or_default()),
        };
        drop(books);
        account.requests.fetch_add(1, Relaxed);
        Entry { row, account }
    }

    /// The books as JSON, with the last `most` rows.
    pub(super) fn show(&self, platform: &str, most: usize) -> Value {
        let (accounts, rows): (Vec<_>, Vec<_>) = {
            let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            let skipped = books.rows.len().saturating_sub(most);
            (
                books.accounts.iter().map(|(id, account)| (id.clone(), account.clone())).collect(),
                books.rows.iter().skip(skipped).cloned().collect(),
            )
        };
        let mut credentials = Map::new();
        for (id, account) in accounts {
            credentials.insert(
                id,
                json!({
                    "requests": account.requests.load(Relaxed),
                    "prompt_tokens": account.prompt_tokens.load(Relaxed),
                    "completion_tokens": account.completion_tokens.load(Relaxed),
                }),
            );
        }
        credentials.sort_keys();
        let rows: Vec<Value> = rows.iter().map(|row| row.show()).collect();
        json!({"platform": platform, "credentials": credentials, "requests": rows})
    }
}

impl Row {
    fn show(&self) -> Value {
        json!({
            "id": self.id,
            "credential": self.credential,
            "model": self.model,
            "stream": self.stream,
            "status": self.status.load(Relaxed),
            "prompt_tokens": self.prompt_tokens.load(Relaxed),
            "completion_tokens": self.completion_tokens.load(Relaxed),
            "produced_bytes": self.produced_bytes.load(Relaxed),
            "cancelled": self.cancelled.load(Relaxed),
            "done": self.done.load(Relaxed),
            "at_ms": self.at_ms,
        })
    }
}

impl Entry {
    /// The status that the caller is told.
    pub(super) fn answered(&self, status: u16) {
        self.row.status.store(status, Relaxed);
    }

    /// The model began to read the prompt.
    pub(super) fn read(&self, prompt_tokens: u64) {
        self.row.prompt_tokens.fetch_add(prompt_tokens, Relaxed);
        self.account.prompt_tokens.fetch_add(prompt_tokens, Relaxed);
    }

    /// The model wrote this much.
    pub(super) fn wrote(&self, completion_tokens: u64) {
        self.row.completion_tokens.fetch_add(completion_tokens, Relaxed);
        self.account.completion_tokens.fetch_add(completion_tokens, Relaxed);
    }

    /// These bytes of the answer's body were handed out.
    pub(super) fn sent(&self, bytes: usize) {
        self.row.produced_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// The platform is done with the request.
    pub(super) fn finish(&self) {
        self.row.done.store(true, Relaxed);
    }

    /// How many tokens of this prompt the credential's cache already holds.
    ///
    /// `prefixes` are the prompt's growing beginnings: hash and tokens of each.
    /// They are remembered for the next request.
    pub(super) fn cached(&self, prefixes: &[(u64, u64)]) -> u64 {
        let mut known = self.account.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cached = 0;
        for (hash, tokens) in prefixes {
            if known.contains(hash) {
                cached = *tokens;
            } else {
                if known.len() == MOST_PREFIXES {
                    known.pop_front();
                }
                known.push_back(*hash);
            }
        }
        cached
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.row.done.load(Relaxed) {
            self.row.cancelled.store(true, Relaxed);
            self.row.done.store(true, Relaxed);
        }
    }
}
