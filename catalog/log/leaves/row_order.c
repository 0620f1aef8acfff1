/* Rows sorted by group and vCPU count: counting sort by the count, then by the group. */
#include "row_order.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST 48
#define AHEAD 16
#define KEYS_OF_COUNTS ((size_t)UINT16_MAX + 2)

/* Turn numbers of rows by key into the place of the first row of each key. */
static void places(uint64_t *counts, size_t keys) {
    uint64_t before = 0;
    for (size_t key = 0; key < keys; key++) {
        uint64_t rows = counts[key];
        counts[key] = before;
        before += rows;
    }
}

int ldcat_sort_rows(size_t count, const uint8_t *digests, const int32_t *vcpus, const uint32_t *numbers, size_t groups,
                    const uint8_t *sizes, uint64_t *starts, int32_t *sorted_vcpus, uint8_t *sorted_digests) {
    for (size_t group = 0; group < groups; group++)
        if (sizes[group] > LARGEST)
            return LDCAT_NOT_ROWS;
    for (size_t row = 0; row < count; row++)
        if (numbers[row] >= groups || vcpus[row] < -1 || vcpus[row] > UINT16_MAX)
            return LDCAT_NOT_ROWS;
    if (count > UINT32_MAX)
        return LDCAT_NO_ROOM;
    uint64_t *by_count = calloc(KEYS_OF_COUNTS, sizeof *by_count), *next = malloc((groups + 1) * sizeof *next);
    uint64_t *ends = malloc((groups + 1) * sizeof *ends);
    uint32_t *rows = malloc(count ? count * sizeof *rows : 1);
    int done = by_count && next && ends && rows ? LDCAT_SORTED : LDCAT_NO_ROOM;
    if (done == LDCAT_SORTED) {
        for (size_t row = 0; row < count; row++)
            by_count[vcpus[row] + 1]++;
        places(by_count, KEYS_OF_COUNTS);
        for (size_t row = 0; row < count; row++)
            rows[by_count[vcpus[row] + 1]++] = (uint32_t)row;
        memset(starts, 0, (groups + 1) * sizeof *starts);
        for (size_t row = 0; row < count; row++)
            starts[numbers[row]]++;
        places(starts, groups + 1);
        memcpy(next, starts, (groups + 1) * sizeof *next);
        for (size_t group = 0, at = 0; group < groups; group++) {
            ends[group] = at;
            at += sizes[group] * (starts[group + 1] - starts[group]);
        }
        for (size_t place = 0; place < count; place++) {
            if (place + AHEAD < count) { /* rows are anywhere in memory */
                size_t later = rows[place + AHEAD];
                __builtin_prefetch(numbers + later);
                __builtin_prefetch(vcpus + later);
                __builtin_prefetch(digests + LARGEST * later);
                __builtin_prefetch(digests + LARGEST * later + LARGEST - 1);
            }
            uint32_t row = rows[place], group = numbers[row];
            sorted_vcpus[next[group]++] = vcpus[row];
            memcpy(sorted_digests + ends[group], digests + LARGEST * (size_t)row, sizes[group]);
            ends[group] += sizes[group];
        }
    }
    free(by_count), free(next), free(ends), free(rows);
    return done;
}
