#!/usr/bin/env bash
# Runs every check, one stage after another, and sums up. A stage that cannot run here is skipped, and its reason is printed;
# with LEDGERBELL_TEST_STRICT=1 a skipped stage is a failure, and missing tools are installed where that is possible.
set -uo pipefail
cd "$(dirname "$0")/.."
source scripts/postgres.sh
source scripts/python.sh
source scripts/pgbouncer.sh
source scripts/nats.sh
source scripts/chromium.sh

unset LEDGERBELL_TEST_DATABASE_URL LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION
# Names the coordinator of a Citus cluster for its stage alone.
citus_url=${LEDGERBELL_TEST_CITUS_URL:-}
unset LEDGERBELL_TEST_CITUS_URL LEDGERBELL_TEST_REPLICA_URL
strict=${LEDGERBELL_TEST_STRICT:-0}
passed=() failed=() skipped=() not_run=()
started=$SECONDS

# stage NAME COMMAND…: 0 passes, 64 is "cannot run here" with its reason in $reason, anything else fails.
stage() {
    local name=$1 at=$SECONDS code
    shift
    reason=""
    printf '\n=== %s\n' "$name"
    "$@"
    code=$?
    case $code in
    0) passed+=("$name ($((SECONDS - at)) s)") ;;
    64)
        printf '!!! SKIPPED: %s: %s\n' "$name" "$reason"
        skipped+=("$name: $reason")
        ;;
    *)
        printf '!!! FAILED: %s\n' "$name"
        failed+=("$name")
        ;;
    esac
}

format() {
    cargo fmt --all --check
}

lints() {
    cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
}

sqlite() {
    cargo test --workspace --locked --quiet
}

# Not again: in the first run these already used both databases (one of them with a million entries), or they need none. The last two
# have a stage of their own, where one test at a time runs: they count what happens within seconds.
elsewhere=(--skip plans:: --skip reading:: --skip migrations:: --skip verify:: --skip schema:: --skip tidy:: --skip processes::
    --skip replica::)

postgres() {
    if [ -z "$postgres_url" ]; then
        reason=$postgres_reason
        return 64
    fi
    echo "Postgres: $postgres_from"
    LEDGERBELL_TEST_DATABASE_URL=$postgres_url cargo test --locked --quiet --test it -- "${elsewhere[@]}"
}

# Modules whose result does not depend on the number of accounts per transaction. LEDGERBELL_TEST_FULL=1 runs them too.
alike=(advisories api_http at_rest chaos cli csv_export deploy doctor door durable figures forecast fuzzing gateway hostile identity
    languages metrics pages permissions serving sse ws)

postgres_one_account_a_transaction() {
    if [ -z "$postgres_url" ]; then
        reason=$postgres_reason
        return 64
    fi
    local left_out=("${elsewhere[@]}") room
    if [ "${LEDGERBELL_TEST_FULL:-0}" != 1 ]; then
        for room in "${alike[@]}"; do
            left_out+=(--skip "$room::")
        done
    fi
    LEDGERBELL_TEST_DATABASE_URL=$postgres_url LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION=1 \
        cargo test --locked --quiet --test it -- "${left_out[@]}"
}

# Without those that need no database, plans of one server, a replica, or are a stage of their own.
on_citus() {
    LEDGERBELL_TEST_CITUS_URL=$citus_url LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION=1 \
        cargo test --locked --quiet --test it -- --skip plans:: --skip schema:: --skip tidy:: --skip processes:: --skip replica:: \
        --skip deploy::
}

# The tests that depend most on sessions and transactions, through a pooler.
through_pgbouncer() {
    if [ -z "$postgres_url" ]; then
        reason=$postgres_reason
        return 64
    fi
    if ! start_pgbouncer "$postgres_url"; then
        reason=$pgbouncer_reason
        return 64
    fi
    local code
    LEDGERBELL_TEST_DATABASE_URL=$postgres_url LEDGERBELL_TEST_POOLER_URL=$pgbouncer_url cargo test --locked --quiet --test it -- \
        api_ledger:: api_member:: sessions:: top_ups:: live:: notification::alerts journey two_sides durable::pooler
    code=$?
    stop_pgbouncer
    return "$code"
}

# Runs a function with a Postgres of its own.
on_own_postgres() {
    if ! postgres_binaries >/dev/null && ! install_postgres; then
        reason=$postgres_reason
        return 64
    fi
    (
        postgres_home=""
        trap stop_postgres EXIT
        if ! start_private_postgres; then
            echo "$postgres_reason"
            exit 1
        fi
        "$@"
    )
}

# On a Postgres that is restarted, and with NATS servers that the tests start.
several_processes() {
    on_own_postgres processes_tests
}

processes_tests() {
    local code
    write_postgres_restart "$postgres_home.restart"
    LEDGERBELL_TEST_DATABASE_URL=$postgres_url LEDGERBELL_TEST_POSTGRES_RESTART=$postgres_home.restart \
        cargo test --locked --quiet --test it processes:: -- --nocapture --test-threads 1
    code=$?
    rm -f "$postgres_home.restart"
    return "$code"
}

# With a streaming replica, whose replay the tests pause.
read_replica() {
    on_own_postgres replica_tests
}

replica_tests() {
    if ! start_postgres_replica; then
        echo "$postgres_reason"
        return 1
    fi
    LEDGERBELL_TEST_DATABASE_URL=$postgres_url LEDGERBELL_TEST_REPLICA_URL=$replica_url \
        cargo test --locked --quiet --test it replica:: -- --test-threads 1
}

# Debian's package of promtool also installs and starts a server, so only the program is extracted.
figures() {
    local promtool=${LEDGERBELL_TEST_PROMTOOL:-$(command -v promtool || echo target/tools/promtool)} home
    if [ ! -x "$promtool" ] && [ "$strict" = 1 ] && command -v apt-get >/dev/null; then
        echo "taking promtool out of Debian's package prometheus"
        home=$(mktemp -d)
        (cd "$home" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb .) >/dev/null 2>&1 &&
            mkdir -p target/tools && cp "$home/usr/bin/promtool" target/tools/promtool
        rm -rf "$home"
    fi
    if [ ! -x "$promtool" ]; then
        reason="promtool is not installed (apt-get install prometheus)"
        return 64
    fi
    "$promtool" check rules deploy/alerts.yaml && "$promtool" test rules deploy/alerts.test.yaml &&
        "$promtool" check config deploy/prometheus.yaml &&
        LEDGERBELL_TEST_PROMTOOL=$(realpath "$promtool") cargo test --locked --quiet --test it -- metrics::tools deploy::tools
}

# systemd-analyze is on Debian's machines, but not in its containers.
deploy() {
    local needed=()
    command -v systemd-analyze >/dev/null || [ "$strict" != 1 ] || needed=(systemd-analyze:systemd)
    if ! find_or_install "${needed[@]}"; then
        reason=$python_reason
        return 64
    fi
    scripts/deploy.sh
}

# Instructions of a page, a posting, a live message and a check, beside the committed counts.
instructions() {
    if ! find_or_install valgrind; then
        reason=$python_reason
        return 64
    fi
    cargo test --locked --quiet --bench smoke
}

simulation() {
    SIMULATION_SEEDS=500 cargo test --locked --quiet --test simulation -- --nocapture
}

dependencies() {
    local deny=target/tools/bin/cargo-deny
    command -v cargo-deny >/dev/null && deny=cargo-deny
    if ! command -v "$deny" >/dev/null && [ "$strict" = 1 ]; then
        echo "installing cargo-deny into target/tools (some minutes, once)"
        cargo install cargo-deny --locked --debug --quiet --root target/tools --target-dir target/tools/build
        rm -rf target/tools/build
    fi
    if ! command -v "$deny" >/dev/null; then
        reason="cargo-deny is not installed (cargo install cargo-deny --locked)"
        return 64
    fi
    "$deny" --locked check --hide-inclusion-graph bans licenses sources
}

# Against the advisory database if it can be fetched, otherwise against the list in this repository.
advisories() {
    local deny=target/tools/bin/cargo-deny
    command -v cargo-deny >/dev/null && deny=cargo-deny
    if command -v "$deny" >/dev/null && "$deny" --locked fetch db >/dev/null 2>&1; then
        echo "Checked: the advisory database of today, and yanked versions (cargo deny)."
        "$deny" --locked check --hide-inclusion-graph advisories || return 1
    else
        echo "Checked: security/advisories.toml of $(sed -n 's/^date = "\(.*\)"/\1/p' security/advisories.toml | head -1). The advisory database cannot be fetched here; yanked versions are not checked."
        cargo test --locked --quiet --test it advisories:: || return 1
    fi
    if ! command -v npm >/dev/null; then
        echo "Not checked: npm packages (npm is not installed)."
        return 0
    fi
    local directory report
    for directory in examples/typescript tests/clients tests/contract tests/mail web; do
        if report=$(cd "$directory" && npm audit --audit-level=high 2>&1); then
            echo "Checked: npm packages of $directory."
        elif grep -q "vulnerabilit" <<<"$report"; then
            printf '%s\n' "$report"
            return 1
        else
            echo "Not checked: npm packages of $directory (npm audit cannot reach its registry)."
        fi
    done
}

# Without the executable, which takes long.
release_files() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    if ! npm sbom --help >/dev/null 2>&1; then
        reason="npm 10 or newer is needed"
        return 64
    fi
    if [ ! -x target/tools/bin/cargo-cyclonedx ] && [ "$strict" != 1 ]; then
        reason="cargo-cyclonedx is not installed (scripts/sbom.sh installs it)"
        return 64
    fi
    local files code
    files=$(mktemp -d)
    scripts/release_notes.sh >"$files/notes" && scripts/sbom.sh "$files" &&
        grep -q '"bomFormat": *"CycloneDX"' "$files/ledgerbell.cdx.json" && grep -q '"name": *"sqlx-core"' "$files/ledgerbell.cdx.json" &&
        grep -q '"name": *"graphiql"' "$files/web.cdx.json"
    code=$?
    rm -rf "$files"
    return "$code"
}

example_typescript() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    cargo build --locked --quiet && scripts/example.sh
}

audit_http() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    cargo build --locked --quiet && scripts/clients.sh http
}

# A script of tests/clients/package.json that starts, kills and restarts its own servers.
live_clients() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    cargo build --locked --quiet &&
        (cd tests/clients && npm ci --no-audit --no-fund --loglevel=error && npm run --silent "$1")
}

webhooks() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    reason="python3-venv is not installed"
    cargo build --locked --quiet && scripts/webhooks.sh
}

# Format, lints, types and sizes of the packages of web/, once.
web_is_built=
build_web() {
    [ -n "$web_is_built" ] && return 0
    cargo build --locked --quiet &&
        (cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build && npm run --silent lint) &&
        web_is_built=1
}

# The tests of one package of web/, which start, kill and restart their own servers. A second argument names another script of it.
web() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    build_web && (cd web && npm run --silent "${2:-test}" --workspace "$1")
}

# Relay's compiler and runtime on the schema and a server, and graphql-eslint on the documents of this repository.
contract() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    build_web && (cd tests/contract && npm ci --no-audit --no-fund --loglevel=error && npm run --silent test)
}

# Pages, as one package of web/ tests them in a real browser.
pages() {
    if ! command -v npm >/dev/null; then
        reason="npm is not installed"
        return 64
    fi
    if ! find_or_install_chromium; then
        reason=$chromium_reason
        return 64
    fi
    LEDGERBELL_TEST_CHROMIUM=$chromium web "$@"
}

# Applications that are created with packages from npm's registry.
new_applications() {
    if command -v npm >/dev/null && ! npm view vite version >/dev/null 2>&1; then
        reason="npm's registry cannot be reached"
        return 64
    fi
    pages react fresh
}

mail() {
    if ! find_or_install openssl npm; then
        reason=$python_reason
        return 64
    fi
    cargo build --locked --quiet && scripts/mail.sh
}

localstripe() {
    if ! find_or_install; then
        reason=$python_reason
        return 64
    fi
    scripts/localstripe.sh
}

mail_crash() {
    if ! find_or_install; then
        reason=$python_reason
        return 64
    fi
    cargo build --locked --quiet && scripts/mail.sh crash
}

trap 'stop_pgbouncer; stop_postgres' EXIT
# Some tests use both databases, and find this one by its variable.
if find_or_start_postgres; then
    export LEDGERBELL_TEST_POSTGRES_URL=$postgres_url
fi
# Not counted as skipped: without it, the tests with bells of Postgres run all the same.
if find_nats $([ "$strict" = 1 ] && echo install); then
    export LEDGERBELL_TEST_NATS_SERVER=$nats_server
else
    not_run+=("tests with NATS: $nats_reason")
    printf '\n!!! NOT RUN: %s\n' "${not_run[-1]}"
fi
stage "format" format
stage "lints" lints
stage "tests on SQLite, and those that go to both databases" sqlite
stage "tests on Postgres" postgres
stage "tests on Postgres, one account a transaction" postgres_one_account_a_transaction
# Not counted as skipped: Debian 12 has only a PgBouncer that is too old.
if find_pgbouncer $([ "$strict" = 1 ] && echo install); then
    stage "tests on Postgres, through PgBouncer in transaction mode" through_pgbouncer
else
    not_run+=("tests on Postgres, through PgBouncer in transaction mode: $pgbouncer_reason")
    printf '\n!!! NOT RUN: %s\n' "${not_run[-1]}"
fi
stage "several processes: killed, restarted, upgraded; Postgres, NATS and the network fail" several_processes
stage "the credit log from a streaming replica: behind, mute, of another history" read_replica
if [ -n "$citus_url" ]; then
    stage "tests on a Citus cluster, one account a transaction" on_citus
else
    not_run+=("tests on a Citus cluster: LEDGERBELL_TEST_CITUS_URL names none")
    printf '\n!!! NOT RUN: %s\n' "${not_run[-1]}"
fi
stage "figures, alert rules and dashboard (promtool)" figures
stage "files of deploy/ (schemas of Compose and Kubernetes, systemd-analyze)" deploy
stage "instructions of four operations, beside committed counts (valgrind)" instructions
stage "simulation of purchases, 500 seeds" simulation
stage "dependencies (cargo deny)" dependencies
stage "advisories about dependencies" advisories
stage "files of a release: notes, lists of components (cargo-cyclonedx, npm)" release_files
stage "example client in TypeScript" example_typescript
stage "audits of GraphQL over HTTP (npm graphql-http)" audit_http
stage "sockets, with their reference client (npm graphql-ws)" live_clients sockets
stage "event streams, with their reference client (npm graphql-sse)" live_clients event_streams
stage "the example's helper beneath graphql-ws, urql and Apollo Client" live_clients live
stage "React pages on Apollo Client and on urql, in jsdom" live_clients pages
stage "the npm client, against a running server" web client
stage "the schema and all documents, for Relay and graphql-eslint" contract
stage "the React components, in jsdom, against a running server" web react
stage "the React components, in Chromium: a server that is killed, a computer that sleeps, cards by Stripe's form" pages react browser
stage "every state of the React components, in Chromium" pages react states
stage "a new Vite and a new Next.js application with the packed packages" new_applications
stage "the explorer, in Chromium" pages explorer
stage "the console, in Chromium, payments that went wrong at a gateway, and its sign-in at an issuer (npm oidc-provider)" pages console
stage "the simulated gateway in Stripe's dialect, with the official SDK (npm stripe)" live_clients stripe
stage "webhook messages, by the libraries of Standard Webhooks (npm, PyPI), and the relay to Slack and Discord" webhooks
stage "the client of Stripe against another stand-in (PyPI localstripe)" localstripe
stage "mail through SMTP servers" mail
stage "mail by a worker that is killed 50 times" mail_crash

printf '\n=== Summary after %s s\n' "$((SECONDS - started))"
[ ${#passed[@]} -eq 0 ] || printf '  passed   %s\n' "${passed[@]}"
[ ${#skipped[@]} -eq 0 ] || printf '  SKIPPED  %s\n' "${skipped[@]}"
[ ${#not_run[@]} -eq 0 ] || printf '  NOT RUN  %s\n' "${not_run[@]}"
[ ${#failed[@]} -eq 0 ] || printf '  FAILED   %s\n' "${failed[@]}"
if [ ${#failed[@]} -gt 0 ]; then
    exit 1
fi
if [ ${#skipped[@]} -gt 0 ] && [ "$strict" = 1 ]; then
    echo "A stage was skipped where none may be."
    exit 1
fi
