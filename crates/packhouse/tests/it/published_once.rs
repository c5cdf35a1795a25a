//! The main job, and the main job again.

use crate::project::{Project, arch, bytes, files, names};

#[test]
fn a_second_release_changes_nothing() {
    let project = Project::new();
    let first = project.run("release --all").ok().prints("Published 2 packages");
    assert!(first.stdout.contains("Customers install it with:"), "{}", first.stdout);
    let (site, pkg) = (files(&project.site()), files(&project.path("pkg")));

    project.run("release --all").ok().prints("Nothing new");
    assert!(files(&project.site()) == site, "the second release changed the site");
    let kept = |name: &String| name.ends_with(".deb") || name.ends_with(".rpm") || name.ends_with(".asc");
    let after = files(&project.path("pkg"));
    assert!(after.iter().filter(|(name, _)| kept(name)).eq(pkg.iter().filter(|(name, _)| kept(name))));
}

#[test]
fn publishing_again_changes_nothing() {
    let project = Project::new();
    project.run("release --all").ok();
    let site = files(&project.site());
    project.run("publish --all").ok().prints("Nothing new");
    project.run("publish debian 12").ok().prints("Nothing new");
    assert!(files(&project.site()) == site);
}

#[test]
fn the_site_is_laid_out_as_promised() {
    let project = Project::new();
    project.run("release --all").ok();
    let (revision, arch) = (project.revision(), arch());
    let deb = format!("hello_1.0.0-debian-12-2605191200-{revision}_amd64.deb");
    let rpm = format!("hello-1.0.0_rocky_8_2605191200_{revision}-1.{arch}.rpm");
    let mut expected = vec![
        format!("debian/{deb}"),
        format!("debian/{deb}.asc"),
        format!("debian/debian-12.{arch}.latest.txt"),
        format!("rocky/{rpm}"),
        format!("rocky/{rpm}.asc"),
        format!("rocky/rocky-8.{arch}.latest.txt"),
    ];
    for name in ["releases.json", "releases.asc", "keyring.gpg", "keyring.asc", "install.sh", "index.html"] {
        expected.push(name.to_owned());
    }
    expected.sort();
    // What the publisher keeps for itself is not for customers.
    let visible = names(&project.site()).into_iter().filter(|name| !name.starts_with(".packhouse/"));
    assert_eq!(visible.collect::<Vec<_>>(), expected);

    let site = bytes(&project.site());
    assert_eq!(site[&format!("debian/debian-12.{arch}.latest.txt")], format!("{deb}\n").as_bytes());
    assert_eq!(site[&format!("rocky/rocky-8.{arch}.latest.txt")], format!("{rpm}\n").as_bytes());
    assert_eq!(site[&format!("debian/{deb}")], fs_err::read(project.path("pkg").join(&deb)).unwrap());
}

#[test]
fn gpgv_and_sqv_accept_every_signature_with_the_sites_keyring() {
    let Some([gpgv, sqv]) = packhouse_clients::find(["gpgv", "sqv"]) else { return };
    let project = Project::new();
    project.run("release --all").ok();
    let keyring = project.site().join("keyring.gpg");
    let packages = project.packages();
    assert_eq!(packages.len(), 2);
    for name in packages {
        let file = project.path("pkg").join(&name);
        let signature = project.path("pkg").join(format!("{name}.asc"));
        gpgv.run(["--keyring".as_ref(), keyring.as_os_str(), signature.as_os_str(), file.as_os_str()]);
        sqv.run(["--keyring".as_ref(), keyring.as_os_str(), signature.as_os_str(), file.as_os_str()]);
    }
    // The list of releases is one cleartext-signed object.
    gpgv.run(["--keyring".as_ref(), keyring.as_os_str(), project.site().join("releases.asc").as_os_str()]);
}

#[test]
fn a_release_says_where_everything_is() {
    let project = Project::new();
    let run = project.run("release --all").ok();
    let site = fs_err::canonicalize(project.site()).unwrap().display().to_string();
    assert!(run.stdout.contains(&format!("to {site}. Signed by ")), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("sh {site}/install.sh")), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("debian-12.{}.latest.txt → hello_1.0.0-", arch())));
}

#[test]
fn the_stages_apart_leave_what_a_release_leaves() {
    let (whole, apart) = (Project::new(), Project::new());
    let key = whole.beside("home");
    whole.run("release --all").ok();
    for stage in ["build --all", "sign", "publish --all"] {
        let mut command = apart.command(stage);
        let output = command.env("HOME", &key).env_remove("XDG_DATA_HOME").output().unwrap();
        crate::project::Run::from(output).ok();
    }
    assert_eq!(names(&apart.site()), names(&whole.site()));
    let is_package = |(name, _): &(&String, &Vec<u8>)| name.ends_with(".deb") || name.ends_with(".rpm");
    assert!(
        bytes(&apart.site()).iter().filter(is_package).eq(bytes(&whole.site()).iter().filter(is_package))
    );
}

#[test]
fn publishing_what_was_not_built_or_not_signed_says_what_to_run() {
    let project = Project::new();
    project.run("publish --all").exits(2).says("nothing is built").says("packhouse build");
    project.run("build debian 12").ok().prints("pkg/hello_1.0.0-debian-12-");
    project.run("publish debian 12").exits(2).says("is not signed").says("packhouse sign");
    project.run("publish rocky 8").exits(2).says("nothing is built for rocky-8");
    assert!(!project.site().join("releases.json").exists());
}

#[test]
fn the_next_version_moves_the_pointers_and_keeps_the_old_packages() {
    let project = Project::new();
    project.run("release --all").ok();
    let old = bytes(&project.site());
    project.edit("1.0.0", "1.1.0").commit("1.1.0");
    project.run("release --all").ok();
    let new = bytes(&project.site());
    for (name, bytes) in old.iter().filter(|(name, _)| name.contains("1.0.0")) {
        assert!(new.get(name) == Some(bytes), "{name} changed");
    }
    let pointer = String::from_utf8(new[&format!("debian/debian-12.{}.latest.txt", arch())].clone()).unwrap();
    assert!(pointer.starts_with("hello_1.1.0-"), "{pointer}");
    // In pkg/ a target has one package.
    assert_eq!(project.packages().len(), 2);
    project.run("verify ../site").ok();
}

#[test]
fn what_is_not_what_was_built_is_neither_signed_nor_published() {
    let project = Project::new();
    project.run("build --all").ok();
    let (revision, arch) = (project.revision(), arch());
    let package = project.path(&format!("pkg/hello-1.0.0_rocky_8_2605191200_{revision}-1.{arch}.rpm"));
    // As a power failure may leave it, or somebody who wants our signature.
    fs_err::write(&package, "").unwrap();
    project.run("sign").exits(2).says("is not the file that pkg/manifest.json lists");
    assert!(!package.with_extension("rpm.asc").exists());
    project.run("release --all").ok();
    fs_err::write(&package, "another").unwrap();
    project.run("sign").exits(2).says("build its target again");
}
