/* Writes and names many new files with one call each: no thread waits for Python between their system calls. */
#define _GNU_SOURCE /* O_CLOEXEC, O_NOFOLLOW, sync_file_range */
#include "new_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <unistd.h>

enum { LARGE = 64 << 10 }; /* bytes of a file that the disk begins to write at once, so that a sync waits for less */

static int write_all(int file, const uint8_t *data, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t written = write(file, data + done, size - done);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0)
            done += (size_t)written;
    }
#ifdef SYNC_FILE_RANGE_WRITE
    if (size >= LARGE)
        sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE); /* what fails is reported by the sync */
#endif
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
