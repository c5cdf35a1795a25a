//! `init` and `target add`: the first five minutes.

use crate::project::{Project, names};

/// A project of another ecosystem: what `init` writes for it, and what the version becomes.
#[track_caller]
fn starts(files: &[(&str, &str)], name: &str, version: &str) {
    let project = Project::empty();
    for (path, text) in files {
        project.write(path, text);
    }
    project.commit("before");
    project.run("init").ok().prints("wrote dist/packhouse.toml").says("packhouse release --all");
    let listed = project.run("target list").ok().stdout;
    assert!(listed.contains("debian-12") && listed.contains("rocky-9"), "{listed}");
    // The build tools need not be here: a staged tree stands for what they make.
    let text = project.read("dist/packhouse.toml");
    let staged = text.lines().filter(|line| !line.starts_with("source ="));
    assert!(staged.count() > 3, "{text}");
    fs_err::create_dir_all(project.beside("staged/usr/bin")).unwrap();
    fs_err::write(project.beside("staged/usr/bin").join(name), "program").unwrap();
    project.commit("init");
    // It is complete: what fails, if anything does, is the build itself.
    let run = project.run("build debian 12");
    assert!(run.status == Some(0) || run.stderr.contains("failed with exit status"), "{}", run.stderr);
    let file = project.read("pkg/logs/debian-12.log");
    assert!(file.starts_with("$ "), "{file}");
    assert!(run.stderr.starts_with(&format!("{name} {version} (")), "{}", run.stderr);
    // What exists is never overwritten.
    let before = crate::project::files(&project.path("dist"));
    project.run("init").exits(2).says("has one already");
    assert!(crate::project::files(&project.path("dist")) == before);
}

#[test]
fn a_rust_project_starts() {
    let manifest = "[package]\nname = \"greeter\"\nversion = \"0.3.0\"\nedition = \"2021\"\n";
    starts(&[("Cargo.toml", manifest), ("src/main.rs", "fn main() { broken }\n")], "greeter", "0.3.0");
}

#[test]
fn an_elixir_project_starts() {
    let manifest = "defmodule Greeter.MixProject do\n  use Mix.Project\n\n  def project do\n    \
                    [app: :greeter, version: \"0.4.0\", deps: [{:missing, path: \"missing\"}]]\n  end\nend\n";
    starts(&[("mix.exs", manifest)], "greeter", "0.4.0");
}

#[test]
fn a_node_project_starts() {
    let manifest = "{\"name\": \"greeter\", \"version\": \"0.5.0\", \"dependencies\": {\"missing\": \"file:missing\"}}\n";
    starts(&[("package.json", manifest)], "greeter", "0.5.0");
}

#[test]
fn target_add_writes_three_elements_and_overwrites_none() {
    let project = Project::with_targets(&["debian/12"]);
    let run = project.run("target add fedora 42").ok();
    run.prints("wrote dist/fedora/42/Dockerfile").prints("wrote dist/fedora/42/fpm.cmd");
    assert_eq!(names(&project.path("dist/fedora/42")), ["Dockerfile", "fpm.cmd", "inc/.gitkeep"]);
    assert!(project.read("dist/fedora/42/Dockerfile").contains("FROM "));
    assert!(project.read("dist/fedora/42/fpm.cmd").contains("-t rpm"));
    let before = crate::project::files(&project.path("dist"));
    project.run("target add fedora 42").exits(2).says("exists already");
    project.run("target add debian 12").exits(2).says("exists already");
    project.run("target add ../../etc 12").exits(2);
    assert!(crate::project::files(&project.path("dist")) == before);
    project.run("build fedora 42").ok();
}

#[test]
fn a_distribution_that_nobody_knows_gets_a_commented_start() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("target add hannah-montana 1.0").ok().says("does not know hannah-montana");
    assert!(project.read("dist/hannah-montana/1.0/Dockerfile").starts_with("# "));
    project.run("target list").ok().prints("hannah-montana-1.0");
}
