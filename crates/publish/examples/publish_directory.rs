//! Publishes package files to a site: how the crate is used, and what the crash tests kill.
//!
//! ```console
//! $ publish_directory SITE TIME CHANNEL DISTRIBUTION VERSION FILE [DISTRIBUTION VERSION FILE]…
//! ```
//! Each `FILE` must have its signature beside it in `FILE.asc`. The derived objects are stand-ins. On a
//! directory all work is done on one thread, so that a tracer can count its system calls; on the way to a bucket
//! files are hashed on all processors, as `packhouse publish` verifies them.

use std::error::Error;
use std::path::Path;
use std::thread;

use packhouse_publish::{
    Access, BoxError, Current, Head, Object, ObjectPath, Package, Publication, Sha256, Signature, Store,
    Upload, layout, publish,
};

#[expect(clippy::print_stdout, reason = "an example says what it did")]
fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [to, now, channel, packages @ ..] = arguments.as_slice() else {
        return Err("usage: publish_directory SITE TIME CHANNEL (DISTRIBUTION VERSION FILE)…".into());
    };
    let now = now.parse()?;
    let is_bucket = to.contains("://");
    let threads = if is_bucket { thread::available_parallelism()?.get() } else { 1 };
    let publication = Publication {
        name: "hello",
        uploads: uploads(packages, channel, now, threads)?,
        now,
        check_signature: &|_, _| Ok("0123456789ABCDEF0123456789ABCDEF01234567".to_owned()),
    };
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
    let store = Store::open(to, &std::env::current_dir()?, &Access::new(variables, None))?;
    let runtime = match is_bucket {
        true => tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
        false => {
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build()?
        }
    };
    match runtime.block_on(publish(&store, &publication, derived, &|_| {})) {
        Ok(published) => {
            println!("generation {}, {} objects written", published.head.generation, published.written.len());
            Ok(())
        }
        Err(error) => {
            let source = error.source().map(|source| format!("\n  cause: {source}")).unwrap_or_default();
            let help = error.help().map(|help| format!("\n  help: {help}")).unwrap_or_default();
            Err(format!("{error}{source}{help}").into())
        }
    }
}

/// The uploads of `packages`, made on `threads`.
fn uploads(packages: &[String], channel: &str, now: i64, threads: usize) -> Result<Vec<Upload>, BoxError> {
    let one = |words: &[String]| upload(&words[0], &words[1], Path::new(&words[2]), channel, now);
    let packages: Vec<&[String]> = packages.chunks_exact(3).collect();
    if threads == 1 {
        return packages.into_iter().map(one).collect();
    }
    let share = packages.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let running: Vec<_> = packages
            .chunks(share)
            .map(|share| {
                scope.spawn(move || share.iter().map(|words| one(words)).collect::<Result<Vec<_>, _>>())
            })
            .collect();
        let uploads = running.into_iter().map(|thread| thread.join().map_err(|_| "hashing panicked")?);
        Ok(uploads.collect::<Result<Vec<_>, BoxError>>()?.concat())
    })
}

fn upload(
    distribution: &str,
    version: &str,
    file: &Path,
    channel: &str,
    built: i64,
) -> Result<Upload, BoxError> {
    let (sha256, size) = Sha256::of_reader(fs_err::File::open(file)?)?;
    let file_name = file.file_name().and_then(|name| name.to_str()).ok_or("FILE has no name")?.to_owned();
    let path = ObjectPath::new(format!("{distribution}/{file_name}"))?;
    let package = Package {
        file_name,
        size,
        sha256,
        target: format!("{distribution}-{version}"),
        distribution: distribution.to_owned(),
        distribution_version: version.to_owned(),
        arch: "x86_64".to_owned(),
        format: "deb".to_owned(),
        version: "1.0".to_owned(),
        package_version: None,
        built,
        revision: "611a16f".to_owned(),
        channels: [channel.to_owned()].into(),
        signature: Signature {
            path: ObjectPath::new(format!("{path}.asc"))?,
            fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567".to_owned(),
            others: Default::default(),
        },
        native_signature: None,
        path,
        published: None,
        yanked: None,
        rolled_back: Default::default(),
        pinned: false,
        others: Default::default(),
    };
    let signature = fs_err::read(format!("{}.asc", file.display()))?;
    Ok(Upload { package, file: file.to_owned(), signature, native_signature: None })
}

fn derived(head: &Head, _: &Current) -> Result<Vec<Object>, BoxError> {
    let text = |name: &str, text: String| {
        Ok::<_, BoxError>(Object::mutable(ObjectPath::new(name)?, "text/plain", text))
    };
    Ok(vec![
        text(layout::KEYRING, "the keys\n".to_owned())?,
        text(layout::RELEASES, format!("generation {}\n", head.generation))?,
        text(layout::DOWNLOAD_PAGE, format!("{} packages\n", head.packages.len()))?,
    ])
}
