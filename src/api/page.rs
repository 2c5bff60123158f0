//! Lists, page by page.

use schemars::JsonSchema;
use serde::Serialize;

use super::ApiError;
use super::ask::{Query, bad};

const USUAL: usize = 50;
const MOST: usize = 200;

/// The query of a list that is read page by page.
pub(super) const QUERY: [&str; 2] = ["before", "limit"];

/// A page that is asked for.
pub(super) struct PageAsk {
    /// The cursor of the last row seen.
    pub(super) before: Option<String>,
    limit: usize,
}

impl PageAsk {
    pub(super) fn read(query: &Query) -> Result<Self, ApiError> {
        let form = "a number from 1 to 200";
        let limit = query.value("limit", form)?.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(bad("limit", format!("It must be {form}.")));
        }
        Ok(Self { before: query.text("before").map(str::to_owned), limit })
    }

    /// How many rows to look for: one more than is shown tells whether there are more.
    pub(super) fn look(&self) -> usize {
        self.limit + 1
    }

    /// The page of the rows that were found.
    pub(super) fn page<T>(&self, mut found: Vec<T>, cursor: impl Fn(&T) -> &str) -> Page<T> {
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| has_more).map(|last| cursor(last).to_owned());
        Page { object: "list", data: found, has_more, next }
    }
}

/// A list, or a page of one.
#[derive(Serialize, JsonSchema)]
pub struct Page<T> {
    object: &'static str,
    /// Its rows.
    data: Vec<T>,
    /// Whether there are more.
    has_more: bool,
    /// The `before` of the next page.
    next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is whole.
    pub(super) fn whole(data: Vec<T>) -> Self {
        Self { object: "list", data, has_more: false, next: None }
    }

    /// Without the rows that are not shown.
    pub(super) fn retain(mut self, is_shown: impl FnMut(&T) -> bool) -> Self {
        self.data.retain(is_shown);
        self
    }

    /// Each row as it is shown.
    pub(super) fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        let Self { object, data, has_more, next } = self;
        Page { object, data: data.into_iter().map(show).collect(), has_more, next }
    }
}
