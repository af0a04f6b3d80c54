#!/usr/bin/env bash
# Runs one bench from nothing: `scripts/bench.sh NAME [options of the bench]`; `make bench` and its relatives call it. It says what it does.
#
# SERVER=path    measures this executable, and builds none
# POSTGRES=url   measures on this Postgres, which must be on this machine; otherwise a private one is started, and stopped at the end
# PEERS=1        measures other servers too, from npm
# SYNC_MILLIS=2  postings: each sync of a file by a database takes so much longer, as on disks that are reached through a network; needs cc
# TMPDIR         where databases are; /var/tmp, because /tmp may be in memory
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/postgres.sh

export TMPDIR=${TMPDIR:-/var/tmp}
name=$1
shift
clients=() peers=0 duration=""
case $name in
postings) script=benches/postings/postings.mjs clients=(load bare_commits) duration="4 minutes" ;;
live) script=benches/live/live.mjs clients=(load stock) peers=1 duration="5 minutes" ;;
page) script=benches/reads/page.mjs duration="1 minute; 2 with PEERS=1" ;;
fields) script=benches/reads/fields.mjs duration="1 minute; 2 with PEERS=1" ;;
growth) script=benches/reads/growth.mjs duration="2 minutes; 15 with ENTRIES=10000000" ;;
reads) script=benches/reads/reads.mjs duration="4 minutes" ;;
idle) script=benches/idle/idle.mjs duration="4 minutes" ;;
soak) script=benches/soak/soak.mjs duration="as long as MINUTES, and one minute" ;;
*)
    echo "unknown bench: $name" >&2
    exit 2
    ;;
esac
case $name in
page | fields | reads) [ "${PEERS:-0}" = 1 ] && peers=1 ;;
esac

step() { printf '\n=== %s\n' "$*"; }
fail() {
    printf '!!! %s\n' "$*" >&2
    exit 1
}

step "bench $name: builds what is missing, then measures for about $duration"
command -v node >/dev/null || fail "the bench needs Node.js 20 or newer"
# As it is shipped.
server=${SERVER:-target/dist/ledgerbell}
if [ -n "${SERVER:-}" ]; then
    [ -x "$server" ] || fail "SERVER=$server is no executable"
    echo "measures $server as it is (SERVER)"
else
    step "building $server: seconds if it is current, up to 20 minutes the first time (SERVER=path measures a built one)"
    cargo build --locked --profile dist --bin ledgerbell || fail "the server cannot be built"
fi
[ "$name" = page ] && [ "$peers" = 1 ] && clients=(bare)
if [ "${#clients[@]}" -gt 0 ]; then
    step "building ${clients[*]} (benches/load, benches/bare, benches/stock): a minute after the server's build, more without it"
    # With the features of the server, so that what its build has compiled is used again. The server itself is not built here.
    cargo build --locked --profile dist --package ledgerbell --package load --package bare --package stock "${clients[@]/#/--bin=}" ||
        fail "${clients[*]} cannot be built"
fi
if [ "$peers" = 1 ]; then
    step "installing other servers from npm into benches/peers"
    (cd benches/peers && npm install --no-audit --no-fund --no-package-lock --loglevel=error) || fail "npm install failed"
fi

if [ -n "${SYNC_MILLIS:-}" ]; then
    [ "$name" = postings ] && [ -z "${POSTGRES:-}" ] || fail "SYNC_MILLIS is for postings, on a Postgres that this script starts"
    step "each sync takes $SYNC_MILLIS ms longer (benches/postings/slow_commits.c)"
    # Where the user of the private Postgres can read it.
    shim=$(mktemp --suffix=.so)
    cc -O2 -shared -fPIC -o "$shim" benches/postings/slow_commits.c -ldl && chmod 755 "$shim" || fail "slow_commits.c cannot be built"
    # Everything that is started from here inherits it: Postgres, the server with its SQLite, and the peers.
    export LD_PRELOAD=$shim SLOW_COMMITS_MICROS=$((SYNC_MILLIS * 1000))
fi
if [ -n "${POSTGRES:-}" ]; then
    postgres_url=$POSTGRES
    step "Postgres: $postgres_url (POSTGRES)"
else
    step "starting a private Postgres; it is stopped at the end"
    trap 'stop_postgres; rm -f "${shim:-}"' EXIT
    # Durable commits, as in production; enough connections for 64 clients beside the server's.
    postgres_settings=(-c max_connections=200 -c shared_buffers=512MB -c max_wal_size=4GB)
    { postgres_binaries >/dev/null || install_postgres; } && start_private_postgres || fail "$postgres_reason"
    echo "$postgres_url: $postgres_from, ${postgres_settings[*]}"
fi
postgres_binaries >/dev/null && PATH=$PATH:$(postgres_binaries)
command -v psql >/dev/null || fail "the bench needs psql"

step "measuring"
arguments=(--binary "$server" --postgres "$postgres_url")
[ "$peers" = 1 ] && [ "$name" != live ] && arguments+=(--peers)
[ "$name" = page ] && [ "$peers" = 1 ] && arguments+=(--bare target/dist/bare)
node "$script" "${arguments[@]}" "$@"
code=$?
[ "$code" = 0 ] && step "recorded in target/bench/rows.jsonl; make bench-report writes BENCHMARKS.md"
exit "$code"
