//! Runs every test, with every client that the tests need.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{root, say};

/// What the test binaries said at their ends.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Installs the clients and runs the tests; none may be skipped for want of a client.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    install_clients()?;
    let mut count = Count::default();
    let all = ["test", "--workspace", "--no-fail-fast"];
    let status = cargo(all.iter().copied().chain(arguments.iter().map(String::as_str)), &mut count)?;
    let Count { passed, failed, ignored } = count;
    say("");
    let _ = writeln!(std::io::stdout(), "{passed} passed, {failed} failed, {ignored} skipped");
    if !status || failed > 0 || passed == 0 {
        bail!("the tests do not pass");
    }
    Ok(())
}

/// Installs the programs that judge what Packhouse makes.
pub(crate) fn install_clients() -> Result<()> {
    crate::run("sh", &["scripts/clients.sh"])
}

fn cargo<'a>(arguments: impl Iterator<Item = &'a str>, count: &mut Count) -> Result<bool> {
    let arguments: Vec<&str> = arguments.collect();
    say(&format!("$ cargo {}", arguments.join(" ")));
    let mut child = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(&arguments)
        .current_dir(root())
        .env("PACKHOUSE_REQUIRE_CLIENTS", "1")
        .env("INSTA_UPDATE", "no")
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be run")?;
    let output = child.stdout.take().context("the output is piped")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        count.add(&line);
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    Ok(child.wait()?.success())
}

impl Count {
    /// `test result: ok. 12 passed; 0 failed; 1 ignored; …`
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = result.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<u64>() else { continue };
            match pair[1].trim_end_matches(';') {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}
