//! Reads an rpm's payload and compares it with what the header says of it: digests of the whole, and of each
//! file its place, type, size and digest.
//!
//! A file that has several names comes once, under that of the highest index (rpm's `lib/rpmfi.cc`,
//! `iterReadArchiveNext`); the others come without contents. `%ghost` files do not come at all.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::Sha3_256;

use super::{HEADER, Headers, PAYLOAD};
use crate::Result;
use crate::archive::cpio_reader::{Member, Reader as Cpio};
use crate::archive::decompress::{DEFAULT_OUTPUT, Decoder, Method};
use crate::archive::part::{hexadecimal, shown};
use crate::inspect::Input;

/// What the header says of a file, as far as the payload is compared with it.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Absolute.
    pub(crate) path: Vec<u8>,
    /// Type and permissions.
    pub(crate) mode: u16,
    /// Of its contents, wherever these are.
    pub(crate) size: u64,
    /// In hexadecimal digits; empty without.
    pub(crate) digest: String,
    /// What a symbolic link points to.
    pub(crate) target: Vec<u8>,
    pub(crate) is_ghost: bool,
    /// The index under which the contents come; its own for most.
    pub(crate) content_at: usize,
}

impl Expected {
    pub(crate) fn is_regular(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }

    fn is_symlink(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }
}

/// A digest of the payload that a header may say.
struct PayloadDigest {
    /// Tags, of the compressed payload and of the unpacked one: `RPMTAG_PAYLOADSHA256` and `RPMTAG_PAYLOADSHA256ALT`,
    /// and so on (`include/rpm/rpmtag.h`).
    tags: [u32; 2],
    /// What it is in a message, for each of the two.
    names: [&'static str; 2],
    sum: fn() -> Box<dyn Sum>,
}

/// All that rpm knows; format 6 has all three (`docs/manual/format_v6.md`).
const PAYLOAD_DIGESTS: [PayloadDigest; 3] = [
    PayloadDigest {
        tags: [5092, 5097],
        names: ["its SHA-256", "its SHA-256, unpacked,"],
        sum: || Box::new(Sha256::new()),
    },
    PayloadDigest {
        tags: [5121, 5122],
        names: ["its SHA-512", "its SHA-512, unpacked,"],
        sum: || Box::new(Sha512::new()),
    },
    PayloadDigest {
        tags: [5123, 5124],
        names: ["its SHA3-256", "its SHA3-256, unpacked,"],
        sum: || Box::new(Sha3::default()),
    },
];
const PAYLOAD_FORMAT: u32 = 1124;
const PAYLOAD_COMPRESSOR: u32 = 1125;
const FILE_DIGEST_ALGORITHM: u32 = 5011;
/// Of the signature header: MD5 of header and payload.
const SIG_MD5: u32 = 1004;

/// The payload's compression, as the header names it; `None` where it leaves that to the bytes.
///
/// # Errors
/// When it is one that no rpm has.
pub(crate) fn method(headers: &Headers) -> Result<Option<Method>> {
    let format = headers.header.line(PAYLOAD_FORMAT)?;
    if let Some(format) = format.filter(|format| format != "cpio") {
        return Err(HEADER.malformed(format!("its payload is `{}`, and not cpio", shown(format.as_bytes()))));
    }
    Ok(match headers.header.line(PAYLOAD_COMPRESSOR)?.as_deref() {
        None => None,
        Some("gzip") => Some(Method::Gzip),
        Some("xz") => Some(Method::Xz),
        Some("lzma") => Some(Method::Lzma),
        Some("zstd") => Some(Method::Zstd),
        Some("bzip2") => Some(Method::Bzip2),
        Some(other) => {
            let reason = format!("its payload is compressed with `{}`", shown(other.as_bytes()));
            return Err(HEADER.malformed(reason));
        }
    })
}

/// The name of the files' digests, as in `sha256`.
///
/// # Errors
/// When it is one that is not known here, because nothing could be compared then.
pub(crate) fn file_digest_name(headers: &Headers) -> Result<&'static str> {
    // `RPM_HASH_…` are OpenPGP's numbers; packages from before 4.6 have no tag, and MD5.
    Ok(match headers.header.number(FILE_DIGEST_ALGORITHM)?.unwrap_or(1) {
        1 => "md5",
        2 => "sha1",
        8 => "sha256",
        9 => "sha384",
        10 => "sha512",
        11 => "sha224",
        number => return Err(HEADER.malformed(format!("its files have digests of the kind {number}"))),
    })
}

/// A digest under way, whichever it is.
trait Sum {
    fn add(&mut self, bytes: &[u8]);
    fn end(self: Box<Self>) -> String;
}

impl<D: Digest> Sum for D {
    fn add(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }

    fn end(self: Box<Self>) -> String {
        hexadecimal(&(*self).finalize())
    }
}

/// SHA3-256. Its crate is of another generation than the others, and so its trait is another.
#[derive(Default)]
struct Sha3(Sha3_256);

impl Sum for Sha3 {
    fn add(&mut self, bytes: &[u8]) {
        sha3::Digest::update(&mut self.0, bytes);
    }

    fn end(self: Box<Self>) -> String {
        hexadecimal(&sha3::Digest::finalize(self.0))
    }
}

/// `None` for SHA-256, which is computed anyway.
fn sum(name: &str) -> Option<Box<dyn Sum>> {
    Some(match name {
        "md5" => Box::new(Md5::new()),
        "sha1" => Box::new(Sha1::new()),
        "sha224" => Box::new(Sha224::new()),
        "sha384" => Box::new(Sha384::new()),
        "sha512" => Box::new(Sha512::new()),
        _ => return None,
    })
}

/// A reader that remembers digests of what passed.
struct Passed<'a, R> {
    from: R,
    sums: &'a mut Vec<Check>,
}

/// A digest that something must have.
struct Check {
    what: &'static str,
    said: String,
    sum: Box<dyn Sum>,
}

impl<R: Read> Read for Passed<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(bytes)?;
        for check in self.sums.iter_mut() {
            check.sum.add(&bytes[..count]);
        }
        Ok(count)
    }
}

fn verify(checks: Vec<Check>) -> Result<()> {
    for check in checks {
        if !check.said.eq_ignore_ascii_case(&check.sum.end()) {
            return Err(PAYLOAD.malformed(format!("{} is not what the header says", check.what)));
        }
    }
    Ok(())
}

/// Reads the payload to its end; returns each file's SHA-256 by its index.
///
/// # Errors
/// When it is not what the header says.
pub(crate) fn read(
    headers: &Headers,
    file: &mut dyn Input,
    expected: &[Expected],
) -> Result<BTreeMap<usize, String>> {
    let (mut compressed, mut unpacked) = (Vec::new(), Vec::new());
    for digest in &PAYLOAD_DIGESTS {
        for (place, checks) in [&mut compressed, &mut unpacked].into_iter().enumerate() {
            if let Some(said) = headers.header.text(digest.tags[place])? {
                checks.push(Check { what: digest.names[place], said, sum: (digest.sum)() });
            }
        }
    }
    if let Some(said) = headers.signatures.binary(SIG_MD5)? {
        let mut sum = Box::new(Md5::new());
        sum.update(headers.header.bytes());
        compressed.push(Check { what: "the MD5 of header and payload", said: hexadecimal(said), sum });
    }
    // Names, headers and padding of members are what is more than the contents.
    let contents = expected.iter().fold(0_u64, |total, file| total.saturating_add(file.size));
    let names = expected.iter().fold(0_u64, |total, file| total + file.path.len() as u64 + 128);
    let limit = contents.saturating_add(names + (1 << 20)).max(DEFAULT_OUTPUT);
    let from = Passed { from: headers.payload(file)?, sums: &mut compressed };
    let from = BufReader::with_capacity(64 << 10, from);
    let decoder = match method(headers)? {
        Some(method) => Decoder::new(method, from, PAYLOAD, limit)?,
        None => Decoder::detect(from, PAYLOAD, limit)?,
    };
    let found = {
        let mut cpio = Cpio::new(Passed { from: decoder, sums: &mut unpacked }, PAYLOAD);
        members(&mut cpio, headers, expected)?
    };
    verify(compressed)?;
    verify(unpacked)?;
    Ok(found)
}

fn members(
    cpio: &mut Cpio<impl Read>,
    headers: &Headers,
    expected: &[Expected],
) -> Result<BTreeMap<usize, String>> {
    let by_path: BTreeMap<&[u8], usize> =
        expected.iter().enumerate().map(|(index, file)| (&file.path[1..], index)).collect();
    let algorithm = file_digest_name(headers)?;
    let mut found = vec![false; expected.len()];
    let mut digests = BTreeMap::new();
    while let Some(member) = cpio.next()? {
        let index = match &member {
            Member::Indexed(index) => *index as usize,
            Member::Named(named) => {
                // `./usr/bin/x`, and `/usr/bin/x` in old ones.
                let name = &named.name;
                let name = name.strip_prefix(b"./").or_else(|| name.strip_prefix(b"/")).unwrap_or(name);
                *by_path.get(name).ok_or_else(|| {
                    PAYLOAD.malformed(format!("`{}` is not in the header", shown(&named.name)))
                })?
            }
        };
        let file = expected
            .get(index)
            .ok_or_else(|| PAYLOAD.malformed(format!("file {index} is not in the header")))?;
        let refuse = |reason: &str| PAYLOAD.malformed(format!("`{}` {reason}", shown(&file.path)));
        if std::mem::replace(&mut found[index], true) {
            return Err(refuse("comes twice"));
        }
        if file.is_ghost {
            return Err(refuse("is a ghost, and comes with contents"));
        }
        let has_content = (file.is_regular() && file.content_at == index) || file.is_symlink();
        let size = if has_content { file.size } else { 0 };
        match &member {
            Member::Indexed(_) => cpio.set_size(size),
            Member::Named(named) => {
                if u64::from(named.size) != size {
                    return Err(refuse("has another size than the header says"));
                }
                if named.mode != u32::from(file.mode) {
                    return Err(refuse("has another mode than the header says"));
                }
            }
        }
        if file.is_symlink() {
            let target = PAYLOAD.read_all(cpio, "bytes of a link", 4096)?;
            if target != file.target {
                return Err(refuse("points to something else than the header says"));
            }
        } else if has_content {
            digests.insert(index, digest(cpio, file, algorithm)?);
        }
    }
    for (index, file) in expected.iter().enumerate() {
        if !found[index] && !file.is_ghost {
            return Err(PAYLOAD.malformed(format!("`{}` is missing", shown(&file.path))));
        }
    }
    Ok(digests)
}

/// The SHA-256 of a file's contents, which must have the digest that the header says.
fn digest(cpio: &mut Cpio<impl Read>, file: &Expected, algorithm: &str) -> Result<String> {
    let mut other = sum(algorithm).filter(|_| !file.digest.is_empty());
    let mut sha256 = Sha256::new();
    let mut piece = [0; 16 << 10];
    loop {
        let count = PAYLOAD.read_up_to(cpio, &mut piece)?;
        if count == 0 {
            break;
        }
        sha256.update(&piece[..count]);
        if let Some(other) = &mut other {
            other.add(&piece[..count]);
        }
    }
    let sha256 = hexadecimal(&sha256.finalize());
    let found = other.map_or_else(|| sha256.clone(), Sum::end);
    if !file.digest.is_empty() && !found.eq_ignore_ascii_case(&file.digest) {
        let reason = format!("`{}` has another digest than the header says", shown(&file.path));
        return Err(PAYLOAD.malformed(reason));
    }
    Ok(sha256)
}
