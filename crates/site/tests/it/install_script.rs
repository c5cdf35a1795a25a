//! The text of the install script.

use std::process::Command;

use packhouse_clients::{find, text};
use packhouse_site::{Location, install_command, install_script};

use crate::customer::{head, info};

const TARGETS: [(&str, &str, &str, &str); 5] = [
    ("amazon-linux 2", "x86_64", "stable", "hello-1.0-1.amzn2.x86_64.rpm"),
    ("rocky 8", "aarch64", "stable", "hello-1.0-1.aarch64.rpm"),
    ("rocky 8", "x86_64", "stable", "hello-1.0-1.x86_64.rpm"),
    ("ubuntu 22.04", "x86_64", "preview", "hello_1.1_amd64.deb"),
    ("ubuntu 22.04", "x86_64", "stable", "hello_1.0_amd64.deb"),
];

fn url(url: &str) -> Location {
    Location::Url(url.into())
}

#[test]
fn the_script_of_a_site_on_the_web() {
    let script = install_script(&head(&TARGETS), &info(url("https://dist.example.org/hello"), b"")).unwrap();
    insta::assert_snapshot!(script);
}

#[test]
fn shells_and_shellcheck_have_nothing_to_say() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("install.sh");
    for location in [url("https://dist.example.org/hello"), Location::Directory("/srv/it's a site".into())] {
        fs_err::write(&path, install_script(&head(&TARGETS[..1]), &info(location, b"")).unwrap()).unwrap();
        for shell in ["dash", "bash"] {
            let Some([shell]) = find([shell]) else { continue };
            shell.run(["-n".as_ref(), path.as_os_str()]);
        }
        if let Some([shellcheck]) = find(["shellcheck"]) {
            shellcheck.run(["-s".as_ref(), "sh".as_ref(), path.as_os_str()]);
        }
    }
}

#[test]
fn the_command_to_install_is_one_line_for_a_shell() {
    let command = |location| install_command(&info(location, b""), "stable").unwrap();
    assert_eq!(
        command(url("https://dist.example.org/x/")),
        "curl -fsSL https://dist.example.org/x/install.sh | sh"
    );
    assert_eq!(command(Location::Directory("/srv/site".into())), "sh /srv/site/install.sh");
    let preview = install_command(&info(url("https://x"), b""), "preview").unwrap();
    assert_eq!(preview, "curl -fsSL https://x/install.sh | sh -s -- --channel preview");
    assert!(install_command(&info(url("https://x"), b""), "a;b").is_err());
    assert_eq!(command(Location::Directory("/srv/it's".into())), r"sh '/srv/it'\''s/install.sh'");
}

/// Text that means something to a shell, a URL, HTML, a terminal or a file system.
pub fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "'",
        "\"",
        "`",
        "$",
        "\\",
        "\n",
        "\r",
        "\t",
        "\0",
        "%",
        "&",
        ";",
        "|",
        "<",
        ">",
        "(",
        ")",
        "{",
        "}",
        "#",
        "*",
        "?",
        "[",
        "]",
        "!",
        "^ ",
        "~ ",
        "=",
        "-",
        "--",
        "-rf",
        "..",
        "../..",
        "/",
        "//",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{202e}",
        "\u{200b}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "𝒽",
        "$(touch PWNED)",
        "`touch PWNED`",
        "';touch PWNED;'",
        "'\ntouch PWNED\n'",
        "\";touch PWNED;\"",
        "${IFS}",
        "$IFS$9",
        "%0a",
        "%00",
        "@values@",
        "@site@",
        "\n}\ntouch PWNED\n{\n",
        "END\ntouch PWNED\n",
        "<script>alert(1)</script>",
        "\"onload=\"alert(1)",
        "javascript:alert(1)",
        "</title>",
        "</style>",
        "--><script>",
        "{{7*7}}",
        "{% raw %}",
        "&lt;",
        "&#x27;",
        "' || touch PWNED || '",
        "$((1))",
        "~root",
        "|touch PWNED",
        "&touch PWNED&",
        "\\\ntouch PWNED",
    ]
    .map(str::to_owned)
    .into();
    for prefix in ["a", "https://dist.example.org/", "/srv/"] {
        let longer: Vec<_> = texts[..72].iter().map(|text| format!("{prefix}{text}")).collect();
        texts.extend(longer);
    }
    texts
}

#[test]
fn a_hostile_address_or_name_is_refused_or_only_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("install.sh");
    let (mut refused, mut run) = (0, 0);
    for text_of in hostile() {
        for location in [Location::Url(text_of.clone()), Location::Directory(text_of.clone())] {
            let site = match &location {
                Location::Url(site) | Location::Directory(site) => site.trim_end_matches('/').to_owned(),
            };
            let Ok(script) = install_script(&head(&TARGETS[..1]), &info(location, b"")) else {
                refused += 1;
                continue;
            };
            run += 1;
            fs_err::write(&path, script).unwrap();
            let mut command = Command::new("/bin/dash");
            command.arg(&path).arg("--help").current_dir(directory.path());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{text_of:?}: {}", text(&output));
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.starts_with(&format!("Installs hello from {site}\n")), "{text_of:?}: {said}");
        }
        let mut named = head(&TARGETS[..1]);
        named.name = text_of.clone();
        if !text_of.chars().all(|character| character.is_ascii_alphanumeric() || "._+-".contains(character)) {
            assert!(install_script(&named, &info(url("https://x"), b"")).is_err(), "{text_of:?}");
        }
    }
    assert!(!directory.path().join("PWNED").exists());
    assert!(refused > 200 && run > 50, "{refused} refused, {run} run");
}

#[test]
fn only_https_is_offered_to_the_world() {
    for bad in [
        "http://x",
        "ftp://x",
        "https://",
        "https:///x",
        "https://a b",
        "https://x/?q",
        "https://x/#f",
        "https://u:p@x/",
    ] {
        let error = install_script(&head(&TARGETS[..1]), &info(url(bad), b"")).unwrap_err();
        assert!(error.help().unwrap().contains("public-url"), "{error}");
    }
}

#[test]
fn a_fingerprint_that_is_not_one_is_refused() {
    for text_of in hostile() {
        let mut info = info(url("https://x"), b"");
        info.keys[0].fingerprint = text_of.clone();
        if !text_of.chars().all(|digit| digit.is_ascii_hexdigit()) || text_of.is_empty() {
            assert!(install_script(&head(&TARGETS[..1]), &info).is_err(), "{text_of:?}");
        }
    }
}
