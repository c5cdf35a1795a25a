//! Channels: which one a release goes to.

use std::collections::BTreeMap;

use crate::file::ChannelSettings;

/// The channel of everything that no other channel claims.
pub const PREVIEW: &str = "preview";

/// The channel customers use unless they choose another.
pub const STABLE: &str = "stable";

/// What is checked out, as CI or Git names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// Neither, as `refs/pull/1/merge` is. No channel claims it, whatever branch is checked out: what somebody
    /// proposes never becomes stable.
    Other(String),
}

impl Reference {
    /// Reads `GITHUB_REF`, as in `refs/heads/main`.
    pub fn parse(reference: &str) -> Reference {
        if let Some(branch) = reference.strip_prefix("refs/heads/") {
            Reference::Branch(branch.into())
        } else if let Some(tag) = reference.strip_prefix("refs/tags/") {
            Reference::Tag(tag.into())
        } else {
            Reference::Other(reference.into())
        }
    }
}

/// The channel that `reference` publishes to: the first whose branches or tags have it, else [`PREVIEW`].
///
/// Without `[channels]` the branches `main` and `master` publish to [`STABLE`]. A pattern may end in `*`.
pub fn choose(channels: Option<&BTreeMap<String, ChannelSettings>>, reference: Option<&Reference>) -> String {
    let claimed = match (channels, reference) {
        (_, None | Some(Reference::Other(_))) => None,
        (None, Some(Reference::Branch(branch))) => {
            ["main", "master"].contains(&branch.as_str()).then(|| STABLE.to_owned())
        }
        (None, Some(Reference::Tag(_))) => None,
        (Some(channels), Some(reference)) => {
            let claims = |channel: &ChannelSettings| {
                let (patterns, name) = match reference {
                    Reference::Branch(branch) => (&channel.branches, branch),
                    Reference::Tag(tag) => (&channel.tags, tag),
                    Reference::Other(_) => return false,
                };
                patterns.iter().flatten().any(|pattern| matches(&pattern.value, name))
            };
            channels.iter().find(|(_, channel)| claims(channel)).map(|(name, _)| name.clone())
        }
    };
    claimed.unwrap_or_else(|| PREVIEW.to_owned())
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// Whether `name` can be a channel: it becomes part of file names.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProjectFile, SourceFile};

    fn channels(text: &str) -> Option<BTreeMap<String, ChannelSettings>> {
        let file = SourceFile { path: "dist/packhouse.toml".into(), text: text.into() };
        ProjectFile::parse(file).0.channels
    }

    #[test]
    fn the_branch_decides_and_every_other_is_preview() {
        let settings =
            channels("[channels]\nstable.branches = [\"main\", \"release/*\"]\nnightly.branches = [\"dev\"]");
        let choose = |reference: &str| choose(settings.as_ref(), Some(&Reference::parse(reference)));
        assert_eq!(choose("refs/heads/main"), "stable");
        assert_eq!(choose("refs/heads/release/1.0"), "stable");
        assert_eq!(choose("refs/heads/dev"), "nightly");
        assert_eq!(choose("refs/heads/feature"), "preview");
        assert_eq!(choose("refs/pull/1/merge"), "preview");
        assert_eq!(choose("refs/tags/v1"), "preview");
    }

    #[test]
    fn without_channels_main_is_stable() {
        let main = Reference::Branch("main".into());
        assert_eq!(choose(None, Some(&main)), "stable");
        assert_eq!(choose(None, None), "preview");
    }
}
