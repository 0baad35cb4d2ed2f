//! That something is under way, on stderr, where a person looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A spinner with the time that has passed and a message.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("  {spinner} {elapsed} {msg}");
    spinner.set_style(style.expect("the template is written here"));
    spinner
}

/// Shows a bar that was hidden, up to `of`.
pub(crate) fn shown_as(bar: &ProgressBar, of: u64, style: ProgressStyle) {
    bar.set_style(style);
    bar.set_length(of);
    bar.set_draw_target(ProgressDrawTarget::stderr());
}
