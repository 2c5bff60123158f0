//! Rows as CSV.

use crate::cli::{Failure, print};

/// Prints rows under a head.
pub(super) fn print<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head).expect("a vector takes all");
    for row in rows {
        writer.write_record(row.iter().map(|cell| plain(cell))).expect("rows are of one length");
    }
    let text = writer.into_inner().expect("a vector takes all");
    print::line(String::from_utf8_lossy(&text).trim_end())
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
