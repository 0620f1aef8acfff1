/* Lookups in compiled code, in files that are damaged at random, before and after they are signed.
 *
 * Built with the address and undefined-behaviour sanitizers by `make sanitize`. Unsigned damage finds nothing but what
 * was there; signed damage finds anything, but no byte out of bounds is read. tests/fast/test_compiled_find.py compares
 * the results with Python.
 */
#include <stdio.h>

#include "../../catalog/fast/compiled/finds.c"

enum { ROUNDS = 400, MAX_ROWS = 2000, DIGEST = 48, PAGE_AT = 100 };

static uint64_t seed = 1;

static uint64_t next(uint64_t limit) { /* xorshift64 */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % limit;
}

static void check(int fits, const char *what) {
    if (!fits) {
        fprintf(stderr, "finds: %s\n", what);
        exit(1);
    }
}

/* A file and its tree, and how it is opened. */
struct signed_file {
    uint8_t *data, *tree, root[HASH];
    size_t size, tree_size;
    int descriptor, tree_descriptor;
};

static int temporary(const uint8_t *data, size_t size) {
    char name[] = "/tmp/fuzz_finds.XXXXXX";
    int made = mkstemp(name);
    check(made >= 0 && !unlink(name) && write(made, data, size) == (ssize_t)size, "no temporary file");
    return made;
}

static void hash_all(const uint8_t *data, size_t size, uint8_t *out) {
    for (size_t at = 0; at < size; at += BLOCK) {
        uint8_t block[BLOCK] = {0};
        memcpy(block, data + at, size - at < BLOCK ? size - at : BLOCK);
        sha256_blocks(block, 1, 0, out + HASH * (at / BLOCK));
    }
}

/* The tree, its root's level first. Takes the data. */
static struct signed_file signed_of(uint8_t *data, size_t size) {
    struct signed_file made = {.data = data, .size = size};
    size_t blocks = (size + BLOCK - 1) / BLOCK;
    uint8_t *hashes = calloc(blocks, HASH);
    hash_all(data, size, hashes);
    while (blocks > 1) {
        size_t above = (blocks + HASHES_EACH - 1) / HASHES_EACH;
        uint8_t *level = calloc(above, BLOCK);
        memcpy(level, hashes, HASH * blocks);
        uint8_t *whole = malloc(above * BLOCK + made.tree_size + 1);
        memcpy(whole, level, above * BLOCK);
        if (made.tree_size)
            memcpy(whole + above * BLOCK, made.tree, made.tree_size);
        free(made.tree);
        made.tree = whole, made.tree_size += above * BLOCK;
        hashes = realloc(hashes, above * HASH);
        hash_all(level, above * BLOCK, hashes);
        free(level);
        blocks = above;
    }
    memcpy(made.root, hashes, HASH);
    free(hashes);
    made.descriptor = temporary(data, size);
    made.tree_descriptor = temporary(made.tree, made.tree_size);
    return made;
}

static void flip(int descriptor, size_t size) {
    uint8_t byte;
    off_t at = (off_t)next(size);
    check(pread(descriptor, &byte, 1, at) == 1, "a file is shorter");
    byte ^= (uint8_t)(1 << next(8));
    check(pwrite(descriptor, &byte, 1, at) == 1, "no byte was changed");
}

static void forget(struct signed_file *file) {
    free(file->data), free(file->tree);
    close(file->descriptor), close(file->tree_descriptor);
}

static int by_bytes(const void *one, const void *other) {
    return memcmp(one, other, DIGEST);
}

static void store_little_endian(uint8_t *bytes, uint64_t number, int count) {
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
}

static void round_of(int damaged) {
    uint64_t rows = 1 + next(MAX_ROWS), bucket_bits = next(6), entry_size = 3 + next(6);
    unsigned ordinal_bits = 11, digest_bits = 8 * (unsigned)entry_size - ordinal_bits;
    uint64_t buckets = (uint64_t)1 << bucket_bits, bucket_at = next(5000), entry_at = bucket_at + 8 * (buckets + 1);
    int is_large = entry_size * rows > BLOCK; /* so may a bucket be, which is left to Python */
    if (bucket_bits + digest_bits > 64)
        return;
    uint8_t *digests = malloc(DIGEST * rows);
    for (size_t i = 0; i < DIGEST * rows; i++)
        digests[i] = (uint8_t)next(256);
    qsort(digests, rows, DIGEST, by_bytes);
    uint8_t *index = calloc(1, entry_at + entry_size * rows), *part = calloc(1, PAGE_AT + DIGEST * rows);
    memcpy(part + PAGE_AT, digests, DIGEST * rows);
    for (uint64_t bucket = 0, row = 0; bucket <= buckets; bucket++) {
        while (row < rows && bucket_bits && big_endian(digests + DIGEST * row, 8) >> (64 - bucket_bits) < bucket)
            row++;
        store_little_endian(index + bucket_at + 8 * bucket, bucket_bits || !bucket ? row : rows, 8);
    }
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t entry = big_endian(digests + DIGEST * row, 8) << bucket_bits >> (64 - digest_bits) << ordinal_bits | row;
        for (uint64_t i = 0; i < entry_size; i++)
            index[entry_at + entry_size * row + i] = (uint8_t)(entry >> 8 * (entry_size - 1 - i));
    }
    for (uint64_t i = damaged == 1 ? 1 + next(9) : 0; i; i--)
        index[next(entry_at + entry_size * rows)] = (uint8_t)next(256);

    struct signed_file files[2] = {signed_of(index, entry_at + entry_size * rows), signed_of(part, PAGE_AT + DIGEST * rows)};
    static uint8_t keys[LDCAT_KEYS_SIZE];
    for (size_t i = 0; i < sizeof keys; i++)
        keys[i] = (uint8_t)next(256);
    struct ldcat_memory *memory = ldcat_memory_new(keys, 1 + (uint32_t)next(20), (unsigned)next(8));
    struct ldcat_file *opened[2];
    for (int i = 0; i < 2; i++) {
        int tree = files[i].tree_size ? files[i].tree_descriptor : -1;
        opened[i] = ldcat_file_new(memory, files[i].descriptor, tree, files[i].size, files[i].root, !i);
        check(opened[i] != NULL, "a file was not opened");
    }
    uint64_t numbers[8] = {rows, bucket_at, entry_at, DIGEST, bucket_bits, ordinal_bits, entry_size, 16};
    uint64_t zero = 0, page = damaged == 1 && !next(4) ? next(1 << 20) : PAGE_AT;
    struct ldcat_index *made = ldcat_index_new(opened[0], numbers, &zero, &zero, 1, &page, 1);
    check(ldcat_find(made, digests, 1) != 0 || damaged, "a part that is not open was read");
    ldcat_index_part(made, 0, opened[1]);
    for (int i = 0; i < 500; i++) {
        uint64_t row = next(rows), found = ldcat_find(made, digests + DIGEST * row, 1);
        uint8_t other[DIGEST];
        check(damaged || found == row || (found == LDCAT_ASK_PYTHON && is_large), "a row was not found");
        check(damaged != 2 || found == row || found == LDCAT_ASK_PYTHON, "damage was not noticed");
        memcpy(other, digests + DIGEST * row, DIGEST);
        other[next(DIGEST)] ^= 1;
        found = ldcat_find(made, other, (int)next(2));
        check(damaged == 1 || found == LDCAT_NOT_FOUND || found == LDCAT_ASK_PYTHON,
              "an absent digest was found");
        if (!next(100))
            ldcat_verify_rest(opened[1]);
        if (ldcat_ripe_part(made))
            check(ldcat_ripe_part(made) == NULL, "a part is ripe twice");
        if (damaged == 2 && !next(50)) {
            struct signed_file *changed = &files[next(2)];
            if (changed->tree_size && next(2))
                flip(changed->tree_descriptor, changed->tree_size);
            else
                flip(changed->descriptor, changed->size);
        }
    }
    ldcat_index_free(made);
    for (int i = 0; i < 2; i++)
        ldcat_file_free(opened[i]), forget(&files[i]);
    ldcat_memory_free(memory);
    free(digests);
}

int main(void) {
    for (int fast = 0; fast <= has_sha256_instructions(); fast++)
        for (int i = 0; i < 100; i++) {
            static uint8_t blocks[5 * BLOCK], one[5 * HASH], other[5 * HASH];
            for (int at = 0; at < 5 * BLOCK; at++)
                blocks[at] = (uint8_t)next(256);
            size_t count = 1 + next(5);
            for (size_t block = 0; block < count; block++)
                sha256_blocks(blocks + BLOCK * block, 1, 0, one + HASH * block);
            sha256_blocks(blocks, count, fast, other);
            check(!memcmp(one, other, HASH * count), "hashes differ");
        }
    for (int i = 0; i < ROUNDS; i++)
        round_of(i % 3); /* sound; signed damage; damage after signing */
    return 0;
}
