//! What is in front of an apk's files: the signature segment and the control segment, read as hostile input.
//!
//! A segment is a gzip member that holds a tar archive without its end, of files in the root whose names start with a full
//! stop (apk-v2(5)).

use std::cell::Cell;
use std::io::{self, BufRead as _, BufReader, Read};

use crate::Result;
use crate::archive::decompress::{Member, Members};
use crate::archive::part::{Part, shown};
use crate::archive::tar_reader::{End, EntryKind, Reader as Tar};
use crate::inspect::Input;
use crate::signing::{NativeSignature, RsaHash};

pub(super) const ARCHIVE: Part = Part { format: "apk", name: "archive" };
pub(super) const SIGNATURE: Part = Part { format: "apk", name: "signature segment" };
pub(super) const CONTROL: Part = Part { format: "apk", name: "control segment" };

/// Of a signature segment, unpacked, and of a control segment.
const LARGEST_SIGNATURES: u64 = 1 << 20;
const LARGEST_CONTROL: u64 = 16 << 20;
/// apk's own limit.
const LARGEST_SIGNATURE: u64 = 64 << 10;

/// The segments in front of the files.
pub(super) struct Front {
    /// As listed in the first segment, in its order.
    pub(super) signatures: Vec<NativeSignature>,
    /// Where the control member is.
    pub(super) control: Member,
    /// The control segment, unpacked.
    pub(super) segment: Vec<u8>,
}

impl Front {
    /// Reads them, and leaves the members at the data member.
    ///
    /// # Errors
    /// When it is no apk of version 2, and when they are not well formed; of the control segment nothing is looked at.
    pub(super) fn read(file: &mut dyn Input) -> Result<(Front, Source<'_>)> {
        let mut file = BufReader::with_capacity(64 << 10, file);
        let start = file.fill_buf()?;
        if start.starts_with(b"ADB") {
            return Err(ARCHIVE.malformed("it is of apk's version 3, which Packhouse does not read"));
        }
        if !start.starts_with(&[0x1f, 0x8b]) {
            return Err(ARCHIVE.malformed("it does not start with a gzip member"));
        }
        let mut members = Members::new(file, ARCHIVE);
        let mut signatures = Vec::new();
        let (mut segment, mut control) = next_segment(&mut members, LARGEST_CONTROL)?;
        if is_signature(&segment)? {
            if segment.len() as u64 > LARGEST_SIGNATURES {
                return Err(SIGNATURE.beyond("bytes", LARGEST_SIGNATURES));
            }
            signatures = read_signatures(&segment)?;
            (segment, control) = next_segment(&mut members, LARGEST_CONTROL)?;
        }
        Ok((Front { signatures, control, segment }, members))
    }
}

/// The members of a package.
pub(super) type Source<'a> = Members<BufReader<&'a mut dyn Input>>;

/// A whole member, unpacked.
fn next_segment(members: &mut Source<'_>, limit: u64) -> Result<(Vec<u8>, Member)> {
    if !members.next()? {
        return Err(ARCHIVE.malformed("it has no control member"));
    }
    let segment = ARCHIVE.read_all(members, "bytes of a segment", limit)?;
    let member = members.end()?;
    Ok((segment, member))
}

/// Counts what was read from a segment.
pub(super) struct Counted<'a> {
    from: &'a [u8],
    count: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(bytes)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

/// Passes the files of a segment's root to `take`. They must fill the segment, without an end of the archive.
pub(super) fn each_file(
    segment: &[u8],
    part: Part,
    mut take: impl FnMut(&str, &mut Tar<Counted<'_>>) -> Result<()>,
) -> Result<()> {
    let count = Cell::new(0);
    let mut tar = Tar::new(Counted { from: segment, count: &count }, part, End::BlocksOrStream);
    let mut end = 0;
    while let Some(entry) = tar.next()? {
        end = count.get() + entry.size.next_multiple_of(512);
        let name = std::str::from_utf8(&entry.path)
            .ok()
            .filter(|name| entry.kind == EntryKind::File && name.bytes().all(|byte| byte.is_ascii_graphic()))
            .filter(|name| name.starts_with('.') && !name.contains('/'))
            .ok_or_else(|| part.malformed(format!("`{}` does not belong there", shown(&entry.path))))?;
        take(name, &mut tar)?;
    }
    if end != segment.len() as u64 {
        return Err(part.malformed("its archive ends, and another segment follows"));
    }
    Ok(())
}

/// Whether its first file is a signature; a pax header may come before.
fn is_signature(segment: &[u8]) -> Result<bool> {
    let first = Tar::new(segment, CONTROL, End::BlocksOrStream).next()?;
    Ok(first.is_some_and(|entry| entry.path.starts_with(b".SIGN.")))
}

fn read_signatures(segment: &[u8]) -> Result<Vec<NativeSignature>> {
    let mut signatures = Vec::new();
    each_file(segment, SIGNATURE, |name, tar| {
        let parts = name.strip_prefix(".SIGN.").and_then(|rest| rest.split_once('.'));
        let Some((kind, key)) = parts.filter(|(kind, key)| !kind.is_empty() && !key.is_empty()) else {
            return Err(SIGNATURE.malformed(format!("`{name}` is no signature")));
        };
        let bytes = tar.read_entry("bytes of a signature", LARGEST_SIGNATURE)?;
        let key = key.to_owned();
        // `apk_sign_ctx_process_file` in apk-tools' `src/extract_v2.c`.
        let hash = match kind {
            "RSA" => Some(RsaHash::Sha1),
            "RSA256" => Some(RsaHash::Sha256),
            "RSA512" => Some(RsaHash::Sha512),
            _ => None,
        };
        signatures.push(match hash {
            Some(hash) => NativeSignature::Rsa { key, hash, bytes },
            None => NativeSignature::Unknown { key, kind: kind.to_owned() },
        });
        Ok(())
    })?;
    Ok(signatures)
}
