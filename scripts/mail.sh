#!/usr/bin/env bash
# Sends a mail through a real SMTP server over TLS (tests/mail). Needs python3, openssl and the built program; installs what
# else it needs into target/mail.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/mail
mkdir -p "$tools"
if [ ! -x "$tools/venv/bin/python" ]; then
    python3 -m venv "$tools/venv"
fi
"$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement tests/mail/requirements.txt
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -addext basicConstraints=critical,CA:FALSE -keyout "$tools/key.pem" -out "$tools/certificate.pem" 2>/dev/null
"$tools/venv/bin/python" tests/mail/check.py target/debug/ledgerbell "$PWD/$tools/certificate.pem" "$PWD/$tools/key.pem"
