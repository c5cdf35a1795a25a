//! The programs that customers' machines use read the compressed streams.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::process::Stdio;

use packhouse_package::Resources;
use packhouse_package::archive::compress::{Compression, Encoder};

#[test]
fn gzip_xz_and_zstd_decode_what_is_written_at_the_default_levels() {
    let Some([gzip, xz, zstd]) = packhouse_clients::find(["gzip", "xz", "zstd"]) else { return };
    let plain = "a line of text that comes again and again, with small changes\n".repeat(80_000);
    for (client, compression) in [(gzip, Compression::GZIP), (xz, Compression::XZ), (zstd, Compression::ZSTD)]
    {
        let resources = Resources { threads: NonZeroUsize::new(3).unwrap() };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stream");
        let mut encoder = Encoder::new(compression, resources, Vec::new()).unwrap();
        encoder.write_all(plain.as_bytes()).unwrap();
        fs_err::write(&path, encoder.finish().unwrap()).unwrap();
        let input = fs_err::File::open(&path).unwrap().into_file();
        let output = client.command().arg("-dc").stdin(Stdio::from(input)).output().unwrap();
        assert!(output.status.success(), "{compression:?}: {}", packhouse_clients::text(&output));
        assert!(output.stdout == plain.as_bytes(), "{compression:?}");
    }
}
