//! `packhouse man`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use fs_err as fs;

use super::Context;

#[derive(Args)]
#[command(after_help = "Examples:\n  packhouse man | man -l -\n  packhouse man --to share/man/man1")]
pub(super) struct Man {
    /// Write a page for every command into this directory
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode> {
        let mut command = super::command_line();
        command.build();
        match self.to {
            None => std::io::stdout().write_all(&page(&command)?)?,
            Some(directory) => {
                let directory = context.environment.current_directory.join(directory);
                fs::create_dir_all(&directory)?;
                write_pages(&command, &directory)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write_pages(command: &clap::Command, directory: &std::path::Path) -> Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    fs::write(directory.join(format!("{name}.1")), page(command)?)?;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        write_pages(below, directory)?;
    }
    Ok(())
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    // No date: the page is the same whenever it is made.
    clap_mangen::Man::new(command.clone()).date("").render(&mut text)?;
    Ok(text)
}
