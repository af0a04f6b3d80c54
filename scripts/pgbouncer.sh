# Starts PgBouncer in transaction mode in front of a Postgres. Sourced by test.sh.
#
# find_pgbouncer [install] sets pgbouncer to a suitable binary, or fails with pgbouncer_reason; with `install`, Debian's is
# installed first where none is found. LEDGERBELL_TEST_PGBOUNCER names a binary. start_pgbouncer POSTGRES_URL sets pgbouncer_url,
# or fails with pgbouncer_reason. stop_pgbouncer stops it and removes its role.

pgbouncer="" pgbouncer_url="" pgbouncer_reason="" pgbouncer_home="" pgbouncer_server=""

# The first version that keeps prepared statements in transaction mode. Drivers that prepare statements need it.
pgbouncer_oldest=1.21.0

is_new_enough() {
    [ "$(printf '%s\n' "$pgbouncer_oldest" "$1" | sort -V | head -1)" = "$pgbouncer_oldest" ]
}

find_pgbouncer() {
    local as_root="" version
    pgbouncer=${LEDGERBELL_TEST_PGBOUNCER:-$(PATH=$PATH:/usr/sbin command -v pgbouncer)}
    if [ -z "$pgbouncer" ] && [ "${1:-}" = install ] && command -v apt-get >/dev/null; then
        [ "$(id -u)" = 0 ] || as_root="sudo -n"
        $as_root apt-get update -qq >/dev/null 2>&1
        version=$(apt-cache policy pgbouncer 2>/dev/null | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p')
        if ! is_new_enough "${version:-0}"; then
            pgbouncer_reason="this system has pgbouncer ${version:-only under another name}; transaction mode needs $pgbouncer_oldest (LEDGERBELL_TEST_PGBOUNCER names another)"
            return 1
        fi
        echo "installing pgbouncer"
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer >/dev/null 2>&1
        pgbouncer=$(PATH=$PATH:/usr/sbin command -v pgbouncer)
    fi
    if [ -z "$pgbouncer" ]; then
        pgbouncer_reason="pgbouncer is not installed (apt-get install pgbouncer)"
        return 1
    fi
    version=$("$pgbouncer" --version | sed -n 's/^PgBouncer //p')
    if ! is_new_enough "$version"; then
        pgbouncer_reason="$pgbouncer is $version; transaction mode needs $pgbouncer_oldest (LEDGERBELL_TEST_PGBOUNCER names another)"
        return 1
    fi
    echo "PgBouncer $version"
}

start_pgbouncer() {
    local address port as=() user
    pgbouncer_server=$1
    address=$(sed -E 's#^[a-z]+://([^@/]*@)?([^/]*)/.*#\2#' <<<"$pgbouncer_server")
    for port in $(seq 54430 54529); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    # The settings that docs/operating.md recommends to operators.
    if ! psql --no-psqlrc --quiet "$pgbouncer_server" >/dev/null 2>&1 <<'SQL'; then
DROP ROLE IF EXISTS ledgerbell_pooled;
CREATE ROLE ledgerbell_pooled LOGIN SUPERUSER;
ALTER ROLE ledgerbell_pooled SET statement_timeout = '12s';
ALTER ROLE ledgerbell_pooled SET lock_timeout = '2s';
ALTER ROLE ledgerbell_pooled SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE ledgerbell_pooled SET jit = off;
SQL
        pgbouncer_reason="the role for it cannot be made in $pgbouncer_server"
        return 1
    fi
    pgbouncer_home=$(mktemp -d "${TMPDIR:-/tmp}/ledgerbell-pgbouncer.XXXXXX")
    echo '"ledgerbell_pooled" ""' >"$pgbouncer_home/users"
    cat >"$pgbouncer_home/pgbouncer.ini" <<INI
[databases]
* = host=${address%:*} port=${address##*:}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = trust
auth_file = $pgbouncer_home/users
logfile = $pgbouncer_home/log
pidfile = $pgbouncer_home/pid
pool_mode = transaction
max_prepared_statements = 200
ignore_startup_parameters = options, extra_float_digits
default_pool_size = 8
max_client_conn = 1000
server_idle_timeout = 5
INI
    # It refuses to run as root.
    if [ "$(id -u)" = 0 ]; then
        user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        chown -R "$user" "$pgbouncer_home"
        as=(runuser -u "$user" --)
    fi
    if ! (cd / && "${as[@]}" "$pgbouncer" --daemon --quiet "$pgbouncer_home/pgbouncer.ini") >"$pgbouncer_home.out" 2>&1; then
        pgbouncer_reason="it did not start: $(tail -1 "$pgbouncer_home.out")"
        stop_pgbouncer
        return 1
    fi
    rm -f "$pgbouncer_home.out"
    pgbouncer_url="postgres://ledgerbell_pooled@127.0.0.1:$port/postgres"
}

stop_pgbouncer() {
    [ -n "$pgbouncer_home" ] || return 0
    [ ! -s "$pgbouncer_home/pid" ] || kill -INT "$(cat "$pgbouncer_home/pid")" 2>/dev/null
    rm -rf "$pgbouncer_home" "$pgbouncer_home.out"
    psql --no-psqlrc --quiet "$pgbouncer_server" -c 'DROP ROLE IF EXISTS ledgerbell_pooled' >/dev/null 2>&1
    pgbouncer_home="" pgbouncer_url=""
}
