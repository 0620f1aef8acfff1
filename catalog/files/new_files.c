/* Writes and names many new files with one call each: no thread waits for Python between their system calls. */
#define _GNU_SOURCE /* O_CLOEXEC, O_NOFOLLOW, syscall */
#include "new_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LARGE = 64 << 10, DONTCACHE = 0x80 }; /* as in new_files.py */

static int is_unknown(int error) {
    return error == EOPNOTSUPP || error == EINVAL || error == ENOSYS || error == EPERM;
}

/* As write, but to the disk at once where the system can do that. By its number: older C libraries lack the call. */
static ssize_t write_uncached(int file, const uint8_t *data, size_t size) {
#ifdef SYS_pwritev2
    struct iovec part = {(void *)data, size};
    long written = syscall(SYS_pwritev2, (long)file, &part, 1L, -1L, -1L, (long)DONTCACHE);
    if (written >= 0 || !is_unknown(errno))
        return (ssize_t)written;
#endif
    return write(file, data, size);
}

static int write_all(int file, const uint8_t *data, size_t size) {
    while (size) {
        ssize_t written = size >= LARGE ? write_uncached(file, data, size) : write(file, data, size);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0)
            data += written, size -= (size_t)written;
    }
    return 0;
}

static int write_file(struct ldcat_new_file *file) {
    enum { NEW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    int opened;
    while ((opened = openat(file->folder, file->partial, NEW, 0666)) < 0)
        if (errno != EINTR)
            return -1;
    if (write_all(opened, file->data, file->size) || (file->is_synced && !file->stays_open && fsync(opened))) {
        int error = errno;
        close(opened);
        errno = error;
        return -1;
    }
    if (!file->stays_open)
        return close(opened);
    file->descriptor = opened;
    return 0;
}

size_t ldcat_write_files(struct ldcat_new_file *files, size_t count, int *error) {
    for (size_t number = 0; number < count; number++)
        if (write_file(&files[number])) {
            *error = errno;
            return number;
        }
    return count;
}

size_t ldcat_name_files(const struct ldcat_new_file *files, size_t count, int *error) {
    for (size_t number = 0; number < count; number++)
        if (renameat(files[number].folder, files[number].partial, files[number].folder, files[number].name)) {
            *error = errno;
            return number;
        }
    return count;
}
