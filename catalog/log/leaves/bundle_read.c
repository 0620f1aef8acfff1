/* Reads entry bundles and tiles from an open folder, many with one call: nothing else waits for their system calls. */
#define _GNU_SOURCE /* openat, O_NOFOLLOW */
#include "bundle_read.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "leaf_read.h"

/* The bytes of a file, following no link; how many there are, 0 for every reason not to take them, as for a longer one.
 * Without fstat, which newer C libraries have under a name that older ones lack. */
static size_t read_file(int folder, const char *name, uint8_t *out, size_t room) {
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (file < 0)
        return 0;
    size_t size = 0;
    ssize_t taken = 0;
    uint8_t more;
    while (size < room && (taken = read(file, out + size, room - size)) > 0)
        size += (size_t)taken;
    if (size == room ? read(file, &more, 1) != 0 : taken != 0)
        size = 0;
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
