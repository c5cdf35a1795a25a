//! What a killed run may leave in an engine, and how the next run finds it.
//!
//! A container ends with the run that started it: its first process reads a pipe that only the run holds
//! ([`engine::container`](crate::engine::container)). What that cannot cover is the moment between the container's
//! making and its start, and an engine that was stopped meanwhile. So every container says by a label which process
//! it belongs to, and each run begins with removing those whose process is gone.
//!
//! A process is named by its machine's boot, its namespace of process ids, its number and when it started (proc(5)):
//! whoever cannot see the process, because it lies on another machine or in another container, leaves its containers
//! alone.

use std::path::Path;

use fs_err as fs;

use crate::Result;
use crate::client::Client;

/// The label of every container: the process that it belongs to.
pub const RUN_LABEL: &str = "packhouse.run";

/// A process of some machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The machine's boot and the namespace of process ids.
    place: String,
    process: u32,
    /// In clock ticks since the boot.
    started: u64,
}

impl Run {
    /// This process. Where there is no `/proc` it is one that nobody else can see.
    pub(crate) fn this() -> Run {
        let process = std::process::id();
        Run {
            place: place().unwrap_or_else(|| "elsewhere".into()),
            process,
            started: started(process).unwrap_or(0),
        }
    }

    /// As the label has it: `BOOT/NAMESPACE/PROCESS/START`.
    pub(crate) fn label(&self) -> String {
        format!("{}/{}/{}", self.place, self.process, self.started)
    }

    /// A part of a container's name.
    pub(crate) fn short(&self) -> String {
        let boot = self.place.get(..4).unwrap_or("");
        format!("{boot}-{}-{}", self.process, self.started)
    }

    fn parse(label: &str) -> Option<Run> {
        let (rest, started) = label.rsplit_once('/')?;
        let (place, process) = rest.rsplit_once('/')?;
        Some(Run { place: place.into(), process: process.parse().ok()?, started: started.parse().ok()? })
    }

    /// Whether it is known to have ended: it was of this boot and namespace, and is not there any more.
    fn is_gone(&self, here: Option<&str>) -> bool {
        here == Some(&self.place) && started(self.process) != Some(self.started)
    }
}

/// Removes containers whose run has ended without them.
///
/// # Errors
/// When the engine does not answer.
pub(crate) async fn remove(client: &Client) -> Result<()> {
    let filter = format!("label={RUN_LABEL}");
    let listed = client.output(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]).await?;
    let here = place();
    for id in listed.split_whitespace() {
        let format = format!("{{{{index .Config.Labels \"{RUN_LABEL}\"}}}}");
        // One that has just gone by itself is no error.
        let Ok(label) = client.output(&["container", "inspect", "--format", &format, id]).await else {
            continue;
        };
        if Run::parse(label.trim()).is_some_and(|run| run.is_gone(here.as_deref())) {
            let _ = client.output(&["rm", "--force", "--volumes", id]).await;
        }
    }
    Ok(())
}

/// This boot of this machine, and the namespace that process ids are of.
fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    // `pid:[4026531836]`
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?.display().to_string();
    let number: String = namespace.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}/{number}", boot.trim()))
}

/// When a process started: the 22nd field of its `stat`, the 20th after the name (proc(5)).
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_gone_only_where_it_could_be_seen() {
        let this = Run::this();
        assert_eq!(Run::parse(&this.label()).unwrap(), this);
        let here = place();
        assert!(!this.is_gone(here.as_deref()), "it is running");
        let earlier = Run { started: this.started + 1, ..this.clone() };
        assert!(earlier.is_gone(here.as_deref()), "its number is another process's now");
        let elsewhere = Run { place: "other/1".into(), ..earlier };
        assert!(!elsewhere.is_gone(here.as_deref()), "nobody here can tell");
        assert_eq!(Run::parse("nonsense"), None);
    }
}
