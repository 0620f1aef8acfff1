/* The combinations of values that rows have: few, of many rows. */
#include "row_combinations.h"

#include <stdlib.h>
#include <string.h>

#define NO_COMBINATION UINT32_MAX
#define MOST_STEPS 8 /* for each row; usually there is one in a thousand */
#define MIX 0x9e3779b97f4a7c15u /* odd, its bits without a pattern: the golden ratio */

static uint64_t value_at(const struct ldcat_column *column, size_t at) {
    const uint8_t *bytes = column->values + column->width * at;
    uint64_t value = 0;
    uint32_t half;
    switch (column->width) { /* a constant size is one instruction */
    case 4:
        memcpy(&half, bytes, sizeof half);
        return half;
    case 8:
        memcpy(&value, bytes, sizeof value);
        return value;
    default:
        memcpy(&value, bytes, column->width);
        return value;
    }
}

/* The values of a row, 0 for null, and in the last word a bit for each one that is null. Returns their hash. */
static uint64_t read_row(const struct ldcat_column *columns, size_t column_count, size_t row, uint64_t *words) {
    uint64_t hash = 0, nulls = 0;
    for (size_t i = 0; i < column_count; i++) {
        size_t at = columns[i].offset + row;
        int is_null = columns[i].valid && !(columns[i].valid[at / 8] >> at % 8 & 1);
        words[i] = is_null ? 0 : value_at(&columns[i], at);
        nulls |= (uint64_t)is_null << i;
        hash = (hash ^ words[i]) * MIX;
        hash ^= hash >> 29;
    }
    words[column_count] = nulls;
    return hash ^ nulls;
}

size_t ldcat_combinations(const struct ldcat_column *columns, size_t column_count, size_t count, uint32_t *numbers,
                          uint32_t *firsts) {
    size_t slots = 64, found = 0, steps = MOST_STEPS * count, width = column_count + 1;
    while (slots < 2 * count)
        slots *= 2;
    uint32_t *table = malloc(slots * sizeof *table);
    uint64_t *words = malloc((count + 1) * width * sizeof *words); /* of each combination, and of a row */
    if (!table || !words) {
        free(table), free(words);
        return SIZE_MAX;
    }
    memset(table, 0xff, slots * sizeof *table);
    for (size_t row = 0; row < count; row++) {
        uint64_t *own = words + width * found;
        size_t slot = read_row(columns, column_count, row, own) & (slots - 1);
        while (steps && table[slot] != NO_COMBINATION && memcmp(words + width * table[slot], own, width * sizeof *own))
            slot = (slot + 1) & (slots - 1), steps--;
        if (!steps) {
            found = 0;
            break;
        }
        if (table[slot] == NO_COMBINATION) {
            firsts[found] = (uint32_t)row;
            table[slot] = (uint32_t)found++;
        }
        numbers[row] = table[slot];
    }
    free(table), free(words);
    return found;
}
