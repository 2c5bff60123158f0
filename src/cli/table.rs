//! Aligned tables for people.

/// Rows under a head, columns aligned to their widest cell.
///
/// What stands in a cell may come from a platform or a caller: control characters, which
/// could move a terminal's cursor, are shown as `?`.
pub(super) fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> String {
    let clean =
        |cell: &str| cell.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>();
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned))
        .chain(rows.into_iter().map(|row| row.map(|cell| clean(&cell))))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let lines = rows.iter().map(|row| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - columns(cell) + 2));
        }
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How many columns of a terminal a text takes: Chinese, Japanese and Korean characters
/// and their punctuation take two.
fn columns(text: &str) -> usize {
    let wide = |c: char| {
        matches!(u32::from(c),
            0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff
            | 0x20000..=0x3fffd)
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_the_script() {
        let rows = vec![["1".into(), "first".into()], ["200".into(), "通义".into()]];
        assert_eq!(table(["ID", "NAME"], rows), "ID   NAME\n1    first\n200  通义");
        let rows = vec![["通义".into(), "a".into()], ["abcd".into(), "b".into()]];
        assert_eq!(table(["N", "X"], rows), "N     X\n通义  a\nabcd  b");
    }

    #[test]
    fn a_cell_moves_no_cursor() {
        let shown = table(["N"], vec![["a\u{1b}[2J\nb".into()]]);
        assert_eq!(shown, "N\na?[2J?b");
    }
}
