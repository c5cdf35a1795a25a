//! `packhouse fpm`: a drop-in for the program fpm.
//!
//! An input fills a [`Draft`], flags say more about it, and an output writes it in a format: the same steps, the same names,
//! messages and exit status as fpm 1.17.0. What fpm does wrong is done as it was meant; `docs/reference/fpm.md` lists
//! where.
//!
//! | module | holds |
//! |---|---|
//! | `draft` | a package without a format, and what flags say of it |
//! | `staging` | the input `dir` |
//! | `convert` | packages as inputs |
//! | `output` | the outputs, one file each |
//! | `log` | what is said, and how a run fails |

mod changes;
mod convert;
mod draft;
mod log;
mod name;
mod output;
mod staging;

use std::ffi::OsString;
use std::path::Path;

use fs_err as fs;
use packhouse_package::{Format, Timestamp};
use packhouse_project::fpm::{CommandLine, command_line};
use packhouse_sign::Keyring;

pub use log::{Detail, Failure, Level, Message};

use super::Keys;
use crate::environment::{Environment, FPMOPTS, HOME, SOURCE_DATE_EPOCH};
use draft::Draft;
use log::{Log, Result};
use output::Context;
use staging::Staging;

/// The version of fpm whose flags these are.
pub const VERSION: &str = "1.17.0";

/// Types that fpm knows, sorted.
const TYPES: [&str; 23] = [
    "apk",
    "cpan",
    "deb",
    "dir",
    "empty",
    "freebsd",
    "gem",
    "npm",
    "osxpkg",
    "p5p",
    "pacman",
    "pear",
    "pkgin",
    "pleaserun",
    "puppet",
    "python",
    "rpm",
    "sh",
    "snap",
    "solaris",
    "tar",
    "virtualenv",
    "zip",
];

/// Runs with the arguments behind `packhouse fpm`.
///
/// # Errors
/// When there is no package; what had to be said went to `on_message`, except for what the error holds.
pub fn fpm(
    arguments: Vec<OsString>,
    environment: &Environment,
    on_message: &dyn Fn(Message),
) -> Result<(), Failure> {
    let early = Log { level: Level::Warn, on_message };
    let arguments = with_defaults(arguments, environment, &early)?;
    let line = CommandLine::parse(arguments).map_err(|error| match error {
        error if error.is_usage() => Failure::Usage(error.to_string()),
        error @ (command_line::Error::ReadTwice(_) | command_line::Error::TooLarge { .. }) => {
            Failure::Argument(error.to_string())
        }
        error => Failure::Other(error.into()),
    })?;
    // fpm reads these files before it knows how much to say.
    let early = Log { level: Level::Info, on_message };
    for file in line.files() {
        let path = Detail::Text(file.path.display().to_string());
        early.say(Level::Info, "Loading flags from file", vec![("path", path.clone())]);
        for text in &file.lines {
            let details = vec![("path", path.clone()), ("line", Detail::Text(text.clone()))];
            early.say(Level::Info, "Processing flags from file", details);
        }
    }
    let log = Log { level: level(&line)?, on_message };
    check_values(&line)?;
    run(&line, environment, &log)
}

/// Whether the arguments ask for help.
pub fn asks_for_help(arguments: &[OsString]) -> bool {
    CommandLine::parse(arguments.iter().cloned()).is_ok_and(|line| line.is_on("help"))
}

/// `FPMOPTS` and the files `.fpm`: their flags in front of the command line's, other words behind.
fn with_defaults(
    arguments: Vec<OsString>,
    environment: &Environment,
    log: &Log<'_>,
) -> Result<Vec<OsString>> {
    let mut words = Vec::new();
    if let Some(text) = environment.get(FPMOPTS) {
        log.warn("Loading flags from FPMOPTS environment variable");
        words.extend(command_line::split(FPMOPTS, text)?);
    }
    let home = environment.get(HOME).map(|home| format!("{}/.fpm", home.trim_end_matches('/')));
    for file in [Some(".fpm".to_owned()), home].into_iter().flatten() {
        let path = environment.current_directory.join(&file);
        if path.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            log.warn(format!("Loading flags from rc file {file}"));
            words.extend(command_line::split(&file, &text)?);
        }
    }
    let (flags, inputs) = command_line::sort_defaults(words);
    let shown = |words: &[OsString]| {
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    if !flags.is_empty() {
        log.warn(format!("Additional options: {}", shown(&flags)));
    }
    if !inputs.is_empty() {
        log.warn(format!("Additional arguments: {}", shown(&inputs)));
    }
    Ok(flags.into_iter().chain(arguments).chain(inputs).collect())
}

fn level(line: &CommandLine) -> Result<Level> {
    let flags = match () {
        () if line.is_on("debug") => Level::Debug,
        () if line.is_on("verbose") => Level::Info,
        () => Level::Warn,
    };
    let Some(named) = line.one("log") else { return Ok(flags) };
    Ok(match named.to_lowercase().as_str() {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "info" => Level::Info,
        "debug" => Level::Debug,
        other => {
            return Err(Failure::Argument(format!(
                "Invalid log level, {other:?}. Must be one of: error, warn, info, debug"
            )));
        }
    })
}

/// Values that fpm checks while it reads them, whatever the output.
fn check_values(line: &CommandLine) -> Result<()> {
    for kind in line.many("deb-compression") {
        if !["gz", "bzip2", "xz", "zst", "none"].contains(&kind) {
            return Err(Failure::Argument(format!(
                "deb compression value of '{kind}' is invalid. Must be one of gz, bzip2, xz, zst, none"
            )));
        }
    }
    for kind in line.many("pacman-compression") {
        if !["gz", "bzip2", "xz", "zstd", "none"].contains(&kind) {
            return Err(Failure::Usage(format!(
                "option '--pacman-compression': Pacman compression value of '{kind}' is invalid. Must be one of gz, bzip2, xz, zstd, none"
            )));
        }
    }
    for kind in line.many("rpm-compression") {
        // zstd is beyond fpm.
        if !["none", "xz", "xzmt", "gzip", "bzip2", "zstd"].contains(&kind.to_lowercase().as_str()) {
            return Err(anyhow::anyhow!(
                "Unknown compression type '{kind}'. Valid options include: none, xz, xzmt, gzip, bzip2, zstd"
            )
            .into());
        }
    }
    Ok(())
}

fn run(line: &CommandLine, environment: &Environment, log: &Log<'_>) -> Result<()> {
    let mut inputs = line.inputs.clone();
    let stray: Vec<String> = inputs
        .iter()
        .map(|input| input.to_string_lossy().into_owned())
        .filter(|input| input.starts_with('-'))
        .collect();
    if !stray.is_empty() {
        log.warn(format!("All flags should be before the first argument (stray flags found: {stray:?}"));
    }
    if line.one("input-type") == Some("dir") && inputs.is_empty() && line.has("chdir") {
        log.info("No args, but -s dir and -C are given, assuming '.' as input");
        inputs.push(".".into());
    }
    if let Some(workdir) = line.one("workdir") {
        staging::check_workdir(workdir, &environment.current_directory, log)?;
    }
    let (from, to) = validate(line, &inputs, log)?;
    refuse_input(from)?;

    let scratch = convert::Scratch::new(line, environment);
    let mut draft = Draft::new(environment);
    if from == "empty" {
        draft.architecture = "all".into();
    }
    let fixed = fixed_time(line, environment)?;
    let inputs = with_listed(line, inputs, environment, log)?;
    let is_plain = ["dir", "empty"].contains(&from);
    if is_plain {
        let mut staging = Staging {
            tree: std::mem::take(&mut draft.files),
            current: &environment.current_directory,
            chdir: line.one("chdir"),
            prefix: line.one("prefix"),
            user: environment.user,
            log,
        };
        if from == "dir" {
            for input in &inputs {
                staging.input(input)?;
            }
        }
        draft.files = staging.tree;
    } else {
        for input in &inputs {
            convert::read(Path::new(input), from, &mut draft, line, environment, &scratch, log)?;
        }
    }
    let patterns = excludes(line, environment, log)?;
    draft.apply(line, environment, log)?;
    if !is_plain {
        convert::translate(&mut draft, from, to, log);
    }
    log.info(format!("Converting {from} to {to}"));
    draft.files.complete();
    staging::exclude(&mut draft.files, &patterns, line.one("prefix"), log);
    if let Some(fixed) = fixed {
        for (_, entry) in draft.files.iter_mut() {
            entry.inherited.modified = Some(fixed);
        }
    }
    // Two runs over the same tree write the same bytes: what is made now is as old as the newest file.
    let earliest = || Timestamp::from_unix(EARLIEST).expect("it is within 32 bits");
    let time = fixed.or(draft.newest()).unwrap_or_else(earliest);
    draft.fill_in_scripts(line)?;

    // Before anything is written, so that it does not fail on the last step.
    let signs_inside = to == "rpm" && line.is_on("rpm-sign");
    let signs_beside = line.is_on("packhouse-sign");
    let keys = (signs_inside || signs_beside).then(|| keys(environment)).transpose()?;
    let context = Context { line, environment, log, time, from };
    let output = output::of(to, draft, &context)?;
    let shown = output_path(line, output.as_ref(), environment);
    let path = environment.current_directory.join(&shown);
    if output.is_checked() {
        check_output(&path, &shown, line, log)?;
    }
    if let Some(keys) = keys.as_ref().filter(|_| signs_inside) {
        super::sign::check_file(&path, Format::Rpm, keys)?;
    }
    output.write(&path, &shown, &context)?;
    if let Some(keys) = keys {
        let now = environment.now.into();
        if signs_inside {
            super::sign::sign_package(&path, Format::Rpm, &keys, now)?;
        }
        if signs_beside {
            let signature = keys.signer.detached(&mut fs::File::open(&path)?, now)?;
            fs::write(super::sign::signature_path(&path), signature.as_bytes())?;
            log.result("Created signature", &format!("{shown}.asc"));
        }
    }
    log.result("Created package", &shown);
    Ok(())
}

/// The key of the environment, and nobody else to trust.
fn keys(environment: &Environment) -> Result<Keys> {
    let signer = super::signer::source::of_environment(environment)?;
    let keyring = Keyring::from_certificates([signer.certificate().clone()]);
    Ok(Keys { signer, keyring, apk: None })
}

/// 1 January 1980, for a package without files: the earliest time that every format can hold.
const EARLIEST: i64 = 315_532_800;

/// The types of input and output.
fn validate<'a>(line: &'a CommandLine, inputs: &[OsString], log: &Log<'_>) -> Result<(&'a str, &'a str)> {
    let (from, to) = (line.one("input-type"), line.one("output-type"));
    let mut wrong: Vec<String> = Vec::new();
    if from.is_none() {
        wrong.push("Missing required -s flag. What package source did you want?".into());
    }
    if to.is_none() {
        wrong.push("Missing required -t flag. What package output did you want?".into());
    }
    let known = TYPES.join(", ");
    if let Some(from) = from.filter(|from| !TYPES.contains(from)) {
        wrong.push(format!("Invalid input package -s flag) type {from:?}. Expected one of: {known}"));
    }
    if let Some(to) = to.filter(|to| !TYPES.contains(to)) {
        wrong.push(format!("Invalid output package (-t flag) type {to:?}. Expected one of: {known}"));
    }
    let is_wrong = !wrong.is_empty();
    for depends in line.many("depends").filter(|depends| depends.contains(',')) {
        let each: Vec<String> = depends.split(',').map(|part| format!("-d '{}'", part.trim())).collect();
        wrong.push(format!(
            "Dependencies should not include commas. If you want to specify multiple dependencies, use the '-d' flag multiple times. Example: {}",
            each.join(" ")
        ));
    }
    let hints = wrong.len();
    if line.has("inputs") && from != Some("dir") {
        wrong.push("--inputs is only valid with -s dir".into());
    }
    if inputs.is_empty() && !line.has("inputs") && from != Some("empty") {
        wrong.push("No parameters given. You need to pass additional command arguments so that I know what you want to build packages from. For example, for '-s dir' you would pass a list of files and directories. For '-s gem' you would pass a one or more gems to package from. As a full example, this will make an rpm of the 'json' rubygem: `fpm -s gem -t rpm json`".into());
    }
    match (from, to) {
        // A comma alone stops nobody.
        (Some(from), Some(to)) if !is_wrong && wrong.len() == hints => Ok((from, to)),
        _ => {
            for message in wrong {
                log.warn(message);
            }
            log.fatal("Fix the above problems, and you'll be rolling packages in no time!");
            Err(Failure::Said)
        }
    }
}

/// Inputs that are other languages' packages.
fn refuse_input(from: &str) -> Result<()> {
    let instead = match from {
        "dir" | "empty" | "tar" | "zip" | "deb" | "rpm" | "pacman" | "apk" => return Ok(()),
        "gem" => "install it into a directory with `gem install --install-dir DIR NAME`",
        "npm" => "install it into a directory with `npm install --global --prefix DIR NAME`",
        "python" => "install it into a directory with `pip install --target DIR NAME`",
        "virtualenv" => {
            "make the environment with `python3 -m venv DIR`, and install into it with its own pip"
        }
        "cpan" => "install it into a directory with `cpanm --local-lib-contained DIR NAME`",
        "pear" => "install it into a directory with `pear install --installroot DIR NAME`",
        "pleaserun" => "write a systemd unit, and give it with --deb-systemd or put it into the package",
        _ => "unpack it into a directory",
    };
    Err(anyhow::anyhow!(
        "Packhouse does not read {from} packages (-s {from}); {instead}, then package that directory: \
         -s dir -C DIR --prefix /where/it/goes ."
    )
    .into())
}

/// The arguments, and those of `--inputs`.
fn with_listed(
    line: &CommandLine,
    mut inputs: Vec<OsString>,
    environment: &Environment,
    log: &Log<'_>,
) -> Result<Vec<OsString>> {
    if let Some(file) = line.one("inputs") {
        inputs.extend(lines(file, "inputs", environment, log)?.into_iter().map(OsString::from));
    }
    Ok(inputs)
}

fn excludes(line: &CommandLine, environment: &Environment, log: &Log<'_>) -> Result<Vec<String>> {
    let mut patterns = line.list("exclude");
    if let Some(file) = line.one("exclude-file") {
        patterns.extend(lines(file, "exclude-file", environment, log)?);
    }
    Ok(patterns)
}

/// The lines of a file that a flag names, without blanks around them.
fn lines(file: &str, flag: &str, environment: &Environment, log: &Log<'_>) -> Result<Vec<String>> {
    let path = draft::named(environment, file);
    if !path.exists() {
        log.fatal(format!("File given for --{flag} does not exist ({file})"));
        return Err(Failure::Said);
    }
    let text = draft::read_text(&path)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The time that everything has, where it is said: `SOURCE_DATE_EPOCH`, or the flag.
fn fixed_time(line: &CommandLine, environment: &Environment) -> Result<Option<Timestamp>> {
    let flag = line.one("source-date-epoch-default");
    let Some(text) = flag.or_else(|| environment.get(SOURCE_DATE_EPOCH)) else { return Ok(None) };
    let time = text.trim().parse::<i64>().ok().and_then(Timestamp::from_unix);
    match time {
        Some(time) => Ok(Some(time)),
        None => Err(anyhow::anyhow!("`{text}` is no time in seconds since 1970 (SOURCE_DATE_EPOCH)").into()),
    }
}

/// Where the package goes, as it is shown.
fn output_path(line: &CommandLine, output: &dyn output::Output, environment: &Environment) -> String {
    let tokens = output.tokens();
    match line.one("package") {
        None => tokens.fill(output.default_name()),
        Some(given) if environment.current_directory.join(given).is_dir() => {
            format!("{}/{}", given.trim_end_matches('/'), tokens.fill(output.default_name()))
        }
        Some(given) => tokens.fill(given),
    }
}

fn check_output(path: &Path, shown: &str, line: &CommandLine, log: &Log<'_>) -> Result<()> {
    if !path.parent().is_some_and(Path::is_dir) {
        let parent = match Path::new(shown).parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.display().to_string(),
            _ => ".".into(),
        };
        log.fatal(format!("Parent directory does not exist: {parent} - cannot write to {shown}"));
        return Err(Failure::Said);
    }
    if path.is_file() {
        if !line.is_on("force") {
            log.fatal(format!("File already exists, refusing to continue: {shown}"));
            return Err(Failure::Said);
        }
        log.warn(format!("Force flag given. Overwriting package at {shown}"));
    }
    Ok(())
}
