//! A small site and what to publish to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use packhouse_publish::{
    Access, BoxError, Current, Event, Head, Object, ObjectPath, Package, Publication, Published, Result,
    Sha256, Signature, Store, Upload, layout,
};

pub const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

pub struct Site {
    pub directory: tempfile::TempDir,
    pub store: Store,
}

impl Site {
    pub fn new() -> Site {
        let directory = tempfile::tempdir().unwrap();
        fs_err::create_dir(directory.path().join("pkg")).unwrap();
        let store = Store::open("site", directory.path(), &Access::default()).unwrap();
        Site { directory, store }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("site").join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// A package for `target` (`ubuntu 22.04`) of which the file holds `contents`.
    pub fn upload(&self, target: &str, file_name: &str, contents: &str) -> Upload {
        let file = self
            .directory
            .path()
            .join("pkg")
            .join(format!("{file_name}-{}", Sha256::of(contents.as_bytes())));
        fs_err::write(&file, contents).unwrap();
        let (distribution, version) = target.split_once(' ').unwrap();
        let path = object_path(&format!("{distribution}/{file_name}"));
        let package = Package {
            signature: Signature {
                path: object_path(&format!("{path}.asc")),
                fingerprint: KEY.into(),
                others: BTreeMap::new(),
            },
            native_signature: None,
            path,
            file_name: file_name.into(),
            size: contents.len() as u64,
            sha256: Sha256::of(contents.as_bytes()),
            target: format!("{distribution}-{version}"),
            distribution: distribution.into(),
            distribution_version: version.into(),
            arch: "x86_64".into(),
            format: "deb".into(),
            version: "1.0".into(),
            package_version: Some("1.0-1".into()),
            built: 1_700_000_000,
            revision: "611a16f".into(),
            channels: ["stable".to_owned()].into(),
            published: None,
            yanked: None,
            rolled_back: Default::default(),
            pinned: false,
            others: BTreeMap::new(),
        };
        let signature = format!("signature of {contents}").into_bytes();
        Upload { package, file, signature, native_signature: None }
    }

    pub async fn publish(&self, uploads: Vec<Upload>) -> Result<Published> {
        publish_to(&self.store, uploads).await
    }

    /// Every file below the site and its contents, without the private directory.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.directory.path().join("site"))
    }

    /// The same with the times of their last change and inode numbers.
    pub fn states(&self) -> Vec<(PathBuf, std::time::SystemTime, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        let root = self.directory.path().join("site");
        self.files()
            .into_keys()
            .map(|path| {
                let metadata = fs_err::metadata(root.join(&path)).unwrap();
                (path, metadata.modified().unwrap(), metadata.ino())
            })
            .collect()
    }
}

pub async fn publish_to(store: &Store, uploads: Vec<Upload>) -> Result<Published> {
    let publication = Publication {
        name: "hello",
        uploads,
        now: 1_700_000_100,
        check_signature: &|_, signature| match signature {
            b"a signature by another key" => Ok("FEDCBA9876543210FEDCBA9876543210FEDCBA98".into()),
            _ => Err("nobody knows the key".into()),
        },
    };
    packhouse_publish::publish(store, &publication, derived, &|_: Event| {}).await
}

pub fn derived(head: &Head, _: &Current) -> Result<Vec<Object>, BoxError> {
    let text = |name, text: String| Object::mutable(object_path(name), "text/plain", text);
    Ok(vec![
        text(layout::KEYRING, "the keys\n".into()),
        text(layout::RELEASES, format!("generation {}\n", head.generation)),
        text(layout::DOWNLOAD_PAGE, format!("{} packages\n", head.packages.len())),
    ])
}

pub fn object_path(path: &str) -> ObjectPath {
    ObjectPath::new(path).unwrap()
}

pub fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(root: &Path, directory: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        let Ok(entries) = fs_err::read_dir(directory) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.ends_with(".packhouse") {
                continue;
            }
            match path.is_dir() {
                true => walk(root, &path, found),
                false => {
                    found.insert(path.strip_prefix(root).unwrap().into(), fs_err::read(&path).unwrap());
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// The program that the crate's example is.
pub fn publisher() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/publish_directory");
    assert!(program.is_file(), "build it: cargo build -p packhouse-publish --example publish_directory");
    program
}
