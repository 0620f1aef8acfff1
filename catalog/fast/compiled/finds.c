/* The search of ../index.py for one digest, in C: many lookups one by one, each byte verified as there.
 *
 * docs/index.md describes the files. What is rare or wrong is left to Python: several rows of one digest, a bucket of
 * more than one block, damage, a part that is not open yet.
 */
#include "verified.h"

#define LDCAT_KEYS_SIZE (2 * 8 * NH_WORDS)
#define MAX_DIGEST 64

static const uint64_t LDCAT_NOT_FOUND = UINT64_MAX, LDCAT_ASK_PYTHON = UINT64_MAX - 1;

/* The index of a technology. ../index.py checked the header, and the tables of parts.
 *
 * parts: open Parquet files; NULL: not open. first_rows, first_pages: of each part. pages: offset of each page.
 */
struct ldcat_index {
    const struct ldcat_file *file, **parts;
    uint64_t rows, bucket_at, entry_at, part_count, page_count;
    unsigned digest_size, bucket_bits, ordinal_bits, entry_size, page_bits;
    uint64_t *first_rows, *first_pages, *pages;
};

static uint64_t big_endian(const uint8_t *bytes, size_t count) {
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

static uint64_t little_endian_64(const uint8_t *bytes) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

/* Number of the last of `count` ascending values that is at most `value`; 0 if there is none. */
static uint64_t last_at_most(const uint64_t *values, uint64_t count, uint64_t value) {
    uint64_t low = 0, high = count;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (values[middle] <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint64_t *copied(const uint64_t *values, uint64_t count) {
    uint64_t *made = malloc((count + 1) * sizeof *made);
    if (made)
        memcpy(made, values, count * sizeof *made);
    return made;
}

static void ldcat_index_free(struct ldcat_index *index) {
    if (!index)
        return;
    free(index->parts);
    free(index->first_rows), free(index->first_pages), free(index->pages);
    free(index);
}

/* NULL for digests of another length than 8 to MAX_DIGEST bytes, or if there is not enough memory.
 *
 * numbers: rows, offsets of buckets and entries, bytes of a digest, bits of a bucket's number and of an ordinal, bytes
 * of an entry, bits of a row's number in a page.
 */
static struct ldcat_index *ldcat_index_new(const struct ldcat_file *file, const uint64_t numbers[8],
                                           const uint64_t *first_rows, const uint64_t *first_pages, uint64_t parts,
                                           const uint64_t *pages, uint64_t page_count) {
    int fits = numbers[3] >= 8 && numbers[3] <= MAX_DIGEST;
    struct ldcat_index *made = fits ? calloc(1, sizeof *made) : NULL;
    if (!made)
        return NULL;
    made->file = file;
    made->rows = numbers[0], made->bucket_at = numbers[1], made->entry_at = numbers[2];
    made->digest_size = (unsigned)numbers[3], made->bucket_bits = (unsigned)numbers[4];
    made->ordinal_bits = (unsigned)numbers[5], made->entry_size = (unsigned)numbers[6];
    made->page_bits = (unsigned)numbers[7];
    made->part_count = parts, made->page_count = page_count;
    made->parts = calloc(parts + 1, sizeof *made->parts);
    made->first_rows = copied(first_rows, parts), made->first_pages = copied(first_pages, parts);
    made->pages = copied(pages, page_count);
    if (!made->parts || !made->first_rows || !made->first_pages || !made->pages) {
        ldcat_index_free(made);
        return NULL;
    }
    return made;
}

/* Give the index an open part. */
static void ldcat_index_part(struct ldcat_index *index, uint64_t number, const struct ldcat_file *part) {
    if (number < index->part_count)
        __atomic_store_n(&index->parts[number], part, __ATOMIC_RELEASE);
}

/* A part of which the rest is worth verifying at once; each is returned once. NULL: none. */
static const struct ldcat_file *ldcat_ripe_part(const struct ldcat_index *index) {
    for (uint64_t number = 0; number < index->part_count; number++) {
        struct ldcat_file *part = (struct ldcat_file *)__atomic_load_n(&index->parts[number], __ATOMIC_ACQUIRE);
        uint32_t ripe = RIPE;
        if (part && __atomic_compare_exchange_n(&part->state, &ripe, TAKEN, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return part;
    }
    return NULL;
}

/* 1 if a row has this digest, 0 if it has another one, -1 if that has to be asked in Python. */
static int has_digest(const struct ldcat_index *index, uint64_t row, const uint8_t *digest, int may_wait) {
    uint8_t own[MAX_DIGEST + BLOCK];
    if (!index->part_count)
        return -1;
    uint64_t number = last_at_most(index->first_rows, index->part_count, row);
    const struct ldcat_file *part = __atomic_load_n(&index->parts[number], __ATOMIC_ACQUIRE);
    uint64_t within = row - index->first_rows[number], page = index->first_pages[number] + (within >> index->page_bits);
    if (!part || row < index->first_rows[number] || page >= index->page_count)
        return -1;
    uint64_t offset = index->digest_size * (within & (((uint64_t)1 << index->page_bits) - 1));
    if (index->pages[page] > part->size)
        return -1;
    const uint8_t *found = verified_read(part, index->pages[page] + offset, index->digest_size, may_wait, own);
    if (!may_wait && __atomic_load_n(&part->state, __ATOMIC_RELAXED) == RIPE)
        return -1; /* the caller, who asks again, takes it */
    return found ? !memcmp(found, digest, index->digest_size) : -1;
}

/* Ordinal of the only row with this digest, NOT_FOUND, or ASK_PYTHON.
 *
 * digest: as long as those of the index. may_wait: 0 to read only what is in the memory of the system.
 */
static uint64_t ldcat_find(const struct ldcat_index *index, const uint8_t *digest, int may_wait) {
    unsigned digest_bits = 8 * index->entry_size - index->ordinal_bits;
    uint8_t own_bounds[16 + BLOCK], own_entries[2 * BLOCK];
    uint64_t key = big_endian(digest, 8) >> (64 - index->bucket_bits - digest_bits);
    uint64_t wanted = key & (~(uint64_t)0 >> (64 - digest_bits)), bucket = key >> digest_bits;
    size_t size = index->entry_size;
    const uint8_t *bounds = verified_read(index->file, index->bucket_at + 8 * bucket, 16, may_wait, own_bounds);
    if (!bounds)
        return LDCAT_ASK_PYTHON;
    uint64_t first = little_endian_64(bounds), end = little_endian_64(bounds + 8), found = LDCAT_NOT_FOUND;
    if (first > end || end > index->rows || end - first > BLOCK / size)
        return LDCAT_ASK_PYTHON;
    uint64_t count = end - first;
    const uint8_t *entries =
        verified_read(index->file, index->entry_at + size * first, size * count, may_wait, own_entries);
    if (count && !entries)
        return LDCAT_ASK_PYTHON;
    uint64_t at = 0, high = count;
    while (at < high) {
        uint64_t middle = (at + high) / 2;
        if (big_endian(entries + size * middle, size) >> index->ordinal_bits < wanted)
            at = middle + 1;
        else
            high = middle;
    }
    for (; at < count; at++) {
        uint64_t entry = big_endian(entries + size * at, size);
        if (entry >> index->ordinal_bits != wanted)
            break;
        int same = has_digest(index, first + at, digest, may_wait);
        if (same < 0 || (same && found != LDCAT_NOT_FOUND))
            return LDCAT_ASK_PYTHON;
        if (same)
            found = entry & (((uint64_t)1 << index->ordinal_bits) - 1);
    }
    return found;
}
