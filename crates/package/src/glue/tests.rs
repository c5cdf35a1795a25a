//! Embedded scripts, run by real shells and python3.

use std::process::{Command, Output};

use super::*;

fn script(text: &str) -> Script {
    Script::parse(text.as_bytes()).unwrap()
}

/// Runs `functions` and then `call`, in every shell of this machine that could be `/bin/sh`.
#[track_caller]
fn run(functions: &Functions, call: &str) -> Vec<Output> {
    let text = format!("set -e\n{}{call}\n", functions.text());
    ["dash", "bash"]
        .into_iter()
        .map(|shell| {
            let check = Command::new(shell).args(["-n", "-c", &text]).output().unwrap();
            assert!(check.status.success(), "{shell} -n: {check:?}\n{text}");
            Command::new(shell).args(["-c", &text, "scriptlet", "one", "t w o"]).output().unwrap()
        })
        .collect()
}

#[track_caller]
fn assert_prints(functions: &Functions, call: &str, status: i32, stdout: &str) {
    for output in run(functions, call) {
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{output:?}");
    }
}

#[test]
fn arguments_and_exit_status_pass_through() {
    for interpreter in ["/bin/sh", "/bin/bash", "/usr/bin/env sh", "/bin/sh -", "/bin/sh -x"] {
        let script = script(&format!("#!{interpreter}\nprintf '%s|' \"$@\"\nexit 7"));
        let functions = Functions::new([("before_install", &script)]);
        assert_prints(&functions, "before_install \"$@\"", 7, "one|t w o|");
    }
}

#[test]
fn other_languages_run_from_a_file_that_is_removed() {
    let python =
        script("#!/usr/bin/python3 -u\nimport sys\nprint(sys.argv[1:])\nopen(__file__)\nsys.exit(9)");
    let functions = Functions::new([("after_install", &python)]);
    assert!(functions.uses_files());
    assert_eq!(functions.programs().collect::<Vec<_>>(), ["/usr/bin/python3"]);
    let directory = tempfile::tempdir().unwrap();
    let call = format!("export TMPDIR={}\nafter_install \"$@\"", directory.path().display());
    assert_prints(&functions, &call, 9, "['one', 't w o']\n");
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_file_that_cannot_be_made_is_a_failure() {
    let functions = Functions::new([("f", &script("#!/usr/bin/python3\nprint('ran')"))]);
    assert_prints(&functions, "TMPDIR=/nonexistent\nexport TMPDIR\nf", 1, "");
}

#[test]
fn flags_of_the_first_line_hold() {
    let functions = Functions::new([("f", &script("#!/bin/sh -eu\nfalse\necho reached"))]);
    assert_prints(&functions, "f", 1, "");
    let functions = Functions::new([("f", &script("#!/bin/sh\nfalse\necho reached"))]);
    assert_prints(&functions, "f", 0, "reached\n");
}

#[test]
fn set_e_works_in_any_context_of_the_caller() {
    let functions = Functions::new([("f", &script("set -e\nfalse\necho reached"))]);
    assert_prints(&functions, "if f; then echo well; else echo failed; fi", 0, "failed\n");
}

#[test]
fn no_text_breaks_what_surrounds_it() {
    let tests = [
        ("echo a\nexit 3\n<html>)(}{ not 'shell at `all", 3, "a\n"),
        ("echo begin\ncat <<EOF\nopen here-document\n", 0, "begin\nopen here-document\n"),
        ("echo 'it'\\''s' \"$#\"", 0, "it's 0\n"),
        ("echo a \\", 0, ""),
        ("echo a # comment without an end", 0, "a\n"),
        ("", 0, ""),
        ("f() { echo g; }; f", 0, "g\n"),
        (
            "PACKHOUSE_SCRIPT_ENDS=1\ncat <<PACKHOUSE_SCRIPT_ENDS\n$$PACKHOUSE_SCRIPT_END\nPACKHOUSE_SCRIPT_ENDS\nexit 4",
            4,
            "",
        ),
    ];
    for (text, status, stdout) in tests {
        for interpreter in ["/bin/sh", "/usr/bin/env sh"] {
            let script = script(&format!("#!{interpreter}\n{text}"));
            let functions = Functions::new([("f", &script)]);
            for output in run(&functions, "set +e\nf\nstatus=$?\necho after >&2\nexit $status") {
                assert_eq!(output.status.code(), Some(status), "{text}: {output:?}");
                assert!(stdout.is_empty() || output.stdout == stdout.as_bytes(), "{text}: {output:?}");
                assert!(output.stderr.ends_with(b"after\n"), "{text}: {output:?}");
            }
        }
    }
}

#[test]
fn a_text_longer_than_an_argument_can_be_goes_through_a_file() {
    let functions = Functions::new([("f", &script(&format!("{}\necho end", "# long\n".repeat(30_000))))]);
    assert_prints_last(&functions, "end\n");
}

fn assert_prints_last(functions: &Functions, stdout: &str) {
    // The text as a whole is too long for `sh -c`, which `run` uses.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scriptlet");
    fs_err::write(&file, format!("{}f\n", functions.text())).unwrap();
    let output = Command::new("dash").arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{output:?}");
}

#[test]
fn scripts_share_their_shell_with_the_scriptlet() {
    let (sh, bash, python) = (script("#!/bin/sh\n"), script("#!/bin/bash\n"), script("#!/usr/bin/python3\n"));
    let interpreter = |scripts: &[&Script]| {
        let functions = Functions::new(scripts.iter().map(|script| ("f", *script)));
        functions.interpreter().to_owned()
    };
    assert_eq!(interpreter(&[&bash, &bash]), "/bin/bash");
    assert_eq!(interpreter(&[&bash, &sh]), "/bin/sh");
    assert_eq!(interpreter(&[&bash, &python]), "/bin/sh");
    assert_eq!(interpreter(&[&python]), "/bin/sh");
    assert_eq!(interpreter(&[]), "/bin/sh");
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some([shellcheck]) = packhouse_clients::find(["shellcheck"]) else { return };
    let sh = script("#!/bin/sh -e\necho \"it's $1\" 'a\\\nb' && printf '\\'\ncase $1 in a) echo x;; esac\n");
    let python = script("#!/usr/bin/python3\nprint('$1 \\\n')\n");
    let functions = Functions::new([("before_install", &sh), ("after_upgrade", &python)]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scriptlet");
    fs_err::write(&file, format!("{}before_install \"$@\"\nafter_upgrade \"$@\"\n", functions.text()))
        .unwrap();
    shellcheck.run(["-s".as_ref(), "sh".as_ref(), file.as_os_str()]);
}
