/*
 * Makes each sync of a file take SLOW_COMMITS_MICROS longer, as on disks that are reached through a network. The processors are free
 * meanwhile. Preloaded into databases (LD_PRELOAD) by `SYNC_MILLIS=2 scripts/bench.sh postings`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int after_a_while(const char *name, int fd) {
    const char *text = getenv("SLOW_COMMITS_MICROS");
    long micros = text ? atol(text) : 0;
    struct timespec rest = {.tv_sec = micros / 1000000, .tv_nsec = micros % 1000000 * 1000};
    nanosleep(&rest, NULL);
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return sync(fd);
}

int fsync(int fd) { return after_a_while("fsync", fd); }

int fdatasync(int fd) { return after_a_while("fdatasync", fd); }
