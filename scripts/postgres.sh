# Finds a Postgres to test against, or starts a private one. Sourced by test.sh and bench scripts.
#
# find_or_start_postgres sets postgres_url and postgres_from, or fails with postgres_reason. In this order: the server that
# LEDGERBELL_TEST_POSTGRES_URL names, one on 127.0.0.1:5432 that accepts the connection, a private cluster from installed binaries, and on
# Debian the same after installing them. stop_postgres stops what was started. start_private_postgres starts a private
# cluster in any case, with postgres_settings, and write_postgres_restart FILE makes a program that restarts it as after a crash.
# start_postgres_replica adds a streaming replica to it and sets replica_url; stop_postgres stops this too.

# The data is not needed after the tests, so nothing is synced.
postgres_settings=(-c fsync=off -c max_connections=200)
postgres_url="" postgres_from="" postgres_reason="" postgres_home="" replica_url=""

find_or_start_postgres() {
    if [ -n "${LEDGERBELL_TEST_POSTGRES_URL:-}" ]; then
        postgres_url=$LEDGERBELL_TEST_POSTGRES_URL
        postgres_from="named by LEDGERBELL_TEST_POSTGRES_URL"
        return 0
    fi
    local url
    for url in postgres://postgres@127.0.0.1:5432/postgres "postgres://$(id -un)@127.0.0.1:5432/postgres"; do
        if postgres_lets_us_in "$url"; then
            postgres_url=$url
            postgres_from="the server on 127.0.0.1:5432"
            return 0
        fi
    done
    postgres_binaries >/dev/null || install_postgres || return 1
    start_private_postgres
}

# Succeeds if tests can create databases there.
postgres_lets_us_in() {
    command -v psql >/dev/null || return 1
    PGCONNECT_TIMEOUT=3 psql --no-password --no-psqlrc --quiet --tuples-only "$1" \
        --command "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolcreatedb OR rolsuper)" 2>/dev/null | grep -q 1
}

# Prints the directory of the newest installed server's binaries.
postgres_binaries() {
    local directory
    for directory in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin 2>/dev/null | sort -rV); do
        if [ -x "$directory/initdb" ] && [ -x "$directory/pg_ctl" ]; then
            echo "$directory"
            return 0
        fi
    done
    directory=$(dirname "$(command -v initdb 2>/dev/null)" 2>/dev/null)
    [ -n "$directory" ] && [ -x "$directory/pg_ctl" ] && echo "$directory"
}

install_postgres() {
    local as_root=""
    if ! command -v apt-get >/dev/null; then
        postgres_reason="no Postgres runs here and no binaries are installed; install postgresql, or set LEDGERBELL_TEST_POSTGRES_URL"
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo -n"
        if ! $as_root true 2>/dev/null; then
            postgres_reason="no Postgres runs here, no binaries are installed, and installing them needs root"
            return 1
        fi
    fi
    echo "installing postgresql"
    $as_root apt-get update -qq >/dev/null 2>&1
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null 2>&1 ||
        ! postgres_binaries >/dev/null; then
        postgres_reason="no Postgres runs here, and apt-get install postgresql failed"
        return 1
    fi
}

free_postgres_port() {
    local port
    for port in $(seq 54329 54429); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

start_private_postgres() {
    local binaries port
    binaries=$(postgres_binaries)
    postgres_home=$(mktemp -d "${TMPDIR:-/tmp}/ledgerbell-postgres.XXXXXX")
    # The server refuses to run as root.
    if [ "$(id -u)" = 0 ]; then
        local user=postgres
        id "$user" >/dev/null 2>&1 || user=nobody
        chown "$user" "$postgres_home"
        postgres_as=(runuser -u "$user" --)
    else
        postgres_as=()
    fi
    port=$(free_postgres_port)
    if ! (cd / && "${postgres_as[@]}" "$binaries/initdb" -D "$postgres_home/data" -U postgres -A trust --no-sync -E UTF8 --locale=C) \
        >"$postgres_home.log" 2>&1 ||
        ! (cd / && "${postgres_as[@]}" "$binaries/pg_ctl" -D "$postgres_home/data" -w -s -l "$postgres_home/server.log" \
            -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$postgres_home ${postgres_settings[*]}" start) >>"$postgres_home.log" 2>&1; then
        postgres_reason="a private Postgres did not start; see $postgres_home.log"
        rm -rf "$postgres_home"
        postgres_home=""
        return 1
    fi
    rm -f "$postgres_home.log"
    postgres_url="postgres://postgres@127.0.0.1:$port/postgres"
    postgres_from="a private cluster in $postgres_home"
}

# Starts a replica of the private server, from a copy of its data.
start_postgres_replica() {
    local binaries port
    binaries=$(postgres_binaries)
    port=$(free_postgres_port)
    if ! (cd / && "${postgres_as[@]}" "$binaries/pg_basebackup" --dbname "$postgres_url" --pgdata "$postgres_home/replica" \
        --write-recovery-conf --checkpoint=fast --no-sync) >"$postgres_home.log" 2>&1 ||
        ! (cd / && "${postgres_as[@]}" "$binaries/pg_ctl" -D "$postgres_home/replica" -w -s -l "$postgres_home/replica.log" \
            -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$postgres_home -c fsync=off -c max_connections=200" \
            start) >>"$postgres_home.log" 2>&1; then
        postgres_reason="a replica of a private Postgres did not start; see $postgres_home.log"
        return 1
    fi
    rm -f "$postgres_home.log"
    replica_url="postgres://postgres@127.0.0.1:$port/postgres"
}

# Writes a program that restarts the private server as after a crash.
write_postgres_restart() {
    cat >"$1" <<RESTART
#!/bin/sh
cd / && exec ${postgres_as[@]} $(postgres_binaries)/pg_ctl -D $postgres_home/data -w -s -l $postgres_home/server.log -m immediate restart
RESTART
    chmod +x "$1"
}

stop_postgres() {
    [ -n "$postgres_home" ] || return 0
    local data
    for data in "$postgres_home"/replica "$postgres_home"/data; do
        [ -d "$data" ] || continue
        (cd / && "${postgres_as[@]}" "$(postgres_binaries)/pg_ctl" -D "$data" -m immediate -s stop) >/dev/null 2>&1
    done
    rm -rf "$postgres_home"
    postgres_home=""
}
