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
    # A value that it cannot parse is ignored by systemd with a warning, so any line about this unit counts. Where systemd-analyze cannot
    # run at all, as in some containers, it does not name the unit.
    if complaints=$(systemd-analyze verify "$unit" 2>&1) && ! grep -qF ledgerbell.service <<<"$complaints"; then
        echo "Checked: deploy/ledgerbell.service, by systemd-analyze verify."
    else
        printf '%s\n' "$complaints"
        ! grep -qF ledgerbell.service <<<"$complaints" || exit 1
        echo "!!! NOT CHECKED: deploy/ledgerbell.service (systemd-analyze verify does not run here)."
    fi
    # At most 1.2 of 10, where 10 is not hardened at all.
    if exposure=$(systemd-analyze security --offline=true --threshold=12 "$unit" 2>&1); then
        tail -1 <<<"$exposure"
        echo "Checked: deploy/ledgerbell.service, by systemd-analyze security."
    else
        tail -3 <<<"$exposure"
        ! grep -qF "Overall exposure level" <<<"$exposure" || exit 1
        echo "!!! NOT CHECKED: the exposure of deploy/ledgerbell.service (systemd-analyze security does not run here)."
    fi
    rm -rf "$(dirname "$unit")"
else
    echo "!!! NOT CHECKED: deploy/ledgerbell.service (systemd-analyze is not installed)."
fi
