//! `TAM-13`: a list that could be read in two ways is not read at all.

use packhouse_publish::{Head, ReleaseList};

use crate::site::Site;

#[tokio::test]
async fn tam_13_a_list_is_read_strictly() {
    let site = Site::new();
    site.publish(vec![site.upload("ubuntu 22.04", "a_1.deb", "a"), site.upload("rocky 8", "b-1.rpm", "b")])
        .await
        .unwrap();
    let text = site.text("releases.json");
    let head = Head::parse(text.as_bytes()).unwrap();
    let list = ReleaseList::new(head.clone(), 5, None, Vec::new()).to_text();
    let digest = head.packages[0].sha256.to_string();
    let twice = |key: &str, value: &str| (format!("\"{key}\": "), format!("\"{key}\": {value}, \"{key}\": "));
    let mut changes = vec![
        (format!("\"{digest}\""), format!("\"{}\"", digest.to_uppercase())),
        (format!("\"{digest}\""), format!("\"{}\"", &digest[1..])),
        (format!("\"sha256\": \"{digest}\""), format!("\"blake9\": \"{digest}\"")),
        (format!("\"sha256\": \"{digest}\""), format!("\"sha256\": \"\", \"sha256\": \"{digest}\"")),
        twice("size", "1"),
        twice("generation", "1"),
        twice("packages", "[]"),
        ("rocky/b-1.rpm".into(), "ubuntu/a_1.deb".into()),
        ("rocky/b-1.rpm".into(), "../b-1.rpm".into()),
    ];
    for number in ["-0", "-1", "1e0", "1.0", "01", "18446744073709551616", "\"1\"", "null"] {
        changes.push(("\"size\": 1".into(), format!("\"size\": {number}")));
    }
    for (from, to) in changes {
        for text in [&text, &list] {
            assert!(text.contains(&from), "{from}");
            let changed = text.replacen(&from, &to, 1);
            assert!(Head::parse(changed.as_bytes()).is_err(), "{to}");
            assert!(ReleaseList::parse(&changed).is_err(), "{to}");
        }
    }
    // The whole package once more, with another digest.
    let begin = list.find("    {\n      \"path\": \"rocky").unwrap();
    let end = list[begin..].find("\n    }").unwrap() + begin + 6;
    let again = list[begin..end].replace(&digest, &"0".repeat(64));
    let changed = format!("{}{again},\n{}", &list[..begin], &list[begin..]);
    assert!(ReleaseList::parse(&changed).unwrap_err().help().is_some());
}
