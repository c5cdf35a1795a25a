//! One set of signatures, judged by us and by gpg, gpgv and sqv: what is documented of the difference is what is so.
//!
//! The set is that of the threat model (`KEY-01` to `KEY-12`, `TAM-16`). Each case has a keyring, a signature file and
//! the same content; the verdict of a program is its exit status, which is all that a script looks at.

use std::fmt::Write as _;
use std::path::Path;

use packhouse_sign::{Keyring, verify_detached};
use pgp::composed::KeyType;
use pgp::crypto::hash::HashAlgorithm as Hash;
use pgp::packet::{Notation, RevocationCode, SignatureType, SubpacketData};
use pgp::types::{Duration, Tag};

use crate::forgery::{Back, Forged, Recipe, armored, critical, raw_packet, regular};
use crate::gnupg::{Home, Keys, NOW, at, keys};

const DATA: &[u8] = b"content";
const PAGE: &str = "../../docs/contributing/signature-set.md";
const INTRODUCTION: &str = "\
# Signatures that differ between programs

<!-- Written by crates/sign/tests/it/signature_set.rs; UPDATE_DOCS=1 cargo test -p packhouse-sign signature_set writes it anew. -->

One content, one keyring and one signature file a row. What gpg, gpgv and sqv say is their exit status, with the keyring
given and nothing else trusted (`gpg --no-default-keyring --keyring K --trust-model always --verify S F`, `gpgv --keyring K
S F`, `sqv --keyring K S F`). A test makes each anew, compares our verdict with what must be, and theirs with this page
where their versions are these:

";

struct Case {
    what: &'static str,
    is_good: bool,
    keyring: Vec<u8>,
    signature: Vec<u8>,
}

/// The cases; those made with RSA have weak digests, which rPGP makes with no other algorithm.
fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |is_good, what, keyring: Vec<u8>, signature: Vec<u8>| {
        cases.push(Case { what, is_good, keyring, signature });
    };
    let key = Recipe::default().make();
    let good = || key.signature().over(DATA);
    let unknown = Recipe::default().make().signature().over(DATA);
    let rsa = Forged::import(&keys.rsa.secret);
    let armor = armored("PGP SIGNATURE", &good());
    let rsa_primary = || Forged::import(&keys.rsa.secret).0.primary_key.clone();
    let by_rsa = |recipe: Recipe| Recipe { created: NOW, ..recipe }.make_with(rsa_primary());

    add(true, "Ed25519 subkey", key.public(), good());
    add(true, "RSA-3072 primary key", rsa.public(), rsa.primary_signature().over(DATA));
    add(true, "armored", key.public(), armor.clone().into());
    add(true, "CR LF at the ends of lines", key.public(), armor.replace('\n', "\r\n").into());
    let comment = armor.replacen("\n\n", "\nComment: hello\n\n", 1);
    add(true, "TAM-16: a comment in the armor", key.public(), comment.into());
    let unhashed = key.signature().over_with(DATA, |config| {
        config.unhashed_subpackets.push(regular(SubpacketData::Experimental(101, "x".into())));
    });
    add(true, "TAM-16: a subpacket that is not signed", key.public(), unhashed);
    add(
        true,
        "KEY-12: two signatures, the other key unknown",
        key.public(),
        [good(), unknown.clone()].concat(),
    );
    add(false, "other content", key.public(), key.signature().over(b"other"));
    add(false, "KEY-01: unknown key", key.public(), unknown);

    let other = Recipe { subkey_signs: false, ..Recipe::default() }.make();
    add(false, "KEY-03: encryption subkey", other.public(), other.signature().over(DATA));
    add(false, "KEY-04: primary key that only certifies", key.public(), key.primary_signature().over(DATA));
    for (what, back) in [
        ("KEY-05: subkey without a back-signature", Back::None),
        ("KEY-05: back-signature by another key", Back::ByAnother),
    ] {
        let other = Recipe { back, ..Recipe::default() }.make();
        add(false, what, other.public(), other.signature().over(DATA));
    }
    let (mut unbound, spare) = (Recipe::default().make(), Recipe::default().make());
    unbound.0.secret_subkeys[0].signatures = spare.0.secret_subkeys[0].signatures.clone();
    add(false, "KEY-05: binding of another subkey", unbound.public(), unbound.signature().over(DATA));
    let mut thief = Recipe::default().make();
    thief.adopt(&key);
    add(false, "KEY-05: subkey of another key's, stolen", thief.public(), good());

    let ended = Recipe { primary_lifetime: Some(1000), ..Recipe::default() }.make();
    let before = ended.signature().created(NOW - 500).over(DATA);
    add(false, "KEY-06: expired key, signed before", ended.public(), before);
    add(
        false,
        "KEY-06: expired key, signed after",
        ended.public(),
        ended.signature().created(NOW + 60).over(DATA),
    );
    let ended = Recipe { subkey_lifetime: Some(1000), ..Recipe::default() }.make();
    add(false, "KEY-06: expired subkey", ended.public(), ended.signature().created(NOW - 500).over(DATA));

    let revoked = |reason| {
        let mut key = Recipe::default().make();
        key.revoke(Some(reason), NOW - 100);
        key
    };
    let stolen = revoked(RevocationCode::KeyCompromised);
    let before = stolen.signature().created(NOW - 500).over(DATA);
    add(false, "KEY-07: key revoked as compromised, signed before", stolen.public(), before);
    let retired = revoked(RevocationCode::KeyRetired);
    add(
        false,
        "KEY-07: key revoked as retired, signed after",
        retired.public(),
        retired.signature().over(DATA),
    );
    let before = retired.signature().created(NOW - 500).over(DATA);
    add(true, "KEY-07: key revoked as retired, signed before", retired.public(), before);
    let mut key_of_revoked = Recipe::default().make();
    key_of_revoked.revoke_subkey(RevocationCode::KeyCompromised, NOW - 100);
    let after = key_of_revoked.signature().over(DATA);
    add(false, "KEY-07: subkey revoked", key_of_revoked.public(), after);
    let mut nobody = Recipe::default().make();
    nobody.revoke_user(NOW - 100);
    add(false, "KEY-07: the only user id revoked", nobody.public(), nobody.signature().over(DATA));
    let both = [key.public(), {
        let mut again = Forged(key.0.clone());
        again.revoke(Some(RevocationCode::KeyCompromised), NOW - 100);
        again.public()
    }];
    add(false, "KEY-08: revoked in one of two copies", both.concat(), good());

    for (what, hash) in [
        ("KEY-09: MD5", Hash::Md5),
        ("KEY-09: SHA-1", Hash::Sha1),
        ("KEY-09: RIPEMD-160", Hash::Ripemd160),
        ("KEY-09: SHA-224", Hash::Sha224),
    ] {
        add(false, what, rsa.public(), rsa.primary_signature().hash(hash).over(DATA));
    }
    let weak = by_rsa(Recipe { self_hash: Hash::Sha1, ..Recipe::default() });
    add(false, "KEY-09: key with a self-signature by SHA-1", weak.public(), weak.signature().over(DATA));
    let weak = by_rsa(Recipe { binding_hash: Hash::Sha1, ..Recipe::default() });
    add(false, "KEY-09: subkey bound by SHA-1", weak.public(), weak.signature().over(DATA));
    let short = Forged::import(&keys.short.secret);
    add(false, "KEY-09: RSA-1024", short.public(), short.primary_signature().over(DATA));
    let ed448 = Recipe { subkey: KeyType::Ed448, ..Recipe::default() }.make();
    add(false, "KEY-09: Ed448", ed448.public(), ed448.signature().over(DATA));
    let version_3 = [&[3, 5, 0][..], &NOW.to_be_bytes(), &[1; 8], &[22, 10, 0, 0, 0, 1, 1, 0, 1, 1]].concat();
    add(false, "KEY-09: version 3", key.public(), raw_packet(Tag::Signature, &version_3));

    let made = |created| key.signature().created(created).over(DATA);
    add(false, "KEY-10: from the future", key.public(), made(NOW + 50 * 365 * 86_400));
    add(false, "KEY-10: older than its key", key.public(), made(NOW - 2000));
    let end = regular(SubpacketData::SignatureExpirationTime(Duration::from_secs(50)));
    let expired = key.signature().created(NOW - 100).with(end).over(DATA);
    add(false, "KEY-10: signature expired", key.public(), expired);
    let notation = Notation { readable: true, name: "a@b".into(), value: "c".into() };
    let unknown = key.signature().with(critical(SubpacketData::Notation(notation))).over(DATA);
    add(false, "KEY-10: unknown critical notation", key.public(), unknown);

    for (what, kind) in [
        ("KEY-11: of a text", SignatureType::Text),
        ("KEY-11: standalone", SignatureType::Standalone),
        ("KEY-11: a timestamp", SignatureType::Timestamp),
        ("KEY-11: a certification", SignatureType::CertPositive),
    ] {
        add(false, what, key.public(), key.signature().kind(kind).over(DATA));
    }
    let home = Home::new();
    home.file("key.asc", &keys.rsa.secret);
    home.gpg(&["--passphrase", "", "--import", "key.asc"]);
    let inline = home.gpg_at(NOW, &["--armor", "--sign"], DATA);
    add(false, "KEY-11: a message with its own content", keys.rsa.public.clone(), inline);
    let clear = home.gpg_at(NOW, &["--clearsign"], DATA);
    add(false, "KEY-11: a cleartext-signed message", keys.rsa.public.clone(), clear);
    let packets = [good(), raw_packet(Tag::LiteralData, b"x")].concat();
    add(false, "KEY-11: another packet behind it", key.public(), packets);
    let bad = || key.signature().over(b"other");
    add(false, "KEY-12: a good one, then a bad one", key.public(), [good(), bad()].concat());
    add(false, "KEY-12: a bad one, then a good one", key.public(), [bad(), good()].concat());
    add(false, "KEY-12: 17 signatures", key.public(), vec![good(); 17].concat());
    add(false, "TAM-16: text before the armor", key.public(), format!("note\n{armor}").into());
    add(false, "TAM-16: text behind the armor", key.public(), format!("{armor}note\n").into());
    cases
}

#[test]
fn the_signature_set_is_judged_rightly_and_as_the_page_says() {
    if packhouse_clients::find(["gpgv", "sqv"]).is_none() {
        return;
    }
    let Some(keys) = keys() else { return };
    let home = Home::new();
    home.file("content", DATA);
    let version = |program: &str| {
        let output = home.run(program, &["--version"]);
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    };
    let versions = ["gpg", "gpgv", "sqv"].map(version).join(", ");
    let mut table =
        String::from("| case | must be | packhouse | gpg | gpgv | sqv |\n|---|---|---|---|---|---|\n");
    let mut wrong = [0; 4];
    let mut wrong_of_ours = Vec::new();
    let cases = cases(keys);
    for Case { what, is_good, keyring, signature } in &cases {
        home.file("keyring.gpg", keyring);
        home.file("signature", signature);
        let exit = |program: &str, arguments: &[&str]| home.run(program, arguments).status.success();
        let own =
            ["--no-default-keyring", "--keyring", "./keyring.gpg", "--trust-model", "always", "--verify"];
        let files = ["signature", "content"];
        let parsed = Keyring::parse(keyring);
        let ours = parsed.is_ok_and(|ring| verify_detached(signature, &mut &DATA[..], &ring, at(0)).is_ok());
        let verdicts = [
            ours,
            exit("gpg", &[&own[..], &files].concat()),
            exit("gpgv", &["--keyring", "./keyring.gpg", files[0], files[1]]),
            exit("sqv", &["--keyring", "keyring.gpg", files[0], files[1]]),
        ];
        if ours != *is_good {
            wrong_of_ours.push(*what);
        }
        let word = |accepted: bool| if accepted { "accept" } else { "refuse" };
        let _ = write!(table, "| {what} | {} |", word(*is_good));
        for (verdict, wrong) in verdicts.into_iter().zip(&mut wrong) {
            let is_wrong = verdict && !is_good;
            *wrong += usize::from(is_wrong);
            let _ = write!(table, " {} |", if is_wrong { "**accept**" } else { word(verdict) });
        }
        table.push('\n');
    }
    assert_eq!(wrong_of_ours, Vec::<&str>::new());
    assert!(cases.len() >= 30);
    let [_, gpg, gpgv, sqv] = wrong;
    let summary = format!(
        "\nOf the {} that must be refused, gpg accepts {gpg}, gpgv {gpgv}, sqv {sqv} (bold), packhouse none.\n",
        cases.iter().filter(|case| !case.is_good).count()
    );
    let page = format!("{INTRODUCTION}{versions}\n\n{table}{summary}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs_err::write(&path, &page).unwrap();
    }
    let there = fs_err::read_to_string(&path).unwrap_or_default();
    // Other versions may be stricter; that ours is right was asked above.
    if there.contains(&versions) {
        assert_eq!(there, page, "the page is stale: UPDATE_DOCS=1 writes it anew");
    }
}
