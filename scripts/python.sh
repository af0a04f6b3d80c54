# A Python with the packages of a test. Sourced by scripts that need one, after a cd to the root of the repository.
#
# find_or_install TOOL… checks that the system has the tools (python3 with venv; other commands, by their Debian packages, which
# have the same names unless they are given as COMMAND:PACKAGE), or fails with python_reason; it installs only in strict mode
# (LEDGERBELL_TEST_STRICT=1), on Debian, as root or by sudo. make_venv DIRECTORY REQUIREMENTS creates or updates a virtual environment,
# and sets python to its interpreter.

python="" python_reason=""

find_or_install() {
    local as_root="" tool missing=()
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    for tool in "$@"; do
        command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    python_reason="not installed: ${missing[*]} (python3-venv is python3 with venv)"
    [ "${LEDGERBELL_TEST_STRICT:-0}" = 1 ] || return 1
    if ! command -v apt-get >/dev/null; then
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo -n"
        if ! $as_root true 2>/dev/null; then
            python_reason="$python_reason, and installing needs root"
            return 1
        fi
    fi
    echo "installing ${missing[*]}"
    $as_root apt-get update -qq >/dev/null 2>&1
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null 2>&1; then
        python_reason="$python_reason, and apt-get install failed"
        return 1
    fi
}

make_venv() {
    local directory=$1 requirements=$2
    mkdir -p "$(dirname "$directory")"
    # An incomplete environment, or one of a Python that was removed, is created again.
    if ! "$directory/bin/python" -m pip --version >/dev/null 2>&1; then
        python3 -m venv --clear "$directory" || return 1
    fi
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" || return 1
    python=$directory/bin/python
}
