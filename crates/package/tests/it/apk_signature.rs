//! Signatures go in front of a package and change nothing else; openssl makes and checks them here.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io::Cursor;
use std::path::Path;

use packhouse_clients::{Client, find};
use packhouse_package::apk::signature::{Algorithm, Key, to_sign, with_signature};
use packhouse_package::{Entry, Error};

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

/// Signs `unsigned` with the key in `directory`.
pub fn sign(openssl: &Client, directory: &Path, unsigned: &[u8]) -> Vec<u8> {
    let mut package = Cursor::new(unsigned);
    let control = directory.join("control");
    fs_err::write(&control, to_sign(&mut package).unwrap()).unwrap();
    let [private, signature] = ["key.rsa", "signature"].map(|name| directory.join(name));
    openssl.run([
        "dgst".as_ref(),
        "-sha256".as_ref(),
        "-sign".as_ref(),
        private.as_os_str(),
        "-out".as_ref(),
        signature.as_os_str(),
        control.as_os_str(),
    ]);
    let key = Key { name: "key.rsa.pub", algorithm: Algorithm::Rsa256 };
    let mut out = Vec::new();
    with_signature(&mut package, &key, &fs_err::read(signature).unwrap(), &mut out).unwrap();
    out
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

#[test]
fn what_is_no_unsigned_apk_is_not_signed() {
    let unsigned = bytes(&package("1.0", &[("opt/f", Entry::bytes(*b"x", 0o644))]), 1).unwrap();
    let key = Key { name: "key.rsa.pub", algorithm: Algorithm::Rsa512 };
    let mut signed = Vec::new();
    with_signature(&mut Cursor::new(&unsigned), &key, b"signature", &mut signed).unwrap();
    let only_files = members(&unsigned)[1].to_vec();
    let truncated = unsigned[..100].to_vec();
    for (wrong, reason) in [
        (signed, "signed already"),
        (only_files, ".PKGINFO"),
        (truncated, ""),
        (b"!<arch>\n".to_vec(), "gzip"),
        (Vec::new(), "gzip"),
    ] {
        let error = to_sign(&mut Cursor::new(&wrong)).unwrap_err();
        let Error::Malformed { format: "apk", reason: found, .. } = &error else { panic!("{error:?}") };
        assert!(found.contains(reason), "{found}");
    }
}

#[test]
fn the_keys_name_stays_in_the_key_directory() {
    let unsigned = bytes(&package("1.0", &[]), 1).unwrap();
    let long = "k".repeat(100);
    let sign = |name: &str, signature: &[u8]| {
        let key = Key { name, algorithm: Algorithm::Rsa256 };
        with_signature(&mut Cursor::new(&unsigned), &key, signature, &mut Vec::new())
    };
    for name in ["", "../etc/passwd", "a/b", "..", ".hidden", "a\nb", "a\0b", "a b", &long] {
        assert!(matches!(sign(name, b"s"), Err(Error::Option { option: "the key", .. })), "{name:?}");
    }
    sign("release@example.org-5f0e1c2d.rsa.pub", b"s").unwrap();
    assert!(matches!(sign("k.rsa.pub", &[0; 5000]), Err(Error::TooLarge { .. })));
    assert!(matches!(sign("k.rsa.pub", b""), Err(Error::TooLarge { .. })));
}
