/* Sorts packed rows as their leaves sort as bytes, without making the leaves, and drops those that are known.
 *
 * No piece of text is the beginning of another one of its kind: each ends with the name of a key, or the object, that no
 * other place in it has. So pieces and digests can be compared one after the other.
 */
#include "leaf_write.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD 8

struct row_key {
    uint64_t first;
    uint32_t row;
};

static uint64_t first_eight(const uint8_t *digest) {
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return number;
}

static const struct ldcat_leaf_group *group_of(const struct ldcat_leaf_groups *groups, const uint8_t *row) {
    uint32_t number = ldcat_group_of(row);
    return number < groups->count ? &groups->groups[number] : NULL;
}

static uint32_t slot_of(const uint8_t *row) {
    return ldcat_bits_of(row) & LDCAT_SLOT;
}

static int compare_text(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_pieces(const struct ldcat_leaf_groups *groups, uint32_t a, uint32_t b) {
    const uint64_t *at = groups->piece_at;
    return a == b ? 0
                  : compare_text(groups->pieces + at[a], at[a + 1] - at[a], groups->pieces + at[b], at[b + 1] - at[b]);
}

/* The count in decimal, or null, and the byte that follows it in the leaf. */
static size_t count_text(uint32_t slot, uint8_t follows, uint8_t text[8]) {
    uint8_t digits[8];
    size_t length = 0, size = 0;
    if (!slot) {
        memcpy(text, "null", 4);
        size = 4;
    } else {
        for (uint32_t left = slot - 1; !length || left; left /= 10)
            digits[length++] = (uint8_t)('0' + left % 10);
        while (length)
            text[size++] = digits[--length];
    }
    text[size++] = follows;
    return size;
}

/* The order of two rows of one head. */
static int compare_rows(const struct ldcat_leaf_groups *groups, const uint8_t *a, const uint8_t *b) {
    int order = memcmp(a, b, LDCAT_DIGEST);
    if (order)
        return order;
    const struct ldcat_leaf_group *one = group_of(groups, a), *other = group_of(groups, b);
    if (ldcat_size_of(a) != ldcat_size_of(b))
        return ldcat_size_of(a) < ldcat_size_of(b) ? -1 : 1;
    if ((order = compare_pieces(groups, one->between, other->between)))
        return order;
    uint8_t text[2][8];
    size_t size = count_text(slot_of(a), groups->pieces[groups->piece_at[one->after]], text[0]);
    size_t other_size = count_text(slot_of(b), groups->pieces[groups->piece_at[other->after]], text[1]);
    if ((order = compare_text(text[0], size, text[1], other_size)))
        return order;
    return compare_pieces(groups, one->after, other->after);
}

static int in_order(const struct ldcat_leaf_groups *groups, const uint8_t *rows, struct row_key a, struct row_key b) {
    if (a.first != b.first)
        return a.first < b.first;
    return compare_rows(groups, rows + (size_t)LDCAT_ROW * a.row, rows + (size_t)LDCAT_ROW * b.row) <= 0;
}

/* Where the run ends that begins at a key. */
static size_t run_end(const struct ldcat_leaf_groups *groups, const uint8_t *rows, const struct row_key *keys,
                      size_t at, size_t count) {
    for (at++; at < count && in_order(groups, rows, keys[at - 1], keys[at]); at++)
        ;
    return at;
}

/* A stable merge sort of the runs that are there; `other` has room for as many keys. Returns where the result is. */
static struct row_key *merge_runs(const struct ldcat_leaf_groups *groups, const uint8_t *rows, struct row_key *keys,
                                  struct row_key *other, size_t count) {
    for (;;) {
        size_t runs = 0;
        for (size_t at = 0; at < count; runs++) {
            size_t low = at, middle = run_end(groups, rows, keys, low, count);
            if (!low && middle == count)
                return keys;
            size_t end = middle < count ? run_end(groups, rows, keys, middle, count) : count;
            size_t left = low, right = middle;
            while (left < middle && right < end) {
                int is_left = in_order(groups, rows, keys[left], keys[right]);
                other[at++] = is_left ? keys[left++] : keys[right++];
            }
            memcpy(other + at, keys + left, sizeof *keys * (middle - left));
            at += middle - left;
            memcpy(other + at, keys + right, sizeof *keys * (end - right));
            at += end - right;
        }
        struct row_key *made = other;
        other = keys, keys = made;
        if (runs <= 1)
            return keys;
    }
}

int ldcat_sort_packed_rows(const struct ldcat_leaf_groups *groups, const uint8_t *rows, size_t count, uint8_t *out,
                           uint64_t *head_counts) {
    memset(head_counts, 0, sizeof *head_counts * groups->heads);
    if (count > UINT32_MAX)
        return 0;
    for (size_t row = 0; row < count; row++) {
        const struct ldcat_leaf_group *group = group_of(groups, rows + LDCAT_ROW * row);
        if (!group)
            return 0;
        head_counts[group->head]++;
    }
    struct row_key *keys = malloc(sizeof *keys * (2 * count + 1));
    uint64_t *ends = malloc(sizeof *ends * (groups->heads + 1));
    if (!keys || !ends) {
        free(keys), free(ends);
        return 0;
    }
    uint64_t end = 0;
    for (size_t head = 0; head < groups->heads; head++) {
        ends[head] = end;
        end += head_counts[head];
    }
    for (size_t row = 0; row < count; row++) {
        const uint8_t *record = rows + LDCAT_ROW * row;
        keys[ends[group_of(groups, record)->head]++] = (struct row_key){first_eight(record), (uint32_t)row};
    }
    size_t at = 0;
    for (size_t head = 0; head < groups->heads; head++) {
        size_t size = head_counts[head];
        const struct row_key *sorted = merge_runs(groups, rows, keys + at, keys + count + at, size);
        for (size_t i = 0; i < size; i++) {
            if (i + AHEAD < size)
                __builtin_prefetch(rows + (size_t)LDCAT_ROW * sorted[i + AHEAD].row);
            memcpy(out + LDCAT_ROW * (at + i), rows + (size_t)LDCAT_ROW * sorted[i].row, LDCAT_ROW);
        }
        at += size;
    }
    free(keys), free(ends);
    return 1;
}

static int is_same(const uint8_t *a, const uint8_t *b) {
    return !memcmp(a, b, LDCAT_DIGEST + 4) && !((ldcat_bits_of(a) ^ ldcat_bits_of(b)) & ~LDCAT_KNOWN);
}

static int is_known(const uint8_t *row) {
    return (ldcat_bits_of(row) & LDCAT_KNOWN) != 0;
}

size_t ldcat_unknown_rows(uint8_t *rows, size_t count) {
    size_t kept = 0;
    for (size_t at = 0, end; at < count; at = end) {
        const uint8_t *row = rows + LDCAT_ROW * at;
        int known = is_known(row);
        for (end = at + 1; end < count && is_same(row, rows + LDCAT_ROW * end); end++)
            known |= is_known(rows + LDCAT_ROW * end);
        if (!known)
            memmove(rows + LDCAT_ROW * kept++, row, LDCAT_ROW);
    }
    return kept;
}

size_t ldcat_rows_with(const uint8_t *rows, size_t count, const uint8_t *digests, size_t digest_count,
                       const uint8_t *slots, uint32_t *out) {
    size_t found = 0;
    for (size_t row = 0; row < count; row++, rows += LDCAT_ROW) {
        uint32_t slot = slot_of(rows);
        int has = slot <= LDCAT_MOST_SLOT && slots[slot >> 3] >> (slot & 7) & 1;
        for (size_t low = 0, high = digest_count; !has && low < high;) {
            size_t middle = low + (high - low) / 2;
            int order = memcmp(rows, digests + LDCAT_DIGEST * middle, LDCAT_DIGEST);
            has = !order;
            if (order < 0)
                high = middle;
            else
                low = middle + 1;
        }
        if (has)
            out[found++] = (uint32_t)row;
    }
    return found;
}
