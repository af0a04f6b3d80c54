#!/usr/bin/env bash
# Runs the example client against a demo server of its own: type check first, then the client itself.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$(mktemp -d "${TMPDIR:-/tmp}/ledgerbell-example.XXXXXX")
server=""
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true
    fi
    rm -rf "$home"
}
trap finish EXIT

target/debug/ledgerbell demo --data-dir "$home/data" --listen 127.0.0.1:0 --json >"$home/ready" 2>"$home/log" &
server=$!
for _ in $(seq 300); do
    [ -s "$home/ready" ] && break
    if ! kill -0 "$server" 2>/dev/null; then
        echo "the demo server ended:" && cat "$home/log"
        exit 1
    fi
    sleep 0.1
done
[ -s "$home/ready" ] || { echo "the demo server was not ready within 30 s" && cat "$home/log"; exit 1; }

cd examples/typescript
npm ci --no-audit --no-fund --loglevel=error
npm run --silent check
LEDGERBELL_DEMO=$(cat "$home/ready") npm run --silent start
