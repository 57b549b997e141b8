//! What takes time is said: bars on a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where steps that take time are shown. Cheap to clone; all clones share the screen.
#[derive(Clone, Debug)]
pub struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

/// A step under way. It says how long it took when it is [`done`](Step::done).
#[derive(Debug)]
pub struct Step {
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Progress {
    /// Bars when standard error is a terminal, else one line when a step begins and one when it
    /// ends.
    pub fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new), quiet: false }
    }

    /// Says nothing.
    pub fn quiet() -> Self {
        Self { bars: None, quiet: true }
    }

    /// Begins a step.
    pub fn step(&self, name: impl Into<String>) -> Step {
        let name = name.into();
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::no_length().with_message(name.clone()));
            set_style(&bar, "{spinner} {wide_msg} {elapsed}");
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() && !self.quiet {
            eprintln!("{name} ...");
        }
        Step { name, started: Instant::now(), bar, quiet: self.quiet }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Step {
    /// How many units of work there are.
    pub fn length(&self, units: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(units);
            set_style(bar, "{spinner} {bar:24} {pos}/{len} {wide_msg} {elapsed}");
        }
    }

    /// One more unit is done; `detail` is shown on a terminal.
    pub fn advance(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(format!("{}: {detail}", self.name));
        }
    }

    /// The step is done: leaves one line with the time it took.
    pub fn done(self) {
        let line = format!("{} ({:.1} s)", self.name, self.started.elapsed().as_secs_f32());
        if let Some(bar) = &self.bar {
            bar.suspend(|| eprintln!("{line}"));
            bar.finish_and_clear();
        } else if !self.quiet {
            eprintln!("{line}");
        }
    }
}

/// A template is one of ours; were it wrong, the bar would keep its usual look.
fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

impl Drop for Step {
    /// A step that fails leaves the screen to its error.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
