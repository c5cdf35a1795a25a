//! What a target's container is like: `[base-image]`, and `caches` and `secrets` of `[build]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use packhouse_build::{BaseImage, ContainerJob, Platform, SecretSource};
use packhouse_package::Arch;
use packhouse_package::assemble::{Source, Spec};

use crate::file::{Located, ProjectFile};
use crate::project::PROJECT_FILE;
use crate::{EngineName, Problem, Problems, Target, TargetPlan};

/// The longest tag that a registry takes (OCI Distribution Specification, "Pulling manifests").
const LONGEST_TAG: usize = 128;

/// The base image of a target. Without `[base-image] repository` it is this machine's alone: `localhost/` in
/// front keeps engines from asking a public registry for it, where anybody might put one of that name.
pub(crate) fn base_image(
    root: &Path,
    target: &Target,
    settings: &ProjectFile,
    is_preview: bool,
    problems: &mut Problems,
) -> BaseImage {
    let (repository, is_local) = match &settings.base_image {
        Some(template) => {
            let repository = template.value.replace("{distribution}", &target.distribution);
            if let Err((reason, fix)) = check_repository(&repository) {
                problems.push(Problem::at(&template.place, reason).help(fix));
            }
            (repository, false)
        }
        None => {
            let name = settings.texts.name.as_ref().map_or("project", |name| &name.value);
            let name: String = name
                .to_lowercase()
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .collect();
            let distribution = target.distribution.to_lowercase();
            (format!("localhost/packhouse/{}-{distribution}", name.trim_matches('-')), true)
        }
    };
    let version = target.version.clone();
    if version.len() + "-2026.47-preview".len() > LONGEST_TAG {
        problems.push(Problem::with(target.directory(), "the version is too long for a tag of an image"));
    }
    BaseImage { repository, is_local, version, is_preview, directory: root.join(target.directory()) }
}

/// The names of repositories, as engines take them
/// (<https://pkg.go.dev/github.com/distribution/reference>): a host and its port, then components in lower case.
fn check_repository(repository: &str) -> Result<(), (String, String)> {
    let example = "as in \"registry.example.com/project/dist-{distribution}\"".to_owned();
    let is_word = |part: &str| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.bytes().all(|byte| known(byte) || matches!(byte, b'-' | b'.' | b'_'))
    };
    let (first, rest) = repository.split_once('/').unwrap_or(("", repository));
    if rest.contains([':', '@']) {
        let fix = "leave the tag out: it is <version>-<year>.<week> and <version>-latest".to_owned();
        return Err((format!("`{repository}` has a tag or a digest"), fix));
    }
    let host = first.rsplit_once(':').map_or(first, |(host, _)| host);
    let is_host = first.is_empty() || is_word(&host.to_lowercase()) || host.starts_with('[');
    if repository.starts_with('/') || !is_host || !rest.split('/').all(is_word) {
        return Err((format!("`{repository}` cannot be a repository of images"), example));
    }
    Ok(())
}

/// Two targets whose base images would be one.
pub(crate) fn check_apart(targets: &[TargetPlan], shared: &ProjectFile, problems: &mut Problems) {
    let mut named: BTreeMap<String, &Target> = BTreeMap::new();
    for plan in targets {
        let latest = plan.base_image.latest();
        let Some(other) = named.insert(latest.clone(), &plan.target) else { continue };
        let message = format!("the base images of {other} and {} would both be {latest}", plan.target);
        let problem = match &shared.base_image {
            Some(template) => Problem::at(&template.place, message),
            None => Problem::with(PROJECT_FILE, message),
        };
        problems.push(problem.help("put {distribution} into [base-image] repository"));
    }
}

/// What the engine needs to know of a target that is built in a container.
pub(crate) fn job(
    root: &Path,
    target: &Target,
    settings: &ProjectFile,
    spec: &Spec,
    (image, arch): (&BaseImage, Arch),
    problems: &mut Problems,
) -> ContainerJob {
    let outputs = spec.rules.files.iter().filter_map(|rule| match &rule.source {
        Source::Build(path) => Some(path.clone()),
        _ => None,
    });
    ContainerJob {
        target: target.to_string(),
        image: image.clone(),
        platform: Platform { name: platform(arch), is_named: false },
        outputs: outputs.collect(),
        caches: caches(settings, problems),
        secrets: secrets(root, settings, problems),
    }
}

/// Checks what only containers have, for a target that is built elsewhere.
pub(crate) fn check_host(engine: EngineName, settings: &ProjectFile, problems: &mut Problems) {
    if let Some((_, first)) = settings.build.secrets.iter().flatten().next() {
        let message = format!("a build on the {engine} gets no secrets: it can read this user's files");
        let fix = "build in a container with `engine = \"docker\"`, or take `secrets` out";
        problems.push(Problem::at(&first.place, message).help(fix));
    }
}

/// Docker's name of a platform: Go's name of the processor.
fn platform(arch: Arch) -> String {
    let processor = match arch {
        Arch::X86_64 | Arch::Noarch => "amd64",
        Arch::I686 => "386",
        Arch::Aarch64 => "arm64",
        Arch::Armv7 => "arm/v7",
        other => other.uname(),
    };
    format!("linux/{processor}")
}

fn caches(settings: &ProjectFile, problems: &mut Problems) -> BTreeSet<PathBuf> {
    let mut caches = BTreeSet::new();
    for written in settings.build.caches.iter().flatten() {
        let path = Path::new(&written.value);
        let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
        // Engines separate the parts of a mount by colons.
        if !is_below || written.value.is_empty() || written.value.contains([':', '\n', '\0']) {
            let problem = Problem::at(
                &written.place,
                format!("`{}` is not a directory below the project's", written.value),
            );
            problems.push(problem.help("as in \"deps\" or \"_build\""));
            continue;
        }
        caches.insert(path.components().collect());
    }
    caches
}

fn secrets(root: &Path, settings: &ProjectFile, problems: &mut Problems) -> BTreeMap<String, SecretSource> {
    let mut secrets = BTreeMap::new();
    for (name, written) in settings.build.secrets.iter().flatten() {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || name.starts_with(['.', '-']) || !name.bytes().all(known) {
            let message = format!("`{}` cannot be the name of a secret's file", name.escape_debug());
            problems.push(Problem::at(&written.place, message));
            continue;
        }
        match secret_source(root, written) {
            Some(source) => drop(secrets.insert(name.clone(), source)),
            None => {
                let message = format!("`{}` does not say where the secret is", written.value);
                let problem = Problem::at(&written.place, message);
                problems
                    .push(problem.help(format!("\"env:{name}\" for a variable, \"file:PATH\" for a file")));
            }
        }
    }
    secrets
}

fn secret_source(root: &Path, written: &Located<String>) -> Option<SecretSource> {
    match written.value.split_once(':') {
        Some(("env", name)) if !name.is_empty() && !name.contains('=') => {
            Some(SecretSource::Variable(name.into()))
        }
        Some(("file", path)) if !path.is_empty() => Some(SecretSource::File(root.join(path))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_hosts_and_words_without_a_tag() {
        for good in ["hello", "a/b-c.d", "127.0.0.1:5000/a", "public.ecr.aws/metrist/dist-amazon-linux"] {
            check_repository(good).unwrap();
        }
        for bad in ["Hello/World", "a/b:12", "a/b@sha256:0", "/a", "a//b", "a b", "a/{version}", "-a/b/"] {
            check_repository(bad).unwrap_err();
        }
    }
}
