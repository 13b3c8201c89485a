//! What is shown while the job runs: on a terminal only, and on stderr, so that the report can be piped.

use indicatif::{ProgressBar, ProgressStyle};

/// Counts files while nobody knows how many there will be.
pub(crate) fn counter() -> ProgressBar {
    ProgressBar::new_spinner().with_style(style("{spinner} looking for Rust sources: {pos}"))
}

/// Counts up to `files`.
pub(crate) fn bar(title: String, files: usize) -> ProgressBar {
    ProgressBar::new(files as u64)
        .with_style(style("{prefix} [{bar:40}] {pos}/{len} files, {eta} left").progress_chars("=> "))
        .with_prefix(title)
}

/// Tells that something is left out, without breaking the bar's line.
pub(crate) fn skipped(bar: &ProgressBar, why: &str) {
    bar.suspend(|| eprintln!("tour: skipped {why}"));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are the ones above")
}
