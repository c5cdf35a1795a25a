//! Signatures go in front of a package and change nothing else; openssl makes and checks them here.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::Cursor;
use std::path::Path;

use packhouse_clients::{Client, find};
use packhouse_package::signing::{NativeSignature, RsaHash, SignedInside, Signing};
use packhouse_package::{Depth, Entry, Error, Format};

use crate::apk_fixture::{bytes, everything, members, package, unpacked};

pub fn make_key(openssl: &Client, directory: &Path) {
    let [private, public] = ["key.rsa", "key.rsa.pub"].map(|name| directory.join(name));
    let quiet = openssl.command().args(["genrsa", "-out"]).arg(&private).arg("2048").output().unwrap();
    assert!(quiet.status.success());
    openssl.run([
        "rsa".as_ref(),
        "-in".as_ref(),
        private.as_os_str(),
        "-pubout".as_ref(),
        "-out".as_ref(),
        public.as_os_str(),
    ]);
}

fn signing() -> &'static dyn SignedInside {
    match Format::Apk.get().signing() {
        Signing::Inside(signing) => signing,
        _ => panic!("an apk holds its signatures"),
    }
}

fn to_sign(package: &[u8]) -> Result<Vec<u8>, Error> {
    signing().to_sign(&mut Cursor::new(package))
}

fn with(package: &[u8], signatures: &[NativeSignature]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    signing().write(&mut Cursor::new(package), signatures, &mut out)?;
    Ok(out)
}

fn rsa(key: &str, hash: RsaHash, bytes: &[u8]) -> NativeSignature {
    NativeSignature::Rsa { key: key.into(), hash, bytes: bytes.into() }
}

/// A signature of the control member by the key in `directory`, by openssl.
fn signature(openssl: &Client, directory: &Path, package: &[u8], hash: RsaHash) -> NativeSignature {
    let control = directory.join("control");
    fs_err::write(&control, to_sign(package).unwrap()).unwrap();
    let [private, signature] = ["key.rsa", "signature"].map(|name| directory.join(name));
    openssl.run([
        "dgst".as_ref(),
        if hash == RsaHash::Sha1 { "-sha1".as_ref() } else { "-sha256".as_ref() },
        "-sign".as_ref(),
        private.as_os_str(),
        "-out".as_ref(),
        signature.as_os_str(),
        control.as_os_str(),
    ]);
    rsa("key.rsa.pub", hash, &fs_err::read(signature).unwrap())
}

/// Signs `unsigned` with the key in `directory`.
pub fn sign(openssl: &Client, directory: &Path, unsigned: &[u8]) -> Vec<u8> {
    with(unsigned, &[signature(openssl, directory, unsigned, RsaHash::Sha256)]).unwrap()
}

#[test]
fn a_signed_package_is_the_unsigned_one_with_a_member_in_front() {
    let Some([openssl]) = find(["openssl"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    make_key(&openssl, directory.path());
    let unsigned = bytes(&everything(), 1).unwrap();
    let signed = sign(&openssl, directory.path(), &unsigned);
    assert!(signed.ends_with(&unsigned));
    let [first, control, _] = members(&signed)[..] else { panic!("three members") };
    let segment = unpacked(first);
    assert!(segment.starts_with(b".SIGN.RSA256.key.rsa.pub\0"));
    assert_ne!(segment[segment.len() - 512..], [0; 512], "an archive without its end");
    // What openssl verifies is the control member as it is in the file.
    let [file, signature] = ["c", "s"].map(|name| directory.path().join(name));
    fs_err::write(&file, control).unwrap();
    fs_err::write(&signature, &segment[512..512 + 256]).unwrap();
    let public = directory.path().join("key.rsa.pub");
    let arguments = ["dgst".as_ref(), "-sha256".as_ref(), "-verify".as_ref(), public.as_os_str()];
    let arguments =
        arguments.into_iter().chain(["-signature".as_ref(), signature.as_os_str(), file.as_os_str()]);
    assert!(openssl.run(arguments).contains("Verified OK"));
}

/// Alpine before 3.6 passes over what it does not know, and others take the first: so the one for old clients is second.
#[test]
fn one_for_old_clients_stands_behind_one_for_those_of_today() {
    let Some([openssl]) = find(["openssl"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    make_key(&openssl, directory.path());
    let unsigned = bytes(&everything(), 1).unwrap();
    let both =
        [RsaHash::Sha256, RsaHash::Sha1].map(|hash| signature(&openssl, directory.path(), &unsigned, hash));
    let signed = with(&unsigned, &both).unwrap();
    let found = Format::Apk.get().signatures(&mut Cursor::new(&signed)).unwrap();
    assert_eq!(
        found.iter().map(|found| &found.signature).collect::<Vec<_>>(),
        both.iter().collect::<Vec<_>>()
    );
    let inspection = Format::Apk.get().inspect(&mut Cursor::new(&signed), Depth::Contents).unwrap();
    let algorithms: Vec<_> = inspection.signatures.iter().map(|found| &*found.algorithm).collect();
    assert_eq!(algorithms, ["RSA/SHA-256", "RSA/SHA-1"]);
}

#[test]
fn a_signature_covers_the_control_member_as_it_is_in_the_file() {
    let unsigned = bytes(&everything(), 1).unwrap();
    let signed = with(&unsigned, &[rsa("k.rsa.pub", RsaHash::Sha256, b"signature")]).unwrap();
    let [_, control, _] = members(&signed)[..] else { panic!("three members") };
    let mut file = Cursor::new(&signed);
    let [found] = &Format::Apk.get().signatures(&mut file).unwrap()[..] else { panic!("one") };
    assert_eq!(
        (found.covers, &found.signature),
        ("control", &rsa("k.rsa.pub", RsaHash::Sha256, b"signature"))
    );
    let mut covered = Vec::new();
    std::io::Read::read_to_end(&mut found.open(&mut file).unwrap(), &mut covered).unwrap();
    assert_eq!(covered, control);
    assert_eq!(to_sign(&unsigned).unwrap(), control);
    assert_eq!(to_sign(&signed).unwrap(), control, "also of a package that is signed");
    assert!(Format::Apk.get().signatures(&mut Cursor::new(&unsigned)).unwrap().is_empty());
}

#[test]
fn signing_again_replaces_and_signing_with_nothing_takes_away() {
    let unsigned = bytes(&everything(), 1).unwrap();
    let one = with(&unsigned, &[rsa("one.rsa.pub", RsaHash::Sha256, b"one")]).unwrap();
    let two = [rsa("two.rsa.pub", RsaHash::Sha512, &[2; 512])];
    assert_eq!(with(&one, &two).unwrap(), with(&unsigned, &two).unwrap());
    assert_eq!(with(&one, &[]).unwrap(), unsigned);
}

#[test]
fn what_is_no_apk_is_not_signed() {
    let unsigned = bytes(&package("1.0", &[("opt/f", Entry::bytes(*b"x", 0o644))]), 1).unwrap();
    let only_files = members(&unsigned)[1].to_vec();
    let only_control = members(&unsigned)[0].to_vec();
    let truncated = unsigned[..100].to_vec();
    for (wrong, reason) in [
        (only_files, ".PKGINFO"),
        (only_control, "data member"),
        (truncated, ""),
        (b"!<arch>\n".to_vec(), "gzip"),
        (b"ADB.".to_vec(), "version 3"),
        (Vec::new(), "gzip"),
    ] {
        for error in [to_sign(&wrong), with(&wrong, &[])] {
            let error = error.unwrap_err();
            let Error::Malformed { format: "apk", reason: found, .. } = &error else { panic!("{error:?}") };
            assert!(found.contains(reason), "{found}");
        }
    }
    let openpgp = NativeSignature::OpenPgp(vec![0x88]);
    assert!(matches!(with(&unsigned, &[openpgp]), Err(Error::Unsignable { format: "apk", .. })));
}

/// `KEY-21`.
#[test]
fn the_keys_name_stays_in_the_key_directory() {
    let unsigned = bytes(&package("1.0", &[]), 1).unwrap();
    let long = "k".repeat(100);
    let sign = |name: &str, bytes: &[u8]| with(&unsigned, &[rsa(name, RsaHash::Sha256, bytes)]);
    for name in ["", "../etc/passwd", "a/b", "..", ".hidden", "a\nb", "a\0b", "a b", &long] {
        assert!(matches!(sign(name, b"s"), Err(Error::Option { option: "the key", .. })), "{name:?}");
    }
    sign("release@example.org-5f0e1c2d.rsa.pub", b"s").unwrap();
    assert!(matches!(sign("k.rsa.pub", &[0; 5000]), Err(Error::TooLarge { .. })));
    assert!(matches!(sign("k.rsa.pub", b""), Err(Error::TooLarge { .. })));
}
