#!/usr/bin/env bash
# Runs the example client against a separate demo server: first the type check, then the client itself.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/demo_server.sh

trap stop_demo_server EXIT
start_demo_server

cd examples/typescript
npm ci --no-audit --no-fund --loglevel=error
npm run --silent check
npm run --silent start
