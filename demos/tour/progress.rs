//! Progress bars, on stderr and only on a terminal. So the report can be piped.

use indicatif::{ProgressBar, ProgressStyle};

/// Counts files while their total is unknown.
pub(crate) fn counter() -> ProgressBar {
    ProgressBar::new_spinner().with_style(style("{spinner} looking for Rust sources: {pos}"))
}

/// Counts up to `files`.
pub(crate) fn bar(title: String, files: usize) -> ProgressBar {
    ProgressBar::new(files as u64)
        .with_style(style("{prefix} [{bar:40}] {pos}/{len} files, {eta} left").progress_chars("=> "))
        .with_prefix(title)
}

/// Prints why a file is left out, without breaking the line of the bar.
pub(crate) fn skipped(bar: &ProgressBar, why: &str) {
    bar.suspend(|| eprintln!("tour: skipped {why}"));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are the ones above")
}
