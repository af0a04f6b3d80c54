# Finds a NATS server, of which tests start private ones. Sourced by test.sh.
#
# find_nats [install] sets nats_server to a binary, or fails with nats_reason; with `install`, Debian's is installed first where none is
# found. LEDGERBELL_TEST_NATS_SERVER names a binary.

nats_server="" nats_reason=""

find_nats() {
    local as_root=""
    nats_server=${LEDGERBELL_TEST_NATS_SERVER:-$(PATH=$PATH:/usr/sbin command -v nats-server)}
    if [ -z "$nats_server" ] && [ "${1:-}" = install ] && command -v apt-get >/dev/null; then
        [ "$(id -u)" = 0 ] || as_root="sudo -n"
        echo "installing nats-server"
        $as_root apt-get update -qq >/dev/null 2>&1
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nats-server >/dev/null 2>&1
        nats_server=$(PATH=$PATH:/usr/sbin command -v nats-server)
    fi
    if [ -z "$nats_server" ]; then
        nats_reason="nats-server is not installed (apt-get install nats-server)"
        return 1
    fi
    "$nats_server" --version
}
