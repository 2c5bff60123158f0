//! Reports: totals summed by what they are told apart by.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::{Counts, PlatformId, TokenId, Total, TotalKey, UserId};

/// What totals are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The day in UTC.
    Day,
    /// Who called.
    User,
    /// With which token.
    Token,
    /// On which account.
    Account,
    /// On which platform.
    Platform,
    /// By which model.
    Model,
}

impl By {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Day, Self::User, Self::Token, Self::Account, Self::Platform, Self::Model];

    /// Its word, which heads its column.
    pub fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::User => "user",
            Self::Token => "token",
            Self::Account => "account",
            Self::Platform => "platform",
            Self::Model => "model",
        }
    }
}

/// Sums of totals.
pub struct Report {
    by: Vec<By>,
    sums: BTreeMap<TotalKey, Counts>,
}

impl Report {
    /// The heads of a row's cells.
    pub const HEAD: [&'static str; 15] = [
        "day",
        "user",
        "token",
        "account",
        "platform",
        "model",
        "calls",
        "attempts",
        "input",
        "cache_read",
        "cache_write",
        "output",
        "reasoning",
        "exact",
        "estimated",
    ];

    /// A report of nothing yet.
    pub fn new(by: Vec<By>) -> Self {
        Self { by, sums: BTreeMap::new() }
    }

    /// Adds a total to its sum.
    pub fn add(&mut self, total: Total) {
        *self.sums.entry(told_apart(total.key, &self.by)).or_default() += total.counts;
    }

    /// Its rows, each cell as text; what does not tell rows apart is empty.
    pub fn rows(&self, name_of: impl Fn(UserId) -> Option<String>) -> Vec<[String; 15]> {
        self.sums.iter().map(|(key, counts)| self.row(key, counts, &name_of)).collect()
    }

    fn row(
        &self,
        key: &TotalKey,
        counts: &Counts,
        name_of: impl Fn(UserId) -> Option<String>,
    ) -> [String; 15] {
        let asked = |what, text: String| if self.by.contains(&what) { text } else { String::new() };
        let keys = [
            asked(By::Day, key.day.to_string()),
            asked(By::User, name_of(key.user).unwrap_or_else(|| key.user.to_string())),
            asked(By::Token, key.token.to_string()),
            key.account.map(|account| account.to_string()).unwrap_or_default(),
            key.platform.as_ref().map(PlatformId::to_string).unwrap_or_default(),
            key.model.clone(),
        ];
        let counts = counts.row().map(|count| count.to_string());
        let mut cells = keys.into_iter().chain(counts);
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    }

    /// A row as an object: what does not tell it apart is left out.
    pub fn facts(row: &[String; 15]) -> Value {
        let mut facts = Map::new();
        for (name, cell) in Self::HEAD.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
            let is_text = ["day", "user", "platform", "model"].contains(name);
            let number = cell.parse::<u64>().ok().filter(|_| !is_text);
            let fact = number.map_or_else(|| json!(cell), |number| json!(number));
            facts.insert((*name).to_owned(), fact);
        }
        Value::Object(facts)
    }
}

/// The key without what does not tell it apart.
fn told_apart(key: TotalKey, by: &[By]) -> TotalKey {
    let by = |what| by.contains(&what);
    TotalKey {
        day: if by(By::Day) { key.day } else { Date::ZERO },
        user: if by(By::User) { key.user } else { UserId(0) },
        token: if by(By::Token) { key.token } else { TokenId(0) },
        account: key.account.filter(|_| by(By::Account)),
        platform: key.platform.filter(|_| by(By::Platform)),
        model: if by(By::Model) { key.model } else { String::new() },
    }
}

/// Rows under a head as CSV.
pub fn csv<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head).expect("a vector takes all");
    for row in rows {
        writer.write_record(row.iter().map(|cell| plain(cell))).expect("rows are of one length");
    }
    let text = writer.into_inner().expect("a vector takes all");
    String::from_utf8(text).expect("cells are text")
}

/// A cell that a spreadsheet takes for text: callers choose names, and one that begins as a
/// formula would be carried out.
fn plain(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let prefix = if is_formula && cell.parse::<i64>().is_err() { "'" } else { "" };
    format!("{prefix}{cell}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_a_formula_is_text() {
        for (cell, shown) in
            [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-5", "-5"), ("a=b", "a=b")]
        {
            assert_eq!(plain(cell), shown);
        }
    }
}
