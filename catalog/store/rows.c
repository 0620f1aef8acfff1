/* Rows of a catalog before they are written: records of a digest and eight bytes that identify the row.
 *
 * A record is the digest, the number of its sweep and the number of its step in it, both as u32 big-endian: records
 * sort as bytes, and records with equal digests by sweep and step. Digests are uniformly distributed, so their first
 * bits split and sort them evenly.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE 0xffffffffu
#define AHEAD 16

static uint64_t load_big_endian(const uint8_t *bytes, size_t count) {
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

static uint64_t load_little_endian(const uint8_t *bytes) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

static void store_big_endian(uint8_t *bytes, uint64_t number, size_t count) {
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(number >> (8 * (count - 1 - i)));
}

/* The first `bits` bits, 0 to 64, of a digest. */
static uint64_t first_bits(const uint8_t *digest, unsigned bits) {
    return bits ? load_big_endian(digest, 8) >> (64 - bits) : 0;
}

/* Numbers of the rows whose digests end with `bits` zero bits, 1 to 64; returns how many. out: space for all rows. */
static size_t ldcat_with_zero_bits(const uint8_t *digests, size_t rows, size_t digest_size, unsigned bits,
                                   uint32_t *out) {
    uint64_t mask = ~(uint64_t)0 >> (64 - bits);
    size_t found = 0;
    for (size_t row = 0; row < rows; row++)
        if (!(load_big_endian(digests + digest_size * (row + 1) - 8, 8) & mask))
            out[found++] = (uint32_t)row;
    return found;
}

/* counts: 1 << bits numbers, to which the rows of each shard are added */
static void ldcat_count_shards(const uint8_t *digests, size_t rows, size_t digest_size, unsigned bits, uint64_t *counts) {
    for (size_t row = 0; row < rows; row++)
        counts[first_bits(digests + digest_size * row, bits)]++;
}

/* Write the records of sweeps times steps rows, each at the cursor of its shard, which is advanced.
 *
 * digests: sweep by sweep. sweeps: numbers of the sweeps. steps: numbers of the steps, the same for each sweep.
 */
static void ldcat_scatter_rows(const uint8_t *digests, size_t digest_size, const uint32_t *sweeps, size_t count,
                               const uint32_t *steps, size_t count_of_steps, unsigned bits, uint64_t *cursors,
                               uint8_t *out) {
    size_t record_size = digest_size + 8;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count_of_steps; j++, digests += digest_size) {
            uint8_t *record = out + record_size * cursors[first_bits(digests, bits)]++;
            memcpy(record, digests, digest_size);
            store_big_endian(record + digest_size, sweeps[i], 4);
            store_big_endian(record + digest_size + 4, steps[j], 4);
        }
}

/* Records of the rows of an index with new numbers of their sweeps, without dropped sweeps; returns how many.
 *
 * digests: sorted. entries: as ldcat_sorted_columns packs them. starts: ordinal of the first row of each old sweep,
 * ascending. sweeps: the new number of each, NONE if it was dropped. out: space for all rows.
 */
static size_t ldcat_renumber_rows(const uint8_t *digests, size_t rows, size_t digest_size, const uint8_t *entries,
                                  size_t entry_size, unsigned ordinal_bits, const uint64_t *starts,
                                  const uint32_t *sweeps, size_t count, uint8_t *out) {
    uint64_t ordinals = ((uint64_t)1 << ordinal_bits) - 1;
    size_t kept = 0, record_size = digest_size + 8;
    for (size_t row = 0; row < rows; row++) {
        uint64_t ordinal = load_big_endian(entries + entry_size * row, entry_size) & ordinals;
        size_t low = 0, high = count;
        while (high - low > 1) {
            size_t middle = (low + high) / 2;
            if (starts[middle] <= ordinal)
                low = middle;
            else
                high = middle;
        }
        if (sweeps[low] == NONE)
            continue;
        uint8_t *record = out + record_size * kept++;
        memcpy(record, digests + digest_size * row, digest_size);
        store_big_endian(record + digest_size, sweeps[low], 4);
        store_big_endian(record + digest_size + 4, ordinal - starts[low], 4);
    }
    return kept;
}

/* For every given digest that begins with the number of this part: ordinal of its first row, and number of its rows.
 *
 * part: the Parquet file. pages: offset in it of the digests of each row group. first_row, rows: of the part; they are
 * inside the entries. buckets: u64 little-endian. found: the ordinal. times: number of rows; left unchanged if there is
 * none. Returns 1 if a bucket is not inside the part, or a page not inside its file.
 */
static int ldcat_find_rows(const uint8_t *asked, size_t count, size_t digest_size, const uint8_t *buckets,
                            unsigned bucket_bits, const uint8_t *entries, size_t entry_size, unsigned ordinal_bits,
                            const uint8_t *part, size_t part_size, unsigned part_bits, uint64_t part_number,
                            const uint64_t *pages, size_t page_count, unsigned page_bits, uint64_t first_row,
                            uint64_t rows, uint64_t *found, uint32_t *times) {
    unsigned digest_bits = 8 * (unsigned)entry_size - ordinal_bits;
    int damaged = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *digest = asked + digest_size * i;
        if (first_bits(digest, part_bits) != part_number)
            continue;
        uint64_t bucket = first_bits(digest, bucket_bits);
        uint64_t wanted = first_bits(digest, bucket_bits + digest_bits) & (((uint64_t)1 << digest_bits) - 1);
        uint64_t low = load_little_endian(buckets + 8 * bucket), high = load_little_endian(buckets + 8 * bucket + 8);
        if (low < first_row || high < low || high - first_row > rows) {
            damaged = 1;
            continue;
        }
        uint64_t end = high;
        while (low < high) {
            uint64_t middle = low + (high - low) / 2;
            if (load_big_endian(entries + entry_size * middle, entry_size) >> ordinal_bits < wanted)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < end && load_big_endian(entries + entry_size * low, entry_size) >> ordinal_bits == wanted; low++) {
            uint64_t row = low - first_row, page = row >> page_bits;
            uint64_t within = digest_size * (row & (((uint64_t)1 << page_bits) - 1));
            if (page >= page_count || pages[page] > part_size || part_size - pages[page] < within + digest_size) {
                damaged = 1;
                continue;
            }
            if (memcmp(part + pages[page] + within, digest, digest_size))
                continue;
            if (!times[i]++)
                found[i] = load_big_endian(entries + entry_size * low, entry_size) & (((uint64_t)1 << ordinal_bits) - 1);
        }
    }
    return damaged;
}

struct key {
    uint64_t first;
    uint32_t row;
};

/* The order of records: keys of the rows, sorted. `bits`: number of first bits that all digests have in common. */
static struct key *sorted_keys(const uint8_t *records, uint32_t rows, size_t record_size, unsigned bits) {
    unsigned bucket_bits = 0;
    while (bucket_bits < 24 && (uint64_t)8 << bucket_bits < rows)
        bucket_bits++;
    size_t buckets = (size_t)1 << bucket_bits;
    uint32_t *ends = calloc(buckets + 1, sizeof *ends);
    uint64_t *firsts = malloc(sizeof *firsts * ((size_t)rows + 1));
    struct key *keys = malloc(sizeof *keys * ((size_t)rows + 1));
    if (!ends || !firsts || !keys) {
        free(ends), free(firsts), free(keys);
        return NULL;
    }
    unsigned shift = 64 - bucket_bits;
#define BUCKET(first) (bucket_bits ? (first) << bits >> shift : 0)
    for (size_t row = 0; row < rows; row++) {
        firsts[row] = load_big_endian(records + record_size * row, 8);
        ends[BUCKET(firsts[row]) + 1]++;
    }
    for (size_t bucket = 0; bucket < buckets; bucket++)
        ends[bucket + 1] += ends[bucket];
    for (size_t row = 0; row < rows; row++)
        keys[ends[BUCKET(firsts[row])]++] = (struct key){firsts[row], (uint32_t)row};
#undef BUCKET
    free(ends), free(firsts);
    for (size_t at = 1; at < rows; at++) { /* the buckets are in order, so that a key goes back a few places only */
        struct key key = keys[at];
        if (keys[at - 1].first < key.first)
            continue;
        const uint8_t *record = records + record_size * key.row;
        size_t to = at;
        for (; to > 0; to--) {
            struct key before = keys[to - 1];
            if (before.first < key.first ||
                (before.first == key.first && memcmp(records + record_size * before.row, record, record_size) <= 0))
                break;
            keys[to] = before;
        }
        keys[to] = key;
    }
    return keys;
}

/* The records of one shard, sorted, by column; returns 0 if there is not enough memory.
 *
 * bits: of the shard's number. starts: ordinal of each sweep's first row. digests: rows times digest_size bytes.
 * sweeps, steps: as in the records. entries: rows times entry_size bytes of the index, big-endian: the digest bits
 * after those of the bucket, then the ordinal of ordinal_bits. buckets: number of rows of each bucket of the shard,
 * from first_bucket on.
 */
static int ldcat_sorted_columns(const uint8_t *records, uint32_t rows, size_t digest_size, unsigned bits,
                                const uint64_t *starts, unsigned bucket_bits, unsigned ordinal_bits, size_t entry_size,
                                uint64_t first_bucket, uint8_t *digests, uint32_t *sweeps, uint32_t *steps,
                                uint8_t *entries, uint64_t *buckets) {
    size_t record_size = digest_size + 8;
    struct key *keys = sorted_keys(records, rows, record_size, bits);
    if (!keys)
        return 0;
    unsigned entry_bits = 8 * (unsigned)entry_size, first = bucket_bits + entry_bits - ordinal_bits;
    uint64_t kept = entry_bits == 64 ? ~(uint64_t)0 : ((uint64_t)1 << entry_bits) - 1;
    for (size_t row = 0; row < rows; row++) {
        const uint8_t *record = records + record_size * keys[row].row;
        if (row + AHEAD < rows) { /* the records are in random order: prefetch them */
            const uint8_t *later = records + record_size * keys[row + AHEAD].row;
            __builtin_prefetch(later), __builtin_prefetch(later + record_size - 1);
        }
        memcpy(digests + digest_size * row, record, digest_size);
        sweeps[row] = (uint32_t)load_big_endian(record + digest_size, 4);
        steps[row] = (uint32_t)load_big_endian(record + digest_size + 4, 4);
        uint64_t key = first_bits(record, first) << ordinal_bits | (starts[sweeps[row]] + steps[row]);
        store_big_endian(entries + entry_size * row, key & kept, entry_size);
        buckets[first_bits(record, bucket_bits) - first_bucket]++;
    }
    free(keys);
    return 1;
}
