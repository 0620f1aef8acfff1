/* What Python calls to number the combinations of values that rows have; it touches no Python object. */
#ifndef LDCAT_ROW_COMBINATIONS_H
#define LDCAT_ROW_COMBINATIONS_H

#include <stddef.h>
#include <stdint.h>

/* A column in the memory layout of Arrow. Python has checked that it has all rows.
 *
 * width: bytes of a value, 1 to 8. valid: a bit for each value, the first one the lowest of the first byte, clear where
 * it is null; NULL if none is. offset: number of the first value.
 */
struct ldcat_column {
    const uint8_t *values, *valid;
    size_t offset;
    uint32_t width;
};

/* Number the combinations of values, in the order in which they come. Returns how many there are, or SIZE_MAX for want
 * of memory; 0 for no rows, and for rows that are chosen so that their hashes collide, whose numbers have to be found
 * in another way.
 *
 * columns: at most 64. count: less than UINT32_MAX. numbers: of each row. firsts: the first row of each combination,
 * with room for `count`. It takes up to 8 * count * (column_count + 1) bytes, if all rows differ.
 */
size_t ldcat_combinations(const struct ldcat_column *columns, size_t column_count, size_t count, uint32_t *numbers,
                          uint32_t *firsts);

#endif
