//! That something is under way, on stderr, where a person looks.

use indicatif::{ProgressBar, ProgressStyle};

/// A spinner with the time that has passed and a message.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("  {spinner} {elapsed} {msg}");
    spinner.set_style(style.expect("the template is written here"));
    spinner
}
