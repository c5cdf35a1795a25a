//! Signing by a program of the user's, as docs/reference/sign-command.md describes it. openssl is the HSM here, a gpg
//! with another home the other machine; both, and programs that misbehave (`KEY-20`).

use std::path::Path;
use std::time::{Duration, Instant};

use packhouse_clients::find;
use packhouse_sign::{
    Certificate, CommandInput, CommandProblem, Error, KeySource, Keyring, SignCommand, Signer, certify,
    verify_cleartext, verify_detached,
};

use crate::clients::TEXTS;
use crate::gnupg::{Home, at, keys};

const CONTENT: &[u8] = b"what is signed";

/// A program that runs in a directory and sees nothing but where programs are.
fn command(directory: &Path, input: CommandInput, words: &[&str]) -> SignCommand {
    SignCommand {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        input,
        limit: Duration::from_secs(60),
        environment: vec![("PATH".into(), std::env::var("PATH").unwrap())],
        directory: directory.to_owned(),
    }
}

fn shell(directory: &Path, input: CommandInput, script: &str) -> SignCommand {
    command(directory, input, &["sh", "-c", script])
}

fn open(certificate: &Certificate, command: SignCommand) -> Result<Box<dyn Signer>, Error> {
    let fingerprint = certificate.fingerprint();
    KeySource::Command { certificate: Box::new(certificate.clone()), fingerprint, command }.open(at(0))
}

/// A key of openssl's, how it signs a digest, and its certificate.
struct Hsm {
    directory: tempfile::TempDir,
    certificate: Certificate,
    script: &'static str,
}

/// openssl 3.0 wants to know how long a message for Ed25519 is before it reads it: a file, not a pipe.
const ED25519: &str = "cat > d.$$ && openssl pkeyutl -sign -rawin -inkey key.pem -in d.$$ && rm d.$$";
const RSA: &str =
    "openssl pkeyutl -sign -inkey key.pem -pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:sha512";
const ECDSA: &str = "openssl pkeyutl -sign -inkey key.pem";

impl Hsm {
    fn new(arguments: &[&str], script: &'static str) -> Option<Hsm> {
        let [openssl] = find(["openssl"])?;
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        openssl.run([&["genpkey", "-out", &path("key.pem")], arguments].concat());
        openssl.run(["pkey", "-in", &path("key.pem"), "-pubout", "-out", &path("public.pem")]);
        let public = fs_err::read(path("public.pem")).unwrap();
        let command = shell(directory.path(), CommandInput::Digest, script);
        let certificate = certify(&public, "HSM <hsm@example.org>", at(-10), None, &command).unwrap();
        Some(Hsm { directory, certificate, script })
    }

    fn rsa() -> Option<Hsm> {
        Hsm::new(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], RSA)
    }

    fn command(&self) -> SignCommand {
        shell(self.directory.path(), CommandInput::Digest, self.script)
    }

    fn open(&self) -> Result<Box<dyn Signer>, Error> {
        open(&self.certificate, self.command())
    }

    fn try_script(&self, script: &str) -> Result<Box<dyn Signer>, Error> {
        open(&self.certificate, shell(self.directory.path(), CommandInput::Digest, script))
    }
}

#[track_caller]
fn is_good_everywhere(signer: &dyn Signer) {
    let keyring = Keyring::from_certificates([signer.certificate().clone()]);
    let signature = signer.detached(&mut &CONTENT[..], at(0)).unwrap();
    verify_detached(signature.as_bytes(), &mut &CONTENT[..], &keyring, at(60)).unwrap();
    let packet = signer.packet(&mut &CONTENT[..], at(0)).unwrap();
    verify_detached(&packet, &mut &CONTENT[..], &keyring, at(60)).unwrap();
    let home = Home::new();
    home.file("ring.gpg", keyring.to_binary());
    home.file("content", CONTENT);
    home.file("content.asc", &signature);
    for client in ["gpgv", "sqv"] {
        if find([client]).is_some() {
            home.accepts(client, &["--keyring", "./ring.gpg", "content.asc", "content"]);
        }
    }
    for text in TEXTS {
        let message = signer.cleartext(text, at(0)).unwrap();
        verify_cleartext(&message, &keyring, at(60)).unwrap();
        home.file("message.asc", &message);
        home.accepts("gpgv", &["--keyring", "./ring.gpg", "message.asc"]);
    }
}

#[test]
fn a_program_signs_digests_with_rsa_ed25519_and_nist_curves() {
    let kinds: [(&[&str], &str, &str); 5] = [
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], RSA, "RSA-3072"),
        (&["-algorithm", "ed25519"], ED25519, "Ed25519"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ECDSA, "NIST P-256"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], ECDSA, "NIST P-384"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], ECDSA, "NIST P-521"),
    ];
    for (arguments, script, name) in kinds {
        let Some(hsm) = Hsm::new(arguments, script) else { return };
        assert_eq!(hsm.certificate.algorithm().to_string(), name);
        assert_eq!(hsm.certificate.user_ids(), ["HSM <hsm@example.org>"]);
        let signer = hsm.open().unwrap();
        assert_eq!(signer.signing_key(), hsm.certificate.fingerprint());
        is_good_everywhere(signer.as_ref());
        // As services print it, and with the value's two halves side by side.
        let base64 = format!("{{ {script}; }} | base64");
        hsm.try_script(&base64).unwrap();
    }
}

#[test]
fn a_certificate_of_a_services_key_is_one_to_gpg() {
    let Some(hsm) = Hsm::rsa() else { return };
    let Some(_) = find(["gpg"]) else { return };
    let public = fs_err::read(hsm.directory.path().join("public.pem")).unwrap();
    let year = Duration::from_secs(365 * 86400);
    let made = certify(&public, "HSM <hsm@example.org>", at(-10), Some(year), &hsm.command()).unwrap();
    assert_eq!(made.expires(), Some(at(-10) + year));
    assert_eq!(made.fingerprint(), hsm.certificate.fingerprint());
    let home = Home::new();
    home.file("key", made.to_binary());
    home.gpg(&["--import", "key"]);
    let listing = String::from_utf8(home.gpg(&["--with-colons", "--list-keys"])).unwrap();
    assert!(listing.contains(&made.fingerprint().to_string()), "{listing}");
    assert!(listing.lines().any(|line| line.starts_with("pub:") && line.contains(":scSC:")), "{listing}");
    // In DER, and in base64 as `aws kms get-public-key` prints it.
    let [openssl] = find(["openssl"]).unwrap();
    let output = openssl
        .command()
        .args(["pkey", "-pubin", "-outform", "DER", "-in"])
        .arg(hsm.directory.path().join("public.pem"))
        .output()
        .unwrap();
    let same = certify(&output.stdout, "HSM <hsm@example.org>", at(-10), Some(year), &hsm.command()).unwrap();
    assert_eq!(same.to_binary(), made.to_binary());
    for bad in [&b""[..], b"nonsense", &public[..100], b"-----BEGIN PUBLIC KEY-----", &output.stdout[..200]] {
        let error = certify(bad, "A <a@b>", at(0), None, &hsm.command()).unwrap_err();
        assert!(matches!(error, Error::PublicKeyUnreadable { .. }), "{error}");
    }
    let other = Hsm::rsa().unwrap();
    let error = certify(&public, "A <a@b>", at(0), None, &other.command()).unwrap_err();
    assert!(
        matches!(error, Error::SignCommand { problem: CommandProblem::DoesNotVerify { .. }, .. }),
        "{error}"
    );
}

#[test]
fn a_gpg_elsewhere_signs_the_data() {
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("key.asc", &keys.subkeys_only);
    home.gpg(&["--import", "key.asc"]);
    let certificate = Keyring::parse(&keys.subkeys.public).unwrap().certificates()[0].clone();
    let gpg = format!(
        "export GNUPGHOME={}; text=; test $PACKHOUSE_SIGN_TYPE = binary || text=--textmode; \
         gpg --batch --quiet --no-options --local-user $PACKHOUSE_SIGN_KEY! --digest-algo $PACKHOUSE_SIGN_HASH \
         --faked-system-time $PACKHOUSE_SIGN_TIME! $text",
        home.path().display()
    );
    for end in ["--detach-sign", "--armor --detach-sign"] {
        let command = shell(home.path(), CommandInput::Data, &format!("{gpg} {end}"));
        let signer = open(&certificate, command).unwrap();
        assert_ne!(signer.signing_key(), certificate.fingerprint(), "the subkey signs");
        is_good_everywhere(signer.as_ref());
        // More than a pipe holds.
        let long = vec![b'x'; 3 << 20];
        signer.detached(&mut &long[..], at(0)).unwrap();
    }
    let refused =
        |command: String, data: CommandInput| match open(&certificate, shell(home.path(), data, &command)) {
            Err(Error::SignCommand { problem, .. }) => problem,
            other => panic!("{command}: {other:?}"),
        };
    let data = CommandInput::Data;
    let sha256 = gpg.replace("$PACKHOUSE_SIGN_HASH", "SHA256");
    assert_eq!(
        refused(format!("{sha256} --detach-sign"), data),
        CommandProblem::OtherHash { algorithm: "SHA-256".into() }
    );
    let late = gpg.replace("$PACKHOUSE_SIGN_TIME!", "20260102T000000!");
    assert_eq!(
        refused(format!("{late} --detach-sign"), data),
        CommandProblem::OtherTime { made: at(86400), wanted: at(0) }
    );
    assert_eq!(
        refused(format!("{gpg} --textmode --detach-sign"), data),
        CommandProblem::OtherType { is_text: false }
    );
    assert_eq!(refused(format!("{gpg} --sign"), data), CommandProblem::NoSignature);
    assert_eq!(refused(format!("{gpg} --detach-sign; echo more"), data), CommandProblem::NoSignature);
    assert_eq!(
        refused(format!("{gpg} --default-sig-expire 1y --detach-sign"), data),
        CommandProblem::Conditions
    );
    let key = certificate.fingerprints()[1];
    assert_eq!(
        refused(format!("(cat; echo more) | ({gpg} --detach-sign)"), data),
        CommandProblem::DoesNotVerify { key }
    );
    assert_eq!(
        refused(format!("{gpg} --armor --detach-sign"), CommandInput::Digest),
        CommandProblem::PacketForValue
    );
}

#[test]
fn another_keys_signature_is_refused() {
    let (Some(one), Some(two)) = (Hsm::rsa(), Hsm::rsa()) else { return };
    let script = format!("cd {} && {RSA}", two.directory.path().display());
    let problem = problem(one.try_script(&script));
    assert_eq!(problem, CommandProblem::DoesNotVerify { key: one.certificate.fingerprint() });
    // Its own key over other bytes, and over the digest hashed once more.
    for script in [format!("(head -c 63; printf x) | {RSA}"), format!("openssl dgst -sha512 -binary | {RSA}")]
    {
        let problem = self::problem(one.try_script(&script));
        assert_eq!(problem, CommandProblem::DoesNotVerify { key: one.certificate.fingerprint() });
    }
}

#[track_caller]
fn problem(result: Result<Box<dyn Signer>, Error>) -> CommandProblem {
    match result {
        Err(Error::SignCommand { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_answers_badly_is_refused_and_heard() {
    let Some(hsm) = Hsm::rsa() else { return };
    let not_a_value = |found| CommandProblem::NotAValue {
        algorithm: "RSA-2048".into(),
        expected: "256 bytes".into(),
        found,
    };
    for (script, expected) in [
        ("true", CommandProblem::Nothing),
        ("echo ok", not_a_value(3)),
        ("exit 3", CommandProblem::Failed { status: "exit status: 3".into() }),
        ("kill -9 $$", CommandProblem::Failed { status: "signal: 9 (SIGKILL)".into() }),
        ("head -c 209715200 /dev/zero", CommandProblem::TooMuch { limit: 65536 }),
        ("cat /dev/zero", CommandProblem::TooMuch { limit: 65536 }),
        ("head -c 257 /dev/zero", not_a_value(257)),
        ("head -c 256 /dev/zero", CommandProblem::DoesNotVerify { key: hsm.certificate.fingerprint() }),
    ] {
        assert_eq!(problem(hsm.try_script(script)), expected, "{script}");
    }
    let script = r#"printf 'first\nlogin \033[31mhas expired\n' >&2; exit 1"#;
    let error = hsm.try_script(script).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sign command `sh` failed with exit status: 1; it said: first / login \u{fffd}[31mhas expired"
    );
    assert!(error.help().unwrap().contains("sign-command.md"));
    let shown = hsm.try_script("yes word | head -c 1000000 >&2; exit 1").unwrap_err().to_string();
    assert!(shown.len() < 700, "{}", shown.len());

    let error =
        open(&hsm.certificate, command(hsm.directory.path(), CommandInput::Digest, &["no-such-program"]));
    assert!(matches!(error, Err(Error::SignCommandNotRun { .. })), "{error:?}");
}

#[test]
fn a_program_that_never_ends_is_ended() {
    let Some(hsm) = Hsm::rsa() else { return };
    for (input, script) in [
        (CommandInput::Digest, "exec sleep 20"),
        (CommandInput::Digest, "sleep 20; true"),
        // It does not read what is given to it.
        (CommandInput::Data, "exec sleep 20"),
    ] {
        let mut command = shell(hsm.directory.path(), input, script);
        command.limit = Duration::from_millis(300);
        let started = Instant::now();
        let error = open(&hsm.certificate, command).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(10), "{script}");
        let Error::SignCommand { problem: CommandProblem::TooLong { .. }, .. } = &error else {
            panic!("{error}")
        };
        assert!(error.help().unwrap().contains("command-timeout"));
    }
}

#[test]
fn a_daemon_left_behind_is_not_waited_for() {
    let Some(hsm) = Hsm::rsa() else { return };
    let started = Instant::now();
    hsm.try_script(&format!("sleep 20 & {RSA}")).unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_program_gets_its_facts_and_nothing_else_of_the_environment() {
    let Some(hsm) = Hsm::rsa() else { return };
    let mut command = hsm.command();
    command.words[2] = format!("env > environment; {}", hsm.script);
    command.environment.push(("AWS_PROFILE".into(), "release".into()));
    open(&hsm.certificate, command).unwrap().cleartext("text\n", at(0)).unwrap();
    let seen = fs_err::read_to_string(hsm.directory.path().join("environment")).unwrap();
    let mut names: Vec<&str> =
        seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.retain(|name| !["_", "PWD", "OLDPWD", "SHLVL"].contains(name)); // the shell's own
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AWS_PROFILE",
            "PACKHOUSE_SIGN_ALGORITHM",
            "PACKHOUSE_SIGN_HASH",
            "PACKHOUSE_SIGN_KEY",
            "PACKHOUSE_SIGN_TIME",
            "PACKHOUSE_SIGN_TYPE",
            "PATH"
        ]
    );
    for line in
        ["PACKHOUSE_SIGN_TYPE=text", "PACKHOUSE_SIGN_ALGORITHM=RSA-2048", "PACKHOUSE_SIGN_TIME=1767225600"]
    {
        assert!(seen.lines().any(|seen| seen == line), "{seen}");
    }
}

#[test]
fn a_program_with_a_slash_is_the_directorys() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(hsm) = Hsm::rsa() else { return };
    let script = hsm.directory.path().join("sign me");
    fs_err::write(&script, format!("#!/bin/sh\ntest \"$1\" = 'a b;$HOME' && {RSA}\n")).unwrap();
    fs_err::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let command = command(hsm.directory.path(), CommandInput::Digest, &["./sign me", "a b;$HOME"]);
    open(&hsm.certificate, command).unwrap();
}

#[test]
fn a_key_that_may_not_sign_is_refused_before_the_program_runs() {
    let Some(keys) = keys() else { return };
    let directory = tempfile::tempdir().unwrap();
    let certificate = Keyring::parse(&keys.subkeys.public).unwrap().certificates()[0].clone();
    let encryption = *certificate.fingerprints().last().unwrap();
    let source = KeySource::Command {
        certificate: Box::new(certificate),
        fingerprint: encryption,
        command: shell(directory.path(), CommandInput::Digest, "touch ran"),
    };
    assert!(matches!(source.open(at(0)), Err(Error::NotASigningKey { .. })));
    assert!(!directory.path().join("ran").exists());
}
