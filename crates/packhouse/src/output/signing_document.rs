//! The vendor's `SIGNING.md`: who may sign, and how anybody checks it.

use std::fmt::Write as _;

use super::escape;
use super::keys::grouped;
use crate::ops::{DocumentedKey, KeyRole, SigningFacts};

/// The page. Nothing in it depends on the day it is written, so that it changes when the keys do.
pub fn text(facts: &SigningFacts) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "# How {} is signed\n", markdown(&facts.name));
    page.push_str("<!-- Written by `packhouse key document`; `packhouse key document --check SIGNING.md` says whether it is true. -->\n\n");
    keys(facts, &mut page);
    signed(facts, &mut page);
    verify(facts, &mut page);
    good(facts, &mut page);
    this_page(facts, &mut page);
    page
}

fn keys(facts: &SigningFacts, page: &mut String) {
    page.push_str("## Who may sign\n\n| who | fingerprint | key | until | |\n|---|---|---|---|---|\n");
    for documented in &facts.keys {
        let key = &documented.key;
        let who: Vec<String> = key.user_ids.iter().map(|user_id| markdown(user_id)).collect();
        let until = key.signs_until.as_ref().or(key.expires.as_ref());
        let _ = writeln!(
            page,
            "| {} | `{}` | {} | {} | {} |",
            who.join("<br>"),
            grouped(&key.fingerprint),
            key.algorithm,
            until.map_or("no end", String::as_str),
            role(documented)
        );
    }
    let _ = writeln!(
        page,
        "\nA fingerprint is compared as a whole: shorter key ids can be made to collide. The signature itself names the \
         subkey that made it; the programs below find the key it belongs to.\n"
    );
    if facts.keys.iter().any(|documented| documented.role == KeyRole::Retiring) {
        page.push_str(
            "One key is taking the place of another. Until that is done packages have a signature by each, the new key's \
             first; inside rpm packages and beside those of pacman, where there is room for one, it is the retiring key's.\n\n",
        );
    }
    let _ = writeln!(page, "The keys are in `{}` of the source repository", code(&facts.keyring));
    match &facts.public_url {
        Some(url) => {
            let url = url.trim_end_matches('/');
            let _ = writeln!(
                page,
                "and, the same, at <{url}/keyring.gpg> (binary, for apt's `Signed-By:`) and <{url}/keyring.asc> (armored, for \
                 `rpm --import`). Get them from both, once, and compare.\n"
            );
        }
        None => page.push_str("and in `keyring.gpg` and `keyring.asc` of the distribution site.\n\n"),
    }
}

fn role(documented: &DocumentedKey) -> String {
    let key = &documented.key;
    match documented.role {
        KeyRole::Signs => "signs".into(),
        KeyRole::Retiring => "signs until another has taken its place".into(),
        KeyRole::Former => "signs no more; what it signed counts".into(),
        KeyRole::Revoked => format!(
            "**revoked** on {}: {}",
            key.revoked.as_deref().unwrap_or("an unknown day"),
            markdown(key.revoked_because.as_deref().unwrap_or("no reason given"))
        ),
        KeyRole::Ended => format!("signs no more: {}", markdown(key.why_not.as_deref().unwrap_or_default())),
    }
}

fn signed(facts: &SigningFacts, page: &mut String) {
    page.push_str("## What is signed\n\n");
    page.push_str("- Every package, by a detached signature beside it: the file's name and `.asc`.\n");
    if facts.formats.contains("rpm") {
        page.push_str("- rpm packages also inside, in their header: `rpm -K`, dnf and zypper check it.\n");
    }
    if facts.formats.contains("pacman") {
        page.push_str(
            "- Packages of pacman also by a binary signature beside them: the file's name and `.sig`.\n",
        );
    }
    if let Some(name) = facts.apk_key.as_ref().filter(|_| facts.formats.contains("apk")) {
        let _ = writeln!(
            page,
            "- apk packages also inside, by an RSA key of their own, which belongs into `/etc/apk/keys/{}`.",
            code(name)
        );
    }
    page.push_str(
        "- The list of all releases, `releases.asc`: it says which package is whose, of which version and for which target, \
         with its SHA-256, and until when the list is to be believed. A signature beside a package says only who made it: an \
         old package has a good one, too.\n\n",
    );
}

fn verify(facts: &SigningFacts, page: &mut String) {
    page.push_str("## How to verify\n\n`PACKAGE` stands for the file that you downloaded. First the keys:\n\n```console\n");
    if let Some(url) = &facts.public_url {
        let _ = writeln!(page, "$ curl -fsSLO {}/keyring.gpg", url.trim_end_matches('/'));
    }
    page.push_str("$ gpg --show-keys --with-subkey-fingerprint keyring.gpg\n```\n\n");
    page.push_str("Compare the fingerprints with the table above. Then, with whichever of these you have:\n\n```console\n");
    page.push_str("$ packhouse verify PACKAGE --keyring keyring.gpg\n");
    page.push_str("$ sqv --keyring keyring.gpg PACKAGE.asc PACKAGE\n");
    page.push_str("$ gpgv --keyring ./keyring.gpg PACKAGE.asc PACKAGE\n");
    page.push_str("$ gpg --no-default-keyring --keyring ./keyring.gpg --verify PACKAGE.asc PACKAGE\n```\n\n");
    page.push_str(
        "Give both names, signature and file: with one alone gpg accepts any message that the key ever signed. Without a \
         slash in its name gpgv and gpg look for the keyring in your home.\n\n",
    );
}

fn good(facts: &SigningFacts, page: &mut String) {
    page.push_str("## What counts as good\n\n");
    let _ = writeln!(
        page,
        "- Keys: {}.\n- Hashes: {}; never MD5 or SHA-1.",
        facts.accepted_keys, facts.accepted_hashes
    );
    page.push_str(
        "- The key had neither ended nor been revoked. `gpg` and `gpgv` end with status 0 also for a key that has: read what \
         they print, `EXPIRED` or `REVOKED`, or use `packhouse verify`, which refuses.\n",
    );
    page.push_str(
        "- While two keys sign, gpg and gpgv want both in the keyring: with one of them they end with status 2 and say `No \
         public key` of the other.\n\n",
    );
}

fn this_page(facts: &SigningFacts, page: &mut String) {
    page.push_str("## What this page is worth\n\n");
    page.push_str(
        "It is a file of the source repository, and whoever can change that can change it. Who wrote it last, and whether that \
         commit is signed, says Git:\n\n```console\n$ git log -1 --show-signature -- SIGNING.md\n```\n\n",
    );
    let _ = writeln!(
        page,
        "A good signature there says who put these fingerprints here, by a key that you must know from elsewhere; it says \
         nothing about packages. Without one, the page is worth what your way to the repository is. Compare with `{}` in the \
         history, with the copy on the distribution site, and with what others have noted: a key that was swapped differs \
         somewhere.",
        code(&facts.keyring)
    );
    if let Some(maintainer) = &facts.maintainer {
        let _ = writeln!(
            page,
            "\nQuestions, and reports of signatures that do not verify: {}",
            markdown(maintainer)
        );
    }
}

/// Text from outside in Markdown: a line, without its markup. Addresses keep their angle brackets.
fn markdown(text: &str) -> String {
    let mut safe = String::new();
    for character in escape::line(text).chars() {
        match character {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => safe.extend(['\\', character]),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            character => safe.push(character),
        }
    }
    safe
}

/// Text from outside between backticks.
fn code(text: &str) -> String {
    escape::line(text).replace('`', "'")
}
