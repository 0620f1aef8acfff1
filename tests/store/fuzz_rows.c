/* Rows are split, sorted, renumbered and looked up, in buffers of exactly the stated size.
 *
 * Built with the address and undefined-behaviour sanitizers by `make sanitize`. Indexes are damaged at random:
 * lookups in them may find nothing, but never read out of bounds. Results are compared with the standard library's
 * sort; tests/store/test_row_records.py compares them with the Python reference.
 */
#include <stdio.h>

#include "../../catalog/store/rows.c"

enum { ROUNDS = 3000, MAX_ROWS = 300 };

static uint64_t seed = 1;
static size_t record_size;

static uint64_t next(uint64_t limit) { /* xorshift64 */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % limit;
}

static uint8_t *bytes(size_t size) {
    uint8_t *made = malloc(size ? size : 1);
    for (size_t i = 0; i < size; i++)
        made[i] = (uint8_t)next(256);
    return made;
}

static void check(int fits, const char *what) {
    if (!fits) {
        fprintf(stderr, "rows: %s\n", what);
        exit(1);
    }
}

static int by_bytes(const void *one, const void *other) {
    return memcmp(one, other, record_size);
}

/* Digests of one shard, so that all begin with its bits; some come more than once. */
static uint8_t *digests_of(size_t rows, size_t digest_size, unsigned bits, uint64_t shard) {
    uint8_t *digests = bytes(digest_size * rows);
    for (size_t row = 0; row < rows; row++) {
        uint8_t *digest = digests + digest_size * row;
        if (row && !next(8))
            memcpy(digest, digest - digest_size, digest_size);
        uint64_t rest = bits ? first_bits(digest, 64) << bits >> bits | shard << (64 - bits) : first_bits(digest, 64);
        store_big_endian(digest, rest, 8);
    }
    return digests;
}

static void find(const uint8_t *asked, size_t rows, size_t digest_size, unsigned bits, uint64_t shard,
                 unsigned bucket_bits, uint8_t *entries, size_t entry_size, unsigned ordinal_bits,
                 const uint64_t *bucket_rows, const uint8_t *sorted) {
    size_t buckets = (size_t)1 << bucket_bits, part_size = digest_size * rows;
    uint8_t *starts = bytes(8 * (buckets + 1));
    uint64_t first = shard << (bucket_bits - bits), own = (uint64_t)1 << (bucket_bits - bits), at = 0;
    for (uint64_t bucket = 0; bucket <= buckets; bucket++) {
        for (int i = 0; i < 8; i++)
            starts[8 * bucket + i] = (uint8_t)(at >> 8 * i);
        at += bucket >= first && bucket < first + own ? bucket_rows[bucket - first] : 0;
    }
    uint64_t *found = calloc(rows + 1, sizeof *found), *page = malloc(sizeof *page);
    uint32_t *times = calloc(rows + 1, sizeof *times);
    *page = 0;
    int damaged = ldcat_find_rows(asked, rows, digest_size, starts, bucket_bits, entries, entry_size, ordinal_bits, sorted,
                                  part_size, bits, shard, page, 1, 16, 0, rows, found, times);
    check(!damaged, "an index that is whole is called damaged");
    for (size_t row = 0; row < rows; row++)
        check(times[row] > 0, "a row is not found");
    for (int blow = 0; blow < 3; blow++) {
        if (next(2))
            starts[next(8 * (buckets + 1))] = (uint8_t)next(256);
        if (rows && next(2))
            entries[next(entry_size * rows)] = (uint8_t)next(256);
        if (next(2))
            *page = next(2) ? next(part_size + 2) : ~(uint64_t)0;
        ldcat_find_rows(asked, rows, digest_size, starts, bucket_bits, entries, entry_size, ordinal_bits, sorted,
                        next(part_size + 1), bits, shard, page, next(2), 16, 0, rows, found, times);
    }
    free(starts), free(found), free(page), free(times);
}

static void one_round(void) {
    size_t digest_size = next(2) ? 32 : 48, sweeps = 1 + next(5), steps = next(MAX_ROWS / 5), rows = sweeps * steps;
    unsigned bits = (unsigned)next(4), bucket_bits = bits + (unsigned)next(6), ordinal_bits = 10;
    uint64_t shard = bits ? next((uint64_t)1 << bits) : 0;
    size_t entry_size = 3 + next(6);
    record_size = digest_size + 8;
    uint8_t *digests = digests_of(rows, digest_size, bits, shard), *records = bytes(record_size * rows);
    uint32_t *numbers = malloc(4 * sweeps), *step_numbers = malloc(4 * (steps + 1)), *zero = malloc(4 * (rows + 1));
    uint64_t *starts = malloc(8 * sweeps), *cursors = calloc((size_t)1 << bits, 8), *counts = calloc((size_t)1 << bits, 8);
    for (size_t i = 0; i < sweeps; i++)
        numbers[i] = (uint32_t)i, starts[i] = i * steps;
    for (size_t i = 0; i < steps; i++)
        step_numbers[i] = (uint32_t)i;
    ldcat_count_shards(digests, rows, digest_size, bits, counts);
    check(counts[shard] == rows, "a row is counted for another shard");
    ldcat_scatter_rows(digests, digest_size, numbers, sweeps, step_numbers, steps, bits, cursors, records);
    check(ldcat_with_zero_bits(digests, rows, digest_size, 1 + (unsigned)next(64), zero) <= rows, "too many distinguished");
    uint8_t *sorted = bytes(digest_size * rows), *entries = bytes(entry_size * rows);
    uint32_t *sorted_sweeps = malloc(4 * (rows + 1)), *sorted_steps = malloc(4 * (rows + 1));
    uint64_t *bucket_rows = calloc((size_t)1 << (bucket_bits - bits), 8);
    check(ldcat_sorted_columns(records, (uint32_t)rows, digest_size, bits, starts, bucket_bits, ordinal_bits, entry_size,
                               shard << (bucket_bits - bits), sorted, sorted_sweeps, sorted_steps, entries,
                               bucket_rows), "no memory");
    qsort(records, rows, record_size, by_bytes);
    for (size_t row = 0; row < rows; row++) {
        const uint8_t *record = records + record_size * row;
        check(!memcmp(sorted + digest_size * row, record, digest_size), "digests are not sorted");
        check(sorted_sweeps[row] == load_big_endian(record + digest_size, 4), "sweeps are not sorted");
        check(sorted_steps[row] == load_big_endian(record + digest_size + 4, 4), "steps are not sorted");
    }
    uint8_t *again = bytes(record_size * rows);
    size_t kept = steps ? ldcat_renumber_rows(sorted, rows, digest_size, entries, entry_size, ordinal_bits, starts, numbers,
                                              sweeps, again) : 0;
    check(kept == rows && !memcmp(again, records, record_size * rows), "renumbered rows are others");
    find(digests, rows, digest_size, bits, shard, bucket_bits, entries, entry_size, ordinal_bits, bucket_rows, sorted);
    free(digests), free(records), free(numbers), free(step_numbers), free(zero), free(starts), free(cursors), free(counts);
    free(sorted), free(entries), free(sorted_sweeps), free(sorted_steps), free(bucket_rows), free(again);
}

int main(void) {
    for (int round = 0; round < ROUNDS; round++)
        one_round();
    puts("rows: no sanitizer complained, and all are sorted and found");
    return 0;
}
