/* What Python calls to sort rows and to write their leaves; it touches no Python object.
 *
 * A packed row is 56 bytes: the digest, zeros behind a shorter one, then the number of its group and a word of bits, both
 * u32 in the byte order of this machine. Bits 0 to 16 are the slot: the vCPU count plus one, 0 for none. Bits 24 to 29 are
 * the bytes of the digest. Bit 31 is set in a row that the log has already.
 */
#ifndef LDCAT_LEAF_WRITE_H
#define LDCAT_LEAF_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LDCAT_KNOWN 0x80000000u
#define LDCAT_SLOT 0x1ffffu
#define LDCAT_MOST_SLOT 0x10000u
#define LDCAT_ROW 56
#define LDCAT_DIGEST 48
#define LDCAT_FAILED SIZE_MAX

static inline uint32_t ldcat_group_of(const uint8_t *row) {
    uint32_t number;
    memcpy(&number, row + LDCAT_DIGEST, sizeof number);
    return number;
}

static inline uint32_t ldcat_bits_of(const uint8_t *row) {
    uint32_t bits;
    memcpy(&bits, row + LDCAT_DIGEST + 4, sizeof bits);
    return bits;
}

/* Bytes of the digest of a row, at most 48 whatever its bits are. */
static inline uint32_t ldcat_size_of(const uint8_t *row) {
    uint32_t size = ldcat_bits_of(row) >> 24 & 63;
    return size < LDCAT_DIGEST ? size : LDCAT_DIGEST;
}

/* A group of rows by its numbers: pieces of text before the digest, between it and the vCPU count, and after that; and the
 * number of its head, which all groups with the same first piece have in common. */
struct ldcat_leaf_group {
    uint32_t before, between, after, head;
};

/* piece_at: offset of each piece in `pieces`, and of the end of the last one. Python has checked the groups. */
struct ldcat_leaf_groups {
    const uint8_t *pieces;
    const uint64_t *piece_at;
    const struct ldcat_leaf_group *groups;
    size_t count, heads;
};

/* Pack rows of columns. Returns 0 for a group that is not in the map, or a vCPU count out of range.
 *
 * digests: at the start of every `stride` bytes, at most 48. vcpus: -1 for none. groups: for each row a number; numbers,
 * bits: what it becomes, and what is added to the slot: KNOWN, and the bytes of a digest, not more than the stride.
 * out: count times 56 bytes.
 */
int ldcat_pack_rows(const uint8_t *digests, size_t stride, const int32_t *vcpus, const uint32_t *groups, size_t count,
                    const uint32_t *numbers, const uint32_t *bits, size_t map_size, uint8_t *out);

/* Write the leaves of packed rows as entries of bundles: the length in two bytes, big-endian, then the leaf. Returns how
 * many bytes they have, LDCAT_FAILED for an unknown group, a leaf that is too long, or want of room.
 *
 * starts, sizes: of each leaf in `out`, without its length.
 */
size_t ldcat_write_leaves(const struct ldcat_leaf_groups *groups, const uint8_t *rows, size_t count, uint8_t *out,
                          size_t room, uint32_t *starts, uint32_t *sizes);

/* Sort packed rows by the number of their head, and then as their leaves sort as bytes. Returns 0 for an unknown group, or
 * want of memory. It is stable, and takes linear time where the rows of each head are sorted already.
 *
 * out: the sorted rows. head_counts: number of rows of each head.
 */
int ldcat_sort_packed_rows(const struct ldcat_leaf_groups *groups, const uint8_t *rows, size_t count, uint8_t *out,
                           uint64_t *head_counts);

/* Keep one of each run of equal rows, and none where one of them is known; returns how many are kept. */
size_t ldcat_unknown_rows(uint8_t *rows, size_t count);

/* Numbers of the rows that have one of some digests, or one of some slots; returns how many.
 *
 * digests: sorted, 48 bytes each. slots: a bit for each of the 65,537, the first one the lowest of the first byte.
 */
size_t ldcat_rows_with(const uint8_t *rows, size_t count, const uint8_t *digests, size_t digest_count,
                       const uint8_t *slots, uint32_t *out);

/* Multiply the products of groups by what stands for each of their rows: see row_products.py. Returns 0, and may have
 * multiplied some, for a row of another group.
 *
 * key: two numbers below 2^127 - 1. products: such a number for each of `groups` groups. Of all the lower half is first.
 */
int ldcat_multiply_rows(const uint64_t *key, const uint8_t *rows, size_t count, uint64_t *products, size_t groups);

/* Copy the rows of some groups to `out`, which has room for all; returns how many. wanted: a byte for each group. */
size_t ldcat_rows_of(const uint8_t *rows, size_t count, const uint8_t *wanted, size_t groups, uint8_t *out);

/* Sets of slots, one for each group; NULL for want of memory. */
struct ldcat_slots;
struct ldcat_slots *ldcat_slots_new(void);
void ldcat_slots_free(struct ldcat_slots *slots);

/* Add the slots of rows. Returns the number of those whose slot is in the set already, and their numbers in `out`;
 * LDCAT_FAILED for a slot out of range, or want of memory.
 *
 * dead: for each of `groups` groups whether its rows are left out. odd: numbers of rows to be left out, ascending.
 */
size_t ldcat_slots_add(struct ldcat_slots *slots, const uint8_t *rows, size_t count, const uint8_t *dead, size_t groups,
                       const uint32_t *odd, size_t odd_count, uint32_t *out);

#endif
