//! `RPL`: what is well signed and is not what was asked for.

use std::path::{Path, PathBuf};

use crate::project::{Project, Run, names};
use crate::web::WebServer;

/// A project whose releases have a public address, which `verify` remembers.
fn project() -> Project {
    let project = Project::new();
    project.set("publish", "public-url = \"https://dist.example.org/hello\"").commit("public");
    project
}

/// The same with one release.
fn released() -> Project {
    let project = project();
    project.run("release --all").ok();
    project
}

/// Another release.
fn release(project: &Project, from: &str, to: &str) {
    project.edit(from, to).commit(to);
    project.run("release --all").ok();
}

/// The path below the site of the file whose name has this and ends like that.
#[track_caller]
fn find(project: &Project, has: &str, end: &str) -> String {
    let found = names(&project.site()).into_iter().find(|name| name.contains(has) && name.ends_with(end));
    found.unwrap_or_else(|| panic!("no {has}…{end}"))
}

/// A copy of the site, as a mirror or an attacker keeps one.
fn copy(project: &Project, name: &str) -> PathBuf {
    let to = project.beside(name);
    for (path, bytes) in crate::project::bytes(&project.site()) {
        let path = to.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }
    to
}

fn verify(project: &Project, subject: &Path, more: &str) -> Run {
    project.run(&format!("verify {} {more}", subject.display()))
}

/// A package and its signature in a directory of their own, under these names.
fn apart(project: &Project, path: &str, name: &str) -> PathBuf {
    let directory = project.beside("apart");
    fs_err::create_dir_all(&directory).unwrap();
    fs_err::copy(project.site().join(path), directory.join(name)).unwrap();
    let signature = directory.join(format!("{name}.asc"));
    fs_err::copy(project.site().join(format!("{path}.asc")), signature).unwrap();
    directory.join(name)
}

#[test]
fn a_package_that_is_what_its_name_says_is_good() {
    let project = released();
    let deb = find(&project, "hello", ".deb");
    let name = deb.rsplit('/').next().unwrap();
    // By itself.
    let run = verify(&project, &apart(&project, &deb, name), "").ok();
    run.prints("hello 1.0.0-debian-12-").prints("not proven without --releases: target, channel");
    // On its site, where the list is.
    let run = verify(&project, &project.site().join(&deb), "--target debian/12 --channel stable").ok();
    run.prints("for debian-12, in stable, of release list 1 of hello; it was signed on");
    let document =
        &project.run(&format!("--json verify {}", project.site().join(&deb).display())).ok().documents()[0];
    assert_eq!(document["bound"], true);
    assert_eq!(document["unproven"], serde_json::json!([]));
    assert_eq!(document["package"]["name"], "hello");
    assert_eq!(document["release"]["target"], "debian-12");
    assert_eq!(document["release"]["list"]["site"], "https://dist.example.org/hello");
}

#[test]
fn rpl_01_an_old_package_with_its_own_signature_is_refused_under_a_new_name() {
    let project = released();
    let old = find(&project, "hello_1.0.0", ".deb");
    release(&project, "1.0.0", "1.1.0");
    let new = find(&project, "hello_1.1.0", ".deb");
    let name = new.rsplit('/').next().unwrap();
    let forged = apart(&project, &old, name);
    verify(&project, &forged, "")
        .exits(1)
        .says("it is signed, and is not what its name says: it is hello 1.0.0");
    // An attacker with the bucket puts it there.
    fs_err::copy(&forged, project.site().join(&new)).unwrap();
    fs_err::copy(format!("{}.asc", forged.display()), project.site().join(format!("{new}.asc"))).unwrap();
    verify(&project, &project.site().join(&new), "").exits(1).says("it is hello 1.0.0");
    verify(&project, &project.site(), "").exits(1).says("is not what was published");
    let server = WebServer::of(&project.site());
    verify(&project, Path::new(&format!("{}/{new}", server.url)), "").exits(1);
}

#[test]
fn rpl_01_an_archive_is_bound_to_its_name_by_the_list_alone() {
    let project = Project::with_targets(&["linux/any"]);
    project.run("release --all").ok();
    let old = find(&project, "hello-1.0.0", ".tar.gz");
    project.build_with(&["mkdir -p out && echo new > out/hello"]);
    release(&project, "1.0.0", "1.1.0");
    let new = find(&project, "hello-1.1.0", ".tar.gz");
    let forged = apart(&project, &old, new.rsplit('/').next().unwrap());
    // It says nothing of itself: that is said, and no list was given to know better.
    let run = verify(&project, &forged, "").ok();
    run.prints("not proven without --releases: name, version, architecture, target");
    let document = &project.run(&format!("--json verify {}", forged.display())).ok().documents()[0];
    assert_eq!(document["bound"], false);
    let list = format!("--releases {}", project.site().join("releases.asc").display());
    verify(&project, &forged, &list)
        .exits(1)
        .says("is signed, and is not the file of this name that was published");
    verify(&project, &project.site().join(&new), "").ok().prints("for linux-any");
}

#[test]
fn rpl_02_another_target_arch_product_or_channel_is_refused() {
    let project = project();
    project.run("publish --all").exits(2);
    project.run("build --all").ok();
    project.run("sign").ok();
    project.run("publish --all --channel preview").ok();
    let deb = find(&project, "hello", ".deb");
    let on_site = project.site().join(&deb);
    verify(&project, &on_site, "--target ubuntu-22.04")
        .exits(1)
        .says("is for debian-12, not for ubuntu-22.04");
    verify(&project, &on_site, "--channel stable").exits(1).says("is in preview, not in the channel stable");
    verify(&project, &on_site, "--channel preview").ok();
    verify(&project, &on_site, "--name goodbye").exits(1).says("is that of `hello`, not of `goodbye`");
    // Without a list: the version tells the target, the package its name and architecture.
    let name = deb.rsplit('/').next().unwrap().to_owned();
    let alone = apart(&project, &deb, &name);
    verify(&project, &alone, "--target debian-12").ok();
    verify(&project, &alone, "--target debian-1").exits(1).says("nothing says that it is for debian-1");
    verify(&project, &alone, "--channel preview").exits(2).says("--channel needs a list of releases");
    let (stem, arch) = name.trim_end_matches(".deb").rsplit_once('_').unwrap();
    let other_arch = if arch == "arm64" { "amd64" } else { "arm64" };
    for other in [format!("{stem}_{other_arch}.deb"), name.replace("hello", "goodbye")] {
        verify(&project, &apart(&project, &deb, &other), "").exits(1).says("is not what its name says");
    }
    // A signed file that is no deb, under a deb's name.
    let rpm = find(&project, "hello", ".rpm");
    verify(&project, &apart(&project, &rpm, &name), "").exits(1).says("is not what its name says");
}

#[test]
fn rpl_03_to_05_a_site_that_went_back_is_refused_by_whoever_saw_it_newer() {
    let project = released();
    let old = copy(&project, "old");
    release(&project, "1.0.0", "1.1.0");
    // A fresh customer cannot know; one who is told the generation can.
    verify(&project, &old, "--min-generation 2").exits(1).says("is generation 1, below 2");
    let run = verify(&project, &project.site(), "").ok().says("nothing was seen of this site before");
    assert!(run.stderr.contains("must not fall below generation 2"), "{}", run.stderr);
    verify(&project, &old, "")
        .exits(1)
        .says("went back: it is generation 1")
        .says("had 2 before")
        .says("rm ");
    let deb = find(&project, "hello_1.0.0", ".deb");
    verify(&project, &old.join(&deb), "").exits(1).says("went back");
    // The newest is good again and again.
    let document = &project.run("--json verify ../site").ok().documents()[0];
    assert_eq!((&document["seen-before"], &document["remembered"]), (&2.into(), &true.into()));
    // The past can be asked about, and is not remembered.
    verify(&project, &old, "--at 2099-01-01").exits(1).says("expired");
}

#[test]
fn rpl_06_a_list_is_not_believed_after_its_expiry() {
    let project = released();
    let run = verify(&project, &project.site(), "--at 2028-05-19T12:00:00Z");
    run.exits(1).says("`releases.asc` has expired on");
    let deb = project.site().join(find(&project, "hello", ".deb"));
    verify(&project, &deb, "--at 2028-05-19").exits(1).says("`releases.asc` has expired on");
}

#[test]
fn rpl_08_a_mixture_of_two_states_is_refused() {
    let project = released();
    let old = copy(&project, "old");
    release(&project, "1.0.0", "1.1.0");
    let pointer = find(&project, "debian-12", ".latest.txt");
    for path in ["releases.json", "releases.asc", "install.sh", "index.html", &pointer] {
        let mixed = copy(&project, "mixed");
        fs_err::copy(old.join(path), mixed.join(path)).unwrap();
        if fs_err::read(mixed.join(path)).unwrap() == fs_err::read(project.site().join(path)).unwrap() {
            continue;
        }
        let shown = if path == "releases.asc" { "releases.json" } else { path };
        verify(&project, &mixed, "").exits(1).says(shown);
    }
}

#[test]
fn rpl_12_the_list_of_another_product_of_the_same_key_is_refused() {
    let hello = released();
    let goodbye = project();
    goodbye.edit("name = \"hello\"", "name = \"goodbye\"").commit("goodbye");
    // The same development key.
    let key = "home/.local/share/packhouse";
    fs_err::create_dir_all(goodbye.beside(key)).unwrap();
    for name in names(&hello.beside(key)).into_iter().filter(|name| !name.contains("seen")) {
        fs_err::copy(hello.beside(key).join(&name), goodbye.beside(key).join(&name)).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs_err::set_permissions(goodbye.beside(key).join(&name), private).unwrap();
    }
    goodbye.run("release --all").ok();
    // Both at the address that the customer knows as hello's.
    let place = hello.beside("served");
    let server = WebServer::of(&place);
    let put = |site: &Path| {
        let _ = fs_err::remove_dir_all(&place);
        for (path, bytes) in crate::project::bytes(site) {
            fs_err::create_dir_all(place.join(&path).parent().unwrap()).unwrap();
            fs_err::write(place.join(path), bytes).unwrap();
        }
    };
    let keyring = hello.beside("keyring.gpg");
    fs_err::copy(hello.site().join("keyring.gpg"), &keyring).unwrap();
    let trust = format!("--keyring {}", keyring.display());
    put(&hello.site());
    verify(&hello, Path::new(&server.url), &trust).ok();
    put(&goodbye.site());
    verify(&hello, Path::new(&server.url), &trust)
        .exits(1)
        .says("had releases of `hello`, and now has `goodbye`");
    // And whoever has not been there before says the name, or is in the project.
    verify(&goodbye, Path::new(&server.url), &format!("{trust} --name hello"))
        .exits(1)
        .says("not of `hello`");
    verify(&hello, &goodbye.site(), "").exits(1).says("is that of `goodbye`, not of `hello`");
    let deb = find(&hello, "hello", ".deb");
    let list = goodbye.site().join("releases.asc");
    let run = verify(&hello, &hello.site().join(deb), &format!("{trust} --releases {}", list.display()));
    run.exits(1).says("the list of releases of `goodbye` (generation 1) has no `hello_");
}

#[test]
fn rpl_09_the_list_of_another_site_of_the_same_project_and_key_is_refused() {
    let project = released();
    let server = WebServer::of(&project.site());
    let url = Path::new(&server.url);
    // Whoever comes for the first time is told where it is from.
    verify(&project, url, "").ok().says("the list is that of https://dist.example.org/hello");
    // The trial site, which is further.
    project.edit("https://dist.example.org/hello", "https://trial.example.org/hello");
    release(&project, "1.0.0", "1.1.0");
    let run = verify(&project, url, "").exits(1);
    run.says(
        "had the list of https://dist.example.org/hello, and now has that of https://trial.example.org/hello",
    );
}

#[test]
fn rpl_13_a_withdrawn_package_is_refused() {
    let project = released();
    release(&project, "1.0.0", "1.1.0");
    let deb = project.site().join(find(&project, "hello_1.0.0", ".deb"));
    verify(&project, &deb, "").ok();
    project.run("yank --all --release 1.0.0 --reason breaks").ok();
    verify(&project, &deb, "").exits(1).says("was withdrawn on").says("breaks");
    verify(&project, &project.site(), "").ok();
}

#[test]
fn rpl_14_what_was_seen_is_kept_safe_and_not_believed_blindly() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = released();
    // Nothing is remembered of what does not verify.
    let deb = project.site().join(find(&project, "hello", ".deb"));
    let good = fs_err::read(&deb).unwrap();
    fs_err::write(&deb, "x").unwrap();
    verify(&project, &project.site(), "").exits(1);
    let directory = project.beside("home/.local/share/packhouse/seen");
    assert!(!directory.exists());
    fs_err::write(&deb, good).unwrap();
    verify(&project, &project.site(), "").ok().says("nothing was seen of this site before");
    let file = directory.join(names(&directory).into_iter().find(|name| name.ends_with(".json")).unwrap());
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&directory)), (0o600, 0o700));
    let text = fs_err::read_to_string(&file).unwrap();
    assert!(text.contains("https://dist.example.org/hello"), "{text}");
    let run = verify(&project, &project.site(), "").ok();
    assert!(!run.stderr.contains("nothing was seen"), "{}", run.stderr);

    let with = |from: &str, to: String| {
        assert!(text.contains(from), "{from}");
        fs_err::write(&file, text.replacen(from, &to, 1)).unwrap();
        let refused = verify(&project, &project.site(), "").exits(1).says(&format!("rm {}", file.display()));
        // It stays for the user to look at.
        assert!(file.exists());
        refused
    };
    with("\"generation\": 1", "\"generation\": 99".into()).says("had 99 before");
    with("\"at\": ", "\"at\": 9".into()).says("was written in the future");
    with("{", "".into()).says("is damaged");
    with("\"format\": 1", "\"format\": 2".into()).says("is damaged");
    fs_err::write(&file, &text[..text.len() / 2]).unwrap();
    verify(&project, &project.site(), "").exits(1).says("is damaged");
    fs_err::write(&file, "").unwrap();
    verify(&project, &project.site(), "").exits(1).says("is damaged");
    fs_err::remove_file(&file).unwrap();
    verify(&project, &project.site(), "").ok().says("nothing was seen of this site before");
    assert_eq!(fs_err::read_to_string(&file).unwrap().lines().count(), text.lines().count());
}

#[test]
fn rpl_16_two_lists_of_one_generation_are_refused_and_both_are_named() {
    let project = released();
    let other = project.clone_elsewhere();
    fs_err::create_dir_all(other.beside("home/.local/share")).unwrap();
    let key = "home/.local/share/packhouse";
    fs_err::rename(project.beside(key), other.beside(key)).unwrap();
    fs_err::create_dir_all(project.beside(key)).unwrap();
    for name in names(&other.beside(key)) {
        fs_err::copy(other.beside(key).join(&name), project.beside(key).join(&name)).unwrap();
    }
    other.edit("1.0.0", "1.0.1").commit("other");
    other.run("release --all").ok();
    verify(&project, &project.site(), "").ok();
    let run = verify(&project, &other.site(), "").exits(1);
    let digests = run.stderr.matches("sha256 ").count();
    assert_eq!(digests, 1, "{}", run.stderr);
    run.says("two lists of releases of generation 1").says("was seen before");
    // Signed anew, with a later expiry, it is the same list.
    project.run("repair").ok();
    verify(&project, &project.site(), "").ok();
}

#[test]
fn tam_05_a_site_or_package_without_signatures_is_no_unsigned_one() {
    let project = released();
    let deb = find(&project, "hello", ".deb");
    let server = WebServer::of(&project.site());
    let url = format!("{}/{deb}", server.url);
    verify(&project, Path::new(&url), "").ok().prints("for debian-12");
    verify(&project, Path::new(&server.url), "").ok().prints("2 packages and every pointer are as published");
    server.asked();
    fs_err::remove_file(project.site().join(format!("{deb}.asc"))).unwrap();
    verify(&project, Path::new(&url), "").exits(1).says("is not signed");
    assert!(!server.asked().contains(&deb), "the package was fetched");
    fs_err::remove_file(project.site().join("releases.asc")).unwrap();
    verify(&project, Path::new(&url), "").exits(1).says("there is no releases.asc").says("--releases");
    verify(&project, Path::new(&server.url), "").exits(1).says("has no signed list of releases");
    verify(&project, &project.site(), "").exits(1).says("has no signed list of releases");
}

#[test]
fn rpl_17_no_more_of_a_package_is_fetched_than_the_list_says() {
    let project = released();
    let deb = find(&project, "hello", ".deb");
    let path = project.site().join(&deb);
    let mut bytes = fs_err::read(&path).unwrap();
    let size = bytes.len();
    bytes.extend(vec![0; 1 << 20]);
    fs_err::write(&path, bytes).unwrap();
    let server = WebServer::of(&project.site());
    let run = verify(&project, Path::new(&format!("{}/{deb}", server.url)), "").exits(1);
    run.says(&format!("there is more of it than {size} bytes"));
    verify(&project, Path::new(&server.url), "").exits(1).says(&format!("more of it than {size} bytes"));
    let left: Vec<String> = names(&project.beside("tmp"));
    assert!(!left.iter().any(|name| name.contains("check-")), "{left:?}");
}

#[test]
fn nobody_else_can_write_where_packages_are_fetched_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = released();
    let server = WebServer::of(&project.site());
    let user = rustix::process::geteuid().as_raw();
    let scratch = project.beside(&format!("tmp/packhouse-{user}"));
    fs_err::create_dir_all(&scratch).unwrap();
    fs_err::set_permissions(&scratch, std::fs::Permissions::from_mode(0o777)).unwrap();
    verify(&project, Path::new(&server.url), "").ok();
    assert_eq!(fs_err::metadata(&scratch).unwrap().permissions().mode() & 0o777, 0o755);
    fs_err::remove_dir_all(&scratch).unwrap();
    std::os::unix::fs::symlink(project.beside("home"), &scratch).unwrap();
    verify(&project, Path::new(&server.url), "").exits(2).says("is not a directory of yours");
}

#[test]
fn tam_14_pages_and_keyrings_that_were_changed_are_named() {
    let project = released();
    let server = WebServer::of(&project.site());
    for name in ["install.sh", "index.html", "keyring.gpg", "keyring.asc"] {
        let path = project.site().join(name);
        let good = fs_err::read(&path).unwrap();
        fs_err::write(&path, [&good[..], b"\n"].concat()).unwrap();
        let said = format!("`{name}` is not the one that was signed");
        verify(&project, &project.site(), "").exits(1).says(&said);
        verify(&project, Path::new(&server.url), "--quick").exits(1).says(&said);
        fs_err::write(&path, good).unwrap();
    }
    let run = verify(&project, Path::new(&server.url), "--quick").ok();
    run.prints("2 newest packages and every pointer are as published");
}

#[test]
fn tam_15_a_pointer_with_anything_but_a_name_is_refused() {
    let project = released();
    let pointer = project.site().join(find(&project, "debian-12", ".latest.txt"));
    let good = fs_err::read_to_string(&pointer).unwrap();
    let server = WebServer::of(&project.site());
    for bad in [
        String::new(),
        "../../etc/passwd\n".into(),
        "https://elsewhere.example.org/hello.deb\n".into(),
        good.replace('\n', "\r\n"),
        format!("{good}junk"),
        format!("{good}\n"),
        good.trim_end().into(),
        "x".repeat(1 << 20),
    ] {
        fs_err::write(&pointer, &bad).unwrap();
        verify(&project, Path::new(&server.url), "").exits(1).says(".latest.txt");
    }
}
