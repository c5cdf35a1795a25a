//! Changes to what a site offers, besides publishing: promotion, withdrawal, going back, pinning.
//!
//! Each is a function of a head, so that it can be applied again to a newer one when another publisher was
//! quicker; [`amend`](crate::amend()) does that. None touches a package's bytes.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Error, Head, Latest, ObjectPath, Package, Result, Yanked, name};

/// Which packages of a head a change is about.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these targets (`ubuntu-22.04`); all when `None`.
    pub targets: Option<BTreeSet<String>>,
    /// Only packages of this release: a file's name or path, the package's version, or the project's; all when
    /// `None`.
    pub release: Option<String>,
}

impl Selection {
    /// Whether a package is meant.
    pub fn takes(&self, package: &Package) -> bool {
        let is_release = |release: &String| {
            [&package.file_name, &package.version, &package.revision].contains(&release)
                || package.path.as_str() == release
                || package.package_version.as_ref() == Some(release)
        };
        self.takes_target(&package.target) && self.release.as_ref().is_none_or(is_release)
    }

    fn takes_target(&self, target: &str) -> bool {
        self.targets.as_ref().is_none_or(|targets| targets.contains(target))
    }

    fn nothing(&self, what: &str) -> Error {
        let release = self.release.as_ref().map(|release| format!(" `{release}`")).unwrap_or_default();
        let targets = self.targets.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
        let of = if targets.is_empty() { String::new() } else { format!(" of {targets}") };
        Error::NothingSuch { what: format!("{what}{release}{of}").escape_debug().to_string() }
    }
}

impl Head {
    /// Puts into the channel `to` what the channel `from` offers: of each selected target and architecture its
    /// newest package, or those of the selected release. The same bytes, new pointers. Returns what was meant.
    ///
    /// A package that was rolled back in `to` is offered there again.
    ///
    /// # Errors
    /// [`Error::NothingSuch`] when the selection is empty, [`Error::Name`] for a channel that cannot be one.
    pub fn promote(&mut self, selection: &Selection, from: &str, to: &str) -> Result<Vec<ObjectPath>> {
        name::check("channel", to, name::WORD)?;
        let newest = |package: &Package| {
            let latest = self.latest(&package.target, &package.arch, from);
            selection.release.is_some() || latest.is_some_and(|latest| latest.path == package.path)
        };
        let meant = self.select(selection, |package| package.is_offered_in(from) && newest(package));
        if meant.is_empty() {
            return Err(selection.nothing(&format!("package in channel `{from}` that is")));
        }
        for path in &meant {
            let package = self.package_mut(path);
            package.channels.insert(to.to_owned());
            package.rolled_back.remove(to);
        }
        self.choose_for(&meant, |_| [to.to_owned()].into());
        Ok(meant)
    }

    /// Withdraws the packages of a release: no pointer names them any more, and they are not published again.
    /// Who has their names still finds them. Returns them.
    ///
    /// # Errors
    /// [`Error::NothingSuch`] when the selection is empty.
    pub fn yank(&mut self, selection: &Selection, reason: &str, now: i64) -> Result<Vec<ObjectPath>> {
        let meant = self.select(selection, |_| true);
        if meant.is_empty() {
            return Err(selection.nothing("release"));
        }
        for path in &meant {
            let yanked = Yanked { reason: reason.to_owned(), at: now, others: BTreeMap::new() };
            self.package_mut(path).yanked.get_or_insert(yanked);
        }
        self.choose_for(&meant, |package| package.channels.clone());
        Ok(meant)
    }

    /// Offers withdrawn packages again.
    ///
    /// # Errors
    /// [`Error::NothingSuch`] when none of the selected packages was withdrawn.
    pub fn restore(&mut self, selection: &Selection) -> Result<Vec<ObjectPath>> {
        let meant = self.select(selection, |package| package.yanked.is_some());
        if meant.is_empty() {
            return Err(selection.nothing("withdrawn release"));
        }
        for path in &meant {
            self.package_mut(path).yanked = None;
        }
        self.choose_for(&meant, |package| package.channels.clone());
        Ok(meant)
    }

    /// Lets a channel's pointers name the packages of an earlier release again. Those that are newer stay where
    /// they are and are not named any more in this channel; what is published later is.
    ///
    /// Going back to a release that was itself rolled back goes forward.
    ///
    /// # Errors
    /// [`Error::NothingSuch`] when the channel has no such packages.
    pub fn roll_back(&mut self, selection: &Selection, channel: &str) -> Result<Vec<ObjectPath>> {
        let is_there = |package: &Package| package.yanked.is_none() && package.channels.contains(channel);
        let meant = self.select(selection, is_there);
        if meant.is_empty() {
            return Err(selection.nothing(&format!("package in channel `{channel}` that is")));
        }
        // Of several packages of the release for one target the newest is meant.
        let mut goals = BTreeMap::<(String, String), ObjectPath>::new();
        for path in &meant {
            let package = self.package(path).expect("a selected package is in the head");
            let goal = goals.entry((package.target.clone(), package.arch.clone())).or_insert(path.clone());
            if self.package(goal).is_some_and(|goal| goal.age_key() < package.age_key()) {
                *goal = path.clone();
            }
        }
        for ((target, arch), goal) in &goals {
            let goal = self.package(goal).expect("a goal is in the head").clone();
            for package in &mut self.packages {
                if package.target == *target && package.arch == *arch && package.channels.contains(channel) {
                    match package.age_key() > goal.age_key() {
                        true => package.rolled_back.insert(channel.to_owned()),
                        false => package.rolled_back.remove(channel),
                    };
                }
            }
            // Among those that are as new the goal is named, too.
            let key = (target.as_str(), arch.as_str(), channel);
            self.latest.retain(|latest| latest.key() != key);
            self.latest.push(Latest::of(&goal, channel));
            self.latest.sort_by(|a, b| a.key().cmp(&b.key()));
        }
        Ok(goals.into_values().collect())
    }

    /// Keeps packages from being pruned, or lets them be pruned again.
    ///
    /// # Errors
    /// [`Error::NothingSuch`] when the selection is empty.
    pub fn pin(&mut self, selection: &Selection, pinned: bool) -> Result<Vec<ObjectPath>> {
        let meant = self.select(selection, |_| true);
        if meant.is_empty() {
            return Err(selection.nothing("release"));
        }
        for path in &meant {
            self.package_mut(path).pinned = pinned;
        }
        Ok(meant)
    }

    fn select(&self, selection: &Selection, also: impl Fn(&Package) -> bool) -> Vec<ObjectPath> {
        let taken = self.packages.iter().filter(|package| selection.takes(package) && also(package));
        taken.map(|package| package.path.clone()).collect()
    }

    fn package_mut(&mut self, path: &ObjectPath) -> &mut Package {
        let index = self.packages.binary_search_by(|package| package.path.cmp(path));
        &mut self.packages[index.expect("a selected package is in the head")]
    }

    fn choose_for(&mut self, paths: &[ObjectPath], channels: impl Fn(&Package) -> BTreeSet<String>) {
        let mut keys = BTreeSet::new();
        for package in paths.iter().filter_map(|path| self.package(path)) {
            for channel in channels(package) {
                keys.insert((package.target.clone(), package.arch.clone(), channel));
            }
        }
        for (target, arch, channel) in keys {
            self.choose_latest(&target, &arch, &channel);
        }
    }
}
