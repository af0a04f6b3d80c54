#!/usr/bin/env bash
# Builds the pages that the server serves, where npm is there and something has changed since the last time. The server runs without
# them, so this never fails: it says what is missing.
set -uo pipefail
cd "$(dirname "$0")/../web"

if ! command -v npm >/dev/null; then
    echo "The console is not built: npm is not installed (Node.js 20 or newer has it). The API works without it."
    exit 0
fi
is_current() {
    local page
    for page in console/dist/index.html explorer/dist/index.html; do
        [ -f "$page" ] || return 1
        [ -z "$(find . ../schema.graphql \( -name node_modules -o -name dist -o -name test -o -name '*.d.ts' -o -name keyed.ts \) -prune -o -type f -newer "$page" -print -quit)" ] || return 1
    done
}
is_current && exit 0
echo "Building the console and the explorer …"
log=$(mktemp)
if { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error; } >"$log" 2>&1 &&
    npm run --silent build -w client -w react -w explorer -w console >>"$log" 2>&1; then
    rm -f "$log"
else
    tail -20 "$log"
    echo "The console is not built; the rest of the reasons is in $log. The API works without it."
fi
