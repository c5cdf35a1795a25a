//! What `packhouse verify SITE` finds.

use packhouse_publish::{BoxError, Error, Package, check_site};

use crate::site::Site;

fn accept(_: &Package, _: &std::path::Path, _: &[u8]) -> Result<(), BoxError> {
    Ok(())
}

async fn problems(site: &Site) -> Vec<String> {
    let report = check_site(&site.store, site.directory.path(), &accept, &|_| {}).await.unwrap();
    report.problems.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_published_site_has_no_problems() {
    let site = Site::new();
    site.publish(vec![site.upload("ubuntu 22.04", "a_1.deb", "a"), site.upload("rocky 8", "b-1.rpm", "b")])
        .await
        .unwrap();
    let report = check_site(&site.store, site.directory.path(), &accept, &|_| {}).await.unwrap();
    assert_eq!((report.problems, report.unlisted), (vec![], vec![]));
    assert_eq!(report.head.packages.len(), 2);
}

#[tokio::test]
async fn every_problem_is_found_in_one_walk() {
    let site = Site::new();
    let uploads =
        ["a", "b", "c"].map(|name| site.upload(&format!("ubuntu {name}"), &format!("{name}_1.deb"), name));
    site.publish(uploads.into()).await.unwrap();
    fs_err::write(site.path("ubuntu/a_1.deb"), "A").unwrap();
    fs_err::remove_file(site.path("ubuntu/b_1.deb")).unwrap();
    fs_err::remove_file(site.path("ubuntu/c_1.deb.asc")).unwrap();
    fs_err::write(site.path("ubuntu/ubuntu-a.x86_64.latest.txt"), "../../etc/passwd\u{1b}[31m\n").unwrap();
    fs_err::remove_file(site.path("ubuntu/ubuntu-b.x86_64.latest.txt")).unwrap();
    fs_err::write(site.path("ubuntu/ubuntu-d.x86_64.latest.txt"), "d_1.deb\n").unwrap();
    fs_err::write(site.path("ubuntu/d_1.deb"), "d").unwrap();
    fs_err::write(site.path("robots.txt"), "").unwrap();
    let digest = |text: &str| packhouse_publish::Sha256::of(text.as_bytes());
    assert_eq!(
        problems(&site).await,
        [
            format!(
                "`ubuntu/a_1.deb` is not what was published: 1 bytes, sha256 {} were, 1 bytes, sha256 {} are there",
                digest("a"),
                digest("A")
            ),
            "`ubuntu/b_1.deb` is not there".into(),
            "`ubuntu/c_1.deb.asc` is not there".into(),
            r"`ubuntu/ubuntu-a.x86_64.latest.txt` names `../../etc/passwd\u{1b}[31m`, not `a_1.deb`".into(),
            "`ubuntu/ubuntu-b.x86_64.latest.txt` is not there".into(),
            "`ubuntu/ubuntu-d.x86_64.latest.txt` belongs to no release".into(),
        ]
    );
    let report = check_site(&site.store, site.directory.path(), &accept, &|_| {}).await.unwrap();
    assert_eq!(report.unlisted, [crate::site::object_path("ubuntu/d_1.deb")]);
}

#[tokio::test]
async fn the_callers_check_sees_each_package_and_its_signature() {
    let site = Site::new();
    site.publish(vec![site.upload("ubuntu 22.04", "a_1.deb", "a")]).await.unwrap();
    let check = |package: &Package, file: &std::path::Path, signature: &[u8]| -> Result<(), BoxError> {
        assert_eq!(package.file_name, "a_1.deb");
        assert_eq!(fs_err::read(file)?, b"a");
        assert_eq!(signature, b"signature of a");
        Err("the key is revoked".into())
    };
    let report = check_site(&site.store, site.directory.path(), &check, &|_| {}).await.unwrap();
    assert_eq!(
        report.problems[0].to_string(),
        "`ubuntu/a_1.deb` is not signed as it should be: the key is revoked"
    );
}

#[tokio::test]
async fn a_directory_that_is_no_site_is_said_to_be_none() {
    let error =
        check_site(&Site::new().store, std::path::Path::new("/tmp"), &accept, &|_| {}).await.unwrap_err();
    assert!(matches!(error, Error::NoHead), "{error}");
}
