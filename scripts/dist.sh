#!/usr/bin/env bash
# Builds a release into target/release-files: the executable, its checksum, lists of all components (CycloneDX), and the notes of the
# release. The same commit is to give the same executable; compare_builds.sh compares two builds.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/reproducible.sh

files=target/release-files
rm -rf "$files"
mkdir -p "$files"
scripts/sbom.sh "$files"
scripts/release_notes.sh >"$files/RELEASE_NOTES.md"
(
    export_reproducible "$PWD" "$PWD/target"
    cargo build --locked --profile dist --bin ledgerbell
)
cp target/dist/ledgerbell "$files/"
(cd "$files" && sha256sum ledgerbell *.json RELEASE_NOTES.md >SHA256SUMS)
cat "$files/SHA256SUMS"
