//! The pass phrase of a locked key, asked for on a terminal.

use crate::project::Project;
use crate::terminal::Terminal;

const PASSPHRASE: &str = "kanarie é 8131";
const QUESTION: &str = "Pass phrase of the signing key";

/// A project whose key file is locked; `None` where there is no gpg to lock it.
fn project() -> Option<Project> {
    use std::os::unix::fs::PermissionsExt as _;
    let key = crate::gnupg::protected_key("Locked <locked@example.org>", PASSPHRASE)?;
    let project = Project::with_targets(&["debian/12"]);
    fs_err::write(project.beside("key.asc"), key.secret(PASSPHRASE)).unwrap();
    fs_err::set_permissions(project.beside("key.asc"), std::fs::Permissions::from_mode(0o600)).unwrap();
    fs_err::write(project.path("dist/trustedkeys.gpg"), &key.public).unwrap();
    project.set("sign", "key-file = \"../key.asc\"").commit("a locked key");
    Some(project)
}

fn release(project: &Project) -> Terminal {
    Terminal::run(project.command("release --all"))
}

#[test]
fn a_locked_key_is_opened_by_what_is_typed_unseen() {
    let Some(project) = project() else { return };
    let mut terminal = release(&project);
    terminal.wait_for(QUESTION);
    assert!(!terminal.echoes());
    // With a character too many, and once begun anew.
    terminal.type_in("nonsense\u{15}").type_in(PASSPHRASE).type_in("é\u{7f}\r");
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(shown.contains("Published 1 package") && shown.matches(QUESTION).count() == 1, "{shown}");
    assert!(!shown.contains("kanarie") && !shown.contains("nonsense"), "{shown}");
    project.run("verify ../site").ok();
}

#[test]
fn it_is_asked_for_three_times() {
    let Some(project) = project() else { return };
    let mut terminal = release(&project);
    terminal.wait_for(QUESTION).type_in("wrong\r");
    terminal.wait_for("That does not open it").type_in("wrong\r");
    terminal.wait_for("That does not open it").type_in("wrong\r");
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("the pass phrase does not open the signing key"), "{shown}");
    assert!(!shown.contains("wrong\r"), "{shown}");
    assert!(project.packages().is_empty());

    let mut terminal = release(&project);
    terminal.wait_for(QUESTION).type_in("wrong\r");
    terminal.wait_for("That does not open it").type_in(PASSPHRASE).type_in("\r");
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn a_question_that_is_given_up_leaves_the_terminal_as_it_was() {
    let Some(project) = project() else { return };
    for key in ["\u{3}", "\u{4}", "half\u{3}", "\u{1c}"] {
        let mut terminal = release(&project);
        terminal.wait_for(QUESTION).type_in(key);
        let (status, shown) = terminal.ends();
        assert_eq!(status, Some(1), "{shown}");
        assert!(shown.contains("no pass phrase was entered"), "{shown}");
    }
    let mut terminal = release(&project);
    let long = "x".repeat(1025);
    terminal.wait_for(QUESTION).type_in(&long);
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(1));
    assert!(shown.contains("longer than a pass phrase"), "{shown}");
    assert!(project.packages().is_empty());
}

#[test]
fn a_signal_ends_the_question_and_the_program_and_leaves_the_terminal_as_it_was() {
    use rustix::process::{Signal, kill_process};
    let Some(project) = project() else { return };
    // Within a runtime that handles signals, and in a command without one.
    project.run("build --all").ok();
    for arguments in ["release --all", "sign"] {
        for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
            let mut terminal = Terminal::run(project.command(arguments));
            terminal.wait_for(QUESTION);
            kill_process(terminal.process(), signal).unwrap();
            let (status, shown) = terminal.ends();
            assert!(matches!(status, Some(1 | 129 | 130 | 143)), "{arguments}: {status:?} {shown}");
        }
    }
}

#[test]
fn nobody_is_asked_where_nobody_can_answer() {
    let Some(project) = project() else { return };
    // No terminal at all.
    project.run("release --all").exits(1).says("needs its pass phrase").says("passphrase-file");
    for option in ["--json", "-q"] {
        let terminal = Terminal::run(project.command(&format!("release --all {option}")));
        let (status, shown) = terminal.ends();
        assert_eq!(status, Some(1), "{shown}");
        assert!(!shown.contains(QUESTION) && shown.contains("needs its pass phrase"), "{shown}");
    }
    // One that was given and is wrong is not asked for again.
    let mut command = project.command("release --all");
    command.env("PACKHOUSE_SIGNING_PASSPHRASE", "wrong");
    let (status, shown) = Terminal::run(command).ends();
    assert_eq!(status, Some(1));
    assert!(!shown.contains(QUESTION) && shown.contains("does not open"), "{shown}");
}

#[test]
fn a_new_key_is_protected_by_what_is_typed_twice() {
    const NEW: &str = "Pass phrase for the new key";
    let project = Project::with_targets(&["debian/12"]);
    let generate = |directory: &str| {
        let mut command = project.command(&format!("key generate -o ../{directory}"));
        command.arg("Release <release@example.org>");
        command
    };
    let mut terminal = Terminal::run(generate("differs"));
    terminal.wait_for(NEW).type_in("one\r");
    terminal.wait_for("The same once more").type_in("two\r");
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(2), "{shown}");
    assert!(shown.contains("not the same") && !project.beside("differs").exists(), "{shown}");

    let mut terminal = Terminal::run(generate("empty"));
    terminal.wait_for(NEW).type_in("\r");
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(2), "{shown}");
    assert!(shown.contains("--no-passphrase") && !project.beside("empty").exists(), "{shown}");

    let mut terminal = Terminal::run(generate("key"));
    terminal.wait_for(NEW).type_in(PASSPHRASE).type_in("\r");
    terminal.wait_for("The same once more").type_in(PASSPHRASE).type_in("\r");
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("kanarie"), "{shown}");

    // It opens the key, and nothing else does.
    fs_err::copy(project.beside("key/public-key.gpg"), project.path("dist/trustedkeys.gpg")).unwrap();
    project.set("sign", "key-file = \"../key/signing-subkey.asc\"").commit("a new key");
    let mut terminal = release(&project);
    terminal.wait_for(QUESTION).type_in(PASSPHRASE).type_in("\r");
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(0), "{shown}");
}
