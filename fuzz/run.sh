#!/bin/sh
# Fuzzes every reader for some seconds each, from small seeds that real tools make.
#
#   fuzz/run.sh [SECONDS] [READER…]
#
# Needs nightly Rust; installs cargo-fuzz where it is missing. A finding is kept in fuzz/artifacts/; it becomes a test
# in crates/package before it is fixed. fuzz/corpus/ keeps what was found to go other ways, and its seeds: remove it
# when new seeds are wanted.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- deb rpm apk pacman zip tar ar cpio control gzip xz zstd inspect \
    tar-sealed deb-sealed pacman-sealed apk-sealed rpm-sealed

seeds() {
    tree=$(mktemp -d)
    mkdir -p "$tree/DEBIAN" "$tree/usr/bin"
    printf 'Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b>\nDescription: d\n e\n' > "$tree/DEBIAN/control"
    echo hello > "$tree/usr/bin/a"
    ln -s a "$tree/usr/bin/b"
    ln "$tree/usr/bin/a" "$tree/usr/bin/c"
    (cd "$tree" && md5sum usr/bin/a usr/bin/c > DEBIAN/md5sums)
    echo /usr/bin/a > "$tree/DEBIAN/conffiles"
    printf '#!/bin/sh\ntrue\n' > "$tree/DEBIAN/postinst"
    chmod 755 "$tree/DEBIAN/postinst"
    for reader in deb rpm apk pacman zip tar ar cpio control gzip xz zstd inspect; do mkdir -p corpus/$reader; done
    cp "$tree/DEBIAN/control" corpus/control/seed
    for format in gnu posix ustar; do
        tar --format=$format -b1 -C "$tree" -cf "corpus/tar/$format" usr
    done
    gzip -c corpus/control/seed > corpus/gzip/seed
    ! command -v xz > /dev/null || xz -c corpus/control/seed > corpus/xz/seed
    ! command -v zstd > /dev/null || zstd -qc corpus/control/seed > corpus/zstd/seed
    ! command -v cpio > /dev/null || (cd "$tree" && find usr | cpio -o -H newc 2> /dev/null) > corpus/cpio/seed
    if command -v dpkg-deb > /dev/null; then
        for compression in none gzip xz; do
            dpkg-deb -Z$compression --root-owner-group -b "$tree" "corpus/deb/$compression" > /dev/null
        done
        cp corpus/deb/none corpus/ar/seed
        cp corpus/deb/gzip corpus/inspect/
    fi
    # What has no tool here that makes it, our own writers make.
    for format in rpm apk pacman zip; do
        write $format "$tree/usr" corpus/$format/seed
        cp corpus/$format/seed corpus/inspect/$format
    done
    write rpm "$tree/usr" corpus/rpm/none none
    write pacman "$tree/usr" corpus/pacman/none none
    cp corpus/tar/gnu corpus/inspect/

    # The readers that make checksums right read archives as they are, not compressed.
    for reader in tar deb pacman apk rpm; do mkdir -p corpus/$reader-sealed; done
    cp corpus/tar/* corpus/tar-sealed/
    ! [ -f corpus/deb/none ] || cp corpus/deb/none corpus/deb-sealed/
    cp corpus/pacman/none corpus/pacman-sealed/
    cp corpus/rpm/* corpus/rpm-sealed/
    # An apk's control file, in an archive without its end, and its files with their sums.
    zeros=0000000000000000000000000000000000000000000000000000000000000000
    printf 'pkgname = a\npkgver = 1-r0\narch = noarch\ndepend = b !c\ndatahash = %s\n' $zeros > "$tree/.PKGINFO"
    cp "$tree/DEBIAN/postinst" "$tree/.post-install"
    sum=$(sha1sum < "$tree/usr/bin/a" | cut -c 1-40)
    {
        tar --format=ustar -b1 -C "$tree" -c .PKGINFO .post-install | head -c -1024
        echo SEGMENT
        tar --format=posix -b1 --pax-option="APK-TOOLS.checksum.SHA1:=$sum" -C "$tree" -c usr
    } > corpus/apk-sealed/seed
    rm -r "$tree"
}
write() { (cd .. && cargo run -q -p packhouse-package --example write -- "$1" "$2" "fuzz/$3" ${4:+"$4"}); }
[ -d corpus ] || seeds

command -v cargo-fuzz > /dev/null || cargo install cargo-fuzz --locked

status=0
for reader in "$@"; do
    echo "fuzz: $reader for $seconds s"
    mkdir -p "corpus/$reader" "artifacts/$reader"
    FUZZ_READER=$reader cargo +nightly fuzz run readers "corpus/$reader" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -max_len=65536 \
        -artifact_prefix="artifacts/$reader/" -print_final_stats=1 || status=1
done
exit $status
