#!/usr/bin/env bash
# Builds the committed sources twice, in two directories with separate targets, and compares the results.
#
#     scripts/compare_builds.sh                           the executable that is shipped; takes long
#     scripts/compare_builds.sh --package record-derive   something small, by the arguments of cargo build
#
# Exits with 1 if the bytes differ. KEEP=1 keeps both directories, for tools such as diffoscope.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
source scripts/reproducible.sh
[ $# -gt 0 ] || set -- --bin ledgerbell

home=$(mktemp -d)
[ "${KEEP:-0}" = 1 ] || trap 'rm -rf "$home"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Prints the files that a build in the directory $1 has made of the sources there, one a line: executables, or else libraries.
build_in() {
    local directory=$1
    shift
    mkdir -p "$directory/src"
    git -C "$repository" archive HEAD | tar -x -C "$directory/src"
    # What the executable contains besides: the built pages.
    local page
    for page in console explorer; do
        [ ! -d "$repository/web/$page/dist" ] || cp -r "$repository/web/$page/dist" "$directory/src/web/$page/dist"
    done
    (
        cd "$directory/src"
        export_reproducible "$directory/src" "$directory/target"
        cargo build --locked --profile dist "$@" --message-format=json-render-diagnostics >"$directory/messages"
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$directory/messages" >"$directory/made"
        [ -s "$directory/made" ] || grep -F "\"manifest_path\":\"$directory/src/" "$directory/messages" |
            sed -n 's/.*"filenames":\[\([^]]*\)\].*/\1/p' | tr ',' '\n' | tr -d '"' >"$directory/made"
        cat "$directory/made"
    )
}

one=$(build_in "$home/one" "$@")
# A path of another length and depth.
two=$(build_in "$home/another/deeper/two" "$@")
if [ -z "$one" ]; then
    echo "These arguments build nothing: $*"
    exit 2
fi
differs=0
while read -r first && read -r second <&3; do
    printf '%s  %s\n%s  %s\n' "$(sha256sum <"$first" | cut -c1-64)" "$first" "$(sha256sum <"$second" | cut -c1-64)" "$second"
    cmp "$first" "$second" || differs=1
done <<<"$one" 3<<<"$two"
[ "$differs" = 0 ] && echo "The builds are the same."
exit "$differs"
