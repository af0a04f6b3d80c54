#!/usr/bin/env bash
# Prints the notes of a release: its section in CHANGELOG.md. Fails if there is none.
#
#     scripts/release_notes.sh 0.1.0        or Unreleased
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=${1:?the number of the release, or Unreleased}

notes=$(awk -v wanted="$wanted" '
    /^## / { is_in = ($2 == wanted || $2 == "[" wanted "]"); next }
    is_in' CHANGELOG.md)
if ! grep -q '[^[:space:]]' <<<"$notes"; then
    echo "CHANGELOG.md has no section $wanted" >&2
    exit 1
fi
printf '# Ledgerbell %s\n\n%s\n' "$wanted" "$(sed '/./,$!d' <<<"$notes")"
