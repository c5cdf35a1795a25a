//! The acceptance scripts of the example: a real Elixir application, built, packaged and installed; on this machine
//! and in containers.

use std::process::{Command, Stdio};

#[test]
fn the_orchestrator_is_built_packaged_and_installed_as_customers_do() {
    if packhouse_clients::find(["curl", "dpkg", "git", "gpgv", "ldd", "mix", "rpm"]).is_none() {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/acceptance/orchestrator.sh");
    let output =
        Command::new(script).arg(env!("CARGO_BIN_EXE_packhouse")).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));
}

#[test]
fn the_orchestrator_is_built_and_installed_in_containers() {
    if packhouse_clients::container_engine("docker").is_none()
        || packhouse_clients::find(["curl", "docker-registry", "git"]).is_none()
    {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/acceptance/containers.sh");
    let output =
        Command::new(script).arg(env!("CARGO_BIN_EXE_packhouse")).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", packhouse_clients::text(&output));
}
