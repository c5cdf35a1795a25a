#!/bin/sh
# Makes a distribution's image out of its package archive, for machines that reach the archive but no registry.
#
#   scripts/base-image.sh debian 12      makes the image debian:12 in the local engine
#
# An image of that name that is already there is left alone; the unpacked tree is kept as a tar file below
# target/base-images, so that it is fetched once. Takes root and, the first time, a minute or two.
# MIRROR=URL names another archive; its signature is checked against the distribution's keyring either way.
# ENGINE=podman makes the image for Podman.
set -eu

usage() {
    echo "usage: scripts/base-image.sh debian 11|12|13" >&2
    exit 2
}

fail() {
    echo "error: $1" >&2
    echo "  help: $2" >&2
    exit 1
}

[ $# -eq 2 ] || usage
case "$1 $2" in
"debian 11") suite=bullseye ;;
"debian 12") suite=bookworm ;;
"debian 13") suite=trixie ;;
*) usage ;;
esac
image="$1:$2"
engine=${ENGINE:-docker}
mirror=${MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

if ! $engine version >/dev/null 2>&1; then
    fail "there is no $engine to import $image into" "start its daemon, or add yourself to the group docker"
fi
if $engine image inspect "$image" >/dev/null 2>&1; then
    exit 0
fi

project=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache="$project/target/base-images"
tarball="$cache/$1-$2.tar"
mkdir -p "$cache"

if [ ! -s "$tarball" ]; then
    [ "$(id -u)" -eq 0 ] || fail "debootstrap needs root" "run  sudo scripts/base-image.sh $1 $2"
    command -v debootstrap >/dev/null 2>&1 || fail "debootstrap is not installed" "run  scripts/clients.sh"
    [ -s "$keyring" ] || fail "$keyring is missing" "install the package debian-archive-keyring"

    tree=$(mktemp -d)
    trap 'rm -rf -- "$tree"' EXIT
    echo "fetching $image from $mirror" >&2
    if ! debootstrap --variant=minbase --keyring="$keyring" --include=ca-certificates \
        "$suite" "$tree" "$mirror" >"$cache/$1-$2.log" 2>&1; then
        tail -n 20 "$cache/$1-$2.log" >&2
        fail "debootstrap could not fetch $image" "the whole log is $cache/$1-$2.log"
    fi
    # What packages leave behind and no image needs. No service may start while one is built.
    rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/* "$tree"/var/log/*.log
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod 0755 "$tree/usr/sbin/policy-rc.d"
    # Renamed when whole: a tar file that is there is a good one.
    tar --create --numeric-owner --one-file-system --directory "$tree" --file "$tarball.part" .
    mv "$tarball.part" "$tarball"
fi

$engine import --change 'CMD ["bash"]' --message "debootstrap $suite from $mirror" "$tarball" "$image" >/dev/null
echo "made $image" >&2
