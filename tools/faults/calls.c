/* Every call that writes, syncs, names or removes something, before the one of the same name of the C library. */
#include "faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

static size_t less(int descriptor, size_t size)
{
    size_t half = size / 2;
    if (fcntl(descriptor, F_GETFL) & O_DIRECT)
        half -= half % PAGE;
    return half ? half : size;
}

static int writes(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
}

#define OPEN(name, parameters, folder, ...) \
    int name parameters \
    { \
        mode_t mode = 0; \
        if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        enum action action = writes(flags) ? at_path(#name, folder, path) : PASS; \
        if (action == FAIL) \
            return -1; \
        int result = NEXT(name)(__VA_ARGS__, flags, mode); \
        done(action); \
        return result; \
    }

OPEN(open, (const char *path, int flags, ...), AT_FDCWD, path)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, path)
OPEN(openat, (int folder, const char *path, int flags, ...), folder, folder, path)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, folder, path)

/* What the compiler makes of a call without a mode, where it checks for one. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return open(path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open64(path, flags, 0);
}

int __openat_2(int folder, const char *path, int flags)
{
    return openat(folder, path, flags, 0);
}

int __openat64_2(int folder, const char *path, int flags)
{
    return openat64(folder, path, flags, 0);
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

#define WRITE(name, parameters, shorter, ...) \
    ssize_t name parameters \
    { \
        enum action action = at_descriptor(#name, descriptor); \
        if (action == FAIL) \
            return -1; \
        ssize_t result = action == SHORT ? shorter : NEXT(name)(__VA_ARGS__); \
        if (result > 0) \
            wrote(descriptor); \
        done(action); \
        return result; \
    }

WRITE(write, (int descriptor, const void *data, size_t size),
      NEXT(write)(descriptor, data, less(descriptor, size)), descriptor, data, size)
WRITE(pwrite, (int descriptor, const void *data, size_t size, off_t offset),
      NEXT(pwrite)(descriptor, data, less(descriptor, size), offset), descriptor, data, size, offset)
WRITE(pwrite64, (int descriptor, const void *data, size_t size, off64_t offset),
      NEXT(pwrite64)(descriptor, data, less(descriptor, size), offset), descriptor, data, size, offset)
WRITE(writev, (int descriptor, const struct iovec *parts, int count),
      NEXT(write)(descriptor, parts->iov_base, less(descriptor, parts->iov_len)), descriptor, parts, count)
WRITE(pwritev, (int descriptor, const struct iovec *parts, int count, off_t offset),
      NEXT(pwrite)(descriptor, parts->iov_base, less(descriptor, parts->iov_len), offset), descriptor, parts, count,
      offset)
WRITE(pwritev64, (int descriptor, const struct iovec *parts, int count, off64_t offset),
      NEXT(pwrite64)(descriptor, parts->iov_base, less(descriptor, parts->iov_len), offset), descriptor, parts, count,
      offset)
WRITE(pwritev2, (int descriptor, const struct iovec *parts, int count, off_t offset, int flags),
      NEXT(pwritev2)(descriptor, &(struct iovec){parts->iov_base, less(descriptor, parts->iov_len)}, 1, offset, flags),
      descriptor, parts, count, offset, flags)
WRITE(pwritev64v2, (int descriptor, const struct iovec *parts, int count, off64_t offset, int flags),
      NEXT(pwritev64v2)(descriptor, &(struct iovec){parts->iov_base, less(descriptor, parts->iov_len)}, 1, offset, flags),
      descriptor, parts, count, offset, flags)
/* By its number, as code calls pwritev2 that has to run with older C libraries. */
long syscall(long number, ...)
{
    long given[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        given[i] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_pwritev2)
        return pwritev2((int)given[0], (const struct iovec *)given[1], (int)given[2], given[3], (int)given[5]);
    return NEXT(syscall)(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

WRITE(sendfile, (int descriptor, int source, off_t *offset, size_t size),
      NEXT(sendfile)(descriptor, source, offset, less(descriptor, size)), descriptor, source, offset, size)
WRITE(sendfile64, (int descriptor, int source, off64_t *offset, size_t size),
      NEXT(sendfile64)(descriptor, source, offset, less(descriptor, size)), descriptor, source, offset, size)
WRITE(copy_file_range,
      (int source, off64_t *from, int descriptor, off64_t *offset, size_t size, unsigned int flags),
      NEXT(copy_file_range)(source, from, descriptor, offset, less(descriptor, size), flags), source, from, descriptor,
      offset, size, flags)

#define AT_DESCRIPTOR(name, parameters, failed, then, ...) \
    int name parameters \
    { \
        enum action action = at_descriptor(#name, descriptor); \
        if (action == FAIL) \
            return failed; \
        int result = NEXT(name)(__VA_ARGS__); \
        if (!result) { \
            then; \
        } \
        done(action); \
        return result; \
    }

AT_DESCRIPTOR(fsync, (int descriptor), -1, synced(descriptor), descriptor)
AT_DESCRIPTOR(fdatasync, (int descriptor), -1, synced(descriptor), descriptor)

int syncfs(int descriptor)
{
    enum action action = at_descriptor("syncfs", descriptor);
    if (action == FAIL)
        return -1;
    syncing(descriptor);
    int result = NEXT(syncfs)(descriptor);
    if (!result)
        all_synced();
    done(action);
    return result;
}

AT_DESCRIPTOR(ftruncate, (int descriptor, off_t size), -1, wrote(descriptor), descriptor, size)
AT_DESCRIPTOR(ftruncate64, (int descriptor, off64_t size), -1, wrote(descriptor), descriptor, size)
AT_DESCRIPTOR(fallocate, (int descriptor, int mode, off_t offset, off_t size), -1, wrote(descriptor), descriptor, mode,
              offset, size)
AT_DESCRIPTOR(fallocate64, (int descriptor, int mode, off64_t offset, off64_t size), -1, wrote(descriptor), descriptor,
              mode, offset, size)
AT_DESCRIPTOR(posix_fallocate, (int descriptor, off_t offset, off_t size), errno, wrote(descriptor), descriptor, offset,
              size)
AT_DESCRIPTOR(posix_fallocate64, (int descriptor, off64_t offset, off64_t size), errno, wrote(descriptor), descriptor,
              offset, size)
AT_DESCRIPTOR(fchmod, (int descriptor, mode_t mode), -1, , descriptor, mode)

int close(int descriptor)
{
    if (!was_written(descriptor))
        return NEXT(close)(descriptor);
    enum action action = at_descriptor("close", descriptor);
    int said = errno, result = NEXT(close)(descriptor); /* it is closed all the same */
    done(action);
    if (action != FAIL)
        return result;
    errno = said;
    return -1;
}

#define AT_PATH(name, parameters, folder, path, ...) \
    int name parameters \
    { \
        enum action action = at_path(#name, folder, path); \
        if (action == FAIL) \
            return -1; \
        int result = NEXT(name)(__VA_ARGS__); \
        done(action); \
        return result; \
    }

AT_PATH(rename, (const char *old, const char *new), AT_FDCWD, new, old, new)
AT_PATH(renameat, (int from, const char *old, int folder, const char *new), folder, new, from, old, folder, new)
AT_PATH(renameat2, (int from, const char *old, int folder, const char *new, unsigned int flags), folder, new, from, old,
        folder, new, flags)
AT_PATH(link, (const char *old, const char *new), AT_FDCWD, new, old, new)
AT_PATH(linkat, (int from, const char *old, int folder, const char *new, int flags), folder, new, from, old, folder,
        new, flags)
AT_PATH(symlink, (const char *old, const char *new), AT_FDCWD, new, old, new)
AT_PATH(symlinkat, (const char *old, int folder, const char *new), folder, new, old, folder, new)
AT_PATH(unlink, (const char *path), AT_FDCWD, path, path)
AT_PATH(unlinkat, (int folder, const char *path, int flags), folder, path, folder, path, flags)
AT_PATH(rmdir, (const char *path), AT_FDCWD, path, path)
AT_PATH(mkdir, (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
AT_PATH(mkdirat, (int folder, const char *path, mode_t mode), folder, path, folder, path, mode)
AT_PATH(chmod, (const char *path, mode_t mode), AT_FDCWD, path, path, mode)
AT_PATH(fchmodat, (int folder, const char *path, mode_t mode, int flags), folder, path, folder, path, mode, flags)
AT_PATH(truncate, (const char *path, off_t size), AT_FDCWD, path, path, size)
AT_PATH(truncate64, (const char *path, off64_t size), AT_FDCWD, path, path, size)
