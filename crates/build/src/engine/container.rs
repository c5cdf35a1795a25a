//! The container engine: runs a job's commands in a container of Docker's or Podman's.
//!
//! A container is made from the target's base image, which is resolved to its digest once. The source goes in, and the
//! results come out, as tar streams through the engine's program; nothing of this machine is mounted, so the engine
//! may be anywhere. The commands run one by one as the image's user, or as a number without rights where the
//! image names none. They get the same few variables as on the host and those of the job: never the caller's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::running::{Running, Start};
use super::{Engine, EngineOptions, Working, Workspace};
use crate::client::Client;
use crate::image::{Image, TARGET_LABEL};
use crate::leftovers::{self, RUN_LABEL, Run};
use crate::{ContainerJob, Error, Event, Job, Kept, OnEvent, Result, Secret, SecretSource, Source, log};

pub use super::running::{BUILD_DIRECTORY, SECRETS_DIRECTORY};

/// The label of a container that names its project.
pub const PROJECT_LABEL: &str = "packhouse.project";
/// The label of a volume that keeps a cache, with the project.
pub const CACHE_LABEL: &str = "packhouse.cache";
/// The label of an image that a failed build was kept as, with the project.
pub const FAILED_LABEL: &str = "packhouse.failed";

/// A base image that is older, in days, is told of.
const WEEK: i64 = 7;

/// Runs jobs in containers. Not `Debug`: the caller's environment holds secrets.
pub struct Containers {
    /// The engine's program.
    pub client: Client,
    /// What holds for every job.
    pub options: EngineOptions,
    /// Now, in Unix seconds.
    pub now: i64,
    /// Keeps the job's caches in volumes, and uses what is in them.
    pub keep_caches: bool,
    /// The values of the jobs' secrets.
    pub secrets: BTreeMap<SecretSource, Secret>,
}

impl Engine for Containers {
    fn name(&self) -> &'static str {
        self.client.name()
    }

    fn check(&self) -> Working<'_, ()> {
        Box::pin(async {
            self.client.info().await?;
            leftovers::remove(&self.client).await
        })
    }

    fn run<'a>(
        &'a self,
        job: &'a Job,
        source: &'a Source,
        log: &'a Path,
        on_event: OnEvent<'a>,
    ) -> Working<'a, Workspace> {
        Box::pin(self.run_there(job, source, log, on_event))
    }
}

impl Containers {
    async fn run_there(
        &self,
        job: &Job,
        source: &Source,
        log: &Path,
        on_event: OnEvent<'_>,
    ) -> Result<Workspace> {
        let container = job.container.as_ref().ok_or(Error::NoContainer { engine: self.client.name() })?;
        let workspace = Workspace::new(&self.options.scratch, job, on_event).await?;
        log::create(log)?;
        let image = self.base_image(container, log, on_event).await?;
        on_event(Event::Image { activity: "starting the container".into() });
        let volumes = self.volumes(job, container).await?;
        let run = Run::this();
        let start = Start {
            job,
            image: &image.id,
            user: &image.user,
            platform: container.platform.is_named.then_some(&*container.platform.name),
            name: format!("packhouse-{}-{}", as_name(&job.directory_name()), run.short()),
            labels: BTreeMap::from([
                (RUN_LABEL, run.label()),
                (PROJECT_LABEL, job.project.clone()),
                (TARGET_LABEL, container.target.clone()),
            ]),
            time: self.options.time,
            volumes: &volumes,
            has_secrets: !container.secrets.is_empty(),
        };
        let mut running = Running::start(&self.client, start).await?;
        on_event(Event::Copying);
        running.prepare(volumes.keys().map(PathBuf::as_path)).await?;
        running.copy_in(source).await?;
        for (name, source) in &container.secrets {
            let missing = || Error::Secret { name: name.clone() };
            running.add_secret(name, self.secrets.get(source).ok_or_else(missing)?).await?;
        }
        for (index, command) in job.commands.iter().enumerate() {
            let (number, total) = (index + 1, job.commands.len());
            on_event(Event::Command { number, total, command: command.clone() });
            let status = running.execute(job, command, log).await?;
            if !status.success() {
                if running.is_lost().await {
                    let (program, command, log) = (self.client.name(), command.clone(), log.to_owned());
                    return Err(Error::Lost { program, number, total, command, log });
                }
                let (tail, log) = (log::tail(log)?, log.to_owned());
                let kept = match self.options.keep_failed {
                    true => Some(Box::new(self.keep(&running, job, container, &volumes).await?)),
                    false => None,
                };
                running.end().await?;
                let command = command.clone();
                return Err(Error::Command { number, total, command, status, tail, log, kept });
            }
        }
        on_event(Event::Collecting);
        running.copy_out(&outermost(&container.outputs), workspace.path()).await?;
        running.end().await?;
        Ok(workspace)
    }

    /// The image that the container is made from: there already, or pulled.
    async fn base_image(&self, container: &ContainerJob, log: &Path, on_event: OnEvent<'_>) -> Result<Image> {
        let reference = container.image.latest();
        let image = match self.client.image(&reference).await? {
            Some(image) => image,
            None => self.pull(container, &reference, log, on_event).await?,
        };
        let wanted = container.platform.processor();
        if image.processor != wanted {
            let (is, wanted) = (image.processor, wanted.to_owned());
            return Err(Error::Processor { reference, is, wanted });
        }
        self.tell_age(container, &reference, &image, on_event)?;
        Ok(image)
    }

    async fn pull(
        &self,
        container: &ContainerJob,
        reference: &str,
        log: &Path,
        on_event: OnEvent<'_>,
    ) -> Result<Image> {
        let missing = |reason: Option<String>| Error::NoBaseImage {
            reference: reference.to_owned(),
            target: container.target.clone(),
            reason,
        };
        if container.image.is_local {
            return Err(missing(None));
        }
        on_event(Event::Image { activity: format!("pulling {reference}") });
        let platform = Some(&container.platform).filter(|platform| platform.is_named);
        match self.client.pull(reference, platform, log).await {
            Ok(()) => self.client.image(reference).await?.ok_or_else(|| self.client.gone(reference)),
            Err(Error::Image { tail, .. }) => Err(missing(tail.last().cloned())),
            Err(error) => Err(error),
        }
    }

    /// Says when a base image is not what its Dockerfile says, or has grown old.
    fn tell_age(
        &self,
        container: &ContainerJob,
        reference: &str,
        image: &Image,
        on_event: OnEvent<'_>,
    ) -> Result<()> {
        let target = &container.target;
        if image.is_older_than(&container.image.dockerfile_digest()?) {
            let dockerfile = container.image.dockerfile();
            let message = format!(
                "{reference} was built from another {}: `packhouse base {target}` builds it anew",
                dockerfile.display()
            );
            on_event(Event::Notice { message });
        } else if let Some(days) = image.days_old(self.now).filter(|days| *days > WEEK) {
            let message = format!(
                "{reference} is {days} days old: `packhouse base {target} --refresh` builds it with today's packages"
            );
            on_event(Event::Notice { message });
        }
        Ok(())
    }

    /// A volume for each cache that is kept.
    async fn volumes(&self, job: &Job, container: &ContainerJob) -> Result<BTreeMap<PathBuf, String>> {
        let mut volumes = BTreeMap::new();
        for path in container.caches.iter().filter(|_| self.keep_caches) {
            let mut hash = Sha256::new();
            for part in
                [job.project.as_bytes(), container.target.as_bytes(), path.as_os_str().as_encoded_bytes()]
            {
                hash.update(part);
                hash.update([0]);
            }
            let hash: String = hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
            let name = as_name(&format!("packhouse-cache-{}-{}-{hash}", job.project, container.target));
            // Podman makes no volume that is there already, and Docker says nothing.
            if self.client.output(&["volume", "inspect", &name]).await.is_err() {
                let cache = format!("{CACHE_LABEL}={}", job.project);
                let target = format!("{TARGET_LABEL}={}", container.target);
                let arguments = ["volume", "create", "--label", &cache, "--label", &target, &name];
                self.client.output(&arguments).await?;
            }
            volumes.insert(path.clone(), name);
        }
        Ok(volumes)
    }

    /// Keeps a failed build as an image, with everything but the secrets, which are not part of its files.
    async fn keep(
        &self,
        running: &Running,
        job: &Job,
        container: &ContainerJob,
        volumes: &BTreeMap<PathBuf, String>,
    ) -> Result<Kept> {
        let image = format!("packhouse-failed:{}", as_name(&format!("{}-{}", job.project, container.target)));
        running.keep_as(&image, &format!("{FAILED_LABEL}={}", as_name(&job.project))).await?;
        let program = self.client.name();
        let volumes: String = volumes
            .iter()
            .map(|(path, volume)| format!("{volume}:{BUILD_DIRECTORY}/{}", path.display()))
            .map(|mount| format!(" --volume {}", shell_word(&mount)))
            .collect();
        Ok(Kept::Image {
            enter: format!("{program} run --rm -it{volumes} {image}"),
            remove: format!("{program} image rm {image}"),
        })
    }
}

/// The outputs that are not below another one.
fn outermost(outputs: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let clean: BTreeSet<PathBuf> =
        outputs.iter().map(|path| path.components().collect::<PathBuf>()).collect();
    let without_dots = |path: &PathBuf| path.components().filter(|part| part.as_os_str() != ".").collect();
    let clean: BTreeSet<PathBuf> = clean.iter().map(without_dots).collect();
    let is_below = |path: &Path| path.ancestors().skip(1).any(|above| clean.contains(above));
    clean.iter().filter(|path| !is_below(path)).cloned().collect()
}

/// A word that a shell leaves as it is.
fn shell_word(text: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b':');
    match text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A name that engines take: other characters become `-`.
fn as_name(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_copy_can_be_pasted_into_a_shell() {
        assert_eq!(
            shell_word("packhouse-cache:/packhouse/build/deps"),
            "packhouse-cache:/packhouse/build/deps"
        );
        assert_eq!(shell_word("my deps; it's"), r"'my deps; it'\''s'");
    }

    #[test]
    fn an_output_below_another_is_taken_with_it() {
        let outputs = ["out", "./out/a", "out2", "b/c", "b/c/d/e"].map(PathBuf::from);
        assert_eq!(outermost(&outputs.into()), ["b/c", "out", "out2"].map(PathBuf::from));
        let all = ["out", "."].map(PathBuf::from);
        assert_eq!(outermost(&all.into()), [PathBuf::new()]);
    }
}
