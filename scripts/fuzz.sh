#!/usr/bin/env bash
# fuzz.sh SECONDS TARGET…: runs each fuzz target for this number of seconds, from its seeds. Stable Rust is enough: there is no sanitizer,
# because our code has no unsafe. With FUZZ_DEV=1 they are compiled without optimization: the build is faster and the search slower.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
command -v cargo-fuzz >/dev/null || {
    echo "cargo-fuzz is not installed (cargo install cargo-fuzz --locked)" >&2
    exit 64
}
options=(--sanitizer none)
if [ "${FUZZ_DEV:-0}" = 1 ]; then
    options+=(--dev)
fi
cargo fuzz build "${options[@]}"
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    cargo fuzz run "${options[@]}" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time="$seconds" -print_final_stats=1
done
