# Starts a demo server for clients to call. Sourced by the scripts that run them.
#
# start_demo_server sets demo_home, a directory that stop_demo_server removes, and LEDGERBELL_DEMO, the line that the server
# prints when it is ready: its address and its credentials.

demo_home="" demo_server=""

start_demo_server() {
    demo_home=$(mktemp -d "${TMPDIR:-/tmp}/ledgerbell-demo.XXXXXX")
    target/debug/ledgerbell demo --data-dir "$demo_home/data" --listen 127.0.0.1:0 --json \
        >"$demo_home/ready" 2>"$demo_home/log" &
    demo_server=$!
    local _
    for _ in $(seq 300); do
        [ -s "$demo_home/ready" ] && break
        if ! kill -0 "$demo_server" 2>/dev/null; then
            echo "the demo server ended:" && cat "$demo_home/log"
            return 1
        fi
        sleep 0.1
    done
    [ -s "$demo_home/ready" ] || { echo "the demo server was not ready within 30 s" && cat "$demo_home/log"; return 1; }
    LEDGERBELL_DEMO=$(cat "$demo_home/ready")
    export LEDGERBELL_DEMO
}

stop_demo_server() {
    if [ -n "$demo_server" ]; then
        kill "$demo_server" 2>/dev/null && wait "$demo_server" 2>/dev/null || true
    fi
    [ -z "$demo_home" ] || rm -rf "$demo_home"
}
