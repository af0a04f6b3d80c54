#!/usr/bin/env bash
# Runs the client of Stripe against PyPI localstripe (tests/it/gateway/localstripe.rs lists what it supports). Needs python3 with venv;
# installs all other packages into target/localstripe.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python.sh

tools=target/localstripe
make_venv "$tools/venv" tests/localstripe/requirements.txt

rm -f "$tools/ready"
"$python" tests/localstripe/serve.py >"$tools/ready" 2>"$tools/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 300); do
    [ -s "$tools/ready" ] && break
    kill -0 "$server" 2>/dev/null || { echo "localstripe ended:" && cat "$tools/log" && exit 1; }
    sleep 0.1
done
[ -s "$tools/ready" ] || { echo "localstripe was not ready within 30 s" && cat "$tools/log" && exit 1; }
LEDGERBELL_TEST_LOCALSTRIPE=$(cat "$tools/ready")
export LEDGERBELL_TEST_LOCALSTRIPE
cargo test --locked --quiet --test it -- --ignored gateway::localstripe
