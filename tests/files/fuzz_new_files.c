/* Files are written and named while any of their system calls may fail: nothing stays open, and what is said is true.
 *
 * Built with the address and undefined-behaviour sanitizers by `make sanitize`. Contents are in buffers of exactly the
 * stated size. tests/files/test_many_files.py compares with Python.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static uint64_t seed = 1;
static unsigned odds; /* one call of so many fails; 0: none */
static int failed;    /* errno of a call that failed for good */
static int open_files, unsynced;

static uint64_t next(uint64_t limit) { /* xorshift64 */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % limit;
}

static int fails(int interrupted) {
    if (!odds || next(odds))
        return 0;
    errno = interrupted && next(2) ? EINTR : ENOSPC;
    failed = errno == ENOSPC ? errno : failed;
    return 1;
}

static int test_openat(int folder, const char *name, int flags, mode_t mode) {
    if (fails(1))
        return -1;
    int opened = openat(folder, name, flags, mode);
    open_files += opened >= 0, unsynced += opened >= 0;
    return opened;
}

static ssize_t test_write(int file, const void *data, size_t size) {
    return fails(1) ? -1 : write(file, data, odds && size ? 1 + next(size) : size);
}

static long test_syscall(long number, long file, struct iovec *part, long parts, long low, long high, long flags) {
    if (fails(1))
        return -1;
    if (odds && !next(3)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    struct iovec some = {part->iov_base, odds ? 1 + next(part->iov_len) : part->iov_len};
    return syscall(number, file, &some, parts, low, high, flags);
}

static int test_fsync(int file) {
    if (fails(0))
        return -1;
    unsynced--;
    return fsync(file);
}

static int test_close(int file) {
    open_files--;
    close(file);
    return fails(0) ? -1 : 0;
}

static int test_renameat(int from, const char *old, int folder, const char *new) {
    return fails(0) ? -1 : renameat(from, old, folder, new);
}

#define openat test_openat
#define write test_write
#define syscall test_syscall
#define fsync test_fsync
#define close test_close
#define renameat test_renameat
#include "../../catalog/files/new_files.c"
#undef openat
#undef write
#undef syscall
#undef fsync
#undef close
#undef renameat

enum { ROUNDS = 400, MAX_FILES = 12, MAX_SIZE = 3 * LARGE };

static void check(int fits, const char *what) {
    if (!fits) {
        fprintf(stderr, "new files: %s\n", what);
        exit(1);
    }
}

static void check_contents(int folder, const char *name, const uint8_t *data, size_t size) {
    static uint8_t found[MAX_SIZE + 1];
    int file = openat(folder, name, O_RDONLY);
    ssize_t count = read(file, found, sizeof found);
    close(file);
    check(count == (ssize_t)size && !memcmp(found, data, size), "a file has other contents");
}

static void round_of(int folder) {
    struct ldcat_new_file files[MAX_FILES];
    char names[2][MAX_FILES][16];
    uint8_t *data[MAX_FILES];
    size_t count = next(MAX_FILES + 1);
    int closed_unsynced = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = next(4) ? next(200) : next(MAX_SIZE);
        data[i] = malloc(size ? size : 1);
        for (size_t at = 0; at < size; at++)
            data[i][at] = (uint8_t)next(256);
        snprintf(names[0][i], sizeof *names[0], ".%u", (unsigned)i);
        snprintf(names[1][i], sizeof *names[1], "%u", (unsigned)i);
        int stays_open = next(3) == 0, is_synced = next(2) == 0;
        files[i] = (struct ldcat_new_file){folder, names[0][i], names[1][i], data[i], size, stays_open, is_synced, -1};
        closed_unsynced += !stays_open && !is_synced;
    }
    int error = 0;
    open_files = unsynced = failed = 0;
    size_t written = ldcat_write_files(files, count, &error);
    check(written == count ? !failed : error == failed, "an error is not the one of the call");
    for (size_t i = 0; i < count; i++)
        if (files[i].descriptor >= 0) {
            check(i < written && files[i].stays_open, "a file is open that should not be");
            test_close(files[i].descriptor);
            closed_unsynced += 1;
        }
    check(!open_files, "a file is left open");
    check(written < count || unsynced == closed_unsynced, "a file is not synced");
    for (size_t i = 0; i < written; i++)
        check_contents(folder, names[0][i], data[i], files[i].size);
    failed = 0;
    size_t named = ldcat_name_files(files, written, &error);
    check(named == written ? !failed : error == failed, "an error is not the one of the call");
    for (size_t i = 0; i < count; i++) {
        if (i < named)
            check_contents(folder, names[1][i], data[i], files[i].size);
        unlinkat(folder, names[i < named][i], 0);
        free(data[i]);
    }
}

int main(void) {
    char path[] = "build/new-files-XXXXXX";
    check(mkdtemp(path) != NULL, "no folder");
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    for (int round = 0; round < ROUNDS; round++) {
        odds = round % 2 ? 20 : 0;
        round_of(folder);
    }
    close(folder);
    check(!rmdir(path), "files are left");
    puts("new files: no sanitizer complained, and every fault is reported");
    return 0;
}
