/* What Python calls to read files of a log in their order; it touches no Python object. All bytes are untrusted. */
#ifndef LDCAT_BUNDLE_READ_H
#define LDCAT_BUNDLE_READ_H

#include <stddef.h>
#include <stdint.h>

#define LDCAT_WIDTH 256
#define LDCAT_TILE (32 * LDCAT_WIDTH)
#define LDCAT_NAME 4 /* bytes of the name of a file, with the zero behind it */

/* Read full bundles into `room` bytes, less than 4 GiB, one after the other, and split them: see ldcat_split_bundle.
 * Returns how many were read: as many as `count`, or those before one that cannot be read, is not full, or has no room.
 *
 * folder: its descriptor. names: of the files. starts, sizes: room for LDCAT_WIDTH numbers a bundle.
 */
size_t ldcat_read_bundles(int folder, const char *names, size_t count, uint8_t *out, size_t room, uint32_t *starts,
                          uint32_t *sizes);

/* How many full tiles, up to the first that has other bytes or cannot be read, have the hashes, 32 bytes each. */
size_t ldcat_same_tiles(int folder, const char *names, size_t count, const uint8_t *hashes);

#endif
