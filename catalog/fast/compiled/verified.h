/* Files whose every block is verified against an fs-verity tree before it is used: ../verity.py in C, for many reads.
 *
 * A block is read into memory of this process and verified there, so nobody can change what was verified. What makes
 * many reads cheap: blocks of an index and of trees stay in memory, up to a limit; and a block that was verified by
 * SHA-256 is known by a tag, so that reading it again takes a hash that is nine times as fast. A tag is two independent
 * NH hashes (Black et al., UMAC, CRYPTO '99, theorem 4.2: two messages have the same with probability at most 2^-64; a
 * given value, such as the 0 of a place without a tag, at most 2^-63) under random keys that never leave this process.
 * Somebody who changes a file can neither compute tags nor see them, and each try is accepted with a probability of at
 * most 2^-126. For everything without its tag, SHA-256 decides.
 *
 * Several threads may read: blocks and tags are only published whole, or seen as not there.
 */
#ifndef LDCAT_VERIFIED_H
#define LDCAT_VERIFIED_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sha256_block.h"

#define HASH 32
#define HASHES_EACH (BLOCK / HASH)
#define MAX_LEVELS 10 /* of a tree over 2^64 bytes */
#define TAG_WORDS 4
#define NH_WORDS (BLOCK / 8 + 2) /* of a message: a block, its number and its file */

/* What the files of a catalog share.
 *
 * keys: of the two hashes. tags: tag_mask + 1 of them, each where its block and file lead, which it covers, so that the
 * tag of another block does not match. blocks: memory for kept blocks, of which `used` are taken.
 */
struct ldcat_memory {
    uint64_t keys[2][NH_WORDS];
    uint64_t (*tags)[TAG_WORDS];
    uint64_t tag_mask;
    uint8_t *blocks;
    uint32_t room, used;
    uint64_t files;
    int fast;
};

/* An open file. Blocks are numbered: those of the file, then those of its tree, in the order of the tree file.
 *
 * checked: how many blocks of the file SHA-256 has verified, one by one; state: NOT_RIPE until that
 * are enough to verify the rest of the file at once (RIPE), which is done once (TAKEN).
 * levels: of the tree. starts: number of the first block of each level, 0 being the file itself. end: of the numbers.
 * kept_from: blocks from this number on are kept. kept: for each of these 1 + its place in memory, or 0.
 */
struct ldcat_file {
    struct ldcat_memory *memory;
    int data, tree;
    unsigned levels;
    uint64_t size, starts[MAX_LEVELS + 1], end, kept_from, number;
    uint64_t checked;
    uint32_t *kept, state;
    uint8_t root[HASH];
};

enum { NOT_RIPE, RIPE, TAKEN };

static void ldcat_memory_free(struct ldcat_memory *memory) {
    if (!memory)
        return;
    if (memory->blocks)
        munmap(memory->blocks, (size_t)memory->room * BLOCK);
    free(memory->tags);
    free(memory);
}

/* NULL if there is not enough memory. keys: 2 * NH_WORDS random words. room: blocks. tag_bits: of the count of tags. */
static struct ldcat_memory *ldcat_memory_new(const uint8_t *keys, uint32_t room, unsigned tag_bits) {
    struct ldcat_memory *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    memcpy(made->keys, keys, sizeof made->keys);
    made->tag_mask = ((uint64_t)1 << tag_bits) - 1;
    made->tags = calloc(made->tag_mask + 1, sizeof *made->tags);
    made->room = room;
    made->blocks = mmap(NULL, (size_t)room * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made->blocks == MAP_FAILED)
        made->blocks = NULL;
    made->fast = has_sha256_instructions();
    if (!made->tags || !made->blocks) {
        ldcat_memory_free(made);
        return NULL;
    }
    return made;
}

static void ldcat_file_free(struct ldcat_file *file) {
    if (file)
        free(file->kept);
    free(file);
}

/* NULL for an empty file, or if there is not enough memory.
 *
 * data, tree: descriptors of the caller, who may close them: then nothing is read any more. size: bytes. root: hash of
 * the root of the tree. keep: keep blocks of the file itself, too.
 */
static struct ldcat_file *ldcat_file_new(struct ldcat_memory *memory, int data, int tree, uint64_t size,
                                         const uint8_t *root, int keep) {
    struct ldcat_file *made = size ? calloc(1, sizeof *made) : NULL;
    if (!made)
        return NULL;
    uint64_t counts[MAX_LEVELS + 1] = {(size - 1) / BLOCK + 1};
    while (counts[made->levels] > 1 && made->levels < MAX_LEVELS) {
        counts[made->levels + 1] = (counts[made->levels] - 1) / HASHES_EACH + 1;
        made->levels++;
    }
    made->end = counts[0];
    for (unsigned level = made->levels; level > 0; level--) { /* the tree file begins with the level of the root */
        made->starts[level] = made->end;
        made->end += counts[level];
    }
    made->memory = memory;
    made->size = size;
    made->kept_from = keep ? 0 : counts[0];
    made->kept = calloc(made->end - made->kept_from + 1, sizeof *made->kept);
    made->number = __atomic_fetch_add(&memory->files, 1, __ATOMIC_RELAXED);
    memcpy(made->root, root, HASH);
    made->data = data, made->tree = tree;
    if (!made->kept) {
        ldcat_file_free(made);
        return NULL;
    }
    return made;
}

/* Bytes read, or -1; without `may_wait` none that are not in the memory of the system. */
static ssize_t read_at(int descriptor, uint8_t *out, size_t size, uint64_t at, int may_wait) {
    if (may_wait)
        return pread(descriptor, out, size, (off_t)at);
#if defined RWF_NOWAIT && defined SYS_preadv2
    struct iovec part = {out, size};
    return syscall(SYS_preadv2, descriptor, &part, 1L, (long)at, (long)(at >> 32), RWF_NOWAIT); /* glibc 2.17 has none */
#else
    return -1;
#endif
}

/* 1 if a block was read; the last one of the file is filled up with zeros. */
static int fetch(const struct ldcat_file *file, unsigned level, uint64_t number, int may_wait, uint8_t block[BLOCK]) {
    uint64_t at = BLOCK * (level ? number - file->starts[file->levels] : number);
    size_t wanted = level || file->size - at > BLOCK ? BLOCK : (size_t)(file->size - at), got = 0;
    while (got < wanted) {
        ssize_t count = read_at(level ? file->tree : file->data, block + got, wanted - got, at + got, may_wait);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return 0;
        got += (size_t)count;
    }
    memset(block + got, 0, BLOCK - got);
    return 1;
}

/* The tag of a block: NH over its words, its number and the number of its file, under two keys. */
static void tag_of(const struct ldcat_file *file, uint64_t number, const uint8_t block[BLOCK], uint64_t tag[TAG_WORDS]) {
    const uint64_t *one = file->memory->keys[0], *two = file->memory->keys[1];
    unsigned __int128 first = (unsigned __int128)(one[NH_WORDS - 2] + number) * (one[NH_WORDS - 1] + file->number);
    unsigned __int128 second = (unsigned __int128)(two[NH_WORDS - 2] + number) * (two[NH_WORDS - 1] + file->number);
    for (int i = 0; i < BLOCK / 8; i += 2) {
        uint64_t words[2];
        memcpy(words, block + 8 * i, sizeof words);
        first += (unsigned __int128)(words[0] + one[i]) * (words[1] + one[i + 1]);
        second += (unsigned __int128)(words[0] + two[i]) * (words[1] + two[i + 1]);
    }
    tag[0] = (uint64_t)first, tag[1] = (uint64_t)(first >> 64);
    tag[2] = (uint64_t)second, tag[3] = (uint64_t)(second >> 64);
}

/* Keep a verified block, if there is room. */
static void keep_block(const struct ldcat_file *file, uint64_t number, const uint8_t block[BLOCK]) {
    struct ldcat_memory *memory = file->memory;
    if (__atomic_load_n(&memory->used, __ATOMIC_RELAXED) >= memory->room)
        return;
    uint32_t place = __atomic_fetch_add(&memory->used, 1, __ATOMIC_RELAXED);
    if (place >= memory->room) {
        __atomic_store_n(&memory->used, memory->room, __ATOMIC_RELAXED);
        return;
    }
    memcpy(memory->blocks + (size_t)place * BLOCK, block, BLOCK);
    __atomic_store_n(&file->kept[number - file->kept_from], place + 1, __ATOMIC_RELEASE);
}

static int verified_hash(const struct ldcat_file *file, unsigned level, uint64_t number, int may_wait,
                         uint8_t hash[HASH]);

/* Once a quarter of the blocks of a file were verified, each as it was needed, most of the others will be. */
static void count_checked(struct ldcat_file *file) {
    if (__atomic_add_fetch(&file->checked, 1, __ATOMIC_RELAXED) == file->kept_from / 4 + 1)
        __atomic_store_n(&file->state, RIPE, __ATOMIC_RELAXED);
}

/* A verified block, in kept memory or in the caller's; NULL if it cannot be read, would have to be waited for, or is
 * damaged. */
static const uint8_t *verified_block(const struct ldcat_file *file, unsigned level, uint64_t number, int may_wait,
                                     uint8_t own[BLOCK]) {
    uint64_t tag[TAG_WORDS], *known, differ = 0;
    uint8_t expected[HASH], found[HASH];
    if (number >= file->kept_from) {
        uint32_t place = __atomic_load_n(&file->kept[number - file->kept_from], __ATOMIC_ACQUIRE);
        if (place)
            return file->memory->blocks + (size_t)(place - 1) * BLOCK;
    }
    known = file->memory->tags[(number + file->number * 0x9e3779b97f4a7c15) & file->memory->tag_mask];
    __builtin_prefetch(known);
    if (!fetch(file, level, number, may_wait, own))
        return NULL;
    tag_of(file, number, own, tag);
    for (int i = 0; i < TAG_WORDS; i++)
        differ |= __atomic_load_n(&known[i], __ATOMIC_RELAXED) ^ tag[i];
    if (differ) {
        if (!verified_hash(file, level, number, may_wait, expected))
            return NULL;
        sha256_blocks(own, 1, file->memory->fast, found);
        if (memcmp(expected, found, HASH))
            return NULL;
        for (int i = 0; i < TAG_WORDS; i++)
            __atomic_store_n(&known[i], tag[i], __ATOMIC_RELAXED);
        if (number < file->kept_from)
            count_checked((struct ldcat_file *)file);
    }
    if (number >= file->kept_from)
        keep_block(file, number, own);
    return own;
}

/* The hash that a block must have, from the level above or the root; 0 if that is damaged. */
static int verified_hash(const struct ldcat_file *file, unsigned level, uint64_t number, int may_wait,
                         uint8_t hash[HASH]) {
    uint8_t own[BLOCK];
    if (level == file->levels) {
        memcpy(hash, file->root, HASH);
        return 1;
    }
    uint64_t place = number - file->starts[level];
    uint64_t number_above = file->starts[level + 1] + place / HASHES_EACH;
    const uint8_t *above = verified_block(file, level + 1, number_above, may_wait, own);
    if (!above)
        return 0;
    memcpy(hash, above + HASH * (place % HASHES_EACH), HASH);
    return 1;
}

/* Verified bytes of the file, in kept memory or in the caller's, which has room for them and a block; or NULL. */
static const uint8_t *verified_read(const struct ldcat_file *file, uint64_t offset, size_t size, int may_wait,
                                    uint8_t *own) {
    size_t start = offset % BLOCK, got = 0;
    if (!size || offset > file->size || size > file->size - offset)
        return NULL;
    if (start + size <= BLOCK) {
        const uint8_t *block = verified_block(file, 0, offset / BLOCK, may_wait, own);
        return block ? block + start : NULL;
    }
    while (got < size) { /* a block is read behind what is there already, and its part moved to it */
        size_t rest = BLOCK - start, part = rest < size - got ? rest : size - got;
        const uint8_t *block = verified_block(file, 0, (offset + got) / BLOCK, may_wait, own + got);
        if (!block)
            return NULL;
        memmove(own + got, block + start, part);
        got += part, start = 0;
    }
    return own;
}

/* Verify all blocks of a file, several at once, so that they are known; of a damaged one nothing is remembered. */
static void ldcat_verify_rest(const struct ldcat_file *file) {
    enum { AT_ONCE = 8 };
    uint8_t blocks[AT_ONCE * BLOCK], hashes[AT_ONCE * HASH], expected[HASH];
    uint64_t tag[TAG_WORDS], *known;
    for (uint64_t first = 0; first < file->kept_from; first += AT_ONCE) {
        size_t count = 0;
        while (count < AT_ONCE && first + count < file->kept_from && fetch(file, 0, first + count, 1, blocks + count * BLOCK))
            count++;
        if (!count)
            return;
        sha256_blocks(blocks, count, file->memory->fast, hashes);
        for (size_t i = 0; i < count; i++) {
            uint64_t number = first + i;
            if (!verified_hash(file, 0, number, 1, expected) || memcmp(expected, hashes + HASH * i, HASH))
                continue;
            known = file->memory->tags[(number + file->number * 0x9e3779b97f4a7c15) & file->memory->tag_mask];
            tag_of(file, number, blocks + BLOCK * i, tag);
            for (int word = 0; word < TAG_WORDS; word++)
                __atomic_store_n(&known[word], tag[word], __ATOMIC_RELAXED);
        }
    }
}

#endif
