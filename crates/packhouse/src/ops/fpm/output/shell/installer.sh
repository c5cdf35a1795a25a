#!/bin/bash
# Installs the files that are packed behind this text. Run it with -h to see how.
#
# A script after the installation finds in its environment:
#   INSTALL_ROOT  the directory given with -i, or the name of this file without its ending
#   INSTALL_DIR   where the files were unpacked: INSTALL_ROOT, or a release below it
#   CURRENT_DIR   the link to the current release, unless -r was given
#   VERBOSE       set with -v
# shellcheck disable=SC2317 # the last two lines are marks
set -e

usage() {
    cat <<USAGE
Usage: $(basename "$0") [options]
Install this package
  -i <DIRECTORY>  where to install [the name of this file without its ending]
  -o <USER>       who will own the files [you]
  -r              no releases: install into the directory itself, instead of a new directory below releases/
                  with a link 'current' to it
  -u              unpack only: neither move the link nor run the script after the installation
  -f              force: install over files that are there
  -y              yes: do not ask
  -v              say what happens
  -m              print the package's metadata
  -h              print this
USAGE
}

say() { if [ -n "$VERBOSE" ]; then echo "$*"; fi; }

die() { echo "Error: $*" >&2; exit 1; }

# The number of the first line behind the one that is this word.
line_behind() { echo $(($(grep -a -n -m1 "^$1\$" "$0" | cut -d: -f1) + 1)); }

metadata() {
    local from to
    from=$(line_behind __METADATA__)
    to=$(($(line_behind __ARCHIVE__) - 2))
    if [ "$to" -ge "$from" ]; then sed -n "${from},${to}p;${to}q" "$0"; fi
}

before_install() {
    :
@BEFORE_INSTALL@
}

while getopts "mi:o:rfuyvh" option; do
    case "$option" in
    m) metadata; exit 0 ;;
    i) INSTALL_ROOT=$OPTARG ;;
    o) OWNER=$OPTARG ;;
    r) FLAT=1 ;;
    u) UNPACK_ONLY=1 ;;
    f) FORCE=1 ;;
    y) ;;
    v) export VERBOSE=1 ;;
    h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done

file=$(basename "$0")
export INSTALL_ROOT=${INSTALL_ROOT:-${file%.*}}
releases=$INSTALL_ROOT/releases
if [ -n "$FLAT" ]; then
    export INSTALL_DIR=$INSTALL_ROOT
else
    export INSTALL_DIR=$releases/${RELEASE_ID:-$(date +%Y%m%d%H%M%S)}
fi
mkdir -p "$INSTALL_DIR" || die "Unable to create install directory $INSTALL_DIR"
say "Installing package to '$INSTALL_DIR'"

# One installation at a time.
mkdir "$INSTALL_ROOT/.installing" 2>/dev/null || die "another installation is at work in $INSTALL_ROOT (or was ended: remove $INSTALL_ROOT/.installing)"
trap 'rmdir "$INSTALL_ROOT/.installing"' EXIT

before_install

if [ -n "$FORCE" ] || [ -z "$(find "$INSTALL_DIR" -mindepth 1 -maxdepth 1 ! -name .installing)" ]; then
    say "Unpacking payload . . ."
    tail -n +"$(line_behind __ARCHIVE__)" "$0" | tar -C "$INSTALL_DIR" -xf - ||
        die "Failed to unpack payload from the end of '$0' into '$INSTALL_DIR'"
    if [ -n "$OWNER" ] && [ "$OWNER" != "$(id -un)" ]; then chown -R "$OWNER" "$INSTALL_DIR"; fi
else
    say "Directory already exists and has contents ($INSTALL_DIR). Not unpacking payload."
fi

if [ -n "$UNPACK_ONLY" ]; then
    echo "Unpacking complete, not moving symlinks or restarting because unpack only was specified."
    exit 0
fi

before=
if [ -z "$FLAT" ]; then
    export CURRENT_DIR=$INSTALL_ROOT/current
    before=$(readlink "$CURRENT_DIR" || true)
    ln -sfn "releases/$(basename "$INSTALL_DIR")" "$CURRENT_DIR"
    say "Symlinked '$INSTALL_DIR' to '$CURRENT_DIR'"
fi

if [ -r "$INSTALL_DIR/.fpm/after_install" ]; then
    say "Running post install script"
    status=0
    output=$("$INSTALL_DIR/.fpm/after_install" 2>&1) || status=$?
    say "$output"
    if [ "$status" -ne 0 ]; then
        if [ -n "$before" ]; then ln -sfn "$before" "$CURRENT_DIR"; fi
        say "Installation failed."
        exit 1
    fi
fi

# The current release and the two before it stay.
if [ -z "$FLAT" ]; then
    # shellcheck disable=SC2012 # the newest first, which only ls knows
    ls -t "$releases" | tail -n +4 | while read -r old; do
        say "Deleting old release '$old'"
        rm -rf "${releases:?}/$old"
    done
fi
say "Installation complete."
exit 0

__METADATA__
__ARCHIVE__
