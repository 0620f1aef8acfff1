/* Reads entry bundles and tiles from an open folder, many with one call: nothing else waits for their system calls. */
#define _GNU_SOURCE /* openat, O_NOFOLLOW */
#include "bundle_read.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "leaf_read.h"

/* The bytes of a regular file, following no link; how many there are, 0 for every reason not to take them. */
static size_t read_file(int folder, const char *name, uint8_t *out, size_t room) {
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (file < 0)
        return 0;
    struct stat found;
    size_t size = 0;
    if (!fstat(file, &found) && S_ISREG(found.st_mode) && found.st_size > 0 && (uint64_t)found.st_size <= room) {
        ssize_t taken;
        while (size < (size_t)found.st_size && (taken = read(file, out + size, (size_t)found.st_size - size)) > 0)
            size += (size_t)taken;
        if (size < (size_t)found.st_size)
            size = 0;
    }
    close(file);
    return size;
}

size_t ldcat_read_bundles(int folder, const char *names, size_t count, uint8_t *out, size_t room, uint32_t *starts,
                          uint32_t *sizes) {
    size_t used = 0, number = 0;
    for (; number < count; number++) {
        size_t size = read_file(folder, names + LDCAT_NAME * number, out + used, room - used);
        size_t first = LDCAT_WIDTH * number;
        if (!size || ldcat_split_bundle(out + used, size, (uint32_t)used, LDCAT_WIDTH, starts + first, sizes + first) !=
                         LDCAT_WIDTH)
            break;
        used += size;
    }
    return number;
}

size_t ldcat_same_tiles(int folder, const char *names, size_t count, const uint8_t *hashes) {
    uint8_t tile[LDCAT_TILE + 1]; /* one more byte, so that a longer file is not taken for its beginning */
    for (size_t number = 0; number < count; number++)
        if (read_file(folder, names + LDCAT_NAME * number, tile, sizeof tile) != LDCAT_TILE ||
            memcmp(tile, hashes + LDCAT_TILE * number, LDCAT_TILE))
            return number;
    return count;
}
