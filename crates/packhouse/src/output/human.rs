//! Progress for people: one line a target, redrawn in place on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Style;
use super::error::paint;
use crate::ops::{Event, Stage};

/// Draws progress.
pub(super) struct Progress {
    style: Style,
    screen: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The width of the longest target's name.
    width: usize,
    /// What is known of each target, and its line on a terminal.
    targets: BTreeMap<String, TargetLine>,
    /// The line of publishing.
    publishing: Option<ProgressBar>,
    /// How many packages are on the site, and of how many.
    packages: (usize, usize),
}

struct TargetLine {
    bar: ProgressBar,
    /// The steps that are done, as they are shown.
    done: Vec<String>,
    started: Option<Instant>,
    /// The step that runs or ran last, as it is shown.
    step: &'static str,
}

impl Progress {
    pub(super) fn new(style: Style) -> Progress {
        let target = if style.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Progress { style, screen: MultiProgress::with_draw_target(target), state: Mutex::default() }
    }

    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Planned { name, version, revision, to, channel, targets, at_a_time } => {
                let revision = revision.as_ref().map(|short| format!(" ({short})")).unwrap_or_default();
                let to = to.as_ref().map(|to| format!(" → {to} · channel {channel}")).unwrap_or_default();
                let count = match targets.len() {
                    1 => "1 target".to_owned(),
                    count => format!("{count} targets, {at_a_time} at a time"),
                };
                self.line(&format!("{name} {version}{revision}{to} · {count}\n"));
                self.open(targets);
            }
            Event::Notice { message } => {
                self.line(&format!("{}: {message}", paint(self.style, "33;1", "note")));
            }
            Event::Warning { message, help } => {
                self.line(&format!("{}: {message}", paint(self.style, "33;1", "warning")));
                if let Some(help) = help {
                    self.line(&format!("  {}: {help}", paint(self.style, "36;1", "help")));
                }
            }
            Event::Target { target, stage } => self.stage(target, stage),
            Event::Publishing { packages, bytes } => self.publishing(*packages, *bytes),
            Event::Uploaded { bytes } => {
                if let Some(bar) = &self.lock().publishing {
                    bar.inc(*bytes);
                }
            }
            Event::PackageDone => {
                let mut state = self.lock();
                state.packages.0 += 1;
                let (done, all) = state.packages;
                if let Some(bar) = &state.publishing {
                    bar.set_prefix(format!("{done} of {all}"));
                }
            }
        }
    }

    /// Prints a line above what is redrawn.
    pub(super) fn line(&self, line: &str) {
        self.suspend(|| {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "{line}");
        });
    }

    /// Runs `print` while nothing is redrawn.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.screen.suspend(print);
    }

    /// What is redrawn, for others who print.
    pub(super) fn screen(&self) -> MultiProgress {
        self.screen.clone()
    }

    /// Leaves the targets' last lines as they are, and stops redrawing.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        if let Some(bar) = state.publishing.take() {
            bar.finish_and_clear();
        }
        let mut last = Vec::new();
        for line in std::mem::take(&mut state.targets).into_values() {
            last.push(format!("  {}  {}", line.bar.prefix(), line.bar.message()));
            line.bar.finish_and_clear();
        }
        drop(state);
        // Written anew: what bars leave on the screen is gone with the next line that is printed above them.
        for line in last.iter().filter(|_| self.style.terminal) {
            self.line(line.trim_end());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn open(&self, targets: &[String]) {
        let mut state = self.lock();
        state.width = targets.iter().map(String::len).max().unwrap_or(0).max("publishing".len());
        let template = ProgressStyle::with_template("  {prefix}  {wide_msg}").expect("the template is valid");
        for target in targets {
            let bar = self.screen.add(ProgressBar::new_spinner().with_style(template.clone()));
            bar.set_prefix(format!("{target:width$}", width = state.width));
            bar.set_message("waiting");
            bar.tick();
            state
                .targets
                .insert(target.clone(), TargetLine { bar, done: Vec::new(), started: None, step: "build" });
        }
    }

    fn stage(&self, target: &str, stage: &Stage) {
        let style = self.style;
        let mut state = self.lock();
        let width = state.width.max(target.len());
        let Some(line) = state.targets.get_mut(target) else { return };
        let check = paint(style, "32", "✓");
        let (done, running) = match stage {
            Stage::Building { activity } => (None, Some(("build", one_line(activity)))),
            Stage::Built { took } => (took.map(|took| format!("build {check} {}", duration(took))), None),
            Stage::Pushing { reference } => (None, Some(("push", reference.clone()))),
            Stage::Pushed { .. } => (Some(format!("pushed {check}")), None),
            Stage::Packaging { format } => (None, Some((*format, String::new()))),
            Stage::Packaged { format, size, compression, .. } => {
                (Some(format!("{format} {check} {}, {compression}", self::size(*size))), None)
            }
            Stage::Signed { .. } => (Some(format!("signed {check}")), None),
            Stage::Failed { error, took } => {
                let took = took.map(|took| format!(" {}", duration(took))).unwrap_or_default();
                let first = error.lines().next().unwrap_or_default();
                (Some(format!("{} {}{took}  {first}", line.step, paint(style, "31", "✗"))), None)
            }
        };
        let mut plain = None;
        if let Some(done) = done {
            plain = Some(done.clone());
            line.done.push(done);
            line.started = None;
            line.bar.disable_steady_tick();
            line.bar.set_style(
                ProgressStyle::with_template("  {prefix}  {wide_msg}").expect("the template is valid"),
            );
            line.bar.set_message(line.done.join("    "));
            line.bar.tick();
        } else if let Some((step, activity)) = running {
            line.step = step;
            if line.started.is_none() {
                line.started = Some(Instant::now());
                line.bar.reset_elapsed();
                if style.terminal {
                    // By a thread.
                    line.bar.enable_steady_tick(Duration::from_millis(120));
                }
            }
            let done = line.done.join("    ");
            let before = if done.is_empty() { String::new() } else { format!("{done}    ") };
            let template =
                format!("  {{prefix}}  {}{step} {{spinner}} {{elapsed}}    {{wide_msg}}", escape(&before));
            line.bar.set_style(ProgressStyle::with_template(&template).expect("the template is valid"));
            line.bar.set_message(activity.clone());
            if style.verbose || matches!(stage, Stage::Building { .. }) {
                plain = Some(format!("{step} … {activity}").trim_end().to_owned());
            }
        }
        drop(state);
        if let Some(plain) = plain.filter(|_| !style.terminal) {
            self.line(&format!("  {target:width$}  {plain}"));
        }
    }

    fn publishing(&self, packages: usize, bytes: u64) {
        let mut state = self.lock();
        state.packages = (0, packages);
        let width = state.width;
        let template = format!(
            "  {:width$}  {{bar:24.cyan}}  {{prefix}} · {{decimal_bytes}} of {{decimal_total_bytes}} · {{decimal_bytes_per_sec}}",
            "publishing"
        );
        let style =
            ProgressStyle::with_template(&template).expect("the template is valid").progress_chars("█▉░");
        let bar = self.screen.add(ProgressBar::new(bytes).with_style(style));
        bar.set_prefix(format!("0 of {packages}"));
        state.publishing = Some(bar);
        drop(state);
        if !self.style.terminal {
            self.line(&format!("  {:width$}  {packages} packages · {}", "publishing", size(bytes)));
        }
    }
}

/// A command of several lines as one.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

fn escape(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// A duration as people say it: `41s`, `2m 14s`, `0.3s`.
pub fn duration(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", took.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A size in decimal units: `38.1 MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_well() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(38_100_000), "38.1 MB");
        assert_eq!(size(999_999), "1.0 MB");
        assert_eq!(duration(Duration::from_secs(134)), "2m 14s");
        assert_eq!(duration(Duration::from_millis(340)), "0.3s");
        assert_eq!(duration(Duration::from_secs(41)), "41s");
    }
}
