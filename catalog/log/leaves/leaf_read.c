/* Takes the leaves of rows apart: digest, vCPU count, and the rest, which is looked up in a table of groups.
 *
 * row_text.py is the definition: the names of both keys are found with their quotes, which are escaped in a string.
 */
#define _GNU_SOURCE /* memmem */
#include "leaf_read.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST "\"launch_digest\":\""
#define VCPUS "\"vcpus\":"
#define NONE "null"
#define LENGTH_OF(text) (sizeof(text) - 1)
#define LARGEST 48
#define MOST_PROBES 64

/* A leaf in parts. text: before the digits of the digest, between them and the count, after the count. */
struct row {
    const uint8_t *text[3];
    size_t sizes[3];
    uint8_t digest[LARGEST];
    size_t digest_size;
    int32_t vcpus;
};

/* Groups by the hash of their text, with open addressing.
 *
 * text: what is freed with the group; NULL where there is none.
 * parts: as those of a row; the first one may be that of another group, since most groups have one in common.
 */
struct group {
    uint64_t hash;
    uint8_t *text;
    const uint8_t *parts[3];
    size_t sizes[3], digest_size;
    uint32_t number;
};

/* added: the group that was added last, NULL if there is none. */
struct ldcat_groups {
    size_t most, count, slots;
    struct group *at;
    const struct group *added;
};

/* What is known of the leaf before. of: its group, NULL if it has none. first_hash: hash of its first part. */
struct before {
    struct row row;
    const struct group *of;
    uint64_t first_hash;
};

/* Bytes from `2 * count` hex digits, at most LARGEST. Returns 0 if there are others among them. */
static int read_hex(const uint8_t *text, size_t count, uint8_t *out) {
    uint8_t digits[2 * LARGEST], others = 0;
    for (size_t i = 0; i < 2 * count; i++) { /* without branches and tables, so that compilers use vectors */
        uint8_t number = (uint8_t)(text[i] - '0'), letter = (uint8_t)(text[i] - 'a');
        digits[i] = number < 10 ? number : (uint8_t)(letter + 10);
        others |= (uint8_t)((number >= 10) & (letter >= 6));
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)(digits[2 * i] << 4 | digits[2 * i + 1]);
    return !others;
}

/* A vCPU count in canonical form, or null, and what follows it; how many bytes it has, 0 for anything else. */
static size_t read_count(const uint8_t *text, size_t size, int32_t *count) {
    size_t length = 0;
    if (size > LENGTH_OF(NONE) && !memcmp(text, NONE, LENGTH_OF(NONE))) {
        *count = -1;
        length = LENGTH_OF(NONE);
    } else {
        int32_t found = 0;
        while (length < size && length < 5 && text[length] >= '0' && text[length] <= '9')
            found = 10 * found + (text[length++] - '0');
        if (!length || found > UINT16_MAX || (length > 1 && text[0] == '0'))
            return 0;
        *count = found;
    }
    return length < size && (text[length] == ',' || text[length] == '}') ? length : 0;
}

/* The parts of a leaf whose digest has `digest_size` bytes, from byte `digits` on, and whose count follows `between`
 * bytes after it. Returns 0 if digest or count are not there, or not in canonical form; the keys are not looked at. */
static int parts_at(const uint8_t *leaf, size_t size, size_t digits, size_t digest_size, size_t between,
                    struct row *row) {
    size_t quote = digits + 2 * digest_size, count = quote + between;
    if (count >= size || !read_hex(leaf + digits, digest_size, row->digest))
        return 0;
    size_t length = read_count(leaf + count, size - count, &row->vcpus), after = count + length;
    row->digest_size = digest_size;
    row->text[0] = leaf, row->sizes[0] = digits;
    row->text[1] = leaf + quote, row->sizes[1] = between;
    row->text[2] = leaf + after, row->sizes[2] = size - after;
    return length > 0;
}

/* Returns 0 unless a leaf has both keys, with values in canonical form, in the order of a row. */
static int take_apart(const uint8_t *leaf, size_t size, struct row *row) {
    const uint8_t *key = memmem(leaf, size, DIGEST, LENGTH_OF(DIGEST));
    if (!key)
        return 0;
    size_t digits = (size_t)(key - leaf) + LENGTH_OF(DIGEST), left = size - digits;
    const uint8_t *quote = memchr(leaf + digits, '"', left < 2 * LARGEST + 1 ? left : 2 * LARGEST + 1);
    size_t length = quote ? (size_t)(quote - leaf) - digits : 0;
    if (length != 64 && length != 2 * LARGEST)
        return 0;
    key = memmem(quote, (size_t)(leaf + size - quote), VCPUS, LENGTH_OF(VCPUS));
    return key && parts_at(leaf, size, digits, length / 2, (size_t)(key - quote) + LENGTH_OF(VCPUS), row);
}

static uint64_t mixed(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 32;
}

/* A hash for honest texts. Hostile ones of the same hash fill MOST_PROBES slots, and are then read one by one. */
static uint64_t hash_of_text(uint64_t hash, const uint8_t *text, size_t size) {
    size_t at = 0;
    uint64_t lanes[4] = {hash, size, 0, 0}, words[4]; /* four at once, which do not wait for each other */
    for (; size - at >= sizeof words; at += sizeof words) {
        memcpy(words, text + at, sizeof words);
        for (int lane = 0; lane < 4; lane++)
            lanes[lane] = mixed(lanes[lane], words[lane]);
    }
    memset(words, 0, sizeof words);
    memcpy(words, text + at, size - at);
    hash = mixed(mixed(lanes[0], words[0]), mixed(lanes[1], words[1]));
    return mixed(hash, mixed(mixed(lanes[2], words[2]), mixed(lanes[3], words[3])));
}

static uint64_t hash_of_first(const struct row *row) {
    return hash_of_text(row->digest_size, row->text[0], row->sizes[0]);
}

/* first_hash: of the first part. */
static uint64_t hash_of(const struct row *row, uint64_t first_hash) {
    return hash_of_text(hash_of_text(first_hash, row->text[1], row->sizes[1]), row->text[2], row->sizes[2]);
}

/* first: the first part of a group that is also that of the row; NULL if none is known. */
static int is_text_of(const struct group *group, const struct row *row, const uint8_t *first) {
    if (group->digest_size != row->digest_size || memcmp(group->sizes, row->sizes, sizeof row->sizes))
        return 0;
    for (int part = group->parts[0] == first; part < 3; part++)
        if (memcmp(group->parts[part], row->text[part], row->sizes[part]))
            return 0;
    return 1;
}

/* The slot of a row's group, or the empty one where it belongs; NULL if there is none within MOST_PROBES. */
static struct group *slot_of(const struct ldcat_groups *groups, const struct row *row, uint64_t hash,
                             const uint8_t *first) {
    for (size_t probe = 0; probe < MOST_PROBES; probe++) {
        struct group *group = &groups->at[(hash + probe) & (groups->slots - 1)];
        if (!group->text || (group->hash == hash && is_text_of(group, row, first)))
            return group;
    }
    return NULL;
}

/* The group of a leaf, which is taken apart; NULL if the table has none. before: the leaf before, then this one.
 *
 * Most leaves have their values where the leaf before has them. They are looked for there first: if what is around them
 * is the text of a group, then the keys are where they are in that text, and nowhere before.
 */
static const struct group *group_of(const struct ldcat_groups *groups, const uint8_t *leaf, size_t size,
                                    struct before *before) {
    struct row *row = &before->row;
    const struct group *group = NULL, *of = before->of;
    if (of) {
        int same = row->sizes[0] <= size && !memcmp(leaf, row->text[0], row->sizes[0]);
        if (parts_at(leaf, size, row->sizes[0], row->digest_size, row->sizes[1], row)) {
            if (!same)
                before->first_hash = hash_of_first(row);
            group = slot_of(groups, row, hash_of(row, before->first_hash), same ? of->parts[0] : NULL);
        }
    }
    if ((!group || !group->text) && take_apart(leaf, size, row)) {
        before->first_hash = hash_of_first(row);
        group = slot_of(groups, row, hash_of(row, before->first_hash), NULL);
    }
    before->of = group && group->text ? group : NULL;
    return before->of;
}

size_t ldcat_split_bundle(const uint8_t *data, size_t size, uint32_t base, size_t most, uint32_t *starts,
                          uint32_t *sizes) {
    size_t at = 0, count = 0;
    for (; at < size; count++) {
        if (count == most || size - at < 2)
            return SIZE_MAX;
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        if (length > size - at)
            return SIZE_MAX;
        starts[count] = base + (uint32_t)at;
        sizes[count] = (uint32_t)length;
        at += length;
    }
    return count;
}

struct ldcat_groups *ldcat_groups_new(size_t most) {
    struct ldcat_groups *made = malloc(sizeof *made);
    if (!made)
        return NULL;
    made->most = most, made->count = 0, made->slots = 1, made->added = NULL;
    while (made->slots < 4 * most)
        made->slots *= 2;
    made->at = calloc(made->slots, sizeof *made->at);
    if (made->at)
        return made;
    free(made);
    return NULL;
}

void ldcat_groups_free(struct ldcat_groups *groups) {
    if (!groups)
        return;
    for (size_t slot = 0; slot < groups->slots; slot++)
        free(groups->at[slot].text);
    free(groups->at);
    free(groups);
}

int ldcat_groups_add(struct ldcat_groups *groups, const uint8_t *leaf, size_t size) {
    struct row row;
    if (groups->count >= groups->most || !take_apart(leaf, size, &row))
        return 0;
    uint64_t hash = hash_of(&row, hash_of_first(&row));
    struct group *group = slot_of(groups, &row, hash, NULL);
    if (!group || group->text)
        return 0;
    uint8_t *text = malloc(row.sizes[0] + row.sizes[1] + row.sizes[2]);
    if (!text)
        return 0;
    *group = (struct group){hash, text, {0}, {0}, row.digest_size, (uint32_t)groups->count++};
    memcpy(group->sizes, row.sizes, sizeof row.sizes);
    for (int part = 0; part < 3; text += row.sizes[part++]) {
        memcpy(text, row.text[part], row.sizes[part]);
        group->parts[part] = text;
    }
    const struct group *added = groups->added;
    if (added && added->sizes[0] == row.sizes[0] && !memcmp(added->parts[0], row.text[0], row.sizes[0]))
        group->parts[0] = added->parts[0];
    groups->added = group;
    return 1;
}

size_t ldcat_groups_take(const struct ldcat_groups *groups, const uint8_t *data, size_t data_size,
                         const uint32_t *starts, const uint32_t *sizes, size_t first, size_t count, uint8_t *digests,
                         int32_t *vcpus, uint32_t *numbers) {
    struct before before = {0};
    const struct row *row = &before.row;
    for (size_t at = first; at < count; at++) {
        if (starts[at] > data_size || sizes[at] > data_size - starts[at])
            return at;
        const struct group *group = group_of(groups, data + starts[at], sizes[at], &before);
        if (!group)
            return at;
        memcpy(digests + LARGEST * at, row->digest, row->digest_size);
        memset(digests + LARGEST * at + row->digest_size, 0, LARGEST - row->digest_size);
        vcpus[at] = row->vcpus;
        numbers[at] = group->number;
    }
    return count;
}

int ldcat_leaves_ascend(const uint8_t *data, size_t data_size, const uint32_t *starts, const uint32_t *sizes,
                        size_t count) {
    for (size_t at = 0; at < count; at++) {
        if (starts[at] > data_size || sizes[at] > data_size - starts[at])
            return 0;
        if (!at)
            continue;
        size_t before = sizes[at - 1], size = sizes[at];
        int order = memcmp(data + starts[at - 1], data + starts[at], before < size ? before : size);
        if (order > 0 || (order == 0 && before >= size))
            return 0;
    }
    return 1;
}
