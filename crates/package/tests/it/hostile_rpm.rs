//! IN-10: rpms that lie are refused, each for its own reason, and a good twin is read.

use std::collections::BTreeMap;
use std::io::Cursor;

use packhouse_package::archive::compress::Compression;
use packhouse_package::inspect::{Depth, InspectedKind, Inspection};
use packhouse_package::{Error, inspect_file};
use sha2::{Digest as _, Sha256};

use crate::rpm_fixture::{add, bytes, package};

/// A value: type, count, bytes.
type Value = (u32, u32, Vec<u8>);

fn text(text: &str) -> Value {
    (6, 1, [text.as_bytes(), b"\0"].concat())
}

fn texts(texts: &[&str]) -> Value {
    (8, texts.len() as u32, texts.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect())
}

fn int16s(numbers: &[u16]) -> Value {
    (3, numbers.len() as u32, numbers.iter().flat_map(|number| number.to_be_bytes()).collect())
}

fn int32s(numbers: &[u32]) -> Value {
    (4, numbers.len() as u32, numbers.iter().flat_map(|number| number.to_be_bytes()).collect())
}

type Tags = BTreeMap<u32, Value>;

/// A header with its region.
fn header(region: u32, tags: &Tags) -> Vec<u8> {
    let mut data = Vec::new();
    let mut index = Vec::new();
    let entry = |tag: u32, kind: u32, offset: u32, count: u32| {
        [tag, kind, offset, count].map(u32::to_be_bytes).concat()
    };
    for (tag, (kind, count, bytes)) in tags {
        let size = match kind {
            3 => 2,
            4 => 4,
            5 => 8,
            _ => 1,
        };
        data.resize(data.len().next_multiple_of(size), 0);
        index.extend(entry(*tag, *kind, data.len() as u32, *count));
        data.extend(bytes);
    }
    let entries = tags.len() as u32 + 1;
    let first = entry(region, 7, data.len() as u32, 16);
    data.extend(entry(region, 7, (entries * 16).wrapping_neg(), 16));
    let lengths = [entries, data.len() as u32].map(u32::to_be_bytes).concat();
    [&b"\x8e\xad\xe8\x01\0\0\0\0"[..], &lengths, &first, &index, &data].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A package of a header as it is, and a payload.
fn signed(header_bytes: &[u8], payload: &[u8]) -> Vec<u8> {
    signed_by(&[(273, hex(&Sha256::digest(header_bytes)))], header_bytes, payload)
}

/// The same, with these digests of the header.
fn signed_by(digests: &[(u32, String)], header_bytes: &[u8], payload: &[u8]) -> Vec<u8> {
    let tags = digests.iter().map(|(tag, digest)| (*tag, text(digest))).collect();
    with_signatures(&tags, header_bytes, payload)
}

/// The same, with this signature header.
fn with_signatures(signatures: &Tags, header_bytes: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut tags = signatures.clone();
    tags.insert(1000, int32s(&[(header_bytes.len() + payload.len()) as u32]));
    let mut lead = vec![0; 96];
    lead[..6].copy_from_slice(b"\xed\xab\xee\xdb\x03\0");
    lead[78..80].copy_from_slice(&[0, 5]);
    let mut bytes = [lead, header(62, &tags)].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    [&bytes[..], header_bytes, payload].concat()
}

fn rpm(tags: &Tags) -> Vec<u8> {
    signed(&header(63, tags), &cpio(&[]))
}

/// The least that a package says, with the file `/a/f` of one byte.
fn tags() -> Tags {
    let digest = hex(&Sha256::digest(b"x"));
    Tags::from([
        (1000, text("hello")),
        (1001, text("1.0")),
        (1002, text("1")),
        (1004, text("greets")),
        (1022, text("noarch")),
        (1028, int32s(&[1])),
        (1030, int16s(&[0o100644])),
        (1035, texts(&[&digest])),
        (1044, text("hello.src.rpm")),
        (1116, int32s(&[0])),
        (1117, texts(&["f"])),
        (1118, texts(&["/a/"])),
        (5011, int32s(&[8])),
    ])
}

/// Members: name, mode, contents.
fn cpio(more: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut add = |name: &str, mode: u32, content: &[u8]| {
        let name_size = name.len() + 1;
        let size = content.len();
        bytes.extend(
            format!(
                "070701{:08x}{mode:08x}{:016x}{:08x}{:08x}{size:08x}{:032x}{name_size:08x}{:08x}",
                1, 0, 1, 0, 0, 0
            )
            .as_bytes(),
        );
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    if more.is_empty() {
        add("./a/f", 0o100644, b"x");
    }
    for (name, mode, content) in more {
        add(name, *mode, content);
    }
    add("TRAILER!!!", 0, b"");
    bytes
}

fn read(bytes: &[u8]) -> Result<Inspection, Error> {
    inspect_file(&mut Cursor::new(bytes), "", Depth::Contents)
}

#[track_caller]
fn assert_refused(bytes: &[u8], reason: &str) {
    match read(bytes) {
        Ok(_) => panic!("it was read, and is {reason}"),
        Err(error @ (Error::Malformed { .. } | Error::BeyondLimit { .. })) => {
            assert!(error.to_string().contains(reason), "{error} is not {reason}");
        }
        Err(error) => panic!("{error:?} is not {reason}"),
    }
}

#[test]
fn a_header_that_says_what_is_not_true_of_a_package_is_refused() {
    read(&rpm(&tags())).unwrap();
    let with = |tag: u32, value: Value| {
        let mut tags = tags();
        tags.insert(tag, value);
        rpm(&tags)
    };
    let without = |tag: u32| {
        let mut tags = tags();
        tags.remove(&tag);
        rpm(&tags)
    };
    for (tag, what) in
        [(1000, "its name"), (1001, "its version"), (1002, "its release"), (1022, "its architecture")]
    {
        for value in ["a/b", "../a", "a b", "$(id)"] {
            assert_refused(&with(tag, text(value)), what);
        }
        assert_refused(&with(tag, text("a\nb")), "line break");
        assert_refused(&with(tag, (6, 1, b"a\xffb\0".to_vec())), "not UTF-8");
        assert_refused(&with(tag, text("a\x1b[2J")), "control character");
        assert_refused(&with(tag, text("")), "it has no");
        assert_refused(&without(tag), "it has no");
        assert_refused(&with(tag, int32s(&[1])), "is of the type 4");
    }
    for value in ["1-2", "1.0-1"] {
        assert_refused(&with(1001, text(value)), "its version");
        assert_refused(&with(1002, text(value)), "its release");
    }
    assert_refused(&with(1106, int32s(&[1])), "source package");
    assert_refused(&with(5114, int32s(&[7])), "its format is 7");
    assert_refused(&with(1124, text("drpm")), "not cpio");
    assert_refused(&with(1125, text("rar")), "compressed with `rar`");
    assert_refused(&with(1125, text("gzip")), "is not gzip");
    // Files.
    for path in ["a/", "/a", "/a/../b/", "//", "/a//b/", "/./", ""] {
        assert_refused(&with(1118, texts(&[path])), "no directory's path");
    }
    for name in ["../f", "..", ".", "", "a/b"] {
        assert_refused(&with(1117, texts(&[name])), "no file's name");
    }
    assert_refused(&with(1116, int32s(&[1])), "is in no directory");
    assert_refused(&with(1116, int32s(&[0, 0])), "elements where");
    assert_refused(&with(1030, int16s(&[0o100644, 0])), "elements where");
    assert_refused(&with(1030, int16s(&[0])), "of no type");
    assert_refused(&without(1028), "files have no sizes");
    assert_refused(&with(1030, int16s(&[0o120777])), "link to nothing");
    assert_refused(&with(1035, texts(&["zz"])), "digest that is none");
    assert_refused(&with(5011, int32s(&[99])), "digests of the kind 99");
    assert_refused(&with(5010, texts(&["cap_fly=ep"])), "file capabilities");
    assert_refused(&with(1027, texts(&["/a/f"])), "rpm 3");
    // Triggers.
    let mut trigger = tags();
    trigger.insert(1065, texts(&["echo"]));
    trigger.insert(1066, texts(&["x"]));
    trigger.insert(1067, texts(&[""]));
    trigger.insert(1068, int32s(&[1 << 16]));
    trigger.insert(1069, int32s(&[0]));
    assert!(read(&rpm(&trigger)).unwrap().scripts.contains_key("%triggerin -- x"));
    trigger.insert(1069, int32s(&[1]));
    assert_refused(&rpm(&trigger), "has no script 1");
}

#[test]
fn a_header_that_is_not_well_formed_is_refused() {
    let good = header(63, &tags());
    let change = |at: usize, word: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        signed(&bytes, &cpio(&[]))
    };
    let entry = |number: usize| 16 + 16 * number;
    let data_length = u32::from_be_bytes(good[12..16].try_into().unwrap());
    let trailer = good.len() - 16;
    read(&signed(&good, &cpio(&[]))).unwrap();

    assert_refused(&change(0, 0), "does not start as a header does");
    assert_refused(&change(8, 0x0001_0000), "tags beyond 65535");
    assert_refused(&change(8, 2_000_000_000), "tags beyond 65535");
    assert_refused(&change(12, 0x1000_0000), "bytes beyond");
    assert_refused(&change(12, 0x0fff_ffff), "longer than the file");
    assert_refused(&change(8, 1), "region");
    // Type, offset and count of the first tag.
    for kind in [0, 10, u32::MAX] {
        assert_refused(&change(entry(1) + 4, kind), "no such type");
    }
    assert_refused(&change(entry(1) + 8, data_length + 1), "lies outside");
    assert_refused(&change(entry(1) + 8, u32::MAX), "lies outside");
    assert_refused(&change(entry(2) + 8, 0), "overlaps another");
    for count in [0, u32::MAX, data_length + 1] {
        assert_refused(&change(entry(1) + 12, count), "as many elements");
    }
    assert_refused(&change(entry(1) + 12, 2), "does not end inside");
    assert_refused(&change(entry(1), 5), "no tag has this number");
    assert_refused(&change(entry(1), u32::MAX), "no tag has this number");
    assert_refused(&change(entry(2), 1000), "comes twice");
    // The sizes, one byte off.
    let sizes = (1..14).find(|number| good[entry(*number)..][..4] == 1028_u32.to_be_bytes()).unwrap();
    let offset = u32::from_be_bytes(good[entry(sizes) + 8..][..4].try_into().unwrap());
    assert_refused(&change(entry(sizes) + 8, offset + 1), "not aligned");
    // The last one reaches into the trailer.
    assert_refused(&change(entry(13) + 8, data_length - 16), "overlaps the region's trailer");
    // The region.
    assert_refused(&change(entry(0), 62), "no region");
    assert_refused(&change(entry(0) + 4, 4), "region is broken");
    assert_refused(&change(entry(0) + 8, data_length), "region is broken");
    assert_refused(&change(entry(0) + 8, u32::MAX), "region is broken");
    assert_refused(&change(entry(0) + 12, 32), "region is broken");
    assert_refused(&change(trailer, 62), "trailer is broken");
    assert_refused(&change(trailer + 8, 0), "not as long as the header");
    assert_refused(&change(trailer + 8, 16_u32.wrapping_neg()), "not as long as the header");
    assert_refused(&change(trailer + 8, 7_u32.wrapping_neg()), "trailer is broken");
    assert_refused(&change(trailer + 12, 7), "trailer is broken");
}

#[test]
fn a_file_that_is_cut_off_or_digests_that_are_wrong_are_refused() {
    let good = rpm(&tags());
    for length in [0, 3] {
        assert!(matches!(read(&good[..length]), Err(Error::NoPackage)));
    }
    for length in 4..good.len() {
        match read(&good[..length]) {
            Err(Error::Malformed { .. }) => {}
            other => panic!("{length} of {}: {other:?}", good.len()),
        }
    }
    let longer = [&good[..], b"x"].concat();
    assert_refused(&longer, "header and payload have");
    // Any byte of the header is covered by its digest, any of the payload by the files'.
    let header_at = good.windows(4).rposition(|window| window == b"\x8e\xad\xe8\x01").unwrap();
    for place in header_at + 16..good.len() {
        let mut damaged = good.clone();
        damaged[place] ^= 0x20;
        let result = read(&damaged);
        // Fields of a member that nobody looks at (inode, owner, times, device) are covered by a digest of the
        // payload, which this package has not.
        let is_unread = good[place..].len() < cpio(&[]).len();
        assert!(result.is_err() || is_unread, "byte {place}");
    }
    let mut without_digest = good.clone();
    // Tag 273 becomes one that nobody knows.
    let tag = good.windows(4).position(|window| window == 273_u32.to_be_bytes()).unwrap();
    without_digest[tag..tag + 4].copy_from_slice(&274_u32.to_be_bytes());
    assert_refused(&without_digest, "no digest of the header");
}

/// The digests of rpm 6.0 (its `docs/manual/signatures_digests.md`), of the header and of the payload as it is and
/// unpacked: each is looked at, alone and beside others that are right.
#[test]
fn every_digest_that_an_rpm_has_is_verified() {
    type Hexadecimal = fn(&[u8]) -> String;
    let sha1: Hexadecimal = |bytes| hex(&sha1::Sha1::digest(bytes));
    let sha256: Hexadecimal = |bytes| hex(&Sha256::digest(bytes));
    let sha512: Hexadecimal = |bytes| hex(&sha2::Sha512::digest(bytes));
    let sha3: Hexadecimal = |bytes| hex(&<sha3::Sha3_256 as sha3::Digest>::digest(bytes));
    let of_header = [(269, "SHA-1", sha1), (273, "SHA-256", sha256), (279, "SHA3-256", sha3)];
    let of_payload = [
        ([5092, 5097], "SHA-256", sha256),
        ([5121, 5122], "SHA-512", sha512),
        ([5123, 5124], "SHA3-256", sha3),
    ];
    let unpacked = cpio(&[]);
    let packed = zstd::encode_all(&unpacked[..], 1).unwrap();
    let mut tags = tags();
    tags.insert(1125, text("zstd"));
    for (in_turn, _, digest) in of_payload {
        tags.insert(in_turn[0], texts(&[&digest(&packed)]));
        tags.insert(in_turn[1], texts(&[&digest(&unpacked)]));
    }
    let head = header(63, &tags);
    let right = of_header.map(|(tag, _, digest)| (tag, digest(&head)));
    read(&signed_by(&right, &head, &packed)).unwrap();

    for (place, (tag, name, digest)) in of_header.into_iter().enumerate() {
        read(&signed_by(&right[place..=place], &head, &packed)).unwrap();
        let reason = format!("its {name} is not what the signature header says");
        let wrong = (tag, digest(b"else"));
        assert_refused(&signed_by(std::slice::from_ref(&wrong), &head, &packed), &reason);
        let mut one_wrong = right.clone();
        one_wrong[place] = wrong;
        assert_refused(&signed_by(&one_wrong, &head, &packed), &reason);
    }
    for (of_both, name, digest) in of_payload {
        for (tag, unpacked) in of_both.into_iter().zip(["", ", unpacked,"]) {
            let mut one_wrong = tags.clone();
            one_wrong.insert(tag, texts(&[&digest(b"else")]));
            let reason = format!("its {name}{unpacked} is not what the header says");
            assert_refused(&signed(&header(63, &one_wrong), &packed), &reason);
        }
    }
}

#[test]
fn a_payload_that_is_not_what_the_header_says_is_refused() {
    let head = header(63, &tags());
    let with = |members: &[(&str, u32, &[u8])]| signed(&head, &cpio(members));
    let file = 0o100644;
    read(&with(&[("./a/f", file, b"x")])).unwrap();
    read(&with(&[("/a/f", file, b"x")])).unwrap();
    assert_refused(&with(&[("./a/f", file, b"y")]), "another digest");
    assert_refused(&with(&[("./a/f", file, b"xx")]), "another size");
    assert_refused(&with(&[("./a/f", 0o104755, b"x")]), "another mode");
    assert_refused(&with(&[("./a/g", file, b"x")]), "is not in the header");
    assert_refused(&with(&[("../a/f", file, b"x")]), "is not in the header");
    assert_refused(&with(&[("./a/f", file, b"x"), ("./a/f", file, b"x")]), "comes twice");
    assert_refused(&signed(&head, &cpio(&[])[120..]), "is missing");
    assert_refused(&signed(&head, b""), "ends too early");
    let ghost = {
        let mut tags = tags();
        tags.insert(1037, int32s(&[1 << 6]));
        header(63, &tags)
    };
    let inspection = read(&signed(&ghost, &cpio(&[])[120..])).unwrap();
    assert_eq!(inspection.files.unwrap()[0].marks, ["ghost"]);
    assert_refused(&signed(&ghost, &cpio(&[])), "comes with contents");
}

#[test]
fn files_below_links_and_files_twice_are_refused() {
    let two = |names: [&str; 2], directories: [u32; 2], modes: [u16; 2]| {
        let mut tags = tags();
        tags.insert(1028, int32s(&[0, 0]));
        tags.insert(1030, int16s(&modes));
        tags.insert(1035, texts(&["", ""]));
        tags.insert(1036, texts(&["/etc", "/etc"]));
        tags.insert(1116, int32s(&directories));
        tags.insert(1117, texts(&names));
        tags.insert(1118, texts(&["/", "/a/"]));
        rpm(&tags)
    };
    assert_refused(&two(["a", "f"], [0, 1], [0o120777, 0o100644]), "lies below `/a`");
    assert_refused(&two(["f", "a"], [1, 0], [0o100644, 0o100644]), "lies below `/a`");
    assert_refused(&two(["f", "f"], [1, 1], [0o100644, 0o100644]), "comes twice");
}

#[test]
fn a_million_paths_of_one_long_directory_are_given_up() {
    let count = 100_000;
    let directory = format!("/{}/", "d".repeat(4000));
    let mut tags = tags();
    tags.insert(1116, int32s(&vec![0; count]));
    tags.insert(1117, texts(&vec!["f"; count]));
    tags.insert(1118, texts(&[&directory]));
    assert_refused(&rpm(&tags), "bytes of paths");
}

/// Each name that comes again gets a number: looking for a free one from 1 up would take the square of the time.
#[test]
fn a_hundred_thousand_triggers_of_one_name_are_read_at_once() {
    let count = 100_000;
    let mut tags = tags();
    tags.insert(1065, texts(&vec![""; count]));
    let scripts = read(&rpm(&tags)).unwrap().scripts;
    assert_eq!(scripts.len(), count);
    assert!(scripts.contains_key("%trigger -- ") && scripts.contains_key("%trigger --  (100000)"));
}

#[test]
fn more_relations_than_anybody_has_are_given_up() {
    let with = |count: usize| {
        let mut tags = tags();
        tags.insert(1049, texts(&vec!["a"; count]));
        rpm(&tags)
    };
    assert_eq!(read(&with(1 << 17)).unwrap().relations["depends"].len(), 1 << 17);
    assert_refused(&with((1 << 17) + 1), "relations of a kind beyond 131072");
}

#[test]
fn more_signatures_than_anybody_makes_are_given_up() {
    let head = header(63, &tags());
    let with = |count: usize| {
        let mut signatures = Tags::from([(273, text(&hex(&Sha256::digest(&head))))]);
        signatures.insert(278, texts(&vec!["iQ=="; count]));
        with_signatures(&signatures, &head, &cpio(&[]))
    };
    assert_eq!(read(&with(64)).unwrap().signatures.len(), 1, "one and the same");
    assert_refused(&with(65), "signatures beyond 64");
}

#[test]
fn hard_links_are_sets_by_inode_and_have_their_contents_last() {
    let digest = hex(&Sha256::digest(b"x"));
    let mut tags = tags();
    tags.insert(1028, int32s(&[1, 1]));
    tags.insert(1030, int16s(&[0o100644, 0o100644]));
    tags.insert(1035, texts(&[&digest, &digest]));
    tags.insert(1095, int32s(&[1, 1]));
    tags.insert(1096, int32s(&[7, 7]));
    tags.insert(1116, int32s(&[0, 0]));
    tags.insert(1117, texts(&["f", "g"]));
    let head = header(63, &tags);
    let (empty, full): (&[u8], &[u8]) = (b"", b"x");
    let good = cpio(&[("./a/f", 0o100644, empty), ("./a/g", 0o100644, full)]);
    let files = read(&signed(&head, &good)).unwrap().files.unwrap();
    assert_eq!(files[0].digest, Some(digest));
    assert_eq!(files[1].kind, InspectedKind::HardLink(b"/a/f".to_vec()));
    let bad = cpio(&[("./a/f", 0o100644, full), ("./a/g", 0o100644, full)]);
    assert_refused(&signed(&head, &bad), "another size");
}

#[test]
fn no_damage_makes_the_reader_panic() {
    for compression in [Compression::Gzip(6), Compression::Zstd(3)] {
        let mut package = package("1.0");
        add(&mut package, "etc/hello.conf", "a = 1\n");
        package.options.compression = Some(compression);
        let whole = bytes(&package);
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << (place % 8);
            let _ = read(&damaged);
        }
        // And with digests that are right, so that what lies behind them is reached.
        let head = header(63, &tags());
        for place in 0..head.len() {
            for bit in 0..8 {
                let mut damaged = head.clone();
                damaged[place] ^= 1 << bit;
                let _ = read(&signed(&damaged, &cpio(&[])));
            }
        }
    }
}

/// IN-22: an rpm that is read here is the same to rpm, which may refuse what is read.
#[test]
fn a_damaged_rpm_is_refused_or_rpm_reads_the_same() {
    let Some([rpm]) = packhouse_clients::find(["rpm"]) else { return };
    let directory = tempfile::tempdir().expect("a directory can be made");
    let file = directory.path().join("x.rpm");
    let mut tags = tags();
    tags.insert(1047, texts(&["hello"]));
    tags.insert(1113, texts(&["1.0-1"]));
    tags.insert(1112, int32s(&[8]));
    tags.insert(1049, texts(&["libc", "zlib"]));
    tags.insert(1050, texts(&["", "2"]));
    tags.insert(1048, int32s(&[0, 12]));
    let good = header(63, &tags);
    let mut random = crate::hostile_deb::numbers();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..600 {
        let mut head = good.clone();
        for _ in 0..1 + random(2) {
            let place = 16 + random(good.len() - 16);
            head[place] = match random(3) {
                0 => head[place] ^ 1 << random(8),
                1 => b"\0\x01\xffa/."[random(6)],
                _ => head[place].wrapping_add(1),
            };
        }
        let bytes = signed(&head, &cpio(&[]));
        let Ok(inspection) = inspect_file(&mut Cursor::new(&bytes), "", Depth::Metadata) else {
            refused += 1;
            continue;
        };
        fs_err::write(&file, &bytes).expect("a file can be written");
        let format = "%{NAME}\\n%{VERSION}-%{RELEASE}\\n%{ARCH}\\n%{SUMMARY}\\n[%{REQUIRENAME}\\n]--\\n[%{FILENAMES} %{FILESIZES} %{FILEMODES}\\n]";
        let output = rpm.command().args(["-qp", "--nosignature", "--qf", format]).arg(&file).output();
        let output = output.expect("rpm was found");
        if !output.status.success() {
            continue;
        }
        let Inspection { name, version, arch, summary, relations, files, .. } = inspection;
        let version = version.split_once(':').map_or(version.as_str(), |(_, version)| version);
        let mut expected = format!("{name}\n{version}\n{arch}\n{summary}\n");
        for relation in ["depends", "pre-depends"].iter().filter_map(|list| relations.get(list)).flatten() {
            expected += relation.split(' ').next().unwrap_or_default();
            expected += "\n";
        }
        expected += "--\n";
        for file in files.iter().flatten().filter(|file| file.kind == InspectedKind::File) {
            let path = String::from_utf8_lossy(&file.path);
            expected += &format!("{path} {} {}\n", file.size, u32::from(file.mode) | 0o100_000);
        }
        // What rpm writes for a tag that is not there.
        let found = String::from_utf8_lossy(&output.stdout).replace("(none)\n", "\n");
        assert_eq!(found, expected, "round {round}");
        accepted += 1;
    }
    assert!(accepted > 40 && refused > 40, "{accepted} accepted, {refused} refused");
}
