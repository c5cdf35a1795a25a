//! `releases.json` is what docs/reference/ says: the schema knows every field, and a ten-line script reads it.

use std::path::Path;

use packhouse_publish::{Head, Retention, Selection, amend, prune};
use serde_json::Value;

use crate::site::{Site, derived};

const NOW: i64 = 1_700_000_200;

fn reference(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    fs_err::read_to_string(root.join(name)).unwrap()
}

/// A head that has everything there is.
async fn full_head(site: &Site) -> Value {
    let mut uploads =
        vec![site.upload("ubuntu 22.04", "a_1.deb", "1"), site.upload("rocky 8", "b-1.rpm", "1")];
    for number in 2..5 {
        let mut upload = site.upload("ubuntu 22.04", &format!("a_{number}.deb"), "more");
        upload.package.built += number;
        upload.package.version = number.to_string();
        uploads.push(upload);
    }
    let native = uploads[1].package.signature.clone();
    let path = crate::site::object_path(&format!("{}.sig", uploads[1].package.path));
    uploads[1].package.native_signature = Some(packhouse_publish::Signature { path, ..native });
    uploads[1].native_signature = Some(b"native".to_vec());
    site.publish(uploads).await.unwrap();
    let select = |release: &str| Selection { targets: None, release: Some(release.into()) };
    let change = |head: &mut Head| {
        head.yank(&select("4"), "it was wrong", NOW)?;
        head.roll_back(&select("a_1.deb"), "stable")?;
        head.pin(&select("2"), true)?;
        head.pin(&select("4"), true)?;
        Ok(())
    };
    amend(&site.store, "hello", NOW, change, derived, &|_| {}).await.unwrap();
    let retention = Retention { keep: 1, keep_for: 0, grace: 86_400, selection: Selection::default() };
    prune(&site.store, "hello", &retention, NOW, derived, &|_| {}).await.unwrap();
    let mut head: Value = serde_json::from_str(&site.text("releases.json")).unwrap();
    // Two that only a moment shows.
    head["retired"][0]["deleting"] = true.into();
    head["pruned"] = 1.into();
    // What only the signed list has.
    head["expires"] = NOW.into();
    head["site"] = "https://dist.example.org".into();
    head["derived"] = serde_json::json!([{ "path": "install.sh", "sha256": "0".repeat(64) }]);
    head
}

/// Follows `$ref`.
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => &root["$defs"][reference.rsplit('/').next().unwrap()],
        None => schema,
    }
}

/// As much of JSON Schema as the document uses; `seen` collects the fields that a value has.
fn validate(value: &Value, schema: &Value, root: &Value, at: &str, seen: &mut Vec<String>) {
    let schema = resolve(schema, root);
    let is_right = match schema["type"].as_str().unwrap_or_else(|| panic!("{at}: no type")) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("{at}: {other}"),
    };
    assert!(is_right, "{at}: {value} is no {}", schema["type"]);
    if let Some(options) = schema["enum"].as_array() {
        assert!(options.contains(value), "{at}: {value}");
    }
    for field in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(field.as_str().unwrap()).is_some(), "{at}: no {field}");
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let known = schema["properties"].get(name).unwrap_or_else(|| panic!("{at}.{name} is not documented"));
        seen.push(format!("{at}.{name}"));
        validate(inner, known, root, &format!("{at}.{name}"), seen);
    }
    for inner in value.as_array().into_iter().flatten() {
        validate(inner, &schema["items"], root, &format!("{at}[]"), seen);
    }
}

/// Every field that a schema knows.
fn fields(schema: &Value, root: &Value, at: &str, all: &mut Vec<String>) {
    let schema = resolve(schema, root);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        all.push(format!("{at}.{name}"));
        fields(inner, root, &format!("{at}.{name}"), all);
    }
    if let Some(items) = schema.get("items") {
        fields(items, root, &format!("{at}[]"), all);
    }
}

#[tokio::test]
async fn the_schema_knows_every_field_and_no_other() {
    let schema: Value = serde_json::from_str(&reference("releases.schema.json")).unwrap();
    let site = Site::new();
    let head = full_head(&site).await;
    let mut seen = Vec::new();
    validate(&head, &schema, &schema, "releases", &mut seen);
    let mut documented = Vec::new();
    fields(&schema, &schema, "releases", &mut documented);
    for field in documented {
        assert!(seen.contains(&field), "{field} is documented, and no head has it");
    }
    let page = reference("site.md");
    for field in [
        "retired[]",
        "pruned",
        "published",
        "native_signature",
        "yanked.reason",
        "rolled_back[]",
        "pinned",
        "generation",
    ] {
        assert!(page.contains(&format!("`{field}`")), "site.md does not say what {field} is");
    }
}

#[tokio::test]
async fn a_ten_line_script_reads_it() {
    let Some([python]) = packhouse_clients::find(["python3"]) else { return };
    let site = Site::new();
    full_head(&site).await;
    let page = reference("site.md");
    let (_, script) = page.split_once("```python\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    let code = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert!(code <= 10, "{code} lines");
    let program = site.directory.path().join("packages.py");
    fs_err::write(&program, script).unwrap();
    let printed =
        python.run([program.as_os_str(), site.path("releases.json").as_os_str(), "stable".as_ref()]);
    let digest = packhouse_publish::Sha256::of(b"1");
    assert_eq!(
        printed,
        format!(
            "rocky-8 x86_64 1.0 rocky/b-1.rpm {digest}\nubuntu-22.04 x86_64 1.0 ubuntu/a_1.deb {digest}\n"
        )
    );
}
