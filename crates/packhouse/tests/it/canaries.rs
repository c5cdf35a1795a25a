//! `SEC-01`, `SEC-02`, `SEC-12`: secrets of known bytes are given in every way there is, and looked for in every form
//! everywhere: what is printed, what is written, and what programs are started with.

use std::collections::BTreeMap;
use std::process::Command;

use crate::project::{Project, Run, bytes};

/// Variables that hold secrets, each of its own bytes.
const SECRETS: [(&str, &str); 5] = [
    ("PACKHOUSE_SIGNING_PASSPHRASE", "kanarie/pass phrase+4d1f8831"),
    ("AWS_SECRET_ACCESS_KEY", "kanarie/awsSecret+77c02b9e41aa"),
    ("AWS_SESSION_TOKEN", "kanarie/awsToken+90e1d5f25b66"),
    ("AZURE_STORAGE_KEY", "kanarie/azure+12d3c4b5a697"),
    ("GITHUB_TOKEN", "kanarie/github+58fe21dc3307"),
];

/// The forms in which a secret may leak.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimal = secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let url: String = secret
        .iter()
        .map(|byte| match byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let mut forms = vec![secret.to_vec(), secret.iter().rev().copied().collect()];
    forms.extend([hex.to_uppercase(), hex, decimal, url].map(String::into_bytes));
    // In base64 each byte may be the first, second or third of its group; the ends depend on the neighbours.
    forms.extend((0..3).map(|skip| {
        let whole = &secret[skip..];
        base64(&whole[..whole.len() / 3 * 3])
    }));
    forms.retain(|form| form.len() >= 8);
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).map(|group| u32::from_be_bytes([0, group[0], group[1], group[2]]));
    groups.flat_map(|bits| [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize])).collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(value).collect();
    let groups = digits.chunks(4).flat_map(|group| {
        let bits =
            group.iter().fold(0u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    });
    groups.collect()
}

/// What must be nowhere, each with its name.
struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    fn new() -> Canaries {
        let mut canaries = Canaries(Vec::new());
        SECRETS.into_iter().for_each(|(name, secret)| canaries.add(name, secret.as_bytes()));
        canaries
    }

    fn add(&mut self, name: &str, secret: &[u8]) {
        self.0.extend(forms(secret).into_iter().map(|form| (name.to_owned(), form)));
    }

    /// Adds every piece of an armored secret key that its public key does not have.
    fn add_key(&mut self, armored: &str, public: &[u8]) {
        let body = armored.split("\n\n").nth(1).unwrap();
        let lines: Vec<&str> = body.lines().filter(|line| !line.starts_with(['-', '='])).collect();
        self.0.extend(
            lines[1..lines.len() - 1].iter().map(|line| ("the armored key".into(), line.as_bytes().to_vec())),
        );
        let secret = from_base64(&lines.concat());
        // Some forms hold a part of a piece only: no part may be public.
        let is_public = |part: &[u8]| public.windows(part.len()).any(|known| known == part);
        let unknown = |piece: &&[u8]| !piece.windows(8).any(is_public);
        let pieces: Vec<&[u8]> = secret.windows(16).filter(unknown).step_by(7).collect();
        assert!(pieces.len() >= 4, "a secret key has bytes of its own");
        for piece in pieces {
            self.add("the secret key", piece);
        }
    }

    #[track_caller]
    fn are_not_in(&self, what: &str, text: &[u8]) {
        for (name, form) in &self.0 {
            let is_there = text.windows(form.len()).any(|window| window == &form[..]);
            assert!(!is_there, "{name} is in {what}, as {}", String::from_utf8_lossy(form));
        }
    }
}

/// Runs the program under strace, and looks at everything that it left. Lines of programs that it started.
#[track_caller]
fn watch(
    project: &Project,
    canaries: &Canaries,
    variables: &BTreeMap<&str, String>,
    arguments: &str,
) -> (Run, Vec<String>) {
    let trace = project.beside("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-v", "-e", "trace=execve,connect", "-s", "65535", "-o"]).arg(&trace);
    project.prepare(command.arg(env!("CARGO_BIN_EXE_packhouse")).args(arguments.split(' ')));
    command.envs(variables).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let run = Run::from(command.output().unwrap());
    canaries.are_not_in(&format!("the output of {arguments}"), run.stdout.as_bytes());
    canaries.are_not_in(&format!("the messages of {arguments}"), run.stderr.as_bytes());
    let traced = fs_err::read_to_string(&trace).unwrap();
    fs_err::remove_file(&trace).unwrap();
    // The first line is the program's own start.
    let started: Vec<String> =
        traced.lines().skip(1).filter(|line| line.contains("execve(")).map(str::to_owned).collect();
    for line in traced.lines().skip(1) {
        canaries.are_not_in(&format!("what {arguments} starts"), line.as_bytes());
    }
    for (name, bytes) in bytes(project.directory.path()) {
        canaries.are_not_in(&format!("{name}, after {arguments}"), &bytes);
    }
    (run, started)
}

/// Release, verification and failures at each stage.
fn try_everything(project: &Project, canaries: &Canaries, variables: &BTreeMap<&str, String>) {
    let run = |arguments: &str| watch(project, canaries, variables, arguments);
    let (released, started) = run("-v release --all");
    released.ok();
    let programs: Vec<&str> = started
        .iter()
        .filter_map(|line| line.split("execve(\"").nth(1)?.split('"').next()?.rsplit('/').next())
        .collect();
    assert!(programs.contains(&"git") && programs.contains(&"sh"), "{programs:?}");
    // What the project builds with, and what Packhouse itself starts; nothing else, by whatever name.
    let known = ["git", "sh", "mkdir", "env", "gpg", "gpg-agent", "gpgconf", "keyboxd"];
    assert!(programs.iter().all(|program| known.contains(program)), "{programs:?}");
    for arguments in
        ["--json release --all", "-v verify ../site", "-v plan --all", "key export --armor", "-v sign"]
    {
        run(arguments).0.ok();
    }

    // At the build, at signing, at publishing to storage that is not there.
    project.write("pkg/stale", "");
    project.build_with(&["env; exit 3"]).commit("a build that fails");
    run("-v release --all --keep-failed").0.exits(1);
    let mut wrong = variables.clone();
    wrong.insert("PACKHOUSE_SIGNING_PASSPHRASE", "kanarie/wrong+6d1bb7a90c".into());
    let mut with_wrong = Canaries::new();
    with_wrong.0.extend(canaries.0.iter().cloned());
    with_wrong.add("the wrong one", b"kanarie/wrong+6d1bb7a90c");
    watch(project, &with_wrong, &wrong, "-v sign").0.exits(1).says("pass phrase");
    let (run, _) = run("-v publish --to s3://bucket/site --channel other");
    assert_ne!(run.status, Some(0));
}

fn variables(more: &[(&'static str, String)]) -> BTreeMap<&'static str, String> {
    let secrets = SECRETS.map(|(name, value)| (name, value.to_owned()));
    let nowhere = [
        ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE".to_owned()),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9".to_owned()),
    ];
    secrets.into_iter().chain(nowhere).chain(more.iter().cloned()).collect()
}

fn project(public: &[u8], sign: &str) -> Project {
    let project = Project::with_targets(&["debian/12"]);
    fs_err::write(project.path("dist/trustedkeys.gpg"), public).unwrap();
    project.set("publish", "public-url = \"https://example.org\"");
    project.set("sign", sign);
    project.build_with(&["env; mkdir -p out && env > out/hello"]).commit("keys");
    project
}

#[test]
fn secrets_of_the_environment_are_nowhere() {
    let Some(_) = packhouse_clients::find(["strace"]) else { return };
    let passphrase = SECRETS[0].1;
    let Some(key) = crate::gnupg::protected_key("Canary <canary@example.org>", passphrase) else { return };
    let armored = key.secret(passphrase);
    let mut canaries = Canaries::new();
    canaries.add_key(&armored, &key.public);
    try_everything(&project(&key.public, ""), &canaries, &variables(&[("PACKHOUSE_SIGNING_KEY", armored)]));
}

#[test]
fn secrets_for_gnupg_are_nowhere() {
    let Some(_) = packhouse_clients::find(["strace"]) else { return };
    let Some(key) = crate::gnupg::protected_key("Canary <canary@example.org>", SECRETS[0].1) else { return };
    let project = project(&key.public, &format!("key = \"{}\"", key.fingerprint));
    let home = key.home().display().to_string();
    // Else a wrong pass phrase is as good as the one that the agent remembers.
    fs_err::write(key.home().join("gpg-agent.conf"), "ignore-cache-for-signing\n").unwrap();
    // Told, not killed: an agent that gpg starts below strace is waited for by strace, for ever.
    let mut reload = Command::new("gpgconf");
    assert!(reload.env("GNUPGHOME", &home).args(["--reload", "gpg-agent"]).status().unwrap().success());
    try_everything(&project, &Canaries::new(), &variables(&[("GNUPGHOME", home)]));
}

/// A key without a pass phrase, whose secret bytes are known: none of them is anywhere but in its file.
#[test]
fn the_bytes_of_a_key_file_are_nowhere_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(_) = packhouse_clients::find(["strace"]) else { return };
    let created = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let key = packhouse_sign::generate("Canary <canary@example.org>", created, None).unwrap();
    let public = key.certificate.to_binary();
    let mut canaries = Canaries::new();
    canaries.add_key(std::str::from_utf8(key.secret.expose()).unwrap(), &public);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), key.secret.expose()).unwrap();
    fs_err::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let project = project(&public, &format!("key-file = {:?}", file.path()));
    let (run, _) = watch(&project, &canaries, &variables(&[]), "-v release --all");
    run.ok();
    let armored = std::str::from_utf8(key.secret.expose()).unwrap();
    fs_err::write(file.path(), &armored[..armored.len() - 200]).unwrap();
    watch(&project, &canaries, &variables(&[]), "-v sign").0.exits(1).says("signing key cannot be read");
    fs_err::write(file.path(), armored.repeat(2)).unwrap();
    watch(&project, &canaries, &variables(&[]), "-v sign").0.exits(1).says("2 secret keys");
}

#[test]
fn the_search_finds_what_is_there() {
    let canaries = Canaries::new();
    for (_, secret) in SECRETS {
        for text in [secret.to_owned(), format!("{:?}", secret.as_bytes())] {
            let found =
                std::panic::catch_unwind(|| canaries.are_not_in("a text", format!("x{text}y").as_bytes()));
            assert!(found.is_err(), "{text}");
        }
        for before in ["", "a", "ab"] {
            let text = base64(format!("{before}{secret}   ").as_bytes());
            assert!(std::panic::catch_unwind(|| canaries.are_not_in("base64", &text)).is_err(), "{before}");
        }
    }
    assert_eq!(from_base64("a2FuYXJpZQ=="), b"kanarie");
}
