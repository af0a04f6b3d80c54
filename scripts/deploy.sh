#!/usr/bin/env bash
# Checks the files of deploy/ and compose.yaml against the schemas of Kubernetes and Compose, and the unit by systemd-analyze.
# Says what it does not check. Needs python3 with venv; scripts/test.sh runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python.sh
make_venv target/tools/deploy tests/deploy/requirements.txt
tools=$(dirname "$python")

"$tools/check-jsonschema" --quiet --builtin-schema vendor.compose-spec compose.yaml
echo "Checked: compose.yaml, against the schema of Compose."

resources=()
for file in deploy/kubernetes/*.yaml; do
    [ "$(basename "$file")" = kustomization.yaml ] || resources+=("$file")
done
# The oldest version that deploy/kubernetes/kustomization.yaml names, and the newest that the schemas are of.
for version in 1.30 1.37; do
    "$tools/kubernetes-validate" --strict --quiet -k "$version" "${resources[@]}"
done
echo "Checked: ${#resources[@]} files of deploy/kubernetes, against the schemas of Kubernetes 1.30 and 1.37."

if kubectl version --client 2>/dev/null | grep -q "Kustomize Version: v[5-9]"; then
    rendered=$(mktemp)
    kubectl kustomize deploy/kubernetes >"$rendered"
    "$tools/kubernetes-validate" --strict --quiet "$rendered"
    rm -f "$rendered"
    echo "Checked: deploy/kubernetes as kubectl kustomize renders it."
else
    echo "!!! NOT CHECKED: deploy/kubernetes as rendered (there is no kubectl with Kustomize 5)."
fi

if command -v systemd-analyze >/dev/null; then
    unit=$(mktemp -d)/ledgerbell.service
    # Only the path of the executable is another: it is installed nowhere here.
    sed 's#^ExecStart=[^ ]*#ExecStart=/bin/true#' deploy/ledgerbell.service >"$unit"
    # A value that it cannot parse is ignored by systemd with a warning, so any line about this unit counts.
    if ! complaints=$(systemd-analyze verify "$unit" 2>&1) || grep -F ledgerbell.service <<<"$complaints"; then
        printf '%s\n' "$complaints"
        exit 1
    fi
    # At most 1.2 of 10, where 10 is not hardened at all.
    systemd-analyze security --offline=true --threshold=12 "$unit" | tail -1
    rm -rf "$(dirname "$unit")"
    echo "Checked: deploy/ledgerbell.service, by systemd-analyze verify and security."
else
    echo "!!! NOT CHECKED: deploy/ledgerbell.service (systemd-analyze is not installed)."
fi
