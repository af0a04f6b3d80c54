#!/usr/bin/env bash
# Writes lists of all components as CycloneDX into the directory $1: ledgerbell.cdx.json for the executable (by cargo-cyclonedx), and
# web.cdx.json for its pages and the npm packages (by npm 10 or newer). Without a tool its list is missing, and this fails.
set -euo pipefail
cd "$(dirname "$0")/.."
files=$(realpath "$1")
version=0.5.9

if ! npm sbom --help >/dev/null 2>&1; then
    echo "npm 10 or newer is needed" >&2
    exit 1
fi
cyclonedx=target/tools/bin/cargo-cyclonedx
if [ ! -x "$cyclonedx" ]; then
    echo "installing cargo-cyclonedx $version into target/tools (some minutes, once)"
    cargo install cargo-cyclonedx --version "$version" --locked --debug --quiet --root target/tools --target-dir target/tools/build
    rm -rf target/tools/build
fi
# One list for each package of the workspace, beside its manifest: that of the executable has all its dependencies. None of them stays
# in the sources, also after a failure.
remove_lists() {
    find "$PWD" \( -name target -o -name node_modules -o -name .git -o -path "$files" \) -prune -o \
        -name ledgerbell.cdx.json -exec rm -f {} +
}
trap remove_lists EXIT
# Sources without a usable history, such as an archive, have no time of a commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
"$cyclonedx" cyclonedx --format json --spec-version 1.5 --target all --override-filename ledgerbell.cdx --quiet
# Packages of the workspace are named by their directory, which is another one on each machine.
sed "s|file://$PWD|file:///src|g" ledgerbell.cdx.json >"$files/ledgerbell.cdx.json"

# What is built into pages is a dependency of one of these packages; tools for development are left out.
(cd web && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx --sbom-type application) >"$files/web.cdx.json"
