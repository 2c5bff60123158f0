//! `tributary audit`: who did what, and whether the log is whole.

use clap::Args;
use serde_json::{Value, json};

use super::desk::user_named;
use super::table::table;
use super::{Desk, Failure, print};
use crate::accounts::AuditRow;
use crate::store::{Chain, check_chain};

/// Show who did what to accounts, tokens, users, pools and points, newest first; or check
/// that nobody has changed the log.
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// What this user did, and what was done to this user's things.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many rows.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Rows before this number.
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    /// Check each row's MAC and that each follows the one before; exit 1 when one does not.
    #[arg(long, conflicts_with_all = ["user", "limit", "before"])]
    verify: bool,
    /// Check from this row on.
    #[arg(long, value_name = "SEQ", requires = "verify")]
    from: Option<i64>,
    /// Check up to this row.
    #[arg(long, value_name = "SEQ", requires = "verify")]
    to: Option<i64>,
}

impl Audit {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        if self.verify {
            return self.check(desk).await;
        }
        let directory = desk.directory().await?;
        let reader = match &self.user {
            Some(name) => Some(user_named(&*directory, name).await?.id),
            None => None,
        };
        let rows = directory.audit_of(reader, self.before, self.limit).await?;
        if desk.json {
            return print::json(&rows.iter().map(facts).collect::<Vec<_>>());
        }
        let head = ["SEQ", "TIME", "WHO", "BY", "ACTION", "ON", "DETAILS"];
        print::line(&table(head, rows.into_iter().map(row).collect()))
    }

    async fn check(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let chain = check_chain(&*directory, &vault, self.from, self.to).await?;
        if desk.json {
            print::json(&told(&chain))?;
        } else {
            print::line(&in_words(&chain))?;
        }
        if chain.faults.is_empty() { Ok(()) } else { Err(Failure::Told { config: false }) }
    }
}

fn facts(row: &AuditRow) -> Value {
    let deed = &row.deed;
    json!({
        "seq": row.seq,
        "at": row.at,
        "who": deed.doer.who,
        "by": deed.doer.by,
        "action": deed.action,
        "target": { "kind": deed.kind, "id": deed.id },
        "user_id": deed.whose,
        "details": deed.details,
    })
}

fn row(row: AuditRow) -> [String; 7] {
    let deed = row.deed;
    let details: Vec<_> =
        deed.details.iter().map(|(name, fact)| format!("{name}={fact}")).collect();
    [
        row.seq.to_string(),
        row.at.to_string(),
        deed.doer.who.to_string(),
        deed.doer.by.to_string(),
        deed.action,
        format!("{} {}", deed.kind, deed.id),
        details.join(" "),
    ]
}

fn told(chain: &Chain) -> Value {
    json!({
        "whole": chain.faults.is_empty(),
        "rows": chain.rows,
        "first": chain.first.map(|(seq, at)| json!({ "seq": seq, "at": at })),
        "last": chain.last.as_ref().map(|(seq, mac)| json!({ "seq": seq, "mac": mac })),
        "unproved": chain.unproved,
        "faults": chain.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn in_words(chain: &Chain) -> String {
    let (Some((first, at)), Some((last, mac))) = (chain.first, &chain.last) else {
        return "the log is empty".into();
    };
    let mut lines: Vec<String> = chain.faults.iter().map(ToString::to_string).collect();
    let word = if lines.is_empty() { "whole" } else { "NOT whole" };
    lines.push(format!(
        "the log is {word}: {} rows, from {first} ({at}) to {last}, whose MAC is {mac}",
        chain.rows
    ));
    if chain.unproved > 0 {
        let unproved = chain.unproved;
        lines.push(format!("{unproved} rows are under keys that have left the ring"));
    }
    lines.join("\n")
}
