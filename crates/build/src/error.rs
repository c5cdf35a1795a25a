//! Why a build did not happen.

use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written; the source names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A program could not be started.
    #[error("cannot run `{program}`")]
    Program {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Git refused.
    #[error("`git {command}` failed: {message}")]
    Git {
        /// Its arguments.
        command: String,
        /// What it said.
        message: String,
    },
    /// The directory for builds belongs to somebody else.
    #[error("`{}` is not a directory that only this user can write to", .path.display())]
    UnsafeScratch {
        /// The directory.
        path: PathBuf,
    },
    /// A command of the build removed the directory that the build runs in.
    #[error("the build removed the directory it runs in; not run: {command}")]
    WorkspaceGone {
        /// The command that came next.
        command: String,
    },
    /// A command of the build failed.
    #[error("command {number} of {total} failed with {}: {command}", describe(.status))]
    Command {
        /// Which one, from 1.
        number: usize,
        /// Of how many.
        total: usize,
        /// As the project wrote it.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it printed.
        tail: Vec<String>,
        /// Everything it printed.
        log: PathBuf,
        /// What was kept to look around in.
        kept: Option<Box<Kept>>,
    },
    /// The program of a container engine could not be started.
    #[error("cannot run `{program}`")]
    EngineProgram {
        /// The program.
        program: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The engine does not answer its program.
    #[error("{program} has no engine to work with: {message}")]
    EngineAway {
        /// The program.
        program: &'static str,
        /// What it said.
        message: String,
    },
    /// The engine refused.
    #[error("`{program} {command}` failed: {message}")]
    Engine {
        /// The program.
        program: &'static str,
        /// What it was told to do.
        command: String,
        /// What it said.
        message: String,
    },
    /// An image could not be built, pulled or pushed.
    #[error("cannot {action} {reference}{}", times(*tries))]
    Image {
        /// `build`, `pull` or `push`.
        action: &'static str,
        /// The image.
        reference: String,
        /// How often it was tried.
        tries: u32,
        /// The last lines that the engine printed.
        tail: Vec<String>,
        /// Everything it printed.
        log: PathBuf,
    },
    /// An image was built and is not in the engine.
    #[error("{reference} was built, and {program} does not have it")]
    NotLoaded {
        /// The engine.
        program: &'static str,
        /// The image.
        reference: String,
    },
    /// A container ended before its build did.
    #[error(
        "the container, or the connection to {program}, was lost during command {number} of {total}: {command}"
    )]
    Lost {
        /// The engine.
        program: &'static str,
        /// Which command, from 1.
        number: usize,
        /// Of how many.
        total: usize,
        /// As the project wrote it.
        command: String,
        /// Everything it printed.
        log: PathBuf,
    },
    /// There is nothing to build in.
    #[error("there is no base image {reference}{}", because(.reason.as_deref()))]
    NoBaseImage {
        /// The image.
        reference: String,
        /// The target that it is for.
        target: String,
        /// Why it could not be pulled; nothing when no registry has it.
        reason: Option<String>,
    },
    /// A base image is for other machines than the package.
    #[error("{reference} is an image for {is}, and the package is to be for {wanted}")]
    Processor {
        /// The image.
        reference: String,
        /// Its processor.
        is: String,
        /// The target's.
        wanted: String,
    },
    /// A job of this machine was given to a container engine.
    #[error("the job does not say what container {engine} is to run it in")]
    NoContainer {
        /// The engine.
        engine: &'static str,
    },
    /// A secret has no value.
    #[error("the secret `{name}` has no value")]
    Secret {
        /// Its name.
        name: String,
    },
    /// A build made something that cannot be taken out of its container.
    #[error("what the build made cannot be packaged: `{path}`: {reason}")]
    Output {
        /// The path, as the engine wrote it.
        path: String,
        /// Why.
        reason: &'static str,
    },
}

/// What is left of a failed build, to look around in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The private copy.
    Directory(PathBuf),
    /// An image of the container.
    Image {
        /// The command that enters it.
        enter: String,
        /// The command that removes it.
        remove: String,
    },
}

impl Error {
    /// How to fix it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Error::Program { program, .. } => Some(format!("install `{program}`, or put it on PATH")),
            Error::UnsafeScratch { path } => {
                Some(format!("remove {}, or set TMPDIR to a directory of your own", path.display()))
            }
            Error::EngineProgram { program, .. } => {
                Some(format!("install `{program}`, or build on this machine with `--engine host`"))
            }
            // A socket's permissions; an ssh that is refused says `Permission denied (publickey)`.
            Error::EngineAway { program, message } if message.contains("permission denied") => Some(format!(
                "add this user to the group `{program}` and log in anew, or name another engine with DOCKER_HOST"
            )),
            Error::NotLoaded { .. } => Some(
                "BuildKit kept it to itself: unset BUILDX_BUILDER, or make that builder with `docker buildx create \
                 --driver-opt default-load=true`"
                    .into(),
            ),
            Error::Lost { program, log, .. } => Some(format!(
                "see whether the engine was stopped or short of memory, and run the same command again; \
                 `{program} info` says whether it answers, the whole log is {}",
                log.display()
            )),
            Error::EngineAway { program: "docker", .. } => Some(
                "start its daemon, name another engine with DOCKER_HOST or `docker context use`, or build on this \
                 machine with `--engine host`"
                    .into(),
            ),
            Error::EngineAway { program, .. } => Some(format!("see what `{program} info` says")),
            Error::Image { action: "push", tail, .. } if is_login(tail) => Some(
                "log the engine in to the registry, as with `docker login`, or set its credential helper up"
                    .into(),
            ),
            Error::Image { action: "push", tail, .. } if says(tail, &["name unknown", "does not exist"]) => Some(
                "make the repository in the registry first, as with `aws ecr create-repository`, or correct \
                 [base-image] repository"
                    .into(),
            ),
            Error::Image { action: "push", tail, .. } if says(tail, &["http response to https client"]) => Some(
                "the registry speaks HTTP: name it in `insecure-registries` of the engine's daemon.json, or with \
                 `insecure = true` in Podman's registries.conf"
                    .into(),
            ),
            Error::Image { action: "push", log, .. } => Some(format!(
                "the images are built: run the same command again; the whole log is {}",
                log.display()
            )),
            Error::Image { log, .. } => Some(format!("the whole log is {}", log.display())),
            Error::NoBaseImage { target, .. } => Some(format!(
                "build it with `packhouse base {target}`, or on the way with `packhouse build {target} --build-base`"
            )),
            Error::Processor { is, wanted, .. } => Some(format!(
                "name the architecture with --arch; for {wanted} build the base image anew with `packhouse base --arch`, for {is} leave --arch out"
            )),
            Error::Output { .. } => Some("let [[files]] name exactly what belongs into the package".into()),
            _ => None,
        }
    }
}

/// Whether a registry wanted to know who pushes.
fn is_login(said: &[String]) -> bool {
    says(said, &["unauthorized", "authentication required", "no basic auth", "denied"])
}

/// Whether one of the words, in lower case, is in one of the lines.
fn says(said: &[String], words: &[&str]) -> bool {
    said.iter().any(|line| words.iter().any(|word| line.to_lowercase().contains(word)))
}

fn times(tries: u32) -> String {
    if tries > 1 { format!(" (tried {tries} times)") } else { String::new() }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(", and it cannot be pulled: {reason}")).unwrap_or_default()
}

fn describe(status: &ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".into(),
    }
}
