//! A container that runs: what is done to it, and how it ends.
//!
//! Its first process reads standard input, a pipe from here through the engine's program, and ends with it. So
//! the container ends, and is removed by the engine (`--rm`), when it is dropped here, when this process is killed,
//! and when the program or the connection dies. Nothing else has to happen in time.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin};

use super::FIXED;
use crate::client::{self, Client};
use crate::unpack::{LIMITS, unpack};
use crate::{Error, Job, Result, Secret, Source, log};

/// Where the source lies in every container: compilers write paths into what they make.
pub const BUILD_DIRECTORY: &str = "/packhouse/build";
/// The home of a user that has none.
const HOME_DIRECTORY: &str = "/packhouse/home";
/// Where secrets are, each a file of memory.
pub const SECRETS_DIRECTORY: &str = "/run/secrets";

/// How long after a command's the end of its container may be told.
const GRACE: std::time::Duration = std::time::Duration::from_millis(300);

/// Who builds where the image does not say: a number that no image gives rights to. It is the same everywhere, so
/// that the same commit makes the same bytes.
const USER: &str = "1000:1000";

/// Tells who it is and whether there is a home, then waits for the end of its input.
const WAIT: &str = r#"home=none
if [ "$HOME" != / ] && [ -d "$HOME" ] && [ -w "$HOME" ]; then home=own; fi
echo "packhouse $(id -u) $(id -g) $home"
cat >/dev/null
exit 0"#;

/// Run as root: directories for the user, and a line in the user database, which `ssh` and others insist on.
/// `"$1"` is the user, `"$2"` the group, the rest are caches.
const PREPARE: &str = r#"set -e
user=$1 group=$2
shift 2
mkdir -p /packhouse/build /packhouse/home
chown "$user:$group" /packhouse /packhouse/build /packhouse/home
cd /packhouse/build
for path do
    if [ "$(stat -c %u "$path" 2>/dev/null)" != "$user" ]; then chown -h -R "$user:$group" "$path"; fi
    while :; do
        case $path in
        */*) path=${path%/*} && chown "$user:$group" "$path" ;;
        *) break ;;
        esac
    done
done
known=no
if [ -e /etc/passwd ]; then
    while IFS=: read -r _ _ number _; do
        if [ "$number" = "$user" ]; then known=yes; fi
    done </etc/passwd
    if [ "$known" = no ]; then
        echo "packhouse:x:$user:$group:Packhouse:/packhouse/home:/bin/sh" >>/etc/passwd || true
    fi
fi"#;

/// Prints the number of each path that is there, from 0.
const FIND: &str = r#"number=0
for path do
    if [ -e "$path" ] || [ -L "$path" ]; then echo "$number"; fi
    number=$((number + 1))
done"#;

/// How a container is started.
pub(super) struct Start<'a> {
    pub(super) job: &'a Job,
    /// The image's own digest.
    pub(super) image: &'a str,
    /// The user that the image's commands run as; empty when it does not say.
    pub(super) user: &'a str,
    pub(super) platform: Option<&'a str>,
    pub(super) name: String,
    pub(super) labels: BTreeMap<&'static str, String>,
    pub(super) time: u32,
    /// Volumes by the path below the source that they are mounted at.
    pub(super) volumes: &'a BTreeMap<PathBuf, String>,
    pub(super) has_secrets: bool,
}

/// A container that runs.
pub(super) struct Running {
    client: Client,
    name: String,
    child: Child,
    /// The container ends when this is closed.
    held: Option<ChildStdin>,
    user: (u64, u64),
    /// Has no home of its own in the image.
    is_homeless: bool,
}

impl Running {
    /// Starts a container and waits until it runs.
    pub(super) async fn start(client: &Client, start: Start<'_>) -> Result<Running> {
        let arguments = start.arguments();
        let mut command = client.command(&arguments);
        command.stdin(Stdio::piped()).kill_on_drop(false);
        let mut child = client.spawn(command)?;
        let held = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(no_pipe)?;
        let name = start.name;
        let mut running =
            Running { client: client.clone(), name, child, held, user: (0, 0), is_homeless: false };
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["packhouse", user, group, home] = words[..]
                && let (Ok(user), Ok(group)) = (user.parse(), group.parse())
            {
                running.user = (user, group);
                running.is_homeless = home != "own";
                return Ok(running);
            }
        }
        // It did not come so far: what the program said is why.
        let mut said = Vec::new();
        if let Some(mut stderr) = running.child.stderr.take() {
            stderr.read_to_end(&mut said).await?;
        }
        let status = running.child.wait().await?;
        client.succeeded(&["run"], status, &said)?;
        let message = "the container ended at once".to_owned();
        Err(Error::Engine { program: client.name(), command: "run".into(), message })
    }

    /// Makes the directories that a build writes to.
    pub(super) async fn prepare<'a>(&self, caches: impl Iterator<Item = &'a Path>) -> Result<()> {
        let (user, group) = self.user;
        let mut arguments: Vec<OsString> =
            ["exec", "--user", "0", &self.name, "sh", "-c", PREPARE, "sh"].map(OsString::from).into();
        arguments.extend([user.to_string().into(), group.to_string().into()]);
        arguments.extend(caches.map(|path| path.as_os_str().to_owned()));
        self.client.output(&arguments).await.map(drop)
    }

    /// Copies the source into the container.
    pub(super) async fn copy_in(&self, source: &Source) -> Result<()> {
        let arguments = ["cp", "-", &format!("{}:{BUILD_DIRECTORY}", self.name)];
        let mut command = self.client.command(&arguments);
        command.stdin(Stdio::piped());
        let mut child = self.client.spawn(command)?;
        let input = child.stdin.take().ok_or_else(no_pipe)?.into_owned_fd()?;
        let (source, user) = (source.clone(), self.user);
        let writing = tokio::task::spawn_blocking(move || {
            source.write_tar(user, std::io::BufWriter::new(std::fs::File::from(input)))
        });
        let (written, output) = tokio::join!(writing, child.wait_with_output());
        let (written, output) = (written.map_err(std::io::Error::other)?, output?);
        // A program that gave up reading says more than the pipe that broke.
        self.client.succeeded(&arguments, output.status, &output.stderr)?;
        written
    }

    /// Writes a secret to a file of memory, which only the builder can read. Through a pipe: no argument, variable
    /// or layer has it. (`docker cp` does not reach a tmpfs.)
    pub(super) async fn add_secret(&self, name: &str, secret: &Secret) -> Result<()> {
        let script = format!("umask 0377; cat >\"{SECRETS_DIRECTORY}/$1\"");
        let arguments = ["exec", "--interactive", &self.name, "sh", "-c", &script, "sh", name];
        let mut command = self.client.command(&arguments);
        command.stdin(Stdio::piped());
        let mut child = self.client.spawn(command)?;
        let mut input = child.stdin.take().ok_or_else(no_pipe)?;
        let written = async {
            input.write_all(secret.bytes()).await?;
            input.shutdown().await
        }
        .await;
        drop(input);
        let output = child.wait_with_output().await?;
        self.client.succeeded(&arguments, output.status, &output.stderr)?;
        Ok(written?)
    }

    /// Runs a command of the job.
    pub(super) async fn execute(&self, job: &Job, command: &str, log: &Path) -> Result<ExitStatus> {
        let (stdout, stderr) = log::for_command(log, command)?;
        let mut arguments = vec!["exec", "--workdir", BUILD_DIRECTORY];
        let home = format!("HOME={HOME_DIRECTORY}");
        if self.is_homeless && !job.environment.contains_key("HOME") {
            arguments.extend(["--env", &home]);
        }
        arguments.extend([&self.name, "sh", "-c", command]);
        let mut program = self.client.command(&arguments);
        program.stdout(stdout).stderr(stderr);
        Ok(self.client.spawn(program)?.wait().await?)
    }

    /// Copies `paths`, relative to the source, out of the container to the same places below `destination`. What
    /// is not there is left out: whoever needs it says so.
    pub(super) async fn copy_out(&self, paths: &[PathBuf], destination: &Path) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut arguments: Vec<OsString> =
            ["exec", "--workdir", BUILD_DIRECTORY, &self.name, "sh", "-c", FIND, "sh"]
                .map(OsString::from)
                .into();
        // Never an option or nothing: `./` in front.
        arguments.extend(paths.iter().map(|path| Path::new(".").join(path).into_os_string()));
        let found = self.client.output(&arguments).await?;
        for number in found.split_whitespace().filter_map(|number| number.parse::<usize>().ok()) {
            if let Some(path) = paths.get(number) {
                self.copy_one_out(path, destination).await?;
            }
        }
        Ok(())
    }

    async fn copy_one_out(&self, path: &Path, destination: &Path) -> Result<()> {
        let inside = match path.as_os_str().is_empty() {
            true => PathBuf::from(BUILD_DIRECTORY),
            false => Path::new(BUILD_DIRECTORY).join(path),
        };
        let mut from = OsString::from(format!("{}:", self.name));
        from.push(&inside);
        let arguments = [OsString::from("cp"), from, OsString::from("-")];
        let mut child = self.client.spawn(self.client.command(&arguments))?;
        let output = child.stdout.take().ok_or_else(no_pipe)?.into_owned_fd()?;
        let name = inside.file_name().unwrap_or(OsStr::new("")).to_owned();
        let (path, destination) = (path.to_owned(), destination.to_owned());
        let reading = tokio::task::spawn_blocking(move || {
            let stream = std::io::BufReader::with_capacity(256 * 1024, std::fs::File::from(output));
            unpack(stream, &name, &destination, &path, LIMITS)
        });
        let (read, output) = tokio::join!(reading, child.wait_with_output());
        let (read, output) = (read.map_err(std::io::Error::other)?, output?);
        match read {
            // The program then ends because nobody reads any more.
            Err(error @ Error::Output { .. }) => Err(error),
            read => self.client.succeeded(&arguments, output.status, &output.stderr).and(read),
        }
    }

    /// Whether the container, or the connection to it, has ended by itself: a command that fails then says nothing
    /// about the build. Both end at the same time, and are told of one after the other.
    pub(super) async fn is_lost(&mut self) -> bool {
        tokio::time::timeout(GRACE, self.child.wait()).await.is_ok()
    }

    /// Keeps the container's files as an image called `image`.
    pub(super) async fn keep_as(&self, image: &str, label: &str) -> Result<()> {
        self.client.remove_image(image).await?;
        let label = format!("LABEL {label}");
        // What a change leaves empty stays the container's: its shell is the entry point either way.
        let directory = format!("WORKDIR {BUILD_DIRECTORY}");
        let home = format!("ENV HOME={HOME_DIRECTORY}");
        let home = self.is_homeless.then_some(&*home);
        let changes = ["ENTRYPOINT [\"sh\"]", "CMD [\"-i\"]", &directory, &label];
        let arguments: Vec<&str> = std::iter::once("commit")
            .chain(changes.into_iter().chain(home).flat_map(|change| ["--change", change]))
            .chain([&*self.name, image])
            .collect();
        self.client.output(&arguments).await.map(drop)
    }

    /// Ends the container and waits until it is gone.
    pub(super) async fn end(mut self) -> Result<()> {
        drop(self.held.take());
        self.child.wait().await?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.held.take());
        if !client::ended(|| self.child.try_wait()) {
            let arguments = ["rm", "--force", "--volumes", &self.name];
            let mut remove = self.client.command(&arguments);
            remove.stdout(Stdio::null()).stderr(Stdio::null());
            // An engine that does not answer this either is given up: the next run removes the container. (Not tokio's
            // spawn: the runtime may be about to end.)
            if let Ok(mut remove) = remove.into_std().spawn()
                && !client::ended(|| remove.try_wait())
            {
                let _ = remove.kill();
                let _ = remove.wait();
            }
            let _ = self.child.start_kill();
        }
    }
}

impl Start<'_> {
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["run", "--interactive", "--rm", "--pull=never", "--sig-proxy=false", "--no-healthcheck"]
                .map(str::to_owned)
                .into();
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        add("--name", self.name.clone());
        for (name, value) in &self.labels {
            add("--label", format!("{name}={value}"));
        }
        if let Some(platform) = self.platform {
            add("--platform", platform.to_owned());
        }
        if self.user.is_empty() {
            add("--user", USER.to_owned());
        }
        for (name, value) in FIXED {
            add("--env", format!("{name}={value}"));
        }
        add("--env", format!("SOURCE_DATE_EPOCH={}", self.time));
        for (name, value) in &self.job.environment {
            add("--env", format!("{name}={value}"));
        }
        for (path, volume) in self.volumes {
            add("--volume", format!("{volume}:{BUILD_DIRECTORY}/{}", path.display()));
        }
        if self.has_secrets {
            // Sticky and writable for all, since no engine takes a user here that both know.
            add("--tmpfs", format!("{SECRETS_DIRECTORY}:mode=1777,size=16m,noexec,nosuid,nodev"));
        }
        // Not its own number, which would be another one in each build.
        add("--hostname", "packhouse".to_owned());
        add("--entrypoint", "sh".to_owned());
        arguments.extend([self.image.to_owned(), "-c".into(), WAIT.into()]);
        arguments
    }
}

fn no_pipe() -> Error {
    std::io::Error::other("the program has no pipe").into()
}
