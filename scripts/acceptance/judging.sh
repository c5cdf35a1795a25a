# shellcheck shell=sh
# What the acceptance tests have in common, sourced by each: a directory to work in, which KEEP=1 leaves behind, an
# environment without the user's keys and settings, and sentences that are true or not. A test says with `stop` what
# has to end with it.

# needs PROGRAM…
needs() {
    for program in "$@"; do
        if ! command -v "$program" >/dev/null 2>&1; then
            echo "error: $program is not installed" >&2
            echo "  help: run  scripts/clients.sh" >&2
            exit 1
        fi
    done
}

work=$(mktemp -d)
stop() { :; }
clean_up() {
    stop
    if [ -n "${KEEP:-}" ]; then echo "kept $work" >&2; else rm -rf -- "$work"; fi
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

export HOME="$work/home" LC_ALL=C.UTF-8 TZ=UTC
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME GNUPGHOME PACKHOUSE_SIGNING_KEY GITHUB_REF || true
unset SOURCE_DATE_EPOCH || true
mkdir -p "$HOME"
failures=0

# ok SENTENCE COMMAND…: the sentence is true when the command succeeds.
ok() {
    sentence=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        echo "ok      $sentence"
    else
        echo "FAILED  $sentence"
        sed 's/^/        /' "$work/output"
        failures=$((failures + 1))
    fi
}

# must SENTENCE COMMAND…: as ok, and nothing after it makes sense without it.
must() {
    before=$failures
    ok "$@"
    [ "$failures" -eq "$before" ] || exit 1
}

not() { ! "$@"; }
