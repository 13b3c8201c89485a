//! The table of all passes.

use std::fmt;
use std::time::Duration;

use crate::passes::Figures;

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Figures>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, ["wrapper", "pass", "files", "computations", "hits", "time", "per hit"])?;
        for row in &self.rows {
            let per_hit = row.per_hit().map_or_else(|| "-".into(), human);
            let numbers = [row.number, row.calls, row.computations, row.hits()].map(|number| number.to_string());
            let [number, calls, computations, hits] = numbers.each_ref().map(String::as_str);
            line(f, [row.wrapper, number, calls, computations, hits, &human(row.time), &per_hit])?;
        }
        Ok(())
    }
}

/// Formats a duration as `Debug` does, with one digit after the point, but no fractions of nanoseconds.
fn human(time: Duration) -> String {
    let digits = usize::from(time >= Duration::from_micros(1));
    format!("{time:.digits$?}")
}

fn line(f: &mut fmt::Formatter<'_>, columns: [&str; 7]) -> fmt::Result {
    let [wrapper, pass, files, computations, hits, time, per_hit] = columns;
    writeln!(f, "{wrapper:<8} {pass:>4} {files:>8} {computations:>12} {hits:>8} {time:>9} {per_hit:>9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_hit_has_a_time_only_where_all_were_hits() {
        let pass = |number, computations, time| Figures { wrapper: "mcache", number, calls: 1000, computations, time };
        let rows = vec![pass(1, 1000, Duration::from_millis(1234)), pass(2, 0, Duration::from_micros(85))];
        let expected = "\
wrapper  pass    files computations     hits      time   per hit
mcache      1     1000         1000        0      1.2s         -
mcache      2     1000            0     1000    85.0µs      85ns
";
        assert_eq!(Table { rows }.to_string(), expected);
    }
}
