//! The table of all cells, and its copy in the docs.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::cell::{Fault, Rule};
use super::wrappers::Kind;

const SCENARIOS: [(u8, &str); 5] = [
    (18, "Its process is killed"),
    (19, "Its files are damaged"),
    (20, "The system is not as it should be"),
    (21, "Several processes use it"),
    (31, "Somebody else is there"),
];

/// The observed outcomes. A cell that breaks its rule is marked; such a table is not meant for the docs.
pub(crate) fn rendered(faults: &[Fault], holds: impl Fn(usize, usize) -> bool) -> String {
    let mut table = String::new();
    for (scenario, title) in SCENARIOS {
        let names = Kind::ALL.map(|kind| {
            kind.name()
                .split_once(", ")
                .map_or(format!("`{}`", kind.name()), |(name, backend)| format!("`{name}`, {backend}"))
        });
        let rule = "---|".repeat(names.len() + 2);
        write!(table, "\n## {title}\n\n| fault | keys | {} |\n|{rule}\n", names.join(" | ")).unwrap();
        for (nth, fault) in faults.iter().enumerate().filter(|(_, fault)| fault.scenario == scenario) {
            let cells = Kind::ALL.map(|kind| {
                let holds = holds(nth, kind as usize);
                cell(kind, (fault.rule)(kind)) + if holds { "" } else { " **NOT SO**" }
            });
            writeln!(table, "| {} | {} | {} |", fault.name, fault.keys, cells.join(" | ")).unwrap();
        }
    }
    table
}

fn cell(kind: Kind, Rule { computed, warnings, instead }: Rule) -> String {
    let instead = if instead.is_empty() { String::new() } else { format!(" ({instead})") };
    let after = if kind == Kind::Memory { "–" } else { "healed" };
    format!("right · {computed} · {warnings}{instead} · {after}")
}

const BEGIN: &str = "<!-- generated: begin -->\n";
const END: &str = "\n<!-- generated: end -->";

/// Checks that the docs have this table between two marks, or writes it there on request.
pub(crate) fn compare(table: &str, is_complete: bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FAULTS.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("a mark where the table begins");
    let (written, after) = rest.split_once(END).expect("a mark where the table ends");
    if std::env::var_os("TWAT_CACHE_BLESS").is_some() {
        assert!(is_complete, "what was skipped cannot be vouched for");
        fs::write(path, [before, BEGIN, table, END, after].concat()).unwrap();
    } else {
        let hint = "run this test with TWAT_CACHE_BLESS=1 to write it";
        assert!(written == table, "docs/FAULTS.md has another table: {hint}\n{table}");
    }
}
