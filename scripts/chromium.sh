# Finds Chromium for browser tests; source this file. In strict runs it is installed from Debian's packages where it is missing.

# find_chromium: sets $CHROMIUM, or $chromium_reason and returns 1.
find_chromium() {
    local name
    for name in ${CHROMIUM:-} chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then
            CHROMIUM=$(command -v "$name")
            export CHROMIUM
            return 0
        fi
    done
    if [ "${LEDGERBELL_TEST_STRICT:-0}" = 1 ] && [ -z "${chromium_tried:-}" ] && command -v apt-get >/dev/null; then
        chromium_tried=1
        echo "installing Debian's package chromium"
        apt-get update -qq >/dev/null 2>&1
        apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1
        find_chromium && return 0
    fi
    chromium_reason="chromium is not installed (apt-get install chromium)"
    return 1
}
