/* Writes the leaves of packed rows: the text of the group, with the digest in hex and the vCPU count in decimal. */
#include "leaf_write.h"

#include <string.h>

#define NONE "null"
#define MOST_ENTRY 0xffffu
#define MOST_DIGITS 5

int ldcat_pack_rows(const uint8_t *digests, size_t stride, const int32_t *vcpus, const uint32_t *groups, size_t count,
                    const uint32_t *numbers, const uint32_t *bits, size_t map_size, uint8_t *out) {
    size_t size = stride < LDCAT_DIGEST ? stride : LDCAT_DIGEST;
    for (size_t i = 0; i < count; i++, out += LDCAT_ROW) {
        if (groups[i] >= map_size || vcpus[i] < -1 || vcpus[i] >= (int32_t)LDCAT_MOST_SLOT)
            return 0;
        uint32_t words[2] = {numbers[groups[i]], (uint32_t)(vcpus[i] + 1) | bits[groups[i]]};
        memcpy(out, digests + stride * i, size);
        memset(out + size, 0, LDCAT_DIGEST - size);
        memcpy(out + LDCAT_DIGEST, words, sizeof words);
    }
    return 1;
}

static uint8_t *write_hex(uint8_t *out, const uint8_t *bytes, size_t count) {
    static const char digits[16] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *out++ = (uint8_t)digits[bytes[i] >> 4];
        *out++ = (uint8_t)digits[bytes[i] & 15];
    }
    return out;
}

static uint8_t *write_count(uint8_t *out, uint32_t slot) {
    uint8_t digits[MOST_DIGITS];
    size_t length = 0;
    if (!slot) {
        memcpy(out, NONE, sizeof NONE - 1);
        return out + sizeof NONE - 1;
    }
    for (uint32_t left = slot - 1; !length || left; left /= 10)
        digits[length++] = (uint8_t)('0' + left % 10);
    while (length)
        *out++ = digits[--length];
    return out;
}

static uint8_t *write_piece(uint8_t *out, const struct ldcat_leaf_groups *groups, uint32_t piece) {
    size_t size = groups->piece_at[piece + 1] - groups->piece_at[piece];
    memcpy(out, groups->pieces + groups->piece_at[piece], size);
    return out + size;
}

static size_t size_of(const struct ldcat_leaf_groups *groups, uint32_t piece) {
    return groups->piece_at[piece + 1] - groups->piece_at[piece];
}

size_t ldcat_write_leaves(const struct ldcat_leaf_groups *groups, const uint8_t *rows, size_t count, uint8_t *out,
                          size_t room, uint32_t *starts, uint32_t *sizes) {
    uint8_t *at = out;
    for (size_t i = 0; i < count; i++, rows += LDCAT_ROW) {
        uint32_t number = ldcat_group_of(rows), slot = ldcat_bits_of(rows) & LDCAT_SLOT, digest_size = ldcat_size_of(rows);
        if (number >= groups->count || slot > LDCAT_MOST_SLOT)
            return LDCAT_FAILED;
        const struct ldcat_leaf_group *group = &groups->groups[number];
        size_t most = size_of(groups, group->before) + size_of(groups, group->between) +
                      size_of(groups, group->after) + 2 * (size_t)digest_size + MOST_DIGITS;
        if (most > MOST_ENTRY || room - (size_t)(at - out) < 2 + most)
            return LDCAT_FAILED;
        uint8_t *leaf = at + 2;
        at = write_piece(leaf, groups, group->before);
        at = write_hex(at, rows, digest_size);
        at = write_piece(at, groups, group->between);
        at = write_count(at, slot);
        at = write_piece(at, groups, group->after);
        size_t size = (size_t)(at - leaf);
        leaf[-2] = (uint8_t)(size >> 8), leaf[-1] = (uint8_t)size;
        starts[i] = (uint32_t)(leaf - out), sizes[i] = (uint32_t)size;
    }
    return (size_t)(at - out);
}
