//! Keys that stay in gpg-agent or on a card: a pinentry on the terminal, cards that are taken out, agents that refuse.
//!
//! gpg and gpg-agent are real. Instead of a card there is a `scdaemon` that speaks its protocol (Assuan, as recorded
//! from gpg-agent 2.2) and signs with openssl; real cards and readers cannot be had in CI. A pinentry is a script, too.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use packhouse_sign::{CommandInput, SignCommand, certify};

use crate::gnupg::protected_key;
use crate::project::{Project, Run};
use crate::terminal::Terminal;

const PASSPHRASE: &str = "kanarie-8131";

fn script(path: &Path, text: &str) {
    fs_err::write(path, text).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn restart_agent(home: &Path, configuration: &str) {
    fs_err::write(home.join("gpg-agent.conf"), configuration).unwrap();
    assert!(
        Command::new("gpgconf").env("GNUPGHOME", home).args(["--kill", "all"]).status().unwrap().success()
    );
}

/// A project that is signed by a key in GnuPG, whose keyring has this.
fn project(fingerprint: &str, keyring: &[u8]) -> Project {
    let project = Project::new();
    fs_err::write(project.path("dist/trustedkeys.gpg"), keyring).unwrap();
    project.set("sign", &format!("key = \"{fingerprint}\"")).commit("a key in GnuPG");
    project
}

fn release(project: &Project, home: &Path) -> Run {
    Run::from(project.command("release --all").env("GNUPGHOME", home).output().unwrap())
}

/// A pinentry that writes down what it is told and answers the question with these lines.
fn pinentry(home: &Path, answer: &str) -> String {
    let path = home.join("pinentry");
    let record = home.join("asked");
    script(
        &path,
        &format!(
            "#!/bin/sh\necho OK\nwhile read -r line; do\n  echo \"$line\" >> {}\n  case $line in\n  \
             GETPIN*) printf '{answer}\\n';;\n  BYE*) echo OK; exit;;\n  *) echo OK;;\n  esac\ndone\n",
            record.display()
        ),
    );
    format!("pinentry-program {}\n", path.display())
}

#[test]
fn a_pinentry_finds_the_terminal_that_packhouse_runs_on() {
    let Some(key) = protected_key("Agent <agent@example.org>", PASSPHRASE) else { return };
    let project = project(&key.fingerprint, &key.public);
    restart_agent(&key.home(), &pinentry(&key.home(), &format!("D {PASSPHRASE}\\nOK")));
    let mut command = project.command("release --all");
    command.env("GNUPGHOME", key.home()).env("TERM", "xterm");
    let terminal = Terminal::run(command);
    let name = terminal.name().display().to_string();
    let (status, shown) = terminal.ends();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("Pass phrase of"), "{shown}");
    let asked = fs_err::read_to_string(key.home().join("asked")).unwrap();
    assert!(asked.lines().any(|line| line == format!("OPTION ttyname={name}")), "{asked}");
    assert!(asked.contains("OPTION ttytype=xterm"), "{asked}");
}

#[test]
fn an_agent_that_refuses_is_explained() {
    let Some(key) = protected_key("Agent <agent@example.org>", PASSPHRASE) else { return };
    let project = project(&key.fingerprint, &key.public);
    // What pinentry-curses says without a terminal, and any of them when the window is closed.
    let no_terminal = "ERR 83918950 Inappropriate ioctl for device <Pinentry>";
    for (answer, cause, help) in [
        (Some(no_terminal), "Inappropriate ioctl for device", "run it on a terminal"),
        (Some("ERR 83886179 Operation cancelled <Pinentry>"), "cancelled", "answer the question"),
        (None, "No pinentry", "install a program that asks"),
    ] {
        let none = || "pinentry-program /nonexistent\n".to_owned();
        restart_agent(&key.home(), &answer.map_or_else(none, |answer| pinentry(&key.home(), answer)));
        release(&project, &key.home()).exits(1).says(cause).says(help);
        assert!(!project.site().join("releases.json").exists());
    }
    restart_agent(&key.home(), "no-allow-loopback-pinentry\n");
    let with_passphrase = |passphrase: &str| {
        let mut command = project.command("release --all");
        command.env("GNUPGHOME", key.home()).env("PACKHOUSE_SIGNING_PASSPHRASE", passphrase);
        Run::from(command.output().unwrap())
    };
    with_passphrase(PASSPHRASE).exits(1).says("no-allow-loopback-pinentry").hides(PASSPHRASE);
    restart_agent(&key.home(), "");
    with_passphrase("wrong").exits(1).says("the pass phrase does not open the signing key");
    // In CI: no terminal, no pinentry, the pass phrase from the environment.
    restart_agent(&key.home(), "pinentry-program /nonexistent\n");
    with_passphrase(PASSPHRASE).ok();
}

/// A home of GnuPG's whose only key is on a card, and the card.
struct Card {
    home: tempfile::TempDir,
    fingerprint: String,
    certificate: Vec<u8>,
}

impl Card {
    fn new() -> Option<Card> {
        let [openssl, ..] = packhouse_clients::find(["openssl", "gpg", "gpgconf", "basenc"])?;
        let home = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap();
        fs_err::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = |name: &str| home.path().join(name).display().to_string();
        openssl.run([
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            &path("card.pem"),
        ]);
        openssl.run(["pkey", "-in", &path("card.pem"), "-pubout", "-out", &path("public.pem")]);
        let command = SignCommand {
            words: format!(
                "openssl pkeyutl -sign -inkey {} -pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:sha512",
                path("card.pem")
            )
            .split(' ')
            .map(str::to_owned)
            .collect(),
            input: CommandInput::Digest,
            limit: Duration::from_secs(60),
            environment: vec![("PATH".into(), std::env::var("PATH").unwrap())],
            directory: home.path().to_owned(),
        };
        let created = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let public = fs_err::read(path("public.pem")).unwrap();
        let made = certify(&public, "Card <card@example.org>", created, None, &command).unwrap();
        let modulus = openssl.run(["rsa", "-in", &path("card.pem"), "-noout", "-modulus"]);
        let fingerprint = made.fingerprint().to_string();
        let card = Card { home, fingerprint, certificate: made.to_binary() };
        card.gpg(&["--import"], &card.certificate);
        card.write_stub(modulus.trim().strip_prefix("Modulus=").unwrap());
        card.plug_in(usize::MAX);
        Some(card)
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> String {
        use std::io::Write as _;
        let mut command = Command::new("gpg");
        command
            .env("GNUPGHOME", self.home.path())
            .env("LC_ALL", "C")
            .args(["--batch", "--quiet"])
            .args(arguments);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What gpg-agent keeps of a key on a card (GnuPG, agent/keyformat.txt, "Shadowed Private Key Format").
    fn write_stub(&self, modulus: &str) {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let listing = self.gpg(&["--with-colons", "--with-keygrip", "--list-keys"], b"");
        let grip = listing.lines().find(|line| line.starts_with("grp:")).unwrap().split(':').nth(9).unwrap();
        let stub = [
            &b"(20:shadowed-private-key(3:rsa(1:n257:\0"[..],
            &hex(modulus),
            b")(1:e3:\x01\0\x01)(8:shadowed5:t1-v1(16:",
            &hex("D2760001240103040006123456780000"),
            b"9:OPENPGP.1))))",
        ]
        .concat();
        let keys = self.home.path().join("private-keys-v1.d");
        fs_err::create_dir_all(&keys).unwrap();
        fs_err::write(keys.join(format!("{grip}.key")), stub).unwrap();
    }

    /// Puts the card in; after so many signatures it is taken out.
    fn plug_in(&self, signatures: usize) {
        let (home, path) = (self.home.path().display(), self.home.path().join("scdaemon"));
        fs_err::write(self.home.path().join("made"), "").unwrap();
        script(
            &path,
            &format!(
                r#"#!/bin/sh
echo OK
while read -r line; do
  case $line in
  SERIALNO*) echo 'S SERIALNO D2760001240103040006123456780000'; echo OK;;
  SETDATA*) data=${{line##* }}; echo OK;;
  PKSIGN*)
    echo x >> {home}/made
    if test $(wc -l < {home}/made) -gt {signatures}; then
      echo 'ERR 100663406 Card removed <SCD>'
    else
      # What openssl puts in front of a SHA-512 digest itself takes 19 bytes.
      value=$(printf %s "$data" | cut -c39- | basenc --base16 -d |
        openssl pkeyutl -sign -inkey {home}/card.pem -pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:sha512 |
        od -An -v -tx1 | tr -d '\n' | sed 's/ /%/g')
      echo "D $value"; echo OK
    fi;;
  BYE*) echo OK; exit;;
  *) echo OK;;
  esac
done
"#
            ),
        );
        restart_agent(self.home.path(), &format!("scdaemon-program {}\n", path.display()));
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).output();
    }
}

#[test]
fn a_key_on_a_card_signs() {
    let Some(card) = Card::new() else { return };
    let project = project(&card.fingerprint, &card.certificate);
    release(&project, card.home.path()).ok();
    project.run("verify ../site").ok();
    let made = fs_err::read_to_string(card.home.path().join("made")).unwrap();
    assert!(made.lines().count() >= 3, "two packages and the list of releases are signed by the card");
}

/// `FLT-21`: whenever the card is taken out, nothing is published and the same command goes on once it is back.
#[test]
fn a_card_that_is_taken_out_leaves_nothing_published() {
    let Some(card) = Card::new() else { return };
    let project = project(&card.fingerprint, &card.certificate);
    for signatures in [0, 1] {
        card.plug_in(signatures);
        release(&project, card.home.path())
            .exits(1)
            .says("gpg says: signing failed: Card removed")
            .says("put the card or token in");
        assert!(!project.site().join("releases.json").exists());
        assert_eq!(project.packages().len(), 2, "what was built is kept");
    }
    card.plug_in(usize::MAX);
    release(&project, card.home.path()).ok();
    project.run("verify ../site").ok();
}

#[test]
fn a_machine_without_scdaemon_is_told_to_install_it() {
    let Some(card) = Card::new() else { return };
    let project = project(&card.fingerprint, &card.certificate);
    restart_agent(card.home.path(), "scdaemon-program /nonexistent\n");
    release(&project, card.home.path()).exits(1).says("No SmartCard daemon").says("package `scdaemon`");
}
