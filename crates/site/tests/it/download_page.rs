//! The download page.

use packhouse_site::{Location, download_page, render};

use crate::customer::{head, info};
use crate::install_script::hostile;

fn site() -> Location {
    Location::Url("https://dist.example.org/hello".into())
}

#[test]
fn the_page_of_a_site() {
    let head = head(&[
        ("alpine 3.22", "x86_64", "stable", "hello-1.0-r0.apk"),
        ("arch rolling", "x86_64", "stable", "hello-1:1.0-1-x86_64.pkg.tar.zst"),
        ("linux any", "x86_64", "stable", "hello-1.0.x86_64.tar.gz"),
        ("rocky 8", "x86_64", "stable", "hello-1.0+git^1-1.x86_64.rpm"),
        ("ubuntu 22.04", "x86_64", "preview", "hello_0.9_amd64.deb"),
        ("ubuntu 22.04", "x86_64", "stable", "hello_1.0_amd64.deb"),
    ]);
    insta::assert_snapshot!(download_page(&head, &info(site(), b"")).unwrap());
}

#[test]
fn the_first_command_finds_a_package_where_only_previews_are() {
    let head = head(&[("debian 12", "x86_64", "preview", "hello_0.9_amd64.deb")]);
    let page = download_page(&head, &info(site(), b"")).unwrap();
    let commands: Vec<&str> = page.lines().filter(|line| line.contains("| sh")).collect();
    assert_eq!(commands.len(), 1, "said once: {commands:?}");
    assert!(commands[0].contains("preview"), "{commands:?}");
}

#[test]
fn archives_are_not_said_to_be_installed_by_the_script() {
    let archive = ("linux any", "x86_64", "stable", "hello-1.0.x86_64.zip");
    let page = download_page(&head(&[archive]), &info(site(), b"")).unwrap();
    assert!(!page.contains("| sh") && page.contains("Download an archive"), "{page}");
    assert!(page.contains("unzip ./hello-1.0.x86_64.zip"), "{page}");
    let preview = ("ubuntu 22.04", "x86_64", "preview", "hello_0.9_amd64.deb");
    let page = download_page(&head(&[archive, preview]), &info(site(), b"")).unwrap();
    assert_eq!(page.matches("| sh -s -- --channel preview").count(), 1, "{page}");
}

#[test]
fn a_site_without_releases_has_a_page_too() {
    let page = download_page(&head(&[]), &info(site(), b"")).unwrap();
    assert!(page.contains("Nothing is published yet."));
}

#[test]
fn the_page_loads_and_runs_nothing() {
    let page = download_page(&head(&[("a 1", "x86_64", "stable", "a.deb")]), &info(site(), b"")).unwrap();
    for loading in ["<script", "<img", "<link", "<iframe", "url(", "@import", "style=", "onload", "src="] {
        assert!(!page.contains(loading), "{loading}");
    }
}

#[test]
fn hostile_text_is_only_text() {
    let head = head(&[("a 1", "x86_64", "stable", "a.deb")]);
    let plain = download_page(&head, &info(site(), b"")).unwrap();
    let tags = |page: &str| page.matches('<').count();
    for text in hostile() {
        let mut info = info(site(), b"");
        info.summary = text.clone();
        info.keys[0].user_id = text.clone();
        info.keys[0].fingerprint = text.clone();
        let page = download_page(&head, &info).unwrap();
        assert_eq!(tags(&page), tags(&plain), "{text:?}");
        assert_eq!(page.matches('"').count(), plain.matches('"').count(), "{text:?}");
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}') && !page.contains('\0'), "{text:?}");
        info.homepage = Some(text.clone());
        if let Ok(page) = download_page(&head, &info) {
            assert!(text.starts_with("https://"), "{text:?}");
            assert_eq!(page.matches('"').count(), plain.matches('"').count(), "{text:?}");
        }
    }
}

#[test]
fn the_script_is_written_before_the_page() {
    let objects = render(&head(&[]), &info(site(), b"")).unwrap();
    let names: Vec<_> = objects.iter().map(|object| object.path.as_str()).collect();
    assert_eq!(names, ["install.sh", "index.html"]);
}
