/* Packed rows, some of them with wrong groups and bits, are sorted and written in buffers of exactly the stated size.
 *
 * Built with the address and undefined-behaviour sanitizers by `make sanitize`. The order is that of the leaves;
 * tests/log/test_packed_rows.py compares with Python.
 */
#include "../../catalog/log/leaves/leaf_write.c"
#include "../../catalog/log/leaves/row_products.c"
#include "../../catalog/log/leaves/row_slots.c"
#include "../../catalog/log/leaves/row_combinations.c"
#include "../../catalog/log/leaves/packed_sort.c"

#include <stdio.h>

enum { ROUNDS = 20000, MAX_ROWS = 40, GROUPS = 6, HEADS = 2, PIECES = 7, MAX_LEAF = 160, SLOTS_SIZE = 8193 };

static uint64_t seed = 1;

static uint64_t next(uint64_t limit) { /* xorshift64 */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % limit;
}

static void check(int fits, const char *what) {
    if (!fits) {
        fprintf(stderr, "packed rows: %s\n", what);
        exit(1);
    }
}

static void *room(size_t size) {
    return malloc(size ? size : 1);
}

static const char text[] = "{a:{b:,v:,w:}}c:\"}";
static const uint64_t piece_at[PIECES + 1] = {0, 3, 6, 9, 12, 13, 14, 18};
static const struct ldcat_leaf_group all[GROUPS] = {
    {0, 2, 4, 0}, {1, 2, 4, 1}, {0, 3, 4, 0}, {1, 3, 6, 1}, {0, 2, 6, 0}, {1, 2, 6, 1},
};

/* Rows with few digests, so that many are equal; wrong: some have groups and bits that no row has. */
static void fill(uint8_t *rows, size_t count, int wrong) {
    for (size_t i = 0; i < count; i++) {
        uint8_t *row = rows + LDCAT_ROW * i;
        uint32_t size = next(3) ? 48 : 32, slot = (uint32_t)next(next(2) ? 12 : LDCAT_MOST_SLOT + 1);
        uint32_t words[2] = {(uint32_t)next(GROUPS), slot | size << 24 | (next(4) ? 0 : LDCAT_KNOWN)};
        memset(row, 0, LDCAT_ROW);
        row[next(2) ? 0 : size - 1] = (uint8_t)next(3);
        if (wrong && !next(8))
            words[next(2)] = (uint32_t)next(UINT64_C(1) << 32);
        memcpy(row + LDCAT_DIGEST, words, sizeof words);
    }
}

static int order_of_leaves(const uint8_t *leaves, const uint32_t *starts, const uint32_t *sizes, size_t a, size_t b) {
    return compare_text(leaves + starts[a], sizes[a], leaves + starts[b], sizes[b]);
}

/* Rows of each head ascend as their leaves do, and what is kept of them is new, and there once. */
static void sort(const struct ldcat_leaf_groups *groups, const uint8_t *rows, size_t count, int wrong) {
    uint8_t *out = room(LDCAT_ROW * count), *leaves = room(MAX_LEAF * count);
    uint64_t heads[HEADS];
    uint32_t *starts = room(sizeof *starts * count), *sizes = room(sizeof *sizes * count);
    int done = ldcat_sort_packed_rows(groups, rows, count, out, heads);
    size_t written = done ? ldcat_write_leaves(groups, out, count, leaves, MAX_LEAF * count, starts, sizes) : LDCAT_FAILED;
    if (written != LDCAT_FAILED) {
        check(heads[0] + heads[1] == count, "the rows of the heads are not all rows");
        for (size_t i = 1; i < count; i++)
            check(wrong || i == heads[0] || order_of_leaves(leaves, starts, sizes, i - 1, i) <= 0, "rows are not in order");
        uint8_t *small = room(written);
        check(ldcat_write_leaves(groups, out, count, small, written ? written - 1 : 0, starts, sizes) == LDCAT_FAILED ||
                  !written,
              "leaves do not need their room");
        free(small);
        size_t kept = ldcat_unknown_rows(out, count);
        for (size_t i = 0; i < kept; i++) {
            check(!is_known(out + LDCAT_ROW * i), "a known row is kept");
            check(!i || !is_same(out + LDCAT_ROW * (i - 1), out + LDCAT_ROW * i), "a row is kept twice");
        }
    }
    free(out), free(leaves), free(starts), free(sizes);
}

/* Each row is in the set after it was added, and rows that are left out are not added. */
static void slots(const uint8_t *rows, size_t count) {
    struct ldcat_slots *set = ldcat_slots_new();
    uint8_t dead[GROUPS] = {0, (uint8_t)next(2), 0, (uint8_t)next(2)};
    uint32_t *odd = room(sizeof *odd * count), *out = room(sizeof *out * count);
    size_t left_out = 0, added = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t group = ldcat_group_of(rows + LDCAT_ROW * i);
        int is_odd = !next(4);
        if (is_odd)
            odd[left_out++] = (uint32_t)i;
        added += !is_odd && (group >= GROUPS || !dead[group]);
    }
    for (int again = 0; again < 2; again++) {
        size_t found = ldcat_slots_add(set, rows, count, dead, GROUPS, odd, left_out, out);
        check(found != LDCAT_FAILED && (again ? found == added : found <= added), "slots are missing");
    }
    ldcat_slots_free(set), free(odd), free(out);
}

static void pack(void) {
    size_t count = next(MAX_ROWS), stride = 1 + next(64);
    uint8_t *digests = room(stride * count), *out = room(LDCAT_ROW * count);
    int32_t *vcpus = room(sizeof *vcpus * count);
    uint32_t *groups = room(sizeof *groups * count), numbers[3] = {5, 0, 1}, bits[3] = {48u << 24, LDCAT_KNOWN, 7u << 24};
    memset(digests, 7, stride * count);
    for (size_t i = 0; i < count; i++) {
        vcpus[i] = (int32_t)next(0x10001) - (next(64) ? 1 : 2);
        groups[i] = (uint32_t)next(next(64) ? 3 : 4);
    }
    if (ldcat_pack_rows(digests, stride, vcpus, groups, count, numbers, bits, 3, out))
        for (size_t i = 0; i < count; i++)
            check(ldcat_group_of(out + LDCAT_ROW * i) == numbers[groups[i]] &&
                      (int32_t)(ldcat_bits_of(out + LDCAT_ROW * i) & LDCAT_SLOT) == vcpus[i] + 1,
                  "a row is packed wrongly");
    free(digests), free(out), free(vcpus), free(groups);
}

static void with(const uint8_t *rows, size_t count) {
    uint8_t wanted[2 * LDCAT_DIGEST] = {0}, *some = room(SLOTS_SIZE);
    uint32_t *out = room(sizeof *out * count);
    wanted[LDCAT_DIGEST] = 1;
    memset(some, 0, SLOTS_SIZE);
    some[SLOTS_SIZE - 1] = 1;
    check(ldcat_rows_with(rows, count, wanted, 2, some, out) <= count, "more rows than there are");
    free(some), free(out);
}

static void combine(void) {
    size_t count = 1 + next(MAX_ROWS), offset = next(9), wide = next(4), size = (size_t)1 << wide;
    uint8_t *values = room(size * (offset + count)), *valid = room((offset + count + 7) / 8);
    uint32_t *numbers = room(sizeof *numbers * count), *firsts = room(sizeof *firsts * count);
    for (size_t i = 0; i < size * (offset + count); i++)
        values[i] = (uint8_t)next(2);
    for (size_t i = 0; i < (offset + count + 7) / 8; i++)
        valid[i] = (uint8_t)next(256);
    struct ldcat_column columns[2] = {{values, valid, offset, (uint32_t)size}, {values, NULL, offset, 1}};
    size_t found = ldcat_combinations(columns, next(3), count, numbers, firsts);
    check(found && found <= count, "combinations are missing");
    for (size_t i = 0; i < count; i++)
        check(numbers[i] < found && firsts[numbers[i]] <= i, "a row has another combination");
    free(values), free(valid), free(numbers), free(firsts);
}

/* Products are numbers below the prime, the same in any order; rows of some groups are all that are of them. */
static void products(const uint8_t *rows, size_t count, int wrong) {
    uint64_t key[4], *made = room(16 * GROUPS), *other = room(16 * GROUPS);
    for (int i = 0; i < 4; i++)
        key[i] = next(8) ? next(UINT64_MAX) : next(2) ? UINT64_MAX : 0;
    key[1] >>= 1, key[3] >>= 1;
    for (size_t i = 0; i < 2 * GROUPS; i++)
        made[i] = other[i] = i % 2 == 0;
    int done = ldcat_multiply_rows(key, rows, count, made, GROUPS);
    check(done || wrong, "rows have no product");
    for (size_t row = count; done && row > 0; row--)
        check(ldcat_multiply_rows(key, rows + LDCAT_ROW * (row - 1), 1, other, GROUPS), "a row has no product");
    check(!done || !memcmp(made, other, 16 * GROUPS), "another order has other products");
    for (size_t i = 0; i < GROUPS; i++)
        check(made[2 * i + 1] < UINT64_MAX / 2 || made[2 * i] < UINT64_MAX, "a product is not below the prime");
    uint8_t wanted[GROUPS], *out = room(LDCAT_ROW * count);
    for (size_t i = 0; i < GROUPS; i++)
        wanted[i] = (uint8_t)next(2);
    size_t groups = next(GROUPS + 1), kept = ldcat_rows_of(rows, count, wanted, groups, out), expected = 0;
    for (size_t row = 0; row < count; row++) {
        uint32_t group = ldcat_group_of(rows + LDCAT_ROW * row);
        expected += group < groups && wanted[group];
    }
    check(kept == expected, "other rows are of some groups");
    free(made), free(other), free(out);
}

int main(void) {
    for (int i = 0; i < ROUNDS; i++) {
        size_t count = next(MAX_ROWS);
        int wrong = !next(3);
        uint8_t *rows = room(LDCAT_ROW * count);
        struct ldcat_leaf_groups groups = {(const uint8_t *)text, piece_at, all, GROUPS, HEADS};
        fill(rows, count, wrong);
        sort(&groups, rows, count, wrong);
        with(rows, count);
        products(rows, count, wrong);
        if (!wrong)
            slots(rows, count);
        pack();
        combine();
        free(rows);
    }
    return 0;
}
