# Settings by which two builds of one commit give the same bytes, whatever their directories, their user and their time. Sourced by
# dist.sh and compare_builds.sh.

# Exports the settings for a build of the sources in $1 with the target directory $2.
export_reproducible() {
    local source=$1 target=$2 cargo_home sysroot maps="" c_maps="" pair
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    sysroot=$(rustc --print sysroot)
    # Paths get into the program by panics, by C code and by build scripts. The last match counts, so the outermost comes first.
    for pair in "$cargo_home=/cargo" "$sysroot=/rust" "$source=/src" "$target=/target"; do
        maps+=" --remap-path-prefix=$pair"
        c_maps+=" -ffile-prefix-map=$pair"
    done
    export RUSTFLAGS="${maps# }" CFLAGS="${c_maps# }" CXXFLAGS="${c_maps# }"
    export CARGO_TARGET_DIR=$target CARGO_INCREMENTAL=0 LC_ALL=C TZ=UTC
    # What C compilers and archivers write instead of the current time.
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct 2>/dev/null || echo 0)}
    export SOURCE_DATE_EPOCH ZERO_AR_DATE=1
}
