//! The examples of `--help` are commands that work.

use crate::project::Project;

const COMMANDS: &[&str] = &[
    "",
    "init",
    "target",
    "target list",
    "target add",
    "base",
    "build",
    "sign",
    "verify",
    "inspect",
    "diff",
    "publish",
    "release",
    "plan",
    "promote",
    "yank",
    "rollback",
    "prune",
    "repair",
    "site",
    "site list",
    "site check",
    "key",
    "key list",
    "key generate",
    "key certify",
    "key add",
    "key remove",
    "key revoke",
    "key export",
    "key check",
    "key rotate",
    "key document",
    "doctor",
    "fpm",
    "completions",
    "man",
];

/// Every `packhouse …` line below `Examples:` of a command's help.
fn examples(project: &Project, command: &str) -> Vec<String> {
    let help = project.run(&format!("{command} --help")).ok().stdout;
    let Some((_, below)) = help.split_once("Example") else { return Vec::new() };
    below.lines().map(str::trim).filter(|line| line.starts_with("packhouse ")).map(str::to_owned).collect()
}

#[test]
fn every_command_has_help_and_every_example_is_understood() {
    let project = Project::new();
    let mut count = 0;
    for command in COMMANDS {
        for example in examples(&project, command) {
            let arguments = example.strip_prefix("packhouse ").unwrap();
            // What the shell does with the output is not the program's.
            let arguments = arguments.split(['>', '|']).next().unwrap();
            // `--help` alone would hide a misspelt flag before it: clap stops at it, so it comes last.
            let run = project.run(&format!("{arguments} --help"));
            assert_eq!(run.status, Some(0), "`{example}`: {}", run.stderr);
            count += 1;
        }
    }
    assert!(count >= 14, "only {count} examples were found");
}

#[test]
fn every_command_that_help_lists_has_its_examples_tested() {
    let project = Project::new();
    let listed = |command: &str| {
        let help = project.run(&format!("{command} --help")).ok().stdout;
        let (_, below) = help.split_once("Commands:\n").unwrap();
        let lines = below.lines().take_while(|line| !line.is_empty());
        lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect::<Vec<_>>()
    };
    for group in ["", "target", "site", "key"] {
        for name in listed(group).into_iter().filter(|name| name != "help") {
            let command = format!("{group} {name}");
            assert!(COMMANDS.contains(&command.trim()), "{command}");
        }
    }
}

/// The examples as they stand, in a project that has the targets they name.
#[test]
fn the_examples_of_the_main_job_run() {
    let project = Project::with_targets(&["debian/12", "ubuntu/22.04", "rocky/9"]);
    project.edit("to = \"../site\"", "").commit("own site");
    project.write("program.tar.gz", "archive");
    fs_err::create_dir_all(project.path("staged/out")).unwrap();
    project.write("staged/usr/bin/hello", "hello");
    let srv = project.beside("dist").display().to_string();
    for command in ["build", "release", "sign", "verify", "publish", "key export", "target add"] {
        for example in examples(&project, command) {
            if example.contains("--engine docker")
                || ["app_1.0", "app.tar.gz", "https://dist"].iter().any(|other| example.contains(other))
                || example.contains("--payload")
                || example.ends_with("add debian 12")
            {
                continue; // they need what no project has; `existing_tree` and `verify_file` run their like
            }
            let arguments = example.strip_prefix("packhouse ").unwrap().replace("/srv/dist", &srv);
            project.run(&arguments).ok();
        }
    }
}
