#!/usr/bin/env bash
# Webhook messages of a demo server, verified by npm standardwebhooks and, where Python has venv, PyPI standardwebhooks. Without Python it
# fails with 64 after the rest has passed.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python.sh

file=$(mktemp "${TMPDIR:-/tmp}/ledgerbell-webhooks.XXXXXX")
trap 'rm -f "$file"' EXIT
(cd tests/clients && npm ci --no-audit --no-fund --loglevel=error && WEBHOOKS_FILE=$file npm run --silent webhooks)
if ! find_or_install; then
    echo "cannot verify with Python: $python_reason"
    exit 64
fi
make_venv target/webhooks-python tests/clients/requirements.txt
"$python" tests/clients/webhooks.py "$file"
