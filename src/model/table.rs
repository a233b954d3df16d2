//! Text in columns.

/// Rows whose cells stand below each other, two blanks apart, without blanks at a line's end; those `right` are
/// aligned by their ends, as numbers are.
pub fn aligned<const N: usize>(rows: &[[String; N]], right: [bool; N]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).zip(right).map(|((cell, width), right)| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_each_other() {
        let rows = [["check", "n", "what"], ["\u{e4}b", "12", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows, [false, true, false]), ["check   n  what", "\u{e4}b     12"]);
        assert!(aligned::<2>(&[], [false; 2]).is_empty());
    }
}
