# A Chromium for tests of pages. Sourced by scripts that need one.
#
# find_or_install_chromium sets chromium to its path, or fails with chromium_reason. LEDGERBELL_TEST_CHROMIUM names another one. It installs
# only in strict mode (LEDGERBELL_TEST_STRICT=1), on Debian, as root or by sudo.

chromium="" chromium_reason=""

find_or_install_chromium() {
    local as_root=""
    chromium=${LEDGERBELL_TEST_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
    [ -n "$chromium" ] && [ -x "$chromium" ] && return 0
    chromium_reason="Chromium is not installed (apt-get install chromium, or LEDGERBELL_TEST_CHROMIUM=path)"
    [ "${LEDGERBELL_TEST_STRICT:-0}" = 1 ] && command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo -n"
        if ! $as_root true 2>/dev/null; then
            chromium_reason="$chromium_reason, and installing needs root"
            return 1
        fi
    fi
    echo "installing chromium"
    $as_root apt-get update -qq >/dev/null 2>&1
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1
    chromium=$(command -v chromium || true)
    [ -n "$chromium" ] || { chromium_reason="$chromium_reason, and apt-get install failed"; return 1; }
}
