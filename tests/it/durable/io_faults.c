/*
 * Makes calls on the files of a database fail, for tests. Preloaded into the executable (LD_PRELOAD).
 *
 * LEDGERBELL_TEST_FAULT_FILES is what the paths of these files begin with. LEDGERBELL_TEST_FAULT_CONTROL is a file that holds
 * `struct control`: the test writes it while the executable runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { NOTHING, SYNC, WRITE, SHORT_WRITE };

struct control {
    int32_t kind;      /* which calls */
    int32_t countdown; /* the call that brings it to 0 is the first that fails */
    int32_t error;     /* with what errno */
    int32_t lasts;     /* how many calls fail, one after the other */
    int32_t fired;     /* how many have failed */
    int32_t no_clock;  /* 1: the next reading of a clock fails, once */
    int32_t ahead;     /* by how many seconds the machine's clock is ahead */
    int32_t hang;      /* 1: the next reading of the machine's clock does not end, once */
    int32_t later;     /* by how many seconds the clock is ahead that counts from the start */
};

static struct control *control;
static const char *files;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("LEDGERBELL_TEST_FAULT_CONTROL");
    files = getenv("LEDGERBELL_TEST_FAULT_FILES");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED)
        control = shared;
    close(fd);
}

static int is_of_the_database(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || !files)
        return 0;
    path[length] = 0;
    return strncmp(path, files, strlen(files)) == 0;
}

/* 0: the call goes on. 1: it is the first that fails. 2: one after that. */
static int strikes(int32_t kind, int fd) {
    if (!control || __atomic_load_n(&control->kind, __ATOMIC_SEQ_CST) != kind || !is_of_the_database(fd))
        return 0;
    int32_t left = __atomic_sub_fetch(&control->countdown, 1, __ATOMIC_SEQ_CST);
    if (left > 0 || left <= -control->lasts)
        return 0;
    __atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST);
    return left == 0 ? 1 : 2;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fail(void) {
    errno = control->error;
    return -1;
}

int fsync(int fd) {
    return strikes(SYNC, fd) ? fail() : NEXT(fsync)(fd);
}

int fdatasync(int fd) {
    return strikes(SYNC, fd) ? fail() : NEXT(fdatasync)(fd);
}

/* How much of a write is done; -1 where it fails. */
static ssize_t written(int fd, size_t count) {
    if (strikes(WRITE, fd))
        return fail();
    switch (strikes(SHORT_WRITE, fd)) {
    case 0:
        return (ssize_t)count;
    case 1:
        return (ssize_t)(count / 2 + 1);
    default:
        return fail();
    }
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    ssize_t part = written(fd, count);
    return part < 0 ? part : NEXT(pwrite)(fd, bytes, (size_t)part, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    ssize_t part = written(fd, count);
    return part < 0 ? part : NEXT(pwrite64)(fd, bytes, (size_t)part, at);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int32_t one = 1;
    if (control && __atomic_compare_exchange_n(&control->no_clock, &one, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        errno = EINVAL;
        return -1;
    }
    static __typeof__(&clock_gettime) next;
    if (!next)
        next = NEXT(clock_gettime);
    one = 1;
    if (control && clock == CLOCK_REALTIME &&
        __atomic_compare_exchange_n(&control->hang, &one, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        for (;;)
            pause();
    int result = next(clock, time);
    if (control && result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += __atomic_load_n(&control->ahead, __ATOMIC_SEQ_CST);
    if (control && result == 0 && clock == CLOCK_MONOTONIC)
        time->tv_sec += __atomic_load_n(&control->later, __ATOMIC_SEQ_CST);
    return result;
}
