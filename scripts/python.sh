# Finds a Python that can make environments of its own. Sourced by test.sh.
#
# find_or_install_python fails with python_reason where there is none. With LEDGERBELL_TEST_STRICT=1 it is installed on Debian.

python_reason=""

python_makes_environments() {
    python3 -c 'import ensurepip, venv' 2>/dev/null
}

find_or_install_python() {
    python_makes_environments && return 0
    python_reason="python3 with venv is not installed"
    [ "${LEDGERBELL_TEST_STRICT:-0}" = 1 ] && command -v apt-get >/dev/null || return 1
    local as_root=""
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo -n"
        $as_root true 2>/dev/null || { python_reason="$python_reason, and installing it needs root"; return 1; }
    fi
    echo "installing python3-venv"
    $as_root apt-get update -qq >/dev/null 2>&1
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null 2>&1
    python_makes_environments && return 0
    python_reason="$python_reason, and apt-get install python3-venv failed"
    return 1
}
