//! What goes where: results to standard output, everything else to standard error; `--json` for programs.

use crate::project::Project;

#[test]
fn with_json_every_line_of_standard_output_is_a_document() {
    let project = Project::new();
    let run = project.run("--json release --all").ok();
    let documents = run.documents();
    assert_eq!(run.stderr, "");
    let events: Vec<&str> = documents.iter().map(|document| document["event"].as_str().unwrap()).collect();
    assert_eq!(events.first(), Some(&"planned"));
    assert_eq!(events.last(), Some(&"published"));
    let last = documents.last().unwrap();
    assert_eq!(last["packages"].as_array().unwrap().len(), 2);
    assert_eq!(last["new"], true);
    for command in
        ["build --all", "sign", "publish --all", "verify ../site", "target list", "target add fedora 42"]
    {
        let run = project.run(&format!("--json {command}")).ok();
        assert!(!run.documents().is_empty(), "{command}");
    }
}

#[test]
fn with_json_failures_are_documents_too() {
    let project = Project::new();
    project.build_with(&["echo no; exit 3"]).commit("failing");
    let documents = project.run("--json release --all").exits(1).documents();
    let failed: Vec<_> = documents.iter().filter(|document| document["stage"] == "failed").collect();
    assert_eq!(failed.len(), 2);
    assert!(failed[0]["error"].as_str().unwrap().contains("exit status 3"));
    let last = documents.last().unwrap();
    assert_eq!(last["event"], "error");
    assert!(last["message"].as_str().unwrap().contains("nothing was published"));
    assert!(last["help"].is_string());
}

#[test]
fn results_go_to_standard_output_and_progress_to_standard_error() {
    let project = Project::new();
    let run = project.run("build --all").ok();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.starts_with("pkg/hello")), "{lines:?}");
    assert!(run.stderr.contains("build ✓") && run.stderr.contains("deb ✓"), "{}", run.stderr);
    assert!(!run.stderr.contains('\u{1b}') && !run.stderr.contains('\r'), "{}", run.stderr);
}

#[test]
fn a_line_of_progress_is_a_line_even_when_the_command_has_several() {
    let project = Project::new();
    let text = project.read("dist/packhouse.toml");
    let commands = "commands = ['''\nmkdir out\ntouch out/hello\n''']";
    let lines = text.lines().map(|line| if line.starts_with("commands") { commands } else { line });
    project.write("dist/packhouse.toml", &lines.collect::<Vec<_>>().join("\n")).commit("several lines");
    let run = project.run("build --all").ok();
    let targets = ["  debian-12", "  rocky-8"];
    for line in run.stderr.lines().skip(2).filter(|line| !line.is_empty()) {
        assert!(targets.iter().any(|target| line.starts_with(target)), "`{line}` in\n{}", run.stderr);
    }
}

#[test]
fn quiet_leaves_results_and_errors() {
    let project = Project::new();
    let run = project.run("-q release --all").ok().prints("Published 2 packages");
    assert_eq!(run.stderr, "");
    project.build_with(&["echo no; exit 3"]).commit("failing");
    project.run("-q release --all").exits(1).says("exit status 3");
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let project = Project::new();
    assert!(!project.run("release nope 1").stderr.contains('\u{1b}'));
    assert!(project.run("--color always release nope 1").stderr.contains('\u{1b}'));
    assert!(!project.run("--color never release nope 1").stderr.contains('\u{1b}'));
}

#[test]
fn target_list_is_a_matrix_for_ci() {
    let project = Project::with_targets(&["amazon-linux/2", "ubuntu/22.04", "debian/12"]);
    let run = project.run("target list --json").ok();
    // GitHub wants it on one line: `echo "matrix=$(packhouse target list --json)" >> $GITHUB_OUTPUT`.
    assert_eq!(run.stdout.lines().count(), 1);
    insta::assert_snapshot!(run.stdout.trim_end(), @r#"{"include":[{"distribution":"amazon-linux","format":"rpm","target":"amazon-linux-2","version":"2"},{"distribution":"debian","format":"deb","target":"debian-12","version":"12"},{"distribution":"ubuntu","format":"deb","target":"ubuntu-22.04","version":"22.04"}]}"#);
    let text = project.run("target list").ok().stdout;
    insta::assert_snapshot!(text.trim_end(), @r"
    amazon-linux-2  rpm
    debian-12       deb
    ubuntu-22.04    deb
    ");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let project = Project::new();
    let mut command = project.command("target list");
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    assert!(output.status.success());
}
