//! Signatures that the packages' own tools verify: dnf and rpm, pacman, and openssl for apk.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use packhouse_clients::{find, text};
use packhouse_package::Format;
use packhouse_package::signing::NativeSignature;

use crate::gnupg::{Key, key_of};
use crate::project::{Project, bytes, names};

/// A project that signs with the key.
fn signing(targets: &[&str], key: &Key) -> Project {
    let project = Project::with_targets(targets);
    trust(&project, key);
    project.set("sign", "key-file = \"../key.asc\"").commit("key");
    project
}

/// Makes the key the project's, and the only one that it trusts.
fn trust(project: &Project, key: &Key) {
    fs_err::write(project.path("dist/trustedkeys.gpg"), &key.public).unwrap();
    secret_file(&project.beside("key.asc"), key.secret("").as_bytes());
}

fn secret_file(path: &Path, bytes: &[u8]) {
    fs_err::write(path, bytes).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The one file in a directory whose name ends so.
#[track_caller]
fn one(directory: &Path, ending: &str) -> PathBuf {
    let found: Vec<String> = names(directory).into_iter().filter(|name| name.ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    directory.join(&found[0])
}

fn manifest(project: &Project) -> serde_json::Value {
    serde_json::from_str(&project.read("pkg/manifest.json")).unwrap()
}

/// A root of dnf and rpm that knows the key and wants signatures of files, too.
struct DnfRoot {
    directory: tempfile::TempDir,
    dnf: packhouse_clients::Client,
    rpm: packhouse_clients::Client,
}

impl DnfRoot {
    fn new(key: &Key) -> Option<DnfRoot> {
        let [dnf, rpm] = find(["dnf", "rpm"])?;
        let root = DnfRoot { directory: tempfile::tempdir().unwrap(), dnf, rpm };
        fs_err::create_dir(root.path("log")).unwrap();
        fs_err::write(root.path("key.asc"), key.armored()).unwrap();
        let mut command = root.rpm.command();
        command.arg("--root").arg(root.directory.path()).arg("--import").arg(root.path("key.asc"));
        let imported = command.output().unwrap();
        assert!(imported.status.success(), "{}", text(&imported));
        Some(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn install(&self, package: &Path) -> Output {
        let mut command = self.dnf.command();
        command.arg(format!("--installroot={}", self.directory.path().display()));
        command.arg(format!("--setopt=cachedir={}", self.path("cache").display()));
        command.arg(format!("--setopt=logdir={}", self.path("log").display()));
        command.args(["--releasever=1", "--setopt=reposdir=/nonexistent", "--setopt=plugins=0", "-y"]);
        command.args(["--setopt=gpgcheck=1", "--setopt=localpkg_gpgcheck=1", "--forcearch=x86_64"]);
        command.args(["--setopt=keepcache=0", "install"]).arg(package);
        command.output().unwrap()
    }

    fn has_hello(&self) -> bool {
        self.path("usr/bin/hello").exists()
    }
}

#[test]
fn dnf_installs_what_is_signed_and_nothing_else() {
    for algorithm in ["rsa3072", "ed25519"] {
        let Some(key) = key_of("Rpm <rpm@example.org>", algorithm) else { return };
        let Some(other) = key_of("Other <other@example.org>", "ed25519") else { return };
        let Some(root) = DnfRoot::new(&key) else { return };
        let project = signing(&["rocky/9"], &key);
        project.run("build --all").ok();
        let unsigned = fs_err::read(one(&project.path("pkg"), ".rpm")).unwrap();
        project.run("release --all").ok();
        let package = one(&project.path("pkg"), ".rpm");
        let signed = fs_err::read(&package).unwrap();
        let (copy, mut refused) = (root.path("hello.rpm"), 0);

        let mut try_refused = |bytes: &[u8]| {
            fs_err::write(&copy, bytes).unwrap();
            let output = root.install(&copy);
            assert!(!output.status.success() && !root.has_hello(), "{}", text(&output));
            refused += 1;
        };
        try_refused(&unsigned);
        // Signed, and the payload another.
        let mut tampered = signed.clone();
        *tampered.last_mut().unwrap() ^= 1;
        try_refused(&tampered);
        // By a key that is not the vendor's.
        trust(&project, &other);
        project.run("sign").ok();
        let others = fs_err::read(&package).unwrap();
        assert_ne!(others, signed);
        try_refused(&others);
        assert_eq!(refused, 3);

        fs_err::write(&copy, &signed).unwrap();
        let output = root.install(&copy);
        assert!(output.status.success() && root.has_hello(), "{}", text(&output));
        // What was published is what was signed.
        assert_eq!(fs_err::read(one(&project.site(), ".rpm")).unwrap(), signed);
    }
}

#[test]
fn inspect_and_the_site_show_what_signed() {
    let Some(key) = key_of("Rpm <rpm@example.org>", "ed25519") else { return };
    let project = signing(&["fedora/43", "arch/rolling"], &key);
    project.run("release --all").ok();
    let package = one(&project.path("pkg"), ".rpm").display().to_string();
    project.run(&format!("inspect {package}")).ok().prints("EdDSA/SHA-512").prints(&key.fingerprint);
    project.run("site check").ok();
    project.run("verify ../site").ok();
    let head: serde_json::Value =
        serde_json::from_slice(&fs_err::read(project.site().join("releases.json")).unwrap()).unwrap();
    let packages = head["packages"].as_array().unwrap();
    for package in packages {
        let native = &package["native_signature"];
        match package["format"].as_str() {
            Some("pacman") => {
                assert_eq!(native["fingerprint"], *key.fingerprint);
                assert_eq!(native["path"], format!("{}.sig", package["path"].as_str().unwrap()));
                assert!(project.site().join(native["path"].as_str().unwrap()).is_file());
            }
            _ => assert!(native.is_null(), "{package}"),
        }
    }
    assert_eq!(packages.len(), 2);
    // A changed one is found.
    let sig = one(&project.site(), ".sig");
    fs_err::set_permissions(&sig, std::fs::Permissions::from_mode(0o644)).unwrap();
    fs_err::write(&sig, "x").unwrap();
    project.run("verify ../site").exits(1).says(".sig");
    fs_err::remove_file(&sig).unwrap();
    project.run("site check").exits(1).prints(".sig` is not there");
    project.run("release --all").ok();
    project.run("verify ../site").ok();
}

#[test]
fn pacman_takes_the_signature_beside_the_package() {
    let Some([pacman, pacman_key]) = find(["pacman", "pacman-key"]) else { return };
    let Some(key) = key_of("Pacman <pacman@example.org>", "ed25519") else { return };
    let project = signing(&["arch/rolling"], &key);
    project.run("release --all").ok();
    let package = one(&project.site(), ".zst");
    let sig = one(&project.site(), ".sig");
    assert_eq!(sig, PathBuf::from(format!("{}.sig", package.display())));

    let root = tempfile::Builder::new().prefix("ph-").tempdir_in("/tmp").unwrap();
    let at = |name: &str| root.path().join(name);
    for directory in ["db", "cache", "gnupg", "hooks"] {
        fs_err::create_dir(at(directory)).unwrap();
    }
    fs_err::write(at("key.asc"), key.armored()).unwrap();
    let gpgdir = at("gnupg").display().to_string();
    let manage = |arguments: &[&str]| {
        let output = pacman_key.command().args(["--gpgdir", &gpgdir]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    };
    manage(&["--init"]);
    manage(&["--add", at("key.asc").to_str().unwrap()]);
    manage(&["--lsign-key", &key.fingerprint]);
    manage(&["--verify", sig.to_str().unwrap(), package.to_str().unwrap()]);
    let configuration = format!(
        "[options]\nRootDir = {0}\nDBPath = {0}/db/\nCacheDir = {0}/cache/\nGPGDir = {0}/gnupg/\nLogFile = {0}/log\n\
         HookDir = {0}/hooks/\nArchitecture = auto\nSigLevel = Required\nLocalFileSigLevel = Required\n",
        root.path().display()
    );
    fs_err::write(at("pacman.conf"), configuration).unwrap();
    let install = |package: &Path| {
        let mut command = pacman.command();
        command.arg("--config").arg(at("pacman.conf")).args(["--noconfirm", "-U"]).arg(package);
        command.output().unwrap()
    };
    // Without a signature, and with one of other bytes.
    let copy = at(package.file_name().unwrap().to_str().unwrap());
    fs_err::copy(&package, &copy).unwrap();
    let output = install(&copy);
    assert!(!output.status.success() && !at("usr/bin/hello").exists(), "{}", text(&output));
    let beside = PathBuf::from(format!("{}.sig", copy.display()));
    let mut other = fs_err::read(&sig).unwrap();
    *other.last_mut().unwrap() ^= 1;
    fs_err::write(&beside, &other).unwrap();
    let output = install(&copy);
    assert!(!output.status.success() && !at("usr/bin/hello").exists(), "{}", text(&output));
    fs_err::copy(&sig, &beside).unwrap();
    let output = install(&copy);
    assert!(output.status.success() && at("usr/bin/hello").exists(), "{}", text(&output));
    let _ = Command::new("gpgconf").args(["--homedir", &gpgdir, "--kill", "all"]).output();
}

/// openssl makes the key as abuild-keygen does.
fn make_apk_key(project: &Project) -> Option<packhouse_clients::Client> {
    let [openssl] = find(["openssl"])?;
    let path = project.beside("release@example.org.rsa");
    let made = openssl.command().args(["genrsa", "-out"]).arg(&path).arg("2048").output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let public = PathBuf::from(format!("{}.pub", path.display()));
    let arguments = ["rsa".as_ref(), "-in".as_ref(), path.as_os_str(), "-pubout".as_ref(), "-out".as_ref()];
    openssl.run(arguments.into_iter().chain([public.as_os_str()]));
    Some(openssl)
}

#[test]
fn apk_is_signed_by_an_rsa_key_of_its_own() {
    let project = Project::with_targets(&["alpine/3.23", "alpine/3.5"]);
    project.run("release --all").ok().says("alpine-3.23, alpine-3.5").says("apk-key in [sign]");
    let Some(openssl) = make_apk_key(&project) else { return };
    project.set("sign", "apk-key = \"../release@example.org.rsa\"").commit("apk");
    let unsigned = bytes(&project.path("pkg"));
    fs_err::remove_dir_all(project.path("pkg")).unwrap();
    fs_err::remove_dir_all(project.site()).unwrap();
    let run = project.run("release --all").ok();
    assert!(!run.stderr.contains("apk-key"), "{}", run.stderr);
    project.run("verify ../site").ok();
    for name in unsigned.keys().filter(|name| name.ends_with(".apk")) {
        // The revision is another, so that the names differ: only the target is looked for.
        let target = if name.contains("_p305") { "_p305" } else { "_p323" };
        let found = bytes(&project.path("pkg"));
        let (_, signed) =
            found.iter().find(|(name, _)| name.contains(target) && name.ends_with(".apk")).unwrap();
        let file = project.beside("signed.apk");
        fs_err::write(&file, signed).unwrap();
        let run = project.run(&format!("inspect {}", file.display())).ok();
        // Alpine before 3.6 knows SHA-1 only.
        assert!(run.stdout.contains("RSA/SHA-256") && run.stdout.contains("release@example.org.rsa.pub"));
        assert_eq!(run.stdout.contains("RSA/SHA-1"), target == "_p305", "{}", run.stdout);
        let found = Format::Apk.get().signatures(&mut std::io::Cursor::new(signed)).unwrap();
        let NativeSignature::Rsa { bytes, .. } = &found[0].signature else { panic!("{found:?}") };
        let [control, signature] = ["control", "signature"].map(|name| project.beside(name));
        fs_err::write(&control, &signed[found[0].range.start as usize..found[0].range.end as usize]).unwrap();
        fs_err::write(&signature, bytes).unwrap();
        let public = project.beside("release@example.org.rsa.pub");
        let arguments = ["dgst".as_ref(), "-sha256".as_ref(), "-verify".as_ref(), public.as_os_str()];
        openssl.run(arguments.into_iter().chain([
            "-signature".as_ref(),
            signature.as_os_str(),
            control.as_os_str(),
        ]));
    }
    // Of the environment, it needs its public name; and it is checked like other secrets.
    let pem = fs_err::read_to_string(project.beside("release@example.org.rsa")).unwrap();
    project.edit("apk-key = \"../release@example.org.rsa\"\n", "").commit("environment");
    let variable = [("PACKHOUSE_APK_KEY", &*pem)];
    project.run_with(&variable, "sign").exits(2).says("apk-key-name").hides("MII");
    // These have the names of those that are published.
    fs_err::remove_dir_all(project.site()).unwrap();
    project.set("sign", "apk-key-name = \"release@example.org.rsa.pub\"").commit("name");
    project.run_with(&variable, "release --all").ok();
    project.set("sign", "apk-key = \"../release@example.org.rsa\"").commit("open");
    let file = project.beside("release@example.org.rsa");
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    project.run("release --all").exits(1).says("chmod 600");
    project.edit("release@example.org.rsa.pub", "../release.rsa.pub").commit("name");
    project.run("plan").exits(2).says("cannot be the name of a public key of apk");
}

/// An rpm before 4.16 would take the package for a forged one.
#[test]
fn a_target_whose_rpm_knows_no_ed25519_stays_without_and_says_so() {
    let Some(key) = key_of("Rpm <rpm@example.org>", "ed25519") else { return };
    let project = signing(&["centos/7", "rocky/9"], &key);
    let run = project.run("release --all").ok().says("centos-7: its rpm knows no Ed25519 keys");
    assert!(run.stderr.contains("sign with an RSA key"), "{}", run.stderr);
    let signed = |name: &str| {
        let found =
            names(&project.path("pkg")).into_iter().find(|it| it.contains(name) && it.ends_with(".rpm"));
        project.run(&format!("inspect pkg/{}", found.unwrap())).ok().stdout.contains("EdDSA")
    };
    assert!(signed("rocky_9") && !signed("centos_7"));
    let Some(key) = key_of("Rpm <rpm@example.org>", "rsa2048") else { return };
    trust(&project, &key);
    project.commit("another key");
    let run = project.run("release --all").ok();
    assert!(!run.stderr.contains("Ed25519"), "{}", run.stderr);
}

#[test]
fn a_key_that_no_rpm_reads_is_refused_before_anything_is_built() {
    let Some(key) = key_of("Curve <curve@example.org>", "nistp256") else { return };
    let project = signing(&["rocky/9"], &key);
    project.run("release --all").exits(2).says("cannot sign packages of rpm").says("an RSA or Ed25519 key");
    assert!(!project.path("pkg/logs/rocky-9.log").exists());
    // Other formats take it.
    let project = signing(&["debian/12", "arch/rolling"], &key);
    project.run("release --all").ok();
    project.run("verify ../site").ok();
}

#[test]
fn the_same_commit_signed_twice_gives_the_same_packages() {
    let Some(key) = key_of("Twice <twice@example.org>", "ed25519") else { return };
    let project = signing(&["rocky/9", "fedora/43", "arch/rolling", "alpine/3.23"], &key);
    let Some(_) = make_apk_key(&project) else { return };
    project.set("sign", "apk-key = \"../release@example.org.rsa\"").commit("apk");
    project.run("release --all").ok();
    let native = |project: &Project| {
        let mut found = bytes(&project.path("pkg"));
        found.retain(|name, _| [".rpm", ".apk", ".zst", ".sig"].iter().any(|ending| name.ends_with(ending)));
        found
    };
    let first = native(&project);
    assert_eq!(first.len(), 5);
    let elsewhere = project.clone_elsewhere();
    for name in ["key.asc", "release@example.org.rsa"] {
        secret_file(&elsewhere.beside(name), &fs_err::read(project.beside(name)).unwrap());
    }
    // Later, by the clock of whoever signs.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    elsewhere.run("release --all").ok();
    assert_eq!(native(&elsewhere), first);
    // And again in the same place: nothing changes, and the site has it already.
    let site = bytes(&project.site());
    project.run("build --all").ok();
    project.run("sign").ok();
    project.run("publish --all").ok();
    assert_eq!(native(&project), first);
    assert_eq!(bytes(&project.site()), site);
    project.run("plan").ok();
}

/// The manifest is written before the package takes its place; and only one of those two is ever signed.
#[test]
fn a_run_that_was_killed_in_between_is_finished_by_the_same_command() {
    let Some(key) = key_of("Killed <killed@example.org>", "ed25519") else { return };
    let project = signing(&["rocky/9"], &key);
    project.run("build --all").ok();
    let package = one(&project.path("pkg"), ".rpm");
    let (unsigned, before) = (fs_err::read(&package).unwrap(), project.read("pkg/manifest.json"));
    project.run("sign").ok();
    let (signed, after) = (fs_err::read(&package).unwrap(), project.read("pkg/manifest.json"));
    assert_ne!((&unsigned, &before), (&signed, &after));
    let entry = manifest(&project)["packages"][0].clone();
    assert_ne!(entry["sha256"], entry["unsigned_sha256"]);
    let asc = PathBuf::from(format!("{}.asc", package.display()));
    let states = [
        ("before anything", &before, &unsigned, false),
        ("after the manifest", &after, &unsigned, false),
        ("after the package", &after, &signed, false),
        ("at the end", &after, &signed, true),
    ];
    for (state, manifest, bytes, has_asc) in states {
        fs_err::write(project.path("pkg/manifest.json"), manifest).unwrap();
        fs_err::write(&package, bytes).unwrap();
        if !has_asc {
            let _ = fs_err::remove_file(&asc);
        }
        project.run("sign").ok();
        assert!(fs_err::read(&package).unwrap() == signed, "{state}");
        assert_eq!(project.read("pkg/manifest.json"), after, "{state}");
        project.run("publish --all").ok();
        project.run("verify ../site").ok();
    }
    // What is neither is not signed, by whatever it was changed.
    let mut other = unsigned.clone();
    *other.last_mut().unwrap() ^= 1;
    for wrong in [&other[..], &unsigned[..unsigned.len() - 1], b""] {
        fs_err::write(&package, wrong).unwrap();
        fs_err::remove_file(&asc).unwrap_or_default();
        project.run("sign").exits(2).says("is not the file that pkg/manifest.json lists");
        assert!(!asc.exists());
    }
}

#[test]
fn a_kill_at_any_system_call_loses_nothing() {
    let Some([strace]) = find(["strace"]) else { return };
    let Some(key) = key_of("Killed <killed@example.org>", "ed25519") else { return };
    let project = signing(&["rocky/9", "arch/rolling"], &key);
    project.run("build --all").ok();
    let built = bytes(&project.path("pkg"));
    project.run("sign").ok();
    let keep = |mut files: std::collections::BTreeMap<String, Vec<u8>>| {
        files.retain(|name, _| [".rpm", ".zst", ".sig", "manifest.json"].iter().any(|it| name.ends_with(it)));
        files
    };
    let signed = keep(bytes(&project.path("pkg")));
    let mut killed = 0;
    for call in ["rename", "write", "openat"] {
        for number in 1.. {
            fs_err::remove_dir_all(project.path("pkg")).unwrap();
            for (name, bytes) in &built {
                let path = project.path("pkg").join(name);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, bytes).unwrap();
            }
            let mut command = strace.command();
            project.prepare(&mut command);
            // The opening of libraries and keys is not what this is about.
            let number = if call == "openat" { number * 7 } else { number };
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
            command.arg("-e").arg(format!("inject={call}:signal=KILL:when={number}"));
            command.arg(env!("CARGO_BIN_EXE_packhouse")).arg("sign");
            let output = command.output().unwrap();
            if output.status.success() {
                break;
            }
            killed += 1;
            project.run("sign").ok();
            assert_eq!(keep(bytes(&project.path("pkg"))), signed, "{call} {number}");
            project.run("publish --all").ok();
        }
    }
    assert!(killed > 10, "{killed}");
}

#[test]
fn files_are_signed_in_place_and_signed_again_by_another_key() {
    let Some(one_key) = key_of("One <one@example.org>", "ed25519") else { return };
    let Some(two_key) = key_of("Two <two@example.org>", "rsa2048") else { return };
    let project = signing(&["rocky/9", "arch/rolling"], &one_key);
    project.run("build --all").ok();
    let directory = project.beside("files");
    fs_err::create_dir(&directory).unwrap();
    for ending in [".rpm", ".zst"] {
        fs_err::copy(one(&project.path("pkg"), ending), directory.join(format!("hello{ending}"))).unwrap();
    }
    fs_err::write(directory.join("text"), "no package").unwrap();
    let rpm = directory.join("hello.rpm");
    fs_err::set_permissions(&rpm, std::fs::Permissions::from_mode(0o640)).unwrap();
    let unsigned = fs_err::read(&rpm).unwrap();
    let sign = "sign ../files/hello.rpm ../files/hello.zst ../files/text";
    project.run(sign).ok().prints("hello.zst.sig").prints("hello.zst.asc").prints("text.asc");
    let first = bytes(&directory);
    assert_eq!(first.len(), 7, "{:?}", first.keys());
    assert_ne!(first["hello.rpm"], unsigned);
    assert_eq!(fs_err::metadata(&rpm).unwrap().permissions().mode() & 0o777, 0o640);
    project.run(sign).ok();
    assert_eq!(bytes(&directory), first, "signed once");
    project.run("verify ../files/text").ok();
    for ending in [".rpm", ".zst"] {
        // Under this name it could be any package of ours.
        let run = project.run(&format!("verify ../files/hello{ending}")).exits(1);
        let own = one(&project.path("pkg"), ending).file_name().unwrap().to_str().unwrap().to_owned();
        assert!(run.stderr.contains(&own), "{}", run.stderr);
        for more in ["", ".asc"] {
            let signed = directory.join(format!("hello{ending}{more}"));
            fs_err::copy(signed, project.beside("tmp").join(format!("{own}{more}"))).unwrap();
        }
        project.run(&format!("verify ../tmp/{own}")).ok();
    }

    trust(&project, &two_key);
    project.run(sign).ok();
    let second = bytes(&directory);
    assert!(first.iter().all(|(name, bytes)| {
        let stays = name == "text" || name == "hello.zst";
        (second[name] == *bytes) == stays
    }));
    // Nothing is left of the first key.
    project.run("inspect ../files/hello.rpm").ok().prints("RSA/SHA-512").hides(&one_key.fingerprint);
    // What only looks like a package is not signed as one.
    fs_err::write(&rpm, &unsigned[..2000]).unwrap();
    project.run("sign ../files/hello.rpm").exits(1).says("hello.rpm cannot be signed");
}

#[test]
fn a_site_that_was_published_before_gets_its_signatures() {
    let Some(key) = key_of("Later <later@example.org>", "ed25519") else { return };
    let project = signing(&["arch/rolling"], &key);
    project.run("release --all").ok();
    let path = project.site().join("releases.json");
    let mut head: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    head["packages"][0].as_object_mut().unwrap().remove("native_signature");
    fs_err::write(&path, serde_json::to_vec_pretty(&head).unwrap()).unwrap();
    fs_err::remove_file(one(&project.site(), ".sig")).unwrap();
    project.run("publish --all").ok();
    assert!(one(&project.site(), ".sig").is_file());
    project.run("verify ../site").ok();
}

#[test]
fn what_is_not_signed_in_its_format_is_not_published() {
    let Some(key) = key_of("Missing <missing@example.org>", "ed25519") else { return };
    let project = signing(&["arch/rolling"], &key);
    project.run("build --all").ok();
    project.run("sign").ok();
    let sig = one(&project.path("pkg"), ".sig");
    let good = fs_err::read(&sig).unwrap();
    fs_err::remove_file(&sig).unwrap();
    project.run("publish --all").exits(2).says("is not signed: there is no").says(".sig");
    fs_err::write(&sig, &good[..good.len() - 1]).unwrap();
    project.run("publish --all").exits(1).says("not to be trusted");
    assert!(names(&project.site()).iter().all(|name| !name.starts_with("arch/")));
    project.run("sign").ok();
    assert_eq!(fs_err::read(&sig).unwrap(), good);
    project.run("publish --all").ok();
}
