#!/usr/bin/env bash
# Runs fuzz targets for so many seconds each, from their seeds. Stable Rust will do: without a sanitizer, for our code has no unsafe.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
command -v cargo-fuzz >/dev/null || {
    echo "cargo-fuzz is not installed (cargo install cargo-fuzz --locked)" >&2
    exit 64
}
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target"
    cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time="$seconds" -print_final_stats=1
done
