//! What Packhouse knows of distributions: the table `distributions.toml`, read once.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use packhouse_package::Format;
use packhouse_package::archive::compress::Compression;
use serde::Deserialize;

use crate::{Client, Refused, SignaturesRead, Target};

/// A distribution of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Distribution {
    /// Its name for people.
    pub title: String,
    format: String,
    zstd_since: Option<String>,
    xz_control_since: Option<String>,
    rsa256_since: Option<String>,
    clients: BTreeMap<String, String>,
    image: String,
    #[serde(default)]
    images: BTreeMap<String, String>,
    /// Dockerfile lines that make the base image ready to build in.
    pub prepare: String,
    /// Its current versions, newest last.
    pub versions: Vec<String>,
}

impl Distribution {
    /// The distribution called `id` in `dist/`; `None` when the table does not have it.
    pub fn find(id: &str) -> Option<&'static Distribution> {
        Distribution::all().get(id)
    }

    /// Every distribution of the table, by id.
    pub fn all() -> &'static BTreeMap<String, Distribution> {
        static TABLE: OnceLock<BTreeMap<String, Distribution>> = OnceLock::new();
        TABLE.get_or_init(|| {
            toml::from_str(include_str!("../distributions.toml"))
                .expect("the table is tested to be well-formed")
        })
    }

    /// The format of its packages.
    pub fn format(&self) -> Format {
        Format::parse(&self.format).expect("the table is tested to name formats that exist")
    }

    /// The public base image of a version.
    pub fn image(&self, version: &str) -> String {
        self.images.get(version).unwrap_or(&self.image).replace("{version}", version)
    }

    /// What checks signatures on a version; `None` for one that is older than any in the table.
    pub fn client(&self, version: &str) -> Option<&'static Client> {
        let since = self.clients.iter().filter(|(since, _)| is_since(version, since));
        let (_, id) = since.max_by(|(a, _), (b, _)| compare(a, b))?;
        Client::all().get(id)
    }

    fn reads_zstd(&self, version: &str) -> bool {
        self.zstd_since.as_deref().is_some_and(|since| compare(version, since) != Ordering::Less)
    }

    fn reads_xz_control(&self, version: &str) -> bool {
        self.xz_control_since.as_deref().is_none_or(|since| is_since(version, since))
    }

    fn reads_rsa256(&self, version: &str) -> bool {
        self.rsa256_since.as_deref().is_none_or(|since| is_since(version, since))
    }
}

/// The best compression that the target's own package manager reads; for a distribution that is not in the
/// table xz, which every dpkg and rpm of the last ten years reads.
pub fn compression(target: &Target) -> Compression {
    match Distribution::find(&target.distribution) {
        Some(distribution) if distribution.reads_zstd(&target.version) => Compression::ZSTD,
        _ => Compression::XZ,
    }
}

/// Whether the target's dpkg reads a control archive in xz; that of a distribution that is not in the table does.
pub fn reads_xz_control(target: &Target) -> bool {
    Distribution::find(&target.distribution)
        .is_none_or(|distribution| distribution.reads_xz_control(&target.version))
}

/// Which signatures inside packages the target's package manager reads; of a distribution that is not in the table, all that
/// those of today read.
pub fn signatures_read(target: &Target) -> SignaturesRead {
    let Some(distribution) = Distribution::find(&target.distribution) else {
        return SignaturesRead::default();
    };
    let client = distribution.client(&target.version);
    SignaturesRead {
        // A package that is said to be refused by some is signed all the same.
        eddsa: !client
            .and_then(|client| client.refusal(Refused::Ed25519))
            .is_some_and(|refusal| refusal.is_certain),
        rsa256: distribution.reads_rsa256(&target.version),
    }
}

/// Whether a version is that one or a later one. What has no number is the newest there is: `edge`, `rawhide`.
fn is_since(version: &str, since: &str) -> bool {
    !version.starts_with(|c: char| c.is_ascii_digit()) || compare(version, since) != Ordering::Less
}

/// Compares versions of distributions, number by number.
fn compare(a: &str, b: &str) -> Ordering {
    let numbers =
        |version: &str| -> Vec<u32> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    numbers(a).cmp(&numbers(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(distribution: &str, version: &str) -> Target {
        Target { distribution: distribution.into(), version: version.into() }
    }

    #[test]
    fn the_table_is_well_formed() {
        for (id, distribution) in Distribution::all() {
            assert!(Target::is_name(id));
            distribution.format();
            assert!(!distribution.versions.is_empty(), "{id}");
            assert!(distribution.versions.iter().all(|version| Target::is_name(version)), "{id}");
        }
    }

    #[test]
    fn old_package_managers_get_xz() {
        for (distribution, version, wanted) in [
            ("ubuntu", "20.04", Compression::ZSTD),
            ("ubuntu", "16.04", Compression::XZ),
            ("debian", "11", Compression::XZ),
            ("debian", "12", Compression::ZSTD),
            ("centos", "7", Compression::XZ),
            ("amazon-linux", "2", Compression::XZ),
            ("amazon-linux", "2023", Compression::ZSTD),
            ("rocky", "8", Compression::ZSTD),
            ("arch", "rolling", Compression::ZSTD),
            ("gentoo", "1", Compression::XZ),
        ] {
            assert_eq!(compression(&target(distribution, version)), wanted, "{distribution} {version}");
        }
    }

    #[test]
    fn the_oldest_get_a_control_archive_in_gzip() {
        for (distribution, version, reads) in [
            ("ubuntu", "14.04", false),
            ("ubuntu", "16.04", true),
            ("debian", "7", false),
            ("debian", "11", true),
            ("mint", "1", true),
        ] {
            let target = target(distribution, version);
            assert_eq!(reads_xz_control(&target), reads, "{distribution} {version}");
        }
    }

    #[test]
    fn old_package_managers_read_fewer_signatures() {
        for (distribution, version, eddsa, rsa256) in [
            ("centos", "7", false, true),
            ("rocky", "8", false, true),
            ("rocky", "9", true, true),
            ("amazon-linux", "2", false, true),
            ("amazon-linux", "2023", true, true),
            ("fedora", "32", false, true),
            ("fedora", "rawhide", true, true),
            ("opensuse-leap", "15.3", false, true),
            ("opensuse-leap", "15.6", true, true),
            ("alpine", "3.5", true, false),
            ("alpine", "3.6", true, true),
            ("alpine", "3.20", true, true),
            ("alpine", "edge", true, true),
            ("wolfi", "20230201", true, true),
            ("gentoo", "1", true, true),
        ] {
            let expected = SignaturesRead { eddsa, rsa256 };
            assert_eq!(signatures_read(&target(distribution, version)), expected, "{distribution} {version}");
        }
    }

    #[test]
    fn every_current_version_has_a_client_that_the_table_knows() {
        for (id, distribution) in Distribution::all() {
            assert!(distribution.clients.values().all(|client| Client::all().contains_key(client)), "{id}");
            for version in &distribution.versions {
                assert!(distribution.client(version).is_some(), "{id} {version}");
            }
        }
        for (id, version, title) in [
            ("debian", "12", "apt with gpgv 2"),
            ("debian", "13", "apt with sqv"),
            ("ubuntu", "16.04", "apt with gpgv 1.4"),
            ("centos", "7", "rpm 4.11"),
            ("amazon-linux", "2", "rpm 4.11"),
            ("amazon-linux", "2023", "rpm 4.16"),
            ("rocky", "8", "rpm 4.14"),
            ("fedora", "44", "rpm with Sequoia"),
            ("opensuse-leap", "15.6", "rpm of SUSE"),
            ("arch", "rolling", "pacman"),
        ] {
            let client = Distribution::find(id).unwrap().client(version).unwrap();
            assert_eq!(client.title, title, "{id} {version}");
        }
        assert!(Distribution::find("ubuntu").unwrap().client("10.04").is_none());
    }

    #[test]
    fn a_version_may_have_an_image_of_its_own() {
        let rhel = Distribution::find("rhel").unwrap();
        assert_eq!(rhel.image("7"), "centos:7");
        assert_eq!(rhel.image("9"), "registry.access.redhat.com/ubi9/ubi");
    }
}
