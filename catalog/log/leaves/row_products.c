/* Products of rows by group, modulo the prime 2^127 - 1: equal rows have equal products, in whatever order they are.
 *
 * row_products.py is the definition, and says why other rows have other products.
 */
#include "leaf_write.h"

#define ROW_WORDS (LDCAT_ROW / 8)

typedef unsigned __int128 wide;

static const wide prime = ((wide)1 << 127) - 1;

/* The same modulo the prime, at most 2^127. */
static wide folded(wide number) {
    return (number & prime) + (number >> 127);
}

/* The product modulo the prime, below it; 2^128 counts as 2. a: less than 2^127 + 2^64. b: less than 2^127. */
static wide multiplied(wide a, wide b) {
    uint64_t a_low = (uint64_t)a, a_high = (uint64_t)(a >> 64), b_low = (uint64_t)b, b_high = (uint64_t)(b >> 64);
    wide middle = (wide)a_low * b_high + (wide)a_high * b_low;
    wide sum = folded((wide)a_low * b_low) + folded(middle << 64); /* each is less than 2^127 */
    sum = folded(sum) + 2 * ((wide)a_high * b_high);
    sum = folded(sum) + 2 * (middle >> 64);
    sum = folded(sum);
    return sum >= prime ? sum - prime : sum;
}

int ldcat_multiply_rows(const uint64_t *key, const uint8_t *rows, size_t count, uint64_t *products, size_t groups) {
    wide step = (wide)key[1] << 64 | key[0], from = (wide)key[3] << 64 | key[2];
    for (size_t row = 0; row < count; row++, rows += LDCAT_ROW) {
        uint64_t words[ROW_WORDS];
        uint32_t group = ldcat_group_of(rows), bits = ldcat_bits_of(rows) & ~LDCAT_KNOWN;
        if (group >= groups)
            return 0;
        memcpy(words, rows, sizeof words);
        memcpy((uint8_t *)words + LDCAT_DIGEST + 4, &bits, sizeof bits);
        wide value = 0;
        for (int word = 0; word < ROW_WORDS; word++)
            value = multiplied(value, step) + words[word]; /* less than 2^128 */
        value = folded(value);
        wide factor = from >= value ? from - value : from + prime - value;
        uint64_t *product = products + 2 * (size_t)group;
        wide made = multiplied((wide)product[1] << 64 | product[0], factor);
        product[0] = (uint64_t)made, product[1] = (uint64_t)(made >> 64);
    }
    return 1;
}

size_t ldcat_rows_of(const uint8_t *rows, size_t count, const uint8_t *wanted, size_t groups, uint8_t *out) {
    size_t kept = 0;
    for (size_t row = 0; row < count; row++, rows += LDCAT_ROW) {
        uint32_t group = ldcat_group_of(rows);
        if (group < groups && wanted[group])
            memcpy(out + LDCAT_ROW * kept++, rows, LDCAT_ROW);
    }
    return kept;
}
