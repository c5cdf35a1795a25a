//! What a deb says of itself besides its files' digests: the members of control.tar.

use std::collections::{BTreeMap, BTreeSet};

use super::accounts::Accounts;
use super::{control, scripts};
use crate::file_tree::Kind;
use crate::{Entry, Error, Owner, Package, PackagePath, Result, deb};

/// By name: mode and bytes.
pub(super) type Members = BTreeMap<String, (u16, Vec<u8>)>;

/// All but `md5sums`; `entries` are sorted by path.
pub(super) fn of(
    package: &Package,
    entries: &[(&PackagePath, &Entry)],
    installed_size: u64,
    conffiles: &BTreeSet<PackagePath>,
) -> Result<Members> {
    let options = &package.options.deb;
    let name = control::package_name(&package.metadata.name);
    let mut members = Members::new();
    let mut add = |name: &str, mode, bytes: Vec<u8>| members.insert(name.to_owned(), (mode, bytes));
    if !conffiles.is_empty() {
        let lines = conffiles.iter().flat_map(|path| [b"/", path.as_bytes(), b"\n"].concat());
        add("conffiles", 0o644, lines.collect());
    }
    let ghosts = package.files.iter().filter(|(_, entry)| matches!(entry.kind, Kind::Ghost));
    let parts = scripts::Parts {
        package: &name,
        sysusers: &format!("{}.conf", package.metadata.name),
        scripts: &package.scripts,
        options,
        services: &package.setup.services,
        accounts: accounts(package, entries)?,
        ghosts: ghosts.map(|(path, _)| in_script(path)).collect::<Result<_>>()?,
    };
    let needs = needs(&parts.accounts);
    add("control", 0o644, control::control(&package.metadata, options, installed_size, &needs)?.into_bytes());
    for (script, text) in scripts::generate(parts)? {
        add(script, 0o755, text.into_bytes());
    }
    if let Some(config) = &options.config {
        add("config", 0o755, config.to_file("deb")?.into_bytes());
    }
    for (name, text) in [("templates", &options.templates), ("shlibs", &options.shlibs)] {
        if let Some(text) = text {
            add(name, 0o644, format!("{}\n", text.trim_end()).into_bytes());
        }
    }
    let triggers = triggers(options)?;
    if !triggers.is_empty() {
        add("triggers", 0o644, triggers.into_bytes());
    }
    for (name, bytes) in &options.control_members {
        let refuse = |reason| {
            Err(Error::Option { format: "deb", option: "the control member", value: name.clone(), reason })
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(is_plain) {
            return refuse("its name has letters, digits and `-_.+`");
        }
        if ["preinst", "postinst", "prerm", "postrm", "config"].contains(&name.as_str()) {
            return refuse("it is a script; give it as one");
        }
        if members.contains_key(name) || name == "md5sums" || name == "conffiles" {
            return refuse("Packhouse writes it");
        }
        members.insert(name.clone(), (0o644, bytes.clone()));
    }
    Ok(members)
}

/// What `postinst` sets right: the accounts, and which files are theirs or have capabilities.
fn accounts<'a>(package: &'a Package, entries: &[(&'a PackagePath, &'a Entry)]) -> Result<Accounts<'a>> {
    let accounts = &package.setup.accounts;
    let default = &package.options.deb.owner;
    let is_made = |name: &str| accounts.iter().any(|account| account.name == name);
    let mut found = Accounts { accounts, ..Accounts::default() };
    for (path, entry) in entries {
        let owner = match default {
            Some(default) if entry.owner == Owner::default() => default,
            _ => &entry.owner,
        };
        if is_made(&owner.user) || is_made(&owner.group) {
            found.owned.push((owner, entry.mode, in_script(path)?));
        }
        if let Some(capabilities) = entry.capabilities.filter(|_| entry.is_file()) {
            found.capable.push((capabilities, in_script(path)?));
        }
    }
    Ok(found)
}

/// A path that a maintainer script names.
fn in_script(path: &PackagePath) -> Result<&PackagePath> {
    match std::str::from_utf8(path.as_bytes()) {
        Ok(_) => Ok(path),
        Err(_) => {
            let reason = "an account's, a ghost's and a capable file's name must be UTF-8";
            Err(Error::FileName { path: path.clone(), format: "deb", reason })
        }
    }
}

/// The packages whose programs `postinst` runs.
fn needs(accounts: &Accounts<'_>) -> Vec<&'static str> {
    let all = [("passwd", !accounts.accounts.is_empty()), ("libcap2-bin", !accounts.capable.is_empty())];
    all.into_iter().filter(|(_, is_needed)| *is_needed).map(|(package, _)| package).collect()
}

/// The `triggers` member (deb-triggers(5)). A package with shared libraries asks for ldconfig, as
/// dh_makeshlibs does.
fn triggers(options: &deb::Options) -> Result<String> {
    let mut text = String::new();
    for deb::Trigger { directive, name } in &options.triggers {
        let known = ["interest", "interest-noawait", "activate", "activate-noawait"];
        let is_name = |c: char| c.is_ascii_graphic() && c != '#';
        if !known.contains(directive) || name.is_empty() || !name.chars().all(is_name) {
            return Err(Error::Option {
                format: "deb",
                option: "the trigger",
                value: format!("{directive} {name}"),
                reason: "it is `interest`, `activate` or one of these with `-noawait`, then a name without blanks",
            });
        }
        text.push_str(&format!("{directive} {name}\n"));
    }
    if options.shlibs.is_some() && !options.triggers.iter().any(|trigger| trigger.name == "ldconfig") {
        text.push_str("activate-noawait ldconfig\n");
    }
    Ok(text)
}

/// The configuration files (see [`Entry::is_config`]). Never a link, which dpkg cannot handle as one
/// (deb-conffiles(5)).
pub(super) fn conffiles<'a>(entries: &[(&'a PackagePath, &'a Entry)]) -> Result<BTreeSet<&'a PackagePath>> {
    let conffiles: BTreeSet<&PackagePath> =
        entries.iter().filter(|(path, entry)| entry.is_config(path)).map(|(path, _)| *path).collect();
    for path in &conffiles {
        if path.as_bytes().ends_with(b" ") {
            return Err(Error::Option {
                format: "deb",
                option: "the configuration file",
                value: path.to_string(),
                reason: "dpkg drops the blank at the end of its name",
            });
        }
    }
    Ok(conffiles)
}
