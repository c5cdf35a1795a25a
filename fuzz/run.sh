#!/bin/sh
# Fuzzes every reader for some seconds each, from small seeds that real tools make.
#
#   fuzz/run.sh [SECONDS] [READER…]
#
# Needs nightly Rust and cargo-fuzz (`cargo install cargo-fuzz`). A finding is kept in fuzz/artifacts/; it becomes a
# test in crates/package before it is fixed.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- deb rpm apk pacman zip tar ar cpio control gzip xz zstd inspect

seeds() {
    tree=$(mktemp -d)
    mkdir -p "$tree/DEBIAN" "$tree/usr/bin"
    printf 'Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b>\nDescription: d\n e\n' > "$tree/DEBIAN/control"
    echo hello > "$tree/usr/bin/a"
    ln -s a "$tree/usr/bin/b"
    ln "$tree/usr/bin/a" "$tree/usr/bin/c"
    mkdir -p corpus/deb corpus/rpm corpus/tar corpus/ar corpus/cpio corpus/control corpus/gzip corpus/xz corpus/zstd \
        corpus/inspect
    cp "$tree/DEBIAN/control" corpus/control/seed
    for format in gnu posix ustar; do
        tar --format=$format -C "$tree" -cf "corpus/tar/$format" usr
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
    fi
    # What has no tool here that makes it, our own writers make.
    for format in rpm apk pacman zip; do
        mkdir -p corpus/$format
        (cd .. && cargo run -q -p packhouse-package --example write -- $format "$tree/usr" fuzz/corpus/$format/seed)
    done
    for format in rpm apk pacman zip; do cp corpus/$format/seed corpus/inspect/$format; done
    cp corpus/deb/gzip corpus/tar/gnu corpus/inspect/
    rm -r "$tree"
}
[ -d corpus ] || seeds

for reader in "$@"; do
    echo "fuzz: $reader for $seconds s"
    mkdir -p "corpus/$reader" "artifacts/$reader"
    FUZZ_READER=$reader cargo +nightly fuzz run readers "corpus/$reader" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -max_len=65536 \
        -artifact_prefix="artifacts/$reader/" -print_final_stats=1
done
