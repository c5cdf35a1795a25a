//! `TAM-01` to `TAM-03`: no byte of what is signed can change, for any format, in its package, its signature or the
//! list of releases.

use std::time::{Duration, SystemTime};

use packhouse_sign::{Generated, KeySource, Keyring, Signer, generate, verify_detached};

use crate::project::{COMMIT_TIME, Project, names};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(COMMIT_TIME))
}

fn signer() -> (Box<dyn Signer>, Keyring) {
    let Generated { secret, certificate, .. } =
        generate("Release <release@example.org>", now(), None).unwrap();
    let signer = KeySource::Text { armored: secret, passphrase: None }.open(now()).unwrap();
    (signer, Keyring::from_certificates([certificate]))
}

/// A small package of each format, built by the program.
fn packages() -> Vec<(String, Vec<u8>)> {
    let project = Project::with_targets(&[
        "debian/12",
        "rocky/8",
        "alpine/3.22",
        "arch/rolling",
        "linux/any",
        "linux/zip",
    ]);
    project.write("dist/linux/zip/fpm.cmd", "-t zip\n").commit("zip");
    project.run("build --all").ok();
    let directory = project.path("pkg");
    let endings = [".deb", ".rpm", ".apk", ".pkg.tar.zst", ".tar.gz", ".zip"];
    let is_package = |name: &&String| endings.iter().any(|ending| name.ends_with(ending));
    let read = |name: &String| (name.clone(), fs_err::read(directory.join(name)).unwrap());
    let found: Vec<_> = names(&directory).iter().filter(is_package).map(read).collect();
    assert_eq!(found.len(), endings.len(), "{:?}", names(&directory));
    found
}

#[test]
fn tam_01_every_changed_byte_of_every_format_is_refused() {
    let (signer, keyring) = signer();
    for (name, package) in packages() {
        let signature = signer.detached(&mut &package[..], now()).unwrap();
        let verify = |data: &[u8]| verify_detached(signature.as_bytes(), &mut &data[..], &keyring, now());
        verify(&package).unwrap();
        let mut changed = package.clone();
        for index in 0..package.len() {
            changed[index] ^= 1 << (index % 8);
            assert!(verify(&changed).is_err(), "{name}: byte {index}");
            changed[index] = package[index];
        }
    }
}

#[test]
fn tam_02_a_package_that_is_longer_or_shorter_is_refused() {
    let (signer, keyring) = signer();
    for (name, package) in packages() {
        let signature = signer.detached(&mut &package[..], now()).unwrap();
        let verify = |data: &[u8]| verify_detached(signature.as_bytes(), &mut &data[..], &keyring, now());
        for count in [1, 512, 4096] {
            let more = vec![0; count];
            let less = package.len().saturating_sub(count);
            for changed in
                [[&package[..], &more].concat(), [&more, &package[..]].concat(), package[..less].to_vec()]
            {
                assert!(verify(&changed).is_err(), "{name}: {count}");
            }
        }
    }
    // By the list of releases the sizes are known, and said.
    let project = Project::with_targets(&["debian/12"]);
    project.run("release --all").ok();
    let deb = names(&project.site()).into_iter().find(|name| name.ends_with(".deb")).unwrap();
    let path = project.site().join(&deb);
    let good = fs_err::read(&path).unwrap();
    fs_err::write(&path, [&good[..], b"x"].concat()).unwrap();
    let run = project.run("verify ../site").exits(1);
    run.says(&format!("{} bytes", good.len())).says(&format!("{} bytes", good.len() + 1));
}

#[test]
fn tam_03_every_changed_byte_of_a_list_of_releases_is_refused_or_does_not_matter() {
    let project = Project::with_targets(&["debian/12"]);
    project.run("release --all").ok();
    let message = fs_err::read(project.site().join("releases.asc")).unwrap();
    let keyring = Keyring::read(&project.site().join("keyring.gpg")).unwrap();
    let verify = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        packhouse_sign::verify_cleartext(text, &keyring, SystemTime::now()).ok()
    };
    let (signed, _) = verify(&message).unwrap();
    let mut changed = message.clone();
    for index in 0..message.len() {
        changed[index] ^= 1 << (index % 8);
        // Blanks at the ends of lines and the unsigned area of the signature may differ; what is read may not.
        if let Some((text, _)) = verify(&changed) {
            assert_eq!(text, signed, "byte {index}");
        }
        changed[index] = message[index];
    }
}
