#!/usr/bin/env bash
# Sends mail through real mail servers (tests/mail): one over TLS that also refuses, hangs and disconnects, and npm maildev, from which it
# is read back. With `crash`, repeatedly kills the worker that sends it instead. Needs python3 with venv, the built program, and, except
# for `crash`, openssl and npm; installs all other packages into target/mail.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python.sh

make_venv target/mail/venv tests/mail/requirements.txt
if [ "${1:-}" = crash ]; then
    exec "$python" tests/mail/crash.py "${@:2}"
fi
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -addext basicConstraints=critical,CA:FALSE -keyout target/mail/key.pem -out target/mail/certificate.pem 2>/dev/null
"$python" tests/mail/check.py "$PWD/target/mail/certificate.pem" "$PWD/target/mail/key.pem"
(cd tests/mail && npm ci --no-audit --no-fund --loglevel=error)
"$python" tests/mail/mailbox.py
