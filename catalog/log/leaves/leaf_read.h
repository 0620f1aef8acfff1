/* What Python calls to read the leaves of a log; it touches no Python object. All bytes are untrusted. */
#ifndef LDCAT_LEAF_READ_H
#define LDCAT_LEAF_READ_H

#include <stddef.h>
#include <stdint.h>

/* Where the entries of a bundle are: each is `sizes[i]` bytes at data + starts[i], after its length in two bytes,
 * big-endian. Returns their number, or SIZE_MAX if the bundle is cut off or has more than `most`.
 *
 * base: what is added to every start. starts, sizes: room for `most` numbers.
 */
size_t ldcat_split_bundle(const uint8_t *data, size_t size, uint32_t base, size_t most, uint32_t *starts,
                          uint32_t *sizes);

/* Groups of rows by the text that their leaves have in common, at most `most`; NULL for want of memory. */
struct ldcat_groups *ldcat_groups_new(size_t most);
void ldcat_groups_free(struct ldcat_groups *groups);

/* Give the group of a leaf the next number. Returns 0, and adds nothing, if the leaf cannot be taken apart, if the
 * table has the group already or cannot take it, or for want of memory. */
int ldcat_groups_add(struct ldcat_groups *groups, const uint8_t *leaf, size_t size);

/* Take leaves apart, from leaf `first` to leaf `count - 1`: sizes[i] bytes at data + starts[i]. Returns the number of
 * the first one that is not a row of a group in the table, or not within the data; else `count`.
 *
 * digests: count times 48 bytes, the digest of a row, zeros behind a shorter one. vcpus: vCPU counts, or -1.
 * numbers: of the groups.
 */
size_t ldcat_groups_take(const struct ldcat_groups *groups, const uint8_t *data, size_t data_size,
                         const uint32_t *starts, const uint32_t *sizes, size_t first, size_t count, uint8_t *digests,
                         int32_t *vcpus, uint32_t *numbers);

/* Whether each leaf is after the one before, in the order of bytes. Leaves that are not within the data are not. */
int ldcat_leaves_ascend(const uint8_t *data, size_t data_size, const uint32_t *starts, const uint32_t *sizes,
                        size_t count);

#endif
