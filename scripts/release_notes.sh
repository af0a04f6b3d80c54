#!/usr/bin/env bash
# Prints the notes of a release: its section in CHANGELOG.md. Fails if there is none.
#
#     scripts/release_notes.sh [SECTION]
#
# Without a section: that of the version in Cargo.toml, else "Unreleased", where the changes are until the release.
set -euo pipefail
cd "$(dirname "$0")/.."

notes_of() {
    awk -v wanted="$1" '
        /^## / { is_in = ($2 == wanted || $2 == "[" wanted "]"); next }
        is_in' CHANGELOG.md
}

is_blank() {
    ! grep -q '[^[:space:]]' <<<"$1"
}

wanted=${1:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)}
notes=$(notes_of "$wanted")
if [ $# = 0 ] && is_blank "$notes"; then
    wanted=Unreleased
    notes=$(notes_of "$wanted")
fi
if is_blank "$notes"; then
    echo "CHANGELOG.md has no section $wanted" >&2
    exit 1
fi
printf '# Ledgerbell %s\n\n%s\n' "$wanted" "$(sed '/./,$!d' <<<"$notes")"
