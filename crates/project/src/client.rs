//! What Packhouse knows of the programs that check signatures on customers' machines: the table `clients.toml`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

/// A program, or a family of its versions, that checks signatures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Client {
    /// Its name for people, as in `rpm 4.11`.
    pub title: String,
    /// What a customer who keeps the old keyring meets once a key was replaced, and how the new one comes there.
    pub follows: String,
    /// What it does not take.
    pub refuses: Vec<Refusal>,
}

/// Something that a client does not take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Refusal {
    /// What.
    pub what: Refused,
    /// False where reports and sources disagree.
    #[serde(default = "yes")]
    pub is_certain: bool,
    /// What happens then, in a clause.
    pub reason: String,
    /// Where that was seen.
    pub source: String,
}

fn yes() -> bool {
    true
}

/// A property of a key or a keyring that some client refuses.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// It signs with Ed25519.
    Ed25519,
    /// It signs with ECDSA over a curve of NIST.
    NistCurves,
    /// A subkey signs.
    Subkeys,
    /// Among its statements about itself are some with hashes that are not accepted any more.
    WeakHashes,
    /// The keyring is a GnuPG keybox.
    Keybox,
    /// It is OpenPGP at all.
    Openpgp,
}

impl Client {
    /// Every client of the table, by id.
    pub fn all() -> &'static BTreeMap<String, Client> {
        static TABLE: OnceLock<BTreeMap<String, Client>> = OnceLock::new();
        TABLE.get_or_init(|| {
            toml::from_str(include_str!("../clients.toml")).expect("the table is tested to be well-formed")
        })
    }

    /// Why the client refuses something; `None` when it takes it.
    pub fn refusal(&self, what: Refused) -> Option<&Refusal> {
        self.refuses.iter().find(|refusal| refusal.what == what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed_and_every_row_says_where_it_is_from() {
        for (id, client) in Client::all() {
            assert!(!client.title.is_empty() && !client.follows.is_empty(), "{id}");
            for refusal in &client.refuses {
                let is_named = refusal.source == "measured" || refusal.source.starts_with("https://");
                assert!(is_named && !refusal.reason.is_empty(), "{id}: {refusal:?}");
                assert_eq!(client.refuses.iter().filter(|other| other.what == refusal.what).count(), 1);
            }
        }
    }

    #[test]
    fn old_clients_refuse_what_new_keys_are_made_of() {
        let refuses = |id: &str, what| Client::all()[id].refusal(what).is_some();
        assert!(refuses("rpm-4.11", Refused::Ed25519) && refuses("rpm-4.11", Refused::Subkeys));
        assert!(refuses("gpgv-1", Refused::Ed25519) && !refuses("gpgv-1", Refused::Subkeys));
        assert!(refuses("sqv", Refused::Keybox) && !refuses("sqv", Refused::Ed25519));
    }
}
