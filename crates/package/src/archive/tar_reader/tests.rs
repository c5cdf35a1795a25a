//! Archives of other programs, and archives that readers disagree about.

use std::path::Path;

use fs_err as fs;
use packhouse_clients::{Client, find};

use super::*;
use crate::Error;

const PART: Part = Part { format: "deb", name: "data.tar" };

/// A header of `kind` with the fields that matter set; the checksum is put in last.
struct Block([u8; BLOCK]);

impl Block {
    fn new(kind: u8, name: &[u8], size: u64) -> Block {
        let mut block = Block([0; BLOCK]);
        block
            .put(0, name)
            .put(100, b"0000644\0")
            .put(108, b"0000000\0")
            .put(116, b"0000000\0")
            .put(124, format!("{size:011o}\0").as_bytes())
            .put(136, b"00000000007\0")
            .put(156, &[kind])
            .put(257, b"ustar\x0000")
            .put(265, b"root")
            .put(297, b"root");
        block
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Block {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn sealed(&self) -> [u8; BLOCK] {
        let mut block = self.0;
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn with(&self, content: &[u8]) -> Vec<u8> {
        let mut bytes = [&self.sealed()[..], content].concat();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }
}

fn member(kind: u8, name: &str) -> Vec<u8> {
    Block::new(kind, name.as_bytes(), 0).with(b"")
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    Block::new(b'0', name.as_bytes(), content.len() as u64).with(content)
}

fn link(kind: u8, name: &str, target: &str) -> Vec<u8> {
    Block::new(kind, name.as_bytes(), 0).put(157, target.as_bytes()).with(b"")
}

fn extension(kind: u8, content: &[u8]) -> Vec<u8> {
    Block::new(kind, b"extension", content.len() as u64).with(content)
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length += 1;
        }
        body.extend(format!("{length} {key}=").as_bytes());
        body.extend(*value);
        body.push(b'\n');
    }
    extension(b'x', &body)
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    [&members.concat()[..], &[0; 1024]].concat()
}

fn list(bytes: &[u8]) -> Result<Vec<Entry>> {
    let mut reader = Reader::new(bytes, PART, End::Blocks);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next()? {
        let content = reader.read_entry("bytes", 1 << 20)?;
        assert_eq!(content.len() as u64, entry.size);
        entries.push(entry);
    }
    Ok(entries)
}

#[test]
fn an_empty_archive_is_two_blocks_or_nothing_where_that_is_agreed() {
    assert!(Reader::new(&[0; 1024][..], PART, End::Blocks).next().unwrap().is_none());
    assert!(Reader::new(&[][..], PART, End::BlocksOrStream).next().unwrap().is_none());
    for (bytes, end) in [(&[][..], End::Blocks), (&[0; 512], End::Blocks), (&[0; 100], End::BlocksOrStream)] {
        let error = Reader::new(bytes, PART, end).next().unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
}

#[test]
fn entries_have_what_headers_and_records_say() {
    let long = "d/".to_owned() + &"n".repeat(300);
    let extended = pax(&[
        ("path", long.as_bytes()),
        ("mtime", b"-1.5"),
        ("uid", b"3000000"),
        ("uname", "jürgen".as_bytes()),
        ("APK-TOOLS.checksum.SHA1", b"0011"),
    ]);
    let bytes = archive(&[
        member(b'5', "./"),
        member(b'5', "./d/"),
        extended.clone(),
        file("short", b"content"),
        link(b'2', "d/link", "../anywhere"),
        link(b'1', "hard", &long[..100]),
    ]);
    // The hard link's target does not fit into its header, and what fits is no file.
    assert!(list(&bytes).unwrap_err().to_string().contains("is no file before it"));
    let bytes = archive(&[
        member(b'5', "./"),
        member(b'5', "./d/"),
        extended.clone(),
        file("short", b"content"),
        link(b'2', "d/link", "../anywhere"),
        extension(b'K', format!("./{long}\0").as_bytes()),
        link(b'1', "hard", ""),
    ]);
    let entries = list(&bytes).unwrap();
    assert_eq!(entries[0].path, b"");
    assert_eq!((&*entries[1].path, &entries[1].kind), (&b"d"[..], &EntryKind::Directory));
    let entry = &entries[2];
    assert_eq!((entry.path.as_slice(), entry.modified), (long.as_bytes(), -1));
    assert_eq!((entry.user_number, entry.user.as_str(), entry.size), (3_000_000, "jürgen", 7));
    assert_eq!(entry.records["APK-TOOLS.checksum.SHA1"], b"0011");
    assert_eq!(entries[3].kind, EntryKind::Symlink(b"../anywhere".to_vec()));
    assert_eq!(entries[4].kind, EntryKind::HardLink(long.into_bytes()));
}

#[test]
fn capabilities_come_in_a_record() {
    let sets = crate::Capabilities::parse("cap_net_raw=ep").unwrap();
    let key = "SCHILY.xattr.security.capability";
    let entries = list(&archive(&[pax(&[(key, &sets.to_attribute())]), file("ping", b"")])).unwrap();
    assert_eq!(entries[0].capabilities, Some(sets));
    let error = list(&archive(&[pax(&[(key, b"else")]), file("ping", b"")])).unwrap_err();
    assert!(error.to_string().contains("unknown form"), "{error}");
}

/// IN-12: each is refused for its own reason, and a good twin is accepted.
#[test]
fn what_readers_could_disagree_on_is_refused() {
    let good = || file("a", b"x");
    let mut wrong_sum = file("a", b"x");
    wrong_sum[0] = b'b';
    let mut no_magic = Block::new(b'0', b"a", 0);
    no_magic.put(257, &[0; 8]);
    let sized = |field: &[u8]| Block::new(b'0', b"a", 0).put(124, field).with(b"");
    let mut negative = [0xff; 12];
    negative[11] = 0;
    let mut huge = [0; 12];
    huge[..5].copy_from_slice(&[0x80, 0, 0, 0, 0x7f]);
    let twice = [pax(&[("path", b"b")]), pax(&[("path", b"c")]), good()].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (file("../x", b""), "`..` component"),
        (file("a/../../x", b""), "`..` component"),
        (file("/x", b""), "is absolute"),
        (file("", b""), "has no name"),
        (file(".", b""), "is the root, and no directory"),
        (file("a/", b""), "is named as a directory"),
        ([link(b'2', "a", "/etc"), file("a/passwd", b"")].concat(), "lies below"),
        ([file("a/b", b""), link(b'2', "a", "/etc")].concat(), "has entries below it"),
        ([good(), file("a/b", b"")].concat(), "lies below"),
        ([good(), good()].concat(), "comes twice"),
        ([good(), file("./a", b"")].concat(), "comes twice"),
        ([member(b'5', "a/"), member(b'5', "a")].concat(), "comes twice"),
        ([good(), link(b'1', "b", "../../etc/shadow")].concat(), "`..` component"),
        ([good(), link(b'1', "b", "/etc/shadow")].concat(), "is absolute"),
        (link(b'1', "b", "a"), "no file before it"),
        ([link(b'2', "a", "x"), link(b'1', "b", "a")].concat(), "no file before it"),
        (link(b'2', "b", ""), "link to nothing"),
        ([pax(&[("size", b"0")]), good()].concat(), "in the header and"),
        ([pax(&[("size", b"-1")]), good()].concat(), "is no number"),
        ([pax(&[("size", b"99999999999999999999")]), good()].concat(), "is no number"),
        ([pax(&[("path", b"a\0b")]), good()].concat(), "NUL inside"),
        ([pax(&[("path", b"")]), good()].concat(), "is empty"),
        ([pax(&[("path", b"b"), ("path", b"c")]), good()].concat(), "comes twice"),
        ([pax(&[("linkpath", b"b")]), good()].concat(), "and is none"),
        ([pax(&[("GNU.sparse.major", b"1")]), good()].concat(), "sparse file"),
        ([pax(&[("hdrcharset", b"KOI8-R")]), good()].concat(), "names are in"),
        (twice, "two pax headers"),
        ([extension(b'g', b"10 path=b\n"), good()].concat(), "global pax header"),
        ([extension(b'x', b"99 path=b\n"), good()].concat(), "broken record"),
        ([extension(b'x', b"010 path=b\n"), good()].concat(), "broken record"),
        ([extension(b'x', b"+10 path=b\n"), good()].concat(), "broken record"),
        ([extension(b'L', b"b\0"), extension(b'L', b"c\0"), good()].concat(), "two long names"),
        ([extension(b'L', b"b\0c\0"), good()].concat(), "NUL inside"),
        ([extension(b'L', b"\0"), good()].concat(), "is empty"),
        ([pax(&[("path", b"b")]), extension(b'L', b"c\0"), good()].concat(), "both"),
        (extension(b'L', b"b\0"), "behind an extended header"),
        (wrong_sum, "checksum"),
        (no_magic.with(b""), "magic"),
        (sized(&negative), "size is no number"),
        (sized(b"-0000000001\0"), "size is no number"),
        (sized(b"            "), "size is no number"),
        (sized(b"0000000 001\0"), "size is no number"),
        (sized(b"00000000009\0"), "size is no number"),
        (sized(&huge), "ends inside an entry"),
        (member(b'S', "a"), "sparse file"),
        (member(b'V', "a"), "of the type `V`"),
        (member(b'M', "a"), "of the type `M`"),
        (member(b'D', "a"), "of the type `D`"),
        (Block::new(b'5', b"a", 5).with(b"12345"), "has contents, and is no file"),
        (Block::new(b'2', b"a", 5).put(157, b"b").with(b"12345"), "has contents, and is no file"),
    ];
    assert!(list(&archive(&[good()])).is_ok());
    for (members, reason) in cases {
        match list(&archive(&[members])) {
            Ok(entries) => panic!("{entries:?} was accepted, and is {reason}"),
            Err(error) => assert!(error.to_string().contains(reason), "{error} is not {reason}"),
        }
    }
    let error = list(&[&archive(&[good()])[..], b"more"].concat()).unwrap_err();
    assert!(error.to_string().contains("follows its end"), "{error}");
    let error = list(&archive(&[extension(b'x', &vec![b'x'; (1 << 20) + 1])])).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { .. }), "{error}");
    let error = list(&archive(&[extension(b'L', &vec![b'x'; 5000])])).unwrap_err();
    assert!(matches!(error, Error::BeyondLimit { .. }), "{error}");
    // A device is listed; it is for others to refuse it.
    let entries = list(&archive(&[member(b'3', "dev/null")])).unwrap();
    assert_eq!(entries[0].kind, EntryKind::Special("a character device"));
    // A commit's id, as git-archive(1) leaves it.
    assert!(list(&archive(&[extension(b'g', b"11 comment=\n"), good()])).is_err());
    assert!(list(&archive(&[extension(b'g', b"12 comment=\n"), good()])).is_ok());
}

/// Each entry's names stay in memory: what few bytes of a compressed archive say again and again is counted.
#[test]
fn names_that_would_fill_the_memory_are_given_up() {
    for key in ["uname", "gname"] {
        let error = list(&archive(&[pax(&[(key, &[b'u'; 257])]), file("a", b"")])).unwrap_err();
        assert!(error.to_string().contains("bytes of an owner's name beyond 256"), "{error}");
        assert!(list(&archive(&[pax(&[(key, &[b'u'; 256])]), file("a", b"")])).is_ok());
    }
    let long = "n".repeat(4000);
    let mut members = vec![extension(b'L', long.as_bytes()), file("short", b"")];
    for number in 0..(128 << 20) / 4000 + 1 {
        members.push(extension(b'K', long.as_bytes()));
        members.push(link(b'1', &format!("{number:x}"), ""));
    }
    let error = list(&archive(&members)).unwrap_err();
    assert!(error.to_string().contains("bytes of names beyond"), "{error}");
}

#[test]
fn a_path_may_not_have_more_directories_than_a_package_has_entries() {
    let deep = "a/".repeat(49) + "b";
    assert_eq!(list(&archive(&[file(&deep, b"")])).unwrap()[0].path, deep.as_bytes());
}

/// The names that a tar lists, without `./` in front and slashes behind; `None` when it fails or warns.
fn names(tar: &Client, arguments: &[&str], file: &Path) -> Option<Vec<String>> {
    let output = tar.command().args(arguments).arg(file).output().unwrap();
    if !output.status.success() {
        println!("{}", packhouse_clients::text(&output));
        return None;
    }
    let plain = |name: &str| name.trim_start_matches("./").trim_end_matches(['/', '.']).to_owned();
    Some(String::from_utf8_lossy(&output.stdout).lines().map(plain).collect())
}

/// What a tar says that each entry is: the first letter of its mode, as ls(1) has it with `h` for hard links, and a
/// file's size. Owners are numbers, so that no name of theirs moves the columns.
fn kinds(tar: &Client, arguments: &[&str], size: usize, file: &Path) -> Option<Vec<(char, u64)>> {
    let output =
        tar.command().args(["--numeric-owner", "--verbose"]).args(arguments).arg(file).output().unwrap();
    let kind = |line: &str| {
        let mut columns = line.split_whitespace();
        let letter = columns.next()?.chars().next()?;
        let size = if letter == '-' { columns.nth(size - 1)?.parse().ok()? } else { 0 };
        Some((letter, size))
    };
    String::from_utf8_lossy(&output.stdout).lines().map(kind).collect()
}

fn our_kinds(bytes: &[u8]) -> Vec<(char, u64)> {
    let kind = |entry: Entry| match entry.kind {
        EntryKind::File => ('-', entry.size),
        EntryKind::Directory => ('d', 0),
        EntryKind::Symlink(_) => ('l', 0),
        EntryKind::HardLink(_) => ('h', 0),
        EntryKind::Special("a character device") => ('c', 0),
        EntryKind::Special("a block device") => ('b', 0),
        EntryKind::Special(_) => ('p', 0),
    };
    list(bytes).unwrap().into_iter().map(kind).collect()
}

fn ours(bytes: &[u8]) -> Result<Vec<String>> {
    let entries = list(bytes)?;
    Ok(entries.into_iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect())
}

const GNU: [&str; 3] = ["--quoting-style=literal", "--list", "--file"];
const BSD: [&str; 1] = ["-tf"];

#[test]
fn gnu_tar_and_bsdtar_write_what_is_read() {
    let Some([tar, bsdtar]) = find(["tar", "bsdtar"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("d").join("e".repeat(90)).join("f".repeat(90))).unwrap();
    fs::write(tree.join("d/file"), "content").unwrap();
    fs::hard_link(tree.join("d/file"), tree.join("d/hard")).unwrap();
    std::os::unix::fs::symlink("n".repeat(180), tree.join("d/link")).unwrap();
    fs::write(tree.join("d").join("e".repeat(90)).join("f".repeat(90)).join("g".repeat(90)), "x").unwrap();
    let path = directory.path().join("x.tar");
    for (program, formats) in [(&tar, ["gnu", "oldgnu", "posix"]), (&bsdtar, ["gnutar", "pax", "pax"])] {
        for format in formats {
            let mut command = program.command();
            command.arg(format!("--format={format}")).arg("-cf").arg(&path).arg("-C").arg(&tree).arg(".");
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let found = ours(&fs::read(&path).unwrap()).unwrap();
            assert_eq!(Some(&found), names(&tar, &GNU, &path).as_ref(), "{format}");
            assert_eq!(Some(&found), names(&bsdtar, &BSD, &path).as_ref(), "{format}");
        }
    }
}

/// IN-22: whatever is accepted here, both see the same in.
#[test]
fn a_damaged_archive_is_refused_or_all_readers_agree() {
    let Some([tar, bsdtar]) = find(["tar", "bsdtar"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.tar");
    let seeds = [
        archive(&[member(b'5', "d/"), file("d/a", b"content"), link(b'2', "d/l", "a"), file("e", b"")]),
        archive(&[pax(&[("path", b"long/name")]), file("short", b"content"), link(b'1', "h", "long/name")]),
        archive(&[extension(b'L', b"long/name\0"), file("short", b"content"), file("e", b"x")]),
    ];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..360 {
        let mut bytes = seeds[round % seeds.len()].clone();
        let blocks = bytes.len() / BLOCK - 2;
        for _ in 0..1 + random(3) {
            let block = random(blocks) * BLOCK;
            // Mostly where headers have something to say.
            let place = block
                + [random(20), 100 + random(57), 124 + random(12), 157 + random(20), random(512)][random(5)];
            bytes[place] = b"07 /\0.ax52\x80\xff-=\n"[random(15)];
        }
        // As an attacker would, with checksums that are right.
        for block in 0..blocks {
            let at = block * BLOCK;
            if bytes[at + 257..at + 262] == *b"ustar" {
                let sealed = Block(bytes[at..at + BLOCK].try_into().unwrap()).sealed();
                bytes[at..at + BLOCK].copy_from_slice(&sealed);
            }
        }
        match ours(&bytes) {
            Err(_) => refused += 1,
            Ok(found) if found.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_graphic())) => {
                accepted += 1;
                fs::write(&path, &bytes).unwrap();
                let normal = |names: Option<Vec<String>>| {
                    let names = names?;
                    let split = |name: String| {
                        name.split('/').filter(|it| !matches!(*it, "" | ".")).collect::<Vec<_>>().join("/")
                    };
                    Some(names.into_iter().map(split).collect::<Vec<_>>())
                };
                let found = normal(Some(found));
                assert_eq!(found, normal(names(&tar, &GNU, &path)), "GNU tar, round {round}");
                assert_eq!(found, normal(names(&bsdtar, &BSD, &path)), "bsdtar, round {round}");
                let kinds_found = Some(our_kinds(&bytes));
                assert_eq!(kinds_found, kinds(&tar, &GNU, 2, &path), "GNU tar, round {round}");
                assert_eq!(kinds_found, kinds(&bsdtar, &["-tf"], 4, &path), "bsdtar, round {round}");
            }
            Ok(_) => {}
        }
    }
    assert!(accepted > 40 && refused > 40, "{accepted} accepted, {refused} refused");
}
