//! `packhouse doctor`

use packhouse_clients::container_engine;
use serde_json::Value;

use crate::containers::project;
use crate::project::Project;

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {document}"))
}

#[test]
fn a_machine_that_has_everything_is_told_so() {
    let project = Project::new();
    let run = project.run("doctor").ok();
    for line in ["✓ git ", "✓ project ", "✓ engine ", "✓ disk for builds ", "✓ clock "] {
        assert!(run.stdout.contains(line), "{line} is not in\n{}", run.stdout);
    }
    let documents = project.run("--json doctor").ok().documents();
    assert_eq!(documents.len(), 1);
    assert_eq!(check(&documents[0], "engine")["found"], "host: this machine");
    assert_eq!(check(&documents[0], "key")["state"], "warning");
}

#[test]
fn an_engine_and_its_base_images_are_looked_at() {
    let Some(docker) = container_engine("docker") else { return };
    let Some(project) = project("doctored", "docker", &["debian/12"]) else { return };
    project.set("base-image", "repository = \"127.0.0.1:1/dist-{distribution}\"").commit("registry");
    let document = &project.run("--json doctor").ok().documents()[0];
    assert_eq!(check(document, "engine")["state"], "ok");
    assert!(check(document, "engine")["found"].as_str().unwrap().starts_with("docker "));
    assert_eq!(check(document, "registry")["state"], "warning");
    assert_eq!(check(document, "base image of debian-12")["state"], "warning");
    let is_disk = |check: &Value| check["name"] == "disk of docker";
    assert!(!document["checks"].as_array().unwrap().iter().any(is_disk), "no image, nobody to ask");

    // With an image there, a container of it tells how much room the engine has, wherever it is.
    project.edit("repository", "# repository").commit("no registry");
    project.run("base debian 12").ok();
    let document = &project.run("--json doctor").ok().documents()[0];
    assert_eq!(check(document, "base image of debian-12")["state"], "ok");
    assert!(check(document, "disk of docker")["found"].as_str().unwrap().ends_with(" free for containers"));
    crate::containers::remove_images(&docker, "doctored");

    let run = project.run_with(&[("DOCKER_HOST", "tcp://127.0.0.1:1")], "--json doctor").exits(1);
    let engine = &run.documents()[0];
    assert_eq!(check(engine, "engine")["state"], "missing");
    assert!(check(engine, "engine")["help"].as_str().unwrap().contains("DOCKER_HOST"));
}

#[test]
fn without_a_project_only_what_every_project_needs_can_be_missing() {
    let project = Project::empty();
    let nowhere = [("DOCKER_HOST", "tcp://127.0.0.1:1")];
    let run = project.run_with(&nowhere, "doctor").ok();
    assert!(run.stdout.contains("! project "), "{}", run.stdout);
}

#[test]
fn a_key_that_cannot_sign_is_missing() {
    let project = Project::new();
    project.set("sign", "key-file = \"../no-such-key\"").commit("key");
    let run = project.run("doctor").exits(1);
    assert!(run.stdout.contains("✗ key "), "{}", run.stdout);
}
