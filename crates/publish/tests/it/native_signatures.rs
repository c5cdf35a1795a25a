//! The signature that a format's own tools read beside a package: created, listed, checked and pruned with it.

use std::collections::BTreeMap;

use packhouse_publish::{
    BoxError, Error, Package, Problem, Retention, Selection, Signature, Upload, check_site, prune,
};

use crate::site::{Site, derived, object_path};

const OTHER: &str = "FEDCBA9876543210FEDCBA9876543210FEDCBA98";

/// The upload with a `.sig`.
fn signed(mut upload: Upload) -> Upload {
    let path = object_path(&format!("{}.sig", upload.package.path));
    let fingerprint = upload.package.signature.fingerprint.clone();
    upload.package.native_signature = Some(Signature { path, fingerprint, others: BTreeMap::new() });
    upload.native_signature = Some([&b"native "[..], &upload.signature].concat());
    upload
}

#[tokio::test]
async fn it_is_created_listed_and_checked_with_the_package() {
    let site = Site::new();
    let upload = signed(site.upload("arch rolling", "a-1.pkg.tar.zst", "a"));
    let published = site.publish(vec![upload.clone()]).await.unwrap();
    let sig = object_path("arch/a-1.pkg.tar.zst.sig");
    assert!(published.written.contains(&sig));
    assert!(published.head.names(&sig) && !published.head.names(&object_path("arch/a-1.pkg.tar.zst.sha")));
    assert_eq!(published.head.packages[0].native_signature, upload.package.native_signature);
    assert_eq!(site.text("arch/a-1.pkg.tar.zst.sig"), "native signature of a");
    assert!(!site.publish(vec![upload.clone()]).await.unwrap().committed, "once is enough");

    let scratch = tempfile::tempdir().unwrap();
    let check = |_: &Package, _: &std::path::Path, signature: &[u8]| -> Result<(), BoxError> {
        match signature.ends_with(b"signature of a") {
            true => Ok(()),
            false => Err("it is forged".into()),
        }
    };
    let walk = async || check_site(&site.store, scratch.path(), &check, &|_| {}).await.unwrap();
    let report = walk().await;
    assert!(report.problems.is_empty() && report.unlisted.is_empty(), "{report:?}");
    fs_err::remove_file(site.path(sig.as_str())).unwrap();
    assert_eq!(walk().await.problems, [Problem::Missing { path: sig.clone() }]);
    fs_err::write(site.path(sig.as_str()), "x").unwrap();
    let reason = "it is forged".to_owned();
    assert_eq!(walk().await.problems, [Problem::Signature { path: sig.clone(), reason }]);
    // Of a package that has none, it is nobody's.
    let other = Site::new();
    other.publish(vec![other.upload("arch rolling", "a-1.pkg.tar.zst", "a")]).await.unwrap();
    fs_err::write(other.path(sig.as_str()), "x").unwrap();
    let report = check_site(&other.store, scratch.path(), &check, &|_| {}).await.unwrap();
    assert_eq!(report.unlisted, [sig]);
}

#[tokio::test]
async fn it_goes_when_the_package_goes() {
    let site = Site::new();
    for number in 1..=2 {
        let mut upload =
            signed(site.upload("arch rolling", &format!("a-{number}.pkg.tar.zst"), &number.to_string()));
        upload.package.built += number;
        site.publish(vec![upload]).await.unwrap();
    }
    let retention = Retention { keep: 1, keep_for: 0, grace: 0, selection: Selection::default() };
    let pruned = prune(&site.store, "hello", &retention, 1_800_000_000, derived, &|_| {}).await.unwrap();
    let gone: Vec<_> =
        ["", ".asc", ".sig"].map(|it| object_path(&format!("arch/a-1.pkg.tar.zst{it}"))).into();
    assert_eq!(pruned.plan.delete, gone);
    assert!(gone.iter().all(|path| !site.path(path.as_str()).exists()));
    assert!(site.path("arch/a-2.pkg.tar.zst.sig").exists());
}

#[tokio::test]
async fn one_that_is_there_is_checked_before_it_is_kept() {
    let site = Site::new();
    fs_err::create_dir_all(site.path("arch")).unwrap();
    let upload = signed(site.upload("arch rolling", "a-1.pkg.tar.zst", "a"));
    fs_err::write(site.path("arch/a-1.pkg.tar.zst.sig"), "planted").unwrap();
    let error = site.publish(vec![upload.clone()]).await.unwrap_err();
    assert!(
        matches!(&error, Error::ForeignSignature { path, .. } if path.as_str().ends_with(".sig")),
        "{error}"
    );
    assert!(!site.path("releases.json").exists());
    fs_err::write(site.path("arch/a-1.pkg.tar.zst.sig"), "a signature by another key").unwrap();
    let published = site.publish(vec![upload]).await.unwrap();
    let package = &published.head.packages[0];
    assert_eq!(package.native_signature.as_ref().unwrap().fingerprint, OTHER);
    assert_ne!(package.signature.fingerprint, OTHER, "the other one is ours");
}

#[tokio::test]
async fn a_package_that_was_published_before_gets_one_and_keeps_it() {
    let site = Site::new();
    let without = site.upload("arch rolling", "a-1.pkg.tar.zst", "a");
    site.publish(vec![without.clone()]).await.unwrap();
    let published = site.publish(vec![signed(without.clone())]).await.unwrap();
    assert!(published.committed && published.head.packages[0].native_signature.is_some());
    // By a publisher that has none.
    let published = site.publish(vec![without]).await.unwrap();
    assert!(!published.committed && published.head.packages[0].native_signature.is_some());
}

#[tokio::test]
async fn its_name_is_the_packages_and_nobody_elses() {
    let site = Site::new();
    let good = signed(site.upload("arch rolling", "a-1.pkg.tar.zst", "a"));
    let refused = async |upload: Upload| match site.publish(vec![upload]).await {
        Err(Error::HeadContents { reason }) => reason,
        other => panic!("{other:?}"),
    };
    for name in ["arch/b.sig", "arch/a-1.pkg.tar.zst.asc", "arch/a-1.pkg.tar.zst.latest.txt", "releases.json"]
    {
        let mut wrong = good.clone();
        wrong.package.native_signature.as_mut().unwrap().path = object_path(name);
        assert!(refused(wrong).await.contains("native signature's path"), "{name}");
    }
    let mut unnamed = good.clone();
    unnamed.package.native_signature = None;
    assert!(refused(unnamed).await.contains("not both"));
    let mut missing = good.clone();
    missing.native_signature = None;
    assert!(refused(missing).await.contains("not both"));
    assert!(refused(site.upload("arch rolling", "a.sig", "a")).await.contains("file name"));
    assert!(!site.path("releases.json").exists());
    let mut large = good;
    large.native_signature = Some(vec![0; 65 << 10]);
    let error = site.publish(vec![large]).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}
