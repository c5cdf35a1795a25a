//! The signatures that a package's own format has, beside a detached one that is good: `TAM-08`, `TAM-09`, `KEY-21`.

use std::io::Cursor;
use std::time::SystemTime;

use packhouse_package::signing::{NativeSignature, RsaHash as PackageHash};
use packhouse_package::{Format, Signing};
use packhouse_sign::{Generated, KeySource, Keyring, RsaHash, RsaKey, Signer, generate};

use crate::project::{Project, Run, names};

/// A package of a target, a key that signs it, and one that nobody knows.
struct Native {
    project: Project,
    name: String,
    bytes: Vec<u8>,
    signer: Box<dyn Signer>,
    stranger: Box<dyn Signer>,
}

fn signer() -> Box<dyn Signer> {
    let Generated { secret, .. } =
        generate("Release <release@example.org>", SystemTime::now(), None).unwrap();
    KeySource::Text { armored: secret, passphrase: None }.open(SystemTime::now()).unwrap()
}

impl Native {
    fn new(target: &str, ending: &str) -> Native {
        let project = Project::with_targets(&[target]);
        project.run("build --all").ok();
        let name = names(&project.path("pkg")).into_iter().find(|name| name.ends_with(ending)).unwrap();
        let bytes = fs_err::read(project.path("pkg").join(&name)).unwrap();
        let (signer, stranger) = (signer(), signer());
        let keyring = Keyring::from_certificates([signer.certificate().clone()]);
        fs_err::write(project.path("keyring.gpg"), keyring.to_binary()).unwrap();
        Native { project, name, bytes, signer, stranger }
    }

    fn format(&self) -> Format {
        Format::identify(&mut Cursor::new(&self.bytes), &self.name).unwrap().unwrap()
    }

    /// What the format's signature has to cover.
    fn to_sign(&self) -> Vec<u8> {
        let Signing::Inside(inside) = self.format().get().signing() else { panic!("no place inside") };
        inside.to_sign(&mut Cursor::new(&self.bytes)).unwrap()
    }

    /// The package with these signatures in it.
    fn with(&self, signatures: &[NativeSignature]) -> Vec<u8> {
        let Signing::Inside(inside) = self.format().get().signing() else { panic!("no place inside") };
        let mut out = Vec::new();
        inside.write(&mut Cursor::new(&self.bytes), signatures, &mut out).unwrap();
        out
    }

    /// Verifies these bytes, which have a good detached signature.
    fn verify(&self, bytes: &[u8], more: &str) -> Run {
        fs_err::write(self.project.path(&self.name), bytes).unwrap();
        let signature = self.signer.detached(&mut &bytes[..], SystemTime::now()).unwrap();
        self.project.write(&format!("{}.asc", self.name), &signature);
        self.project.run(&format!("--json verify {} --keyring keyring.gpg {more}", self.name))
    }
}

#[test]
fn tam_08_an_rpms_own_signature_is_by_a_known_key_or_the_rpm_is_refused() {
    let rpm = Native::new("rocky/8", ".rpm");
    let now = SystemTime::now();
    let by = |signer: &dyn Signer, data: &[u8]| {
        NativeSignature::OpenPgp(signer.packet(&mut &data[..], now).unwrap())
    };
    let header = rpm.to_sign();
    let signed = rpm.with(&[by(rpm.signer.as_ref(), &header)]);
    let document = &rpm.verify(&signed, "").ok().documents()[0];
    assert_eq!(document["native"][0]["covers"], "header");
    assert_eq!(document["native"][0]["verified"], true);
    let strange = rpm.with(&[by(rpm.stranger.as_ref(), &header)]);
    rpm.verify(&strange, "").exits(1).says("signed by a key that is not in the keyring");
    let wrong = rpm.with(&[by(rpm.signer.as_ref(), b"another header")]);
    rpm.verify(&wrong, "").exits(1).says("the signature of its header, which is in it, does not verify");
    // Stripped, it is another file than the one that was signed.
    let document = &rpm.verify(&rpm.bytes, "").ok().documents()[0];
    assert_eq!(document["native"], serde_json::json!([]));
    rpm.verify(&signed, "").ok();
    fs_err::write(rpm.project.path(&rpm.name), &rpm.bytes).unwrap();
    let run = rpm.project.run(&format!("verify {} --keyring keyring.gpg", rpm.name));
    run.exits(1).says("the content is not what");
}

#[test]
fn key_21_an_apks_own_signature_is_by_the_named_key_and_strong() {
    let apk = Native::new("alpine/3.22", ".apk");
    let (own, stranger) = (RsaKey::generate(2048).unwrap(), RsaKey::generate(2048).unwrap());
    apk.project.write("apk.rsa.pub", &own.public_key().to_pem());
    let control = apk.to_sign();
    let by = |key: &RsaKey, hash| NativeSignature::Rsa {
        key: "hello.rsa.pub".into(),
        hash,
        bytes: key
            .sign(if hash == PackageHash::Sha1 { RsaHash::Sha1 } else { RsaHash::Sha256 }, &mut &control[..])
            .unwrap(),
    };
    let signed = apk.with(&[by(&own, PackageHash::Sha256)]);
    let document = &apk.verify(&signed, "--apk-key apk.rsa.pub").ok().documents()[0];
    assert_eq!(document["native"][0]["key"], "hello.rsa.pub");
    assert_eq!(document["native"][0]["verified"], true);
    // Without the key that is said; the detached signature covers the file.
    let document = &apk.verify(&signed, "").ok().documents()[0];
    assert_eq!(document["native"][0]["verified"], false);
    let strange = apk.with(&[by(&stranger, PackageHash::Sha256)]);
    apk.verify(&strange, "--apk-key apk.rsa.pub").exits(1).says("which is in it, does not verify");
    let weak = apk.with(&[by(&own, PackageHash::Sha1)]);
    apk.verify(&weak, "--apk-key apk.rsa.pub").exits(1).says("signed with SHA-1 only");
    let both = apk.with(&[by(&own, PackageHash::Sha256), by(&own, PackageHash::Sha1)]);
    apk.verify(&both, "--apk-key apk.rsa.pub").ok();
    apk.verify(&signed, "--apk-key keyring.gpg").exits(1);
}

#[test]
fn a_pacman_packages_signature_beside_it_is_good_or_the_package_is_refused() {
    let package = Native::new("arch/rolling", ".pkg.tar.zst");
    let sig = package.project.path(&format!("{}.sig", package.name));
    let by = |signer: &dyn Signer| signer.packet(&mut &package.bytes[..], SystemTime::now()).unwrap();
    fs_err::write(&sig, by(package.signer.as_ref())).unwrap();
    let document = &package.verify(&package.bytes, "").ok().documents()[0];
    assert_eq!(document["native"][0]["covers"], "file");
    fs_err::write(&sig, by(package.stranger.as_ref())).unwrap();
    package.verify(&package.bytes, "").exits(1).says(".sig does not verify").says("not in the keyring");
    fs_err::write(&sig, "junk").unwrap();
    package.verify(&package.bytes, "").exits(1).says(".sig does not verify");
}

#[test]
fn a_pacman_packages_signature_on_the_web_is_fetched_too() {
    let project = Project::with_targets(&["arch/rolling"]);
    project.run("release --all").ok();
    let package = names(&project.site()).into_iter().find(|name| name.ends_with(".pkg.tar.zst")).unwrap();
    let server = crate::web::WebServer::of(&project.site());
    let url = format!("{}/{package}", server.url);
    let document = &project.run(&format!("--json verify {url}")).ok().documents()[0];
    assert_eq!(document["native"][0]["verified"], true);
    let sig = project.site().join(format!("{package}.sig"));
    fs_err::write(&sig, "junk").unwrap();
    project.run(&format!("verify {url}")).exits(1).says(".sig does not verify");
    project.run(&format!("verify {}", server.url)).exits(1).says(".sig");
    fs_err::remove_file(&sig).unwrap();
    project.run(&format!("verify {url}")).exits(1).says(".sig is not there");
}
