//! Writes a package in a single pass.
//!
//! The headers precede the payload and hold its digests and sizes, but these have fixed widths. So the headers
//! are laid out with zeros, their place is left free, the payload streams by, and the headers are written last.
//!
//! | part | length | holds |
//! |---|---|---|
//! | lead | 96 | magic, and what only `file` reads |
//! | signature header | fixed, a multiple of 8 | digests and length of what follows, room for a signature |
//! | header | as laid out | everything that `rpm -q` shows |
//! | payload | | compressed cpio |
//!
//! **Digests.** In the signature header SHA-1 and SHA-256 of the header, in the header SHA-256 of the payload
//! (compressed and not) and of each file. There is no MD5 of header and payload (tag 1004), on purpose:
//! it would cost a second pass over the finished file, because MD5 runs from the front and the header is final
//! last; and nobody needs it. rpm 4.11 takes the *first* it finds of signature, SHA-1, MD5
//! (`rpmpkgRead` in its `lib/package.c`), and `rpm -K` checks what is there (`lib/rpmchecksig.c`); it verifies
//! the contents on installation by the digests of the files, which the header's digest and signature cover.
//! rpm 4.14 and later verify the payload by its SHA-256 in the header, also in FIPS mode, which has no MD5; and
//! rpm 6 packages have none (`docs/manual/format_v6.md`). The SHA-1 stays for rpm 4.11, which knows no SHA-256
//! of the header; where the machine forbids a digest, rpm from 4.14.3 on passes over it and takes the others
//! (`rpmvsFiniRange` in `lib/rpmvs.c`, <https://bugzilla.redhat.com/show_bug.cgi?id=1652529>).
//!
//! **Format 6** (`docs/manual/format_v6.md`, and rpm 6's `build/pack.cc`): the payload's digests by three algorithms
//! and its sizes are in the header; the signature header has two digests of the header, nothing else; sizes have
//! 64 bits, the payload is always the stripped archive, texts are UTF-8. MIME types of the files (`MIMEDICT`), which
//! nothing in rpm needs, are left out as file(1)'s classes are in format 4.
//!
//! **Nothing of the machine** is in the file: the times are the package's timestamp, the host is called
//! `reproducible`, inodes count from 1, no cookie.

use std::io::SeekFrom;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::dependency::{self, Dependencies, Entry};
use super::files::{Facts, Files};
use super::header::{Header, Region};
use super::payload::Payload;
use super::tag::{header as tag, sense, signature};
use super::version::Evr;
use super::{DependencyKind, FileDigest, FormatVersion, changelog, scriptlets, verbatim};
use crate::archive::compress::Compression;
use crate::archive::part::hexadecimal;
use crate::format::Output;
use crate::together::{Archive, Hashes, Hashing, Parts, Stream, Written};
use crate::{Arch, Error, Package, PackagePath, Result};

/// A package in parts.
pub(super) fn parts(package: &Package) -> Result<Box<dyn Parts + '_>> {
    package.check()?;
    let evr = Evr::new(&package.metadata, &package.options)?;
    let files = Files::new(package)?;
    // Readable by every rpm, and quick. Harder compression is the project's choice for each distribution.
    let compression = package.options.compression.unwrap_or(Compression::GZIP);
    let mut header = describe(package, &evr, &files, compression)?;
    let version = package.options.rpm.version;
    let hashing = match version {
        FormatVersion::V4 => Hashing::Sha256,
        FormatVersion::V6 => Hashing::All,
    };
    let header_length = {
        // Of the right length.
        let (hashes, archive_hashes) = (hashing.of(b""), hashing.of(b""));
        let facts = files.unknown_facts();
        let laid_out = Summary { facts, hashes, archive_hashes, size: 0, archive_size: 0 };
        put_payload(&laid_out, &files, version, &mut header)?.len() as u64
    };
    let arch = match &package.options.rpm.verbatim {
        Some(verbatim) => verbatim.lead_arch(),
        None => lead_arch(package.metadata.arch),
    };
    let lead = lead(package.metadata.name.as_str(), arch, &evr, version);
    let start = (lead.len() + SIGNATURES) as u64 + header_length;
    let stream = Stream {
        compression,
        digests: package.options.rpm.file_digest.digests(),
        hashing,
        has_tail: false,
        limit: None,
    };
    let payload = Payload::new(files, package.timestamp);
    Ok(Box::new(Rpm { lead, header, payload, stream, start, version }))
}

struct Rpm<'a> {
    lead: [u8; 96],
    header: Header,
    payload: Payload<'a>,
    stream: Stream,
    start: u64,
    version: FormatVersion,
}

impl Parts for Rpm<'_> {
    fn archive(&self) -> &dyn Archive {
        &self.payload
    }

    fn stream(&self) -> Stream {
        self.stream
    }

    fn start(&self) -> u64 {
        self.start
    }

    fn finish(self: Box<Self>, archive: &Written, out: &mut dyn Output) -> Result<()> {
        let Rpm { lead, mut header, payload, start, version, .. } = *self;
        let files = payload.files();
        let summary = Summary {
            facts: files.facts(&payload.by_index(&archive.facts)),
            hashes: archive.hashes.clone(),
            archive_hashes: archive.archive_hashes.clone(),
            size: archive.size,
            archive_size: archive.archive_size,
        };
        let header = put_payload(&summary, files, version, &mut header)?;
        let signatures = match version {
            FormatVersion::V4 => signatures(&header, &summary)?,
            FormatVersion::V6 => signatures_of_v6(&header)?,
        };
        out.seek(SeekFrom::Start(0))?;
        for part in [&lead[..], &signatures, &header] {
            out.write_all(part)?;
        }
        out.seek(SeekFrom::Start(start + archive.size))?;
        Ok(())
    }
}

/// What is known of a payload once it has been written.
#[derive(Debug)]
struct Summary {
    /// Of each file.
    facts: Vec<Facts>,
    /// Of the bytes in the package.
    hashes: Hashes,
    /// Of the archive before compression.
    archive_hashes: Hashes,
    /// Bytes in the package.
    size: u64,
    /// Bytes before compression.
    archive_size: u64,
}

/// The package header, except for what only the payload tells.
fn describe(package: &Package, evr: &Evr, files: &Files<'_>, compression: Compression) -> Result<Header> {
    let (metadata, options) = (&package.metadata, &package.options.rpm);
    let timestamp = package.timestamp.as_unix();
    let name = metadata.name.as_str();
    let (arch, os) = match &options.verbatim {
        Some(verbatim) if verbatim.os.is_empty() => (verbatim.arch.as_str(), "linux"),
        Some(verbatim) => (verbatim.arch.as_str(), verbatim.os.as_str()),
        None => (metadata.arch.rpm(), "linux"),
    };
    let summary = options.summary.as_deref().unwrap_or(&metadata.summary);
    check_line("summary", summary)?;
    let description = match metadata.description.trim() {
        "" => summary,
        description => description,
    };

    let mut header = Header::default();
    header.put_texts(tag::I18N_TABLE, ["C"]);
    header.put_text(tag::NAME, name);
    header.put_text(tag::VERSION, &evr.version);
    header.put_text(tag::RELEASE, &evr.release);
    header.put_int32s(tag::EPOCH, evr.epoch);
    header.put_translated(tag::SUMMARY, summary);
    header.put_translated(tag::DESCRIPTION, description);
    header.put_int32(tag::BUILD_TIME, timestamp);
    header.put_text(tag::BUILD_HOST, "reproducible");
    // rpm insists on a licence and a group; these are fpm's and rpmbuild's words for none.
    header.put_text(tag::LICENSE, metadata.license.as_deref().unwrap_or("unknown"));
    header.put_translated(tag::GROUP, metadata.category.as_deref().unwrap_or("Unspecified"));
    header.put_text(tag::PACKAGER, &metadata.maintainer);
    let optional = [
        (tag::DISTRIBUTION, "distribution", &options.distribution),
        (tag::VENDOR, "vendor", &metadata.vendor),
        (tag::URL, "homepage", &metadata.homepage),
        (tag::BUG_URL, "bug-url", &options.bug_url),
    ];
    for (tag, field, value) in optional {
        if let Some(value) = value {
            check_line(field, value)?;
            header.put_text(tag, value);
        }
    }
    header.put_text(tag::OS, os);
    header.put_text(tag::ARCH, arch);
    header.put_text(tag::PLATFORM, format!("{arch}-{os}"));
    // Without it rpm takes a package for a source package (`headerIsSource`).
    header.put_text(tag::SOURCE_RPM, format!("{name}-{}.src.rpm", evr.without_epoch()));
    header.put_text(tag::RPM_VERSION, "packhouse");
    if options.version == FormatVersion::V6 {
        header.put_int32(tag::RPM_FORMAT, 6);
        header.put_text(tag::SOURCE_NEVR, format!("{name}-{evr}"));
    }
    if let Some(prefix) = options.prefixes.iter().find(|prefix| !prefix.starts_with('/')) {
        let reason = "a prefix is an absolute path";
        return Err(Error::Option { format: "rpm", option: "prefix", value: prefix.clone(), reason });
    }
    header.put_texts(tag::PREFIXES, &options.prefixes);
    match &options.changelog {
        Some(text) => changelog::put(text, &mut header)?,
        None => changelog::put_entries(package, evr, &mut header),
    }

    files.put(timestamp, &mut header);
    // rpm takes MD5 where nothing is said, and so says rpmbuild nothing of it (`build/pack.c`).
    if options.file_digest != FileDigest::Md5 {
        header.put_int32(tag::FILE_DIGEST_ALGO, algorithm(options.file_digest));
    }
    header.put_text(tag::PAYLOAD_FORMAT, "cpio");
    let mut dependencies = relations(package, evr, files)?;
    put_compression(compression, &mut header, &mut dependencies);
    match &options.verbatim {
        Some(verbatim) => {
            verbatim.put_scriptlets(&mut header, &mut dependencies);
            scriptlets::put_triggers(options, &mut header, &mut dependencies)?;
        }
        None => scriptlets::put(package, &mut header, &mut dependencies)?,
    }
    dependencies.put(&mut header);
    if header.is_utf8() {
        header.put_text(tag::ENCODING, "utf-8");
    } else if options.version == FormatVersion::V6 {
        let is_text = |path: &&PackagePath| std::str::from_utf8(path.as_bytes()).is_ok();
        let path = package.files.iter().map(|(path, _)| path).find(|path| !is_text(path));
        let reason = "format 6 takes only UTF-8, in names and in what links point to";
        return Err(match path {
            Some(path) => Error::FileName { path: path.clone(), format: "rpm", reason },
            None => Error::Option { format: "rpm", option: "the format", value: "6".into(), reason },
        });
    }
    Ok(header)
}

fn check_line(field: &'static str, value: &str) -> Result<()> {
    match value.chars().any(char::is_control) {
        true => Err(Error::ControlCharacter { field }),
        false => Ok(()),
    }
}

/// What the package requires, provides and so on by its metadata and files.
fn relations(package: &Package, evr: &Evr, files: &Files<'_>) -> Result<Dependencies> {
    let (metadata, options) = (&package.metadata, &package.options.rpm);
    let (given, name, any_release) =
        (&metadata.relations, metadata.name.as_str(), options.ignore_release_in_dependencies);
    let mut all = Dependencies::default();
    if let Some(verbatim) = &options.verbatim {
        read_verbatim(package, &mut all)?;
        provide_itself(name, evr, verbatim.isa(), &mut all);
        require_features(files, options, &mut all);
        if files.has_hard_links() {
            // Every rpm since 2002 has it; rpmbuild says so (`checkHardLinks` in `build/files.c`).
            all.require_rpmlib("PartialHardlinkSets", "4.0.4-1");
        }
        return Ok(all);
    }

    for relation in &given.depends {
        all.require(relation, 0, any_release)?;
    }
    for relation in &given.pre_depends {
        // Twice, because rpm lets a requirement of the scriptlets go once they have run.
        all.require(relation, sense::PRE, any_release)?;
        all.require(relation, 0, any_release)?;
    }
    for dependency in &options.dependencies {
        let relation = &dependency.relation;
        if let Some(when) = dependency.kind.when() {
            all.require(relation, when, any_release)?;
            continue;
        }
        let (list, allowed) = all.list_of(dependency.kind);
        dependency::add(list, std::slice::from_ref(relation), allowed)?;
    }
    for (kind, relations) in [
        (DependencyKind::Recommends, &given.recommends),
        (DependencyKind::Suggests, &given.suggests),
        (DependencyKind::Enhances, &given.enhances),
        (DependencyKind::Conflicts, &given.conflicts),
        (DependencyKind::Obsoletes, &given.replaces),
        (DependencyKind::Provides, &given.provides),
    ] {
        let (list, allowed) = all.list_of(kind);
        dependency::add(list, relations, allowed)?;
    }

    // A package provides itself in its version; beside it, its bare name would satisfy every version.
    all.provides.remove(&Entry::any(name, 0));
    provide_itself(name, evr, isa(metadata.arch), &mut all);
    if files.has_configuration() {
        let flags = sense::EQUAL | sense::CONFIG;
        let configuration = Entry::versioned(format!("config({name})"), flags, evr.to_string());
        all.provides.insert(configuration.clone());
        all.requires.insert(configuration);
    }

    require_features(files, options, &mut all);
    Ok(all)
}

/// The relations as lines of a spec file.
fn read_verbatim(package: &Package, all: &mut Dependencies) -> Result<()> {
    let given = &package.metadata.relations;
    let lists = [
        (&mut all.requires, &given.depends),
        (&mut all.conflicts, &given.conflicts),
        (&mut all.obsoletes, &given.replaces),
        (&mut all.provides, &given.provides),
        (&mut all.recommends, &given.recommends),
        (&mut all.suggests, &given.suggests),
        (&mut all.enhances, &given.enhances),
    ];
    for (list, relations) in lists {
        for relation in relations {
            list.extend(verbatim::line(relation)?);
        }
    }
    for dependency in &package.options.rpm.dependencies {
        for entry in verbatim::line(&dependency.relation)? {
            match dependency.kind.when() {
                Some(when) => all.requires.insert(Entry { flags: entry.flags | when, ..entry }),
                None => all.list_of(dependency.kind).0.insert(entry),
            };
        }
    }
    Ok(())
}

fn provide_itself(name: &str, evr: &Evr, isa: Option<&str>, all: &mut Dependencies) {
    all.provides.insert(Entry::versioned(name, sense::EQUAL, evr.to_string()));
    if let Some(isa) = isa {
        all.provides.insert(Entry::versioned(format!("{name}({isa})"), sense::EQUAL, evr.to_string()));
    }
}

/// What rpm must know to read the package.
fn require_features(files: &Files<'_>, options: &super::Options, all: &mut Dependencies) {
    if options.version == FormatVersion::V4 {
        // Whoever reads format 6 knows these (`build/files.cc`).
        all.require_rpmlib("CompressedFileNames", "3.0.4-1");
        if options.file_digest != FileDigest::Md5 {
            all.require_rpmlib("FileDigests", "4.6.0-1");
        }
        all.require_rpmlib("PayloadFilesHavePrefix", "4.0-1");
    }
    if files.has_capabilities() {
        all.require_rpmlib("FileCaps", "4.6.1-1");
    }
    if files.has_large() {
        all.require_rpmlib("LargeFiles", "4.12.0-1");
    }
}

/// Compressor and flags as rpmbuild writes them for `w9.gzdio` and so on (`getIOFlags` in `build/pack.c`).
fn put_compression(compression: Compression, header: &mut Header, dependencies: &mut Dependencies) {
    let (name, level) = match compression {
        // Without a compressor rpm assumes gzip, whose reader passes other bytes through.
        Compression::None => return header.put_text(tag::PAYLOAD_FLAGS, ""),
        Compression::Gzip(level) => ("gzip", level),
        Compression::Xz(level) => {
            dependencies.require_rpmlib("PayloadIsXz", "5.2-1");
            ("xz", level)
        }
        Compression::Zstd(level) => {
            dependencies.require_rpmlib("PayloadIsZstd", "5.4.18-1");
            ("zstd", level)
        }
        Compression::Bzip2(level) => {
            dependencies.require_rpmlib("PayloadIsBzip2", "3.0.5-1");
            ("bzip2", level)
        }
    };
    header.put_text(tag::PAYLOAD_COMPRESSOR, name);
    header.put_text(tag::PAYLOAD_FLAGS, level.to_string());
}

/// Numbers of RFC 4880, section 9.4.
fn algorithm(digest: FileDigest) -> u32 {
    match digest {
        FileDigest::Sha256 => 8,
        FileDigest::Sha384 => 9,
        FileDigest::Sha512 => 10,
        FileDigest::Md5 => 1,
        FileDigest::Sha1 => 2,
    }
}

/// Puts what the payload tells; returns the header's bytes.
fn put_payload(
    payload: &Summary,
    files: &Files<'_>,
    version: FormatVersion,
    header: &mut Header,
) -> Result<Vec<u8>> {
    files.put_facts(&payload.facts, header);
    let (hashes, archive) = (&payload.hashes, &payload.archive_hashes);
    header.put_texts(tag::PAYLOAD_DIGEST, [hexadecimal(&hashes.sha256)]);
    header.put_texts(tag::PAYLOAD_DIGEST_ALT, [hexadecimal(&archive.sha256)]);
    match version {
        FormatVersion::V4 => header.put_int32(tag::PAYLOAD_DIGEST_ALGO, algorithm(FileDigest::Sha256)),
        FormatVersion::V6 => {
            header.put_text(tag::PAYLOAD_SHA512, hexadecimal(&hashes.sha512));
            header.put_text(tag::PAYLOAD_SHA512_ALT, hexadecimal(&archive.sha512));
            header.put_text(tag::PAYLOAD_SHA3_256, hexadecimal(&hashes.sha3_256));
            header.put_text(tag::PAYLOAD_SHA3_256_ALT, hexadecimal(&archive.sha3_256));
            header.put_int64s(tag::PAYLOAD_SIZE, [payload.size]);
            header.put_int64s(tag::PAYLOAD_SIZE_ALT, [payload.archive_size]);
        }
    }
    header.to_bytes(Region::Immutable)
}

/// The length of the signature header with its padding. rpmbuild reserves 4128 bytes for a signature
/// (`rpmGenerateSignature` in `lib/signature.c`), which holds one by an RSA key of any usual length, so that
/// `rpmsign` and our own signing replace this header in place.
const SIGNATURES: usize = 4384;

/// The signature header: digests and sizes, and room for a signature.
fn signatures(header: &[u8], payload: &Summary) -> Result<Vec<u8>> {
    let size = header.len() as u64 + payload.size;
    let mut signatures = Header::default();
    signatures.put_text(signature::SHA1, hexadecimal(&Sha1::digest(header)));
    signatures.put_text(signature::SHA256, hexadecimal(&Sha256::digest(header)));
    match (u32::try_from(size), u32::try_from(payload.archive_size)) {
        (Ok(size), Ok(archive_size)) if size.max(archive_size) < u32::MAX => {
            signatures.put_int32(signature::SIZE, size);
            signatures.put_int32(signature::PAYLOAD_SIZE, archive_size);
        }
        _ => {
            signatures.put_int64s(signature::LONG_SIZE, [size]);
            signatures.put_int64s(signature::LONG_ARCHIVE_SIZE, [payload.archive_size]);
        }
    }
    // The reserved space comes last and is not aligned: each of its bytes makes the header one longer.
    signatures.put_binary(signature::RESERVED_SPACE, vec![0]);
    let length = signatures.to_bytes(Region::Signatures)?.len();
    signatures.put_binary(signature::RESERVED_SPACE, vec![0; 1 + SIGNATURES - length]);
    signatures.to_bytes(Region::Signatures)
}

/// The signature header of format 6: digests of the header, and room for signatures; what says something of the
/// payload is in the header.
fn signatures_of_v6(header: &[u8]) -> Result<Vec<u8>> {
    let hashes = Hashing::All.of(header);
    let mut signatures = Header::default();
    signatures.put_text(signature::SHA256, hexadecimal(&hashes.sha256));
    signatures.put_text(signature::SHA3_256, hexadecimal(&hashes.sha3_256));
    signatures.put_binary(signature::RESERVED, vec![0]);
    let length = signatures.to_bytes(Region::Signatures)?.len();
    signatures.put_binary(signature::RESERVED, vec![0; 1 + SIGNATURES - length]);
    signatures.to_bytes(Region::Signatures)
}

/// The lead (rpm's `docs/manual/format_lead.md`); rpm itself reads only magic, major version and signature type.
fn lead(name: &str, arch: u16, evr: &Evr, version: FormatVersion) -> [u8; 96] {
    let mut lead = [0; 96];
    lead[..8].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0]);
    match version {
        FormatVersion::V4 => {
            lead[8..10].copy_from_slice(&arch.to_be_bytes());
            lead[77] = 1;
        }
        // "v3 and v4 had 3 in the lead, use 4 for v6" (`rpmLeadFromHeader` in `lib/rpmlead.cc`); neither
        // architecture nor system.
        FormatVersion::V6 => lead[4] = 4,
    }
    let name = format!("{name}-{evr}");
    let length = name.len().min(65);
    lead[10..][..length].copy_from_slice(&name.as_bytes()[..length]);
    lead[79] = 5;
    lead
}

/// `arch_canon` in rpm's `rpmrc.in`; packages for all architectures carry their builder's, here x86's.
fn lead_arch(arch: Arch) -> u16 {
    match arch {
        Arch::Noarch | Arch::X86_64 | Arch::I686 => 1,
        Arch::Armv7 => 12,
        Arch::S390x => 15,
        Arch::Ppc64le => 16,
        Arch::Aarch64 => 19,
        Arch::Riscv64 => 22,
    }
}

/// `%{_isa}` without its parentheses, from rpm's `installplatform`.
fn isa(arch: Arch) -> Option<&'static str> {
    Some(match arch {
        Arch::Noarch => return None,
        Arch::X86_64 => "x86-64",
        Arch::I686 => "x86-32",
        Arch::Aarch64 => "aarch-64",
        Arch::Armv7 => "armv7hl-32",
        Arch::Ppc64le => "ppc-64",
        Arch::Riscv64 => "riscv-64",
        Arch::S390x => "s390-64",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Content, FileTree, Kind, Metadata, Options, PackageName, PackagePath, Relations, Timestamp, Version,
    };

    fn package(size: u64) -> Package {
        let mut files = FileTree::new();
        let kind = Kind::File { content: Content::Path("/nonexistent".into()), size, link: None };
        let entry = crate::Entry { kind, ..crate::Entry::directory() };
        files.insert(PackagePath::new("opt/large").unwrap(), entry).unwrap();
        Package {
            metadata: Metadata {
                name: PackageName::new("hello").unwrap(),
                version: Version::new("1"),
                arch: Arch::Noarch,
                summary: "Hello".into(),
                description: String::new(),
                homepage: None,
                vendor: None,
                maintainer: "A <a@example.com>".into(),
                license: None,
                category: None,
                relations: Relations::default(),
                changelog: Vec::new(),
            },
            files,
            scripts: Default::default(),
            setup: crate::Setup::default(),
            timestamp: Timestamp::from_unix(0).unwrap(),
            options: Options::default(),
        }
    }

    #[test]
    fn large_files_take_64_bit_sizes_and_the_stripped_archive() {
        for (size, is_large) in [(u64::from(u32::MAX) - 1, false), (u64::from(u32::MAX), true)] {
            let package = package(size);
            let evr = Evr::new(&package.metadata, &package.options).unwrap();
            let files = Files::new(&package).unwrap();
            let header = describe(&package, &evr, &files, Compression::GZIP).unwrap();
            let bytes = header.to_bytes(Region::Immutable).unwrap();
            let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
            assert_eq!(has(b"rpmlib(LargeFiles)"), is_large);
            assert!(!is_large || has(&size.to_be_bytes()));
            assert_eq!(files.has_large(), is_large);
        }
    }

    #[test]
    fn the_signature_header_has_one_length_whatever_it_holds() {
        for (size, archive_size) in [(0, 0), (1, u64::from(u32::MAX)), (u64::MAX >> 1, 1)] {
            let (hashes, archive_hashes) = Default::default();
            let payload = Summary { facts: Vec::new(), hashes, archive_hashes, size, archive_size };
            assert_eq!(signatures(b"header", &payload).unwrap().len(), SIGNATURES);
        }
        assert_eq!(signatures_of_v6(b"header").unwrap().len(), SIGNATURES);
    }
}
