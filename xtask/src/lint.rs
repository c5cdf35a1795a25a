//! What a machine can say about the code without running it.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{root, say, tidy};

/// Formatting, clippy, documentation, shell scripts, and the rules of the house.
pub(crate) fn run() -> Result<()> {
    crate::run("cargo", &["fmt", "--all", "--check"])?;
    crate::run("cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    document()?;
    shell_scripts()?;
    tidy::run()
}

fn document() -> Result<()> {
    let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
    say(&format!("$ RUSTDOCFLAGS=-Dwarnings cargo {}", arguments.join(" ")));
    let status = Command::new("cargo")
        .args(arguments)
        .env("RUSTDOCFLAGS", "-Dwarnings")
        .current_dir(root())
        .status()?;
    if !status.success() {
        bail!("the documentation does not build without warnings");
    }
    Ok(())
}

/// Every shell script that Git has: `*.sh` and `.ci/run`.
fn shell_scripts() -> Result<()> {
    let output = Command::new("git").args(["ls-files", "*.sh", ".ci/run"]).current_dir(root()).output()?;
    let names = String::from_utf8(output.stdout)?;
    // Templates of scripts are complete only when they are rendered, and checked then.
    let scripts: Vec<&str> = names.lines().filter(|name| !name.contains("/templates/")).collect();
    crate::run("shellcheck", &scripts)
}
