//! The command line: one file a command, each from arguments to options to one operation.

mod amend;
mod base;
mod build;
mod completions;
mod diff;
mod doctor;
mod fpm;
mod init;
mod inspect;
mod key;
mod man;
mod plan;
mod promote;
mod prune;
mod publish;
mod release;
mod repair;
mod rollback;
mod secrets;
mod sign;
mod site;
mod target;
mod verify;
mod yank;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgAction, Args, Parser, Subcommand};
use packhouse_package::Arch;
use packhouse_project::{EngineName, Selection};

use crate::environment::Environment;
use crate::ops::UsageError;
use crate::output::{self, ColorChoice, Output, Style};

/// Builds, packages, signs and publishes a project for many Linux distributions.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
#[command(after_help = "Examples:\n  packhouse init\n  packhouse release --all\n  packhouse verify pkg/site")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// The project's directory [default: the nearest with a dist/packhouse.toml]
    #[arg(short = 'C', value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    /// JSON on standard output: one document, or one event a line
    #[arg(long, global = true)]
    json: bool,
    /// Only errors and results
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Everything that happens
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    verbose: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    color: ColorChoice,
}

#[derive(Subcommand)]
enum Command {
    /// Write dist/packhouse.toml and first targets for the project found here
    Init,
    /// List the targets, or add one
    #[command(subcommand)]
    Target(target::Target),
    /// Build the base images that targets are built in, and push them
    Base(base::Base),
    /// Build targets and package them into pkg/
    Build(build::Build),
    /// Sign what is in pkg/, or single files
    Sign(sign::Sign),
    /// Check a package or a site as a customer would
    Verify(verify::Verify),
    /// Show what packages say, run and hold
    Inspect(inspect::Inspect),
    /// Compare two packages, of one format or of two
    Diff(diff::Diff),
    /// Put the packages of pkg/ on the distribution site
    Publish(publish::Publish),
    /// Build, sign and publish: the whole job
    Release(release::Release),
    /// Show what a release would add, replace and remove on the site
    Plan(plan::Plan),
    /// Put what one channel offers into another
    Promote(promote::Promote),
    /// Withdraw a release, or offer it again
    Yank(yank::Yank),
    /// Go back to an earlier release
    Rollback(rollback::Rollback),
    /// Remove old releases from the site
    Prune(prune::Prune),
    /// Finish what a publisher left that died, and render the site anew
    Repair(repair::Repair),
    /// Look at the site
    #[command(subcommand)]
    Site(site::Site),
    /// Make keys, say who may sign, and check that customers can verify
    #[command(subcommand)]
    Key(key::Key),
    /// Package files as the program fpm does, with its arguments
    #[command(disable_help_flag = true)]
    Fpm(fpm::Fpm),
    /// Say what this machine has and lacks for a release
    Doctor(doctor::Doctor),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Print the manual page, or write the pages of every command
    Man(man::Man),
}

/// What every command gets.
struct Context {
    directory: Option<PathBuf>,
    environment: Environment,
    output: Output,
}

/// Runs the program.
pub fn run() -> ExitCode {
    let gather = || {
        Environment::gather().inspect_err(|error| {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "error: the current directory cannot be found: {error}");
        })
    };
    if let Some(arguments) = fpm::arguments() {
        return gather().map_or(ExitCode::FAILURE, |environment| fpm::run(arguments, &environment));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if let Some(advice) = secrets::advice(&error) {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "\n{advice}");
            }
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let Ok(mut environment) = gather() else { return ExitCode::FAILURE };
    let Global { directory, json, quiet, verbose, color } = cli.global;
    let output = Output::new(Style::new(json, quiet, verbose, color, &environment));
    environment.ask = output.prompt();
    let context = Context { directory, environment, output };
    match cli.command.run(&context) {
        Ok(status) => {
            context.output.finish();
            status
        }
        Err(error) => {
            context.output.error(&error);
            output::exit_status(&error)
        }
    }
}

/// The whole command line, for what is generated from it.
fn command_line() -> clap::Command {
    <Cli as clap::CommandFactory>::command().name("packhouse")
}

impl Command {
    fn run(self, context: &Context) -> Result<ExitCode> {
        match self {
            Command::Init => init::run(context),
            Command::Target(command) => command.run(context),
            Command::Base(command) => command.run(context),
            Command::Build(command) => command.run(context),
            Command::Sign(command) => command.run(context),
            Command::Verify(command) => command.run(context),
            Command::Inspect(command) => command.run(context),
            Command::Diff(command) => command.run(context),
            Command::Publish(command) => command.run(context),
            Command::Release(command) => command.run(context),
            Command::Plan(command) => command.run(context),
            Command::Promote(command) => command.run(context),
            Command::Yank(command) => command.run(context),
            Command::Rollback(command) => command.run(context),
            Command::Prune(command) => command.run(context),
            Command::Repair(command) => command.run(context),
            Command::Site(command) => command.run(context),
            Command::Key(command) => command.run(context),
            // Behind a global option: `packhouse -q fpm …`.
            Command::Fpm(command) => Ok(fpm::run(command.arguments, &context.environment)),
            Command::Doctor(command) => command.run(context),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(context),
        }
    }
}

impl Context {
    /// Runs an operation that waits; Ctrl-C gives it up, and what it started is ended.
    fn block_on<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        self.run(tokio::runtime::Builder::new_multi_thread(), operation)
    }

    /// As [`Context::block_on`], for an operation that only waits for programs and for what it has done by threads of
    /// its own: starting a thread for each processor takes longer than planning does.
    fn block_on_here<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        self.run(tokio::runtime::Builder::new_current_thread(), operation)
    }

    fn run<T>(
        &self,
        mut runtime: tokio::runtime::Builder,
        operation: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let runtime = runtime.enable_all().build()?;
        let result = runtime.block_on(async {
            tokio::select! {
                result = operation => result,
                signal = interrupted() => {
                    self.output.finish();
                    Err(anyhow::Error::new(Interrupted(signal)))
                }
            }
        });
        // Dropped, the runtime would wait for every file that is being copied or compressed; whatever is not
        // finished by then is no more than after `kill -9`.
        runtime.shutdown_background();
        result
    }
}

/// The user, or the system, wants the program to end.
#[derive(Debug, thiserror::Error)]
#[error("interrupted by {0}; what was published before is unchanged, and the same command goes on from here")]
struct Interrupted(&'static str);

async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    }
}

/// Which targets a command is about.
#[derive(Args)]
struct Targets {
    /// A target: `ubuntu 22.04`, `ubuntu/22.04` or `ubuntu-22.04`
    #[arg(value_name = "TARGET", num_args = 0..=2)]
    target: Vec<String>,
    /// Every target
    #[arg(long, conflicts_with = "target")]
    all: bool,
}

impl Targets {
    fn selection(&self) -> Result<Selection> {
        match (self.all, &self.target[..]) {
            (true, _) => Ok(Selection::All),
            (false, []) => {
                let help = "name one, as in `ubuntu 22.04`, or say --all; `packhouse target list` shows them";
                Err(UsageError::new("no target is named", help).into())
            }
            (false, words) => Ok(Selection::Named(words.to_vec())),
        }
    }

    /// As [`Targets::selection`], all when none is named.
    fn selection_or_all(&self) -> Selection {
        if self.target.is_empty() { Selection::All } else { Selection::Named(self.target.clone()) }
    }
}

/// How to build.
#[derive(Args)]
struct BuildArguments {
    /// Where to build, instead of where the project says: docker, podman or host
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// Package this tree, laid out as it will be installed, instead of building
    #[arg(long, value_name = "DIR")]
    payload: Option<PathBuf>,
    /// The architecture the package is for [default: the base image's, or this machine's]
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// How many targets to work on at a time [default: one for each processor]
    #[arg(short = 'j', long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Keep a failed build to look around in: its directory, or an image of its container
    #[arg(long)]
    keep_failed: bool,
    /// Build the base images that the engine does not have
    #[arg(long)]
    build_base: bool,
    /// Keep what [build] calls caches in volumes, and use what earlier builds left there
    #[arg(long)]
    cache: bool,
}

impl BuildArguments {
    fn options(&self, context: &Context) -> crate::ops::BuildOptions {
        crate::ops::BuildOptions {
            payload: self.payload.as_ref().map(|path| context.environment.current_directory.join(path)),
            at_a_time: self.jobs,
            keep_failed: self.keep_failed,
            keep_caches: self.cache,
            build_base: self.build_base,
        }
    }

    fn engine(&self) -> Result<Option<EngineName>> {
        self.engine.as_deref().map(engine).transpose()
    }

    fn arch(&self) -> Result<Option<Arch>> {
        self.arch.as_deref().map(arch).transpose()
    }
}

/// The engine that the user names.
fn engine(name: &str) -> Result<EngineName> {
    EngineName::parse(name).ok_or_else(|| {
        let known = EngineName::ALL.map(EngineName::name).join(", ");
        UsageError::new(format!("there is no engine `{name}`"), format!("one of {known}")).into()
    })
}

/// The architecture that the user names.
fn arch(name: &str) -> Result<Arch> {
    Arch::parse(name).ok_or_else(|| {
        let help = "x86_64, aarch64, i686, armv7l, ppc64le, riscv64, s390x or noarch";
        UsageError::new(format!("`{name}` is no architecture Packhouse knows"), help).into()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command_line().debug_assert();
    }
}
