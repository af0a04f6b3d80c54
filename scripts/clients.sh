#!/usr/bin/env bash
# Runs one test of tests/clients (a script's name in its package.json) against a separate demo server.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/demo_server.sh

trap stop_demo_server EXIT
start_demo_server

cd tests/clients
npm ci --no-audit --no-fund --loglevel=error
npm run --silent "$1"
