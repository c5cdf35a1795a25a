//! docs/contributing/cases.md names a test for each case; each must be there.

use std::path::Path;

#[test]
fn every_test_that_the_page_of_cases_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs_err::read_to_string(root.join("../../docs/contributing/cases.md")).unwrap();
    let names: Vec<&str> = page.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let (file, test) = name.rsplit_once("::").unwrap();
        // `crate/file::test`, or one of this crate's.
        let (root, file) = match file.split_once('/') {
            Some((other, file)) => (root.with_file_name(other), file),
            None => (root.to_owned(), file),
        };
        // A module of the integration tests, or `tests` of one of the crate's own.
        let at = match file.strip_suffix("::tests") {
            Some(module) => {
                let module = root.join("src").join(module.replace("::", "/"));
                let beside = module.join("tests.rs");
                if beside.is_file() { beside } else { module.with_extension("rs") }
            }
            None => root.join("tests/it").join(file.replace("::", "/")).with_extension("rs"),
        };
        let text = fs_err::read_to_string(&at).unwrap_or_default();
        assert!(
            text.contains(&format!("#[test]\nfn {test}()"))
                || text.contains(&format!("]\nasync fn {test}()"))
                || text.contains(&format!("    fn {test}()")),
            "{name} is not in {}",
            at.display()
        );
    }
}
