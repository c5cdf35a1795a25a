#!/bin/sh
# Installs the programs that the tests judge packages with: dpkg, rpm, gpg, lintian, Elixir, …
#
#   scripts/clients.sh            install what is missing (as root, or through sudo)
#   scripts/clients.sh --check    only say what is missing; exit status 1 if anything is
#
# Quick when everything is there: one question to dpkg. What Debian does not have comes from PyPI and crates.io. `cargo xtask clients` and `cargo xtask test` call it.
set -eu

# One line for each purpose, so that nobody has to guess which test wants what.
packages="
    dpkg-dev fakeroot lintian debootstrap
    busybox-static docker-registry openssh-client openssh-server podman
    rpm rpmlint dnf
    pacman-package-manager makepkg libarchive-tools unzip
    gnupg gpgv sqv
    binutils cpio rpm2cpio xz-utils zstd strip-nondeterminism
    libcap2-bin libc-bin passwd systemd openssl attr util-linux
    curl faketime git mount procps python3 python3-venv strace shellcheck time
    elixir erlang-base erlang-crypto erlang-dev erlang-inets erlang-ssl
"

# From PyPI, into target/clients: an S3 server with honest conditional writes. `PIP_INDEX_URL` and the like are pip's.
python_packages="moto[s3,server]>=5.2"

# From crates.io, into target/clients: a quick S3 server. Compiling it takes two minutes, once; 0.14.1 is the last for Rust 1.95.
crate="s3s-fs@0.14.1"

check_only=no
case "${1:-}" in
"") ;;
--check) check_only=yes ;;
*)
    echo "usage: scripts/clients.sh [--check]" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null 2>&1; then
    cat >&2 <<'TEXT'
error: these tests run on Debian 12 or later, or on Ubuntu 24.04 or later: only there all the programs that judge
       packages, dpkg as well as rpm, come from one archive
  help: run them in a container:  docker run --rm -it -v "$PWD:/src" -w /src rust:1-bookworm cargo xtask test
  help: without the programs `cargo test` skips the tests that need them, and says which
TEXT
    exit 1
fi

# "ii NAME" is installed. A package that dpkg has never heard of appears only on standard error, hence the search
# for what is there rather than for what is not.
# shellcheck disable=SC2086 # a list of words
installed=$(dpkg-query --show --showformat '${db:Status-Abbrev}${Package} ' $packages 2>/dev/null || true)
missing=
for package in $packages; do
    case "$installed" in
    *"ii $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done

has_moto() {
    command -v moto_server >/dev/null 2>&1 || [ -x target/clients/bin/moto_server ]
}

install_moto() {
    if has_moto; then
        return 0
    fi
    echo "installing: $python_packages" >&2
    if ! { python3 -m venv target/clients && target/clients/bin/pip install --quiet "$python_packages"; } >&2; then
        echo "error: pip could not install $python_packages into target/clients" >&2
        exit 1
    fi
}

install_s3s_fs() {
    if [ -x target/clients/bin/s3s-fs ]; then
        return 0
    fi
    echo "installing: $crate" >&2
    if ! cargo install --quiet --locked --features binary --root target/clients "$crate" >&2; then
        echo "error: cargo could not install $crate into target/clients" >&2
        exit 1
    fi
}

cd "$(dirname "$0")/.."
if [ "$check_only" = yes ]; then
    has_moto || missing="$missing moto_server"
    [ -x target/clients/bin/s3s-fs ] || missing="$missing s3s-fs"
fi
if [ -z "$missing" ]; then
    install_moto
    install_s3s_fs
    exit 0
fi
if [ "$check_only" = yes ]; then
    echo "missing:$missing" >&2
    exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
else
    echo "error: root is needed to install:$missing" >&2
    echo "  help: as root, run  apt-get update && apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "installing:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The lists of a fresh machine are empty or old; the versions they name may be gone from the archive.
# shellcheck disable=SC2086 # lists of words, and no word at all for root
if ! {
    $as_root apt-get update -q &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
} >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "error: apt-get could not install:$missing" >&2
    exit 1
fi
install_moto
install_s3s_fs
