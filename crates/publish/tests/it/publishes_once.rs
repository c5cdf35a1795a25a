//! Publishing, publishing again, and publishing what must not be published.

use packhouse_publish::{Access, Error, Head, Sha256, Store};

use crate::site::Site;

#[tokio::test]
async fn a_release_of_two_targets_becomes_visible_together() {
    let site = Site::new();
    let published = site
        .publish(vec![
            site.upload("ubuntu 22.04", "hello_1.deb", "u"),
            site.upload("rocky 8", "hello-1.rpm", "r"),
        ])
        .await
        .unwrap();
    assert_eq!(site.text("ubuntu/ubuntu-22.04.x86_64.latest.txt"), "hello_1.deb\n");
    assert_eq!(site.text("rocky/rocky-8.x86_64.latest.txt"), "hello-1.rpm\n");
    assert_eq!(site.text("ubuntu/hello_1.deb"), "u");
    assert_eq!(site.text("ubuntu/hello_1.deb.asc"), "signature of u");
    assert_eq!(site.text("releases.asc"), "generation 1\n");
    assert_eq!(published.moved.len(), 2);
    assert_eq!(published.head.generation, 1);
    assert_eq!(published.written.len(), 9);
}

#[tokio::test]
async fn the_head_says_everything_about_a_release() {
    let site = Site::new();
    site.publish(vec![site.upload("amazon-linux 2", "hello-1.rpm", "a")]).await.unwrap();
    assert_eq!(
        site.text("releases.json"),
        include_str!("releases.json").replace("DIGEST", &Sha256::of(b"a").to_string())
    );
}

#[tokio::test]
async fn a_package_that_runs_anywhere_is_found_on_every_machine() {
    let site = Site::new();
    let mut upload = site.upload("ubuntu 22.04", "hello_1_all.deb", "any");
    upload.package.arch = "noarch".into();
    site.publish(vec![upload]).await.unwrap();
    for machine in ["x86_64", "aarch64", "noarch"] {
        let pointer = format!("ubuntu/ubuntu-22.04.{machine}.latest.txt");
        assert_eq!(site.text(&pointer), "hello_1_all.deb\n");
    }
    site.publish(vec![site.upload("ubuntu 22.04", "hello_2_amd64.deb", "own")]).await.unwrap();
    assert_eq!(site.text("ubuntu/ubuntu-22.04.x86_64.latest.txt"), "hello_2_amd64.deb\n");
    assert_eq!(site.text("ubuntu/ubuntu-22.04.aarch64.latest.txt"), "hello_1_all.deb\n");
}

#[tokio::test]
async fn publishing_the_same_again_touches_no_file() {
    let site = Site::new();
    let uploads =
        vec![site.upload("ubuntu 22.04", "hello_1.deb", "u"), site.upload("rocky 8", "hello-1.rpm", "r")];
    site.publish(uploads.clone()).await.unwrap();
    let before = site.states();
    let published = site.publish(uploads).await.unwrap();
    assert!(!published.committed);
    assert_eq!((published.written, published.moved), (vec![], vec![]));
    assert_eq!(site.states(), before);
}

#[tokio::test]
async fn publishing_the_same_again_brings_back_what_is_missing_or_old() {
    let site = Site::new();
    let uploads = vec![site.upload("ubuntu 22.04", "hello_1.deb", "u")];
    site.publish(uploads.clone()).await.unwrap();
    let whole = site.files();
    for name in [
        "ubuntu/ubuntu-22.04.x86_64.latest.txt",
        "releases.asc",
        "ubuntu/hello_1.deb.asc",
        "ubuntu/hello_1.deb",
    ] {
        fs_err::remove_file(site.path(name)).unwrap();
    }
    fs_err::write(site.path("index.html"), "old").unwrap();
    site.publish(uploads).await.unwrap();
    assert_eq!(site.files(), whole);
}

#[tokio::test]
async fn other_bytes_under_a_published_name_are_refused_before_anything_is_written() {
    let site = Site::new();
    site.publish(vec![site.upload("ubuntu 22.04", "hello_1.deb", "one")]).await.unwrap();
    let before = site.states();
    let uploads =
        vec![site.upload("debian 12", "new_1.deb", "new"), site.upload("ubuntu 22.04", "hello_1.deb", "two")];
    let error = site.publish(uploads).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&Sha256::of(b"one").to_string()) && text.contains(&Sha256::of(b"two").to_string()));
    assert_eq!(
        error.help().unwrap(),
        "a published package never changes; commit (or raise the version) so that the build gets another name"
    );
    assert_eq!(site.states(), before);
}

#[tokio::test]
async fn a_name_taken_by_a_publisher_that_died_before_its_commit_is_refused_too() {
    let site = Site::new();
    fs_err::create_dir_all(site.path("ubuntu")).unwrap();
    fs_err::write(site.path("ubuntu/hello_1.deb"), "one").unwrap();
    let error = site.publish(vec![site.upload("ubuntu 22.04", "hello_1.deb", "two")]).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert_eq!(site.files().len(), 1);
}

#[tokio::test]
async fn two_targets_with_one_package_name_are_refused() {
    let site = Site::new();
    let uploads = vec![
        site.upload("ubuntu 20.04", "hello_1.deb", "a"),
        site.upload("ubuntu 22.04", "hello_1.deb", "b"),
    ];
    let error = site.publish(uploads).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the packages of `ubuntu-20.04` and `ubuntu-22.04` would both be `ubuntu/hello_1.deb`"
    );
    assert!(site.files().is_empty());
    site.publish(vec![site.upload("ubuntu 20.04", "hello_1.deb", "a")]).await.unwrap();
    let error = site.publish(vec![site.upload("ubuntu 22.04", "hello_1.deb", "a")]).await.unwrap_err();
    assert!(matches!(error, Error::OtherTarget { .. }), "{error}");
}

#[tokio::test]
async fn two_architectures_with_one_package_name_are_refused() {
    let site = Site::new();
    let of_arch = |arch: &str| {
        let mut upload = site.upload("alpine 3.22", "hello-1-r0.apk", arch);
        upload.package.arch = arch.into();
        upload
    };
    let message =
        "the packages of alpine-3.22 for x86_64 and for aarch64 would both be `alpine/hello-1-r0.apk`";
    // Together, and one after the other.
    let error = site.publish(vec![of_arch("x86_64"), of_arch("aarch64")]).await.unwrap_err();
    assert_eq!(error.to_string(), message);
    assert!(site.files().is_empty());
    site.publish(vec![of_arch("x86_64")]).await.unwrap();
    let before = site.states();
    let error = site.publish(vec![of_arch("aarch64")]).await.unwrap_err();
    assert_eq!(error.to_string(), message);
    assert!(error.help().unwrap().contains("a site of its own"));
    assert_eq!(site.states(), before);
}

#[tokio::test]
async fn the_published_signature_of_the_same_package_stays() {
    let site = Site::new();
    let mut upload = site.upload("ubuntu 22.04", "hello_1.deb", "u");
    site.publish(vec![upload.clone()]).await.unwrap();
    let before = site.states();
    upload.signature = b"signed again".to_vec();
    upload.package.signature.fingerprint = "00".into();
    let published = site.publish(vec![upload]).await.unwrap();
    assert!(!published.committed);
    assert_eq!(site.states(), before);
}

#[tokio::test]
async fn a_signature_that_no_release_names_is_checked_before_it_is_kept() {
    let site = Site::new();
    fs_err::create_dir_all(site.path("ubuntu")).unwrap();
    let upload = site.upload("ubuntu 22.04", "hello_1.deb", "u");
    fs_err::write(site.path("ubuntu/hello_1.deb.asc"), "planted").unwrap();
    let error = site.publish(vec![upload.clone()]).await.unwrap_err();
    assert!(matches!(error, Error::ForeignSignature { .. }), "{error}");
    assert!(!site.path("releases.json").exists());
    fs_err::write(site.path("ubuntu/hello_1.deb.asc"), "a signature by another key").unwrap();
    let published = site.publish(vec![upload]).await.unwrap();
    assert_eq!(published.head.packages[0].signature.fingerprint, "FEDCBA9876543210FEDCBA9876543210FEDCBA98");
}

#[tokio::test]
async fn an_older_build_that_is_published_late_moves_no_pointer_back() {
    let site = Site::new();
    let mut new = site.upload("ubuntu 22.04", "hello_2.deb", "2");
    new.package.built += 60;
    let old = site.upload("ubuntu 22.04", "hello_1.deb", "1");
    site.publish(vec![new]).await.unwrap();
    let published = site.publish(vec![old.clone()]).await.unwrap();
    assert!(published.committed);
    assert_eq!(site.text("ubuntu/ubuntu-22.04.x86_64.latest.txt"), "hello_2.deb\n");
    assert_eq!(published.head.packages.len(), 2, "old releases stay listed");
    // A second channel has its own pointer.
    let mut preview = old;
    preview.package.channels = ["preview".to_owned()].into();
    let published = site.publish(vec![preview]).await.unwrap();
    assert_eq!(site.text("ubuntu/ubuntu-22.04.x86_64.latest-preview.txt"), "hello_1.deb\n");
    assert_eq!(published.head.generation, 3);
}

#[tokio::test]
async fn another_projects_site_is_left_alone() {
    let site = Site::new();
    fs_err::create_dir_all(site.path("")).unwrap();
    fs_err::write(site.path("releases.json"), Head::new("other").to_bytes()).unwrap();
    let error = site.publish(vec![site.upload("ubuntu 22.04", "hello_1.deb", "u")]).await.unwrap_err();
    assert_eq!(error.to_string(), "the site holds the releases of `other`, not of `hello`");
    assert_eq!(site.files().len(), 1);
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_kept_or_refused() {
    let site = Site::new();
    let upload = site.upload("ubuntu 22.04", "hello_1.deb", "u");
    site.publish(vec![upload]).await.unwrap();
    let newer = site.text("releases.json").replace("\"built\"", "\"ebb\": {\"why\": 1},\n      \"built\"");
    fs_err::write(site.path("releases.json"), newer.replace("\"name\"", "\"tide\": [],\n  \"name\""))
        .unwrap();
    site.publish(vec![site.upload("ubuntu 22.04", "hello_2.deb", "v")]).await.unwrap();
    let text = site.text("releases.json");
    assert!(text.contains("\"ebb\"") && text.contains("\"tide\""), "{text}");

    fs_err::write(site.path("releases.json"), text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let error = site.publish(vec![site.upload("ubuntu 22.04", "hello_3.deb", "w")]).await.unwrap_err();
    assert!(matches!(error, Error::HeadFormat { format: 2 }), "{error}");
}

#[tokio::test]
async fn hostile_words_of_a_release_are_refused() {
    let site = Site::new();
    let good = site.upload("ubuntu 22.04", "hello_1.deb", "u");
    for word in [
        "",
        "..",
        "-x",
        "a b",
        "a/b",
        "a\nb",
        "$(id)",
        "`id`",
        "a'b",
        "a\"b",
        "<b>",
        "ü",
        "a%2f",
        &"x".repeat(300),
    ] {
        let mut uploads = vec![good.clone(); 5];
        uploads[0].package.distribution = word.into();
        uploads[1].package.distribution_version = word.into();
        uploads[2].package.arch = word.into();
        uploads[3].package.file_name = word.into();
        uploads[4].package.channels = [word.to_owned()].into();
        for upload in uploads {
            let error = site.publish(vec![upload]).await.unwrap_err();
            assert!(matches!(error, Error::Name { .. }), "{word:?}: {error}");
        }
    }
    let mut upload = good;
    upload.package.distribution = "install.sh".into();
    assert!(upload.package.check().is_err());
    assert!(site.files().is_empty());
}

#[tokio::test]
async fn a_head_that_contradicts_itself_is_refused() {
    let site = Site::new();
    let upload = site.upload("ubuntu 22.04", "hello_1.deb", "u");
    site.publish(vec![upload]).await.unwrap();
    let text = site.text("releases.json");
    for (from, to) in [
        ("\"channel\": \"stable\"", "\"channel\": \"preview\""),
        ("\"path\": \"ubuntu/hello_1.deb\"", "\"path\": \"../hello_1.deb\""),
        ("\"file_name\": \"hello_1.deb\"", "\"file_name\": \"hello_2.deb\""),
        ("\"size\": 1", "\"size\": -1"),
        ("\"target\": \"ubuntu-22.04\"", "\"target\": \"ubuntu-20.04\""),
        ("hello_1.deb.asc", "hello_2.deb.asc"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(Head::parse(text.replace(from, to).as_bytes()).is_err(), "{to}");
    }
    assert!(Head::parse(b"<html>").is_err());
    let store = Store::open("nowhere", site.directory.path(), &Access::default()).unwrap();
    assert!(Head::read(&store).await.unwrap().is_none());
}
