/* Bundles of rows, damaged at random, are read in buffers of exactly the stated size.
 *
 * Built with the address and undefined-behaviour sanitizers by `make sanitize`. Leaves read together are compared with
 * leaves read one by one, and what was read is put together again; tests/log/test_leaf_blocks.py compares with Python.
 */
#include "../../catalog/log/leaves/leaf_read.c"
#include "../../catalog/log/leaves/bundle_read.c"
#include "../../catalog/log/leaves/row_order.c"

#include <stdio.h>

enum { ROUNDS = 20000, MAX_LEAVES = 24, MAX_SIZE = 600 };

static uint64_t seed = 1;

static uint64_t next(uint64_t limit) { /* xorshift64 */
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % limit;
}

static void check(int fits, const char *what) {
    if (!fits) {
        fprintf(stderr, "leaves: %s\n", what);
        exit(1);
    }
}

static void *room(size_t size) {
    return malloc(size ? size : 1);
}

/* A row of one of a few groups; now and then some bytes are others, missing or too many. */
static size_t leaf_of(uint8_t *out) {
    static const char *const pieces[] = {
        "\"", "launch_digest\":\"", "\"launch_digest\":\"", "\"vcpus\":", "null", "0", ",", "}", "{", "\\", "a", "G",
    };
    char digest[2 * LARGEST + 1], count[12], text[MAX_SIZE];
    size_t digits = next(8) ? 2 * LARGEST : next(4) ? 64 : next(sizeof digest);
    for (size_t i = 0; i < digits; i++)
        digest[i] = "0123456789abcdef"[next(16)];
    digest[digits] = 0;
    snprintf(count, sizeof count, next(8) ? "%u" : "null", (unsigned)next(next(8) ? 5000 : 70000));
    int made = snprintf(text, sizeof text,
                        "{\"firmware\":\"%0*u\",\"launch_digest\":\"%s\",\"type\":\"digest\",\"vcpus\":%s,"
                        "\"vmm\":\"%u\"}",
                        (int)(8 + next(2)), (unsigned)next(2), digest, count, (unsigned)next(3));
    size_t size = (size_t)made;
    for (size_t change = next(4) ? 0 : 1 + next(3); change; change--) {
        const char *piece = pieces[next(sizeof pieces / sizeof *pieces)];
        size_t at = next(size + 1), removed = next(size - at < 4 ? size - at + 1 : 4);
        size_t added = next(2) ? strlen(piece) : 0;
        memmove(text + at + added, text + at + removed, size - at - removed);
        memcpy(text + at, piece, added);
        size = size - removed + added;
    }
    memcpy(out, text, size);
    return size;
}

/* Whether digest and count, written between the parts of a leaf, give the leaf. */
static int is_leaf(const struct row *row, const uint8_t *leaf, size_t size) {
    char text[2 * MAX_SIZE];
    size_t at = row->sizes[0];
    memcpy(text, row->text[0], at);
    for (size_t i = 0; i < row->digest_size; i++)
        at += (size_t)sprintf(text + at, "%02x", row->digest[i]);
    memcpy(text + at, row->text[1], row->sizes[1]);
    at += row->sizes[1];
    at += (size_t)(row->vcpus < 0 ? sprintf(text + at, "null") : sprintf(text + at, "%d", row->vcpus));
    memcpy(text + at, row->text[2], row->sizes[2]);
    return at + row->sizes[2] == size && !memcmp(text, leaf, size);
}

static void apart(const uint8_t *leaf, size_t size) {
    struct row row;
    if (take_apart(leaf, size, &row))
        check(is_leaf(&row, leaf, size), "a leaf is not made of its parts");
}

static void take(struct ldcat_groups *groups, const uint8_t *data, size_t size, const uint32_t *starts,
                 const uint32_t *sizes, size_t count) {
    uint8_t *digests = room(LARGEST * count), digest[LARGEST];
    int32_t *vcpus = room(4 * count), counted;
    uint32_t *numbers = room(4 * count), number;
    for (size_t first = 0; first < count; first++) {
        size_t end = ldcat_groups_take(groups, data, size, starts, sizes, first, count, digests, vcpus, numbers);
        check(end >= first && end <= count, "leaves were taken that are not there");
        for (size_t at = first; at < count && at <= end; at++) {
            size_t known = ldcat_groups_take(groups, data, size, starts + at, sizes + at, 0, 1, digest, &counted,
                                             &number);
            check(known == (at < end), "a leaf is read differently after others");
            check(!known || (!memcmp(digest, digests + LARGEST * at, LARGEST) && counted == vcpus[at] &&
                             number == numbers[at]), "a leaf gives other values after others");
        }
        if (end < count && starts[end] <= size && sizes[end] <= size - starts[end])
            ldcat_groups_add(groups, data + starts[end], sizes[end]);
    }
    free(digests), free(vcpus), free(numbers);
}

static void read_bundle(struct ldcat_groups *groups) {
    uint8_t bundle[MAX_LEAVES * (MAX_SIZE + 2)], *data;
    size_t size = 0;
    for (size_t count = next(MAX_LEAVES); count; count--) {
        uint8_t leaf[MAX_SIZE];
        size_t length = leaf_of(leaf);
        apart(leaf, length);
        bundle[size++] = (uint8_t)(length >> 8), bundle[size++] = (uint8_t)length;
        memcpy(bundle + size, leaf, length);
        size += length;
    }
    if (size && !next(4))
        bundle[next(size)] = (uint8_t)next(256);
    if (!next(4))
        size = next(size + 1);
    memcpy(data = room(size), bundle, size);
    size_t most = next(MAX_LEAVES + 1);
    uint32_t *starts = room(4 * most), *sizes = room(4 * most);
    size_t count = ldcat_split_bundle(data, size, 0, most, starts, sizes);
    if (count != SIZE_MAX) {
        check(count <= most, "more leaves than there is room for");
        if (count && !next(8))
            (next(2) ? starts : sizes)[next(count)] = (uint32_t)next(UINT32_MAX);
        take(groups, data, size, starts, sizes, count);
        ldcat_leaves_ascend(data, size, starts, sizes, count);
    }
    free(data), free(starts), free(sizes);
}

/* Rows by group and count, against a sum over all rows, which no order changes; and nothing for what is no row. */
static void sort_rows(void) {
    size_t count = next(300), groups = 1 + next(5), sum = 0, sorted_sum = 0, at = 0;
    uint8_t sizes[5], *digests = room(LARGEST * count), *sorted_digests = room(LARGEST * count);
    int32_t *vcpus = room(4 * count), *sorted_vcpus = room(4 * count);
    uint32_t *numbers = room(4 * count);
    uint64_t *starts = room(8 * (groups + 1));
    for (size_t group = 0; group < groups; group++)
        sizes[group] = (uint8_t)next(LARGEST + 1);
    for (size_t row = 0; row < count; row++) {
        vcpus[row] = (int32_t)next(next(2) ? 6 : 65537) - 1, numbers[row] = (uint32_t)next(groups);
        memset(digests + LARGEST * row, (int)(row & 255), LARGEST);
        sum += (row & 255) * sizes[numbers[row]] * (size_t)(vcpus[row] + 2) * (numbers[row] + 1);
    }
    int odd = count && !next(8);
    if (odd && next(2))
        numbers[next(count)] = (uint32_t)(groups + next(UINT32_MAX - groups));
    else if (odd)
        vcpus[next(count)] = next(2) ? -2 : 65536;
    int done = ldcat_sort_rows(count, digests, vcpus, numbers, groups, sizes, starts, sorted_vcpus, sorted_digests);
    check(done == (odd ? LDCAT_NOT_ROWS : LDCAT_SORTED), "rows are sorted that are none, or not sorted");
    for (size_t group = 0; done == LDCAT_SORTED && group < groups; group++)
        for (uint64_t row = starts[group]; row < starts[group + 1]; row++, at += sizes[group]) {
            check(row == starts[group] || sorted_vcpus[row - 1] <= sorted_vcpus[row], "counts of a group fall");
            for (size_t byte = 0; byte < sizes[group]; byte++)
                sorted_sum += sorted_digests[at + byte] * (size_t)(sorted_vcpus[row] + 2) * (group + 1);
        }
    check(odd || (starts[0] == 0 && starts[groups] == count && sum == sorted_sum), "sorted rows are others");
    free(digests), free(sorted_digests), free(vcpus), free(sorted_vcpus), free(numbers), free(starts);
}

static void write_file(int folder, const char *name, const uint8_t *data, size_t size) {
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(file >= 0 && write(file, data, size) == (ssize_t)size && !close(file), "a file cannot be written");
}

/* Files of full bundles, some damaged: those before the first that is not full are read, into no more than the room. */
static void read_files(int folder) {
    enum { FILES = 3, LEAF = 5, MOST = LDCAT_WIDTH * (2 + LEAF) + 4 };
    static const char names[] = "000\0" "001\0" "002";
    size_t total = 0, right = 0, broken = 0;
    for (int file = 0; file < FILES; file++) {
        uint8_t data[MOST] = {0};
        size_t size = 0, entries = LDCAT_WIDTH + (next(8) ? 0 : next(3)) - (next(8) ? 0 : next(3));
        for (size_t i = 0; i < entries && size + 2 + LEAF < sizeof data; i++, size += 2 + data[size + 1])
            data[size + 1] = (uint8_t)next(LEAF);
        if (!next(4))
            size -= next(4);
        uint32_t starts[LDCAT_WIDTH], sizes[LDCAT_WIDTH];
        broken |= ldcat_split_bundle(data, size, 0, LDCAT_WIDTH, starts, sizes) != LDCAT_WIDTH;
        right += !broken;
        total += broken ? 0 : size;
        write_file(folder, names + LDCAT_NAME * file, data, size);
        if (!next(16))
            broken = !unlinkat(folder, names + LDCAT_NAME * file, 0), right -= right > (size_t)file;
    }
    int small = right == FILES && !next(3);
    size_t size = right == FILES ? total - (size_t)small : FILES * MOST;
    uint8_t *out = room(size);
    uint32_t *starts = room(4 * FILES * LDCAT_WIDTH), *sizes = room(4 * FILES * LDCAT_WIDTH);
    size_t count = ldcat_read_bundles(folder, names, FILES, out, size, starts, sizes);
    check(count == right - (size_t)small, "other bundles are read than are full, and fit");
    for (size_t i = 0; i < LDCAT_WIDTH * count; i++)
        check(starts[i] <= size && sizes[i] <= size - starts[i], "an entry is outside");
    free(out), free(starts), free(sizes);
}

/* Tiles are those of the hashes up to the first that has another byte or size. */
static void compare_tiles(int folder) {
    static const char names[] = "000\0" "001";
    uint8_t hashes[2 * LDCAT_TILE], tile[LDCAT_TILE + 1] = {0};
    size_t right = 0, broken = 0;
    for (size_t i = 0; i < sizeof hashes; i++)
        hashes[i] = (uint8_t)next(256);
    for (size_t file = 0; file < 2; file++) {
        size_t size = LDCAT_TILE + (next(4) ? 0 : 1) - (next(4) ? 0 : 1);
        memcpy(tile, hashes + LDCAT_TILE * file, LDCAT_TILE);
        if (!next(4))
            tile[next(LDCAT_TILE)] ^= 1, broken = 1;
        broken |= size != LDCAT_TILE;
        right += !broken;
        write_file(folder, names + LDCAT_NAME * file, tile, size);
    }
    check(ldcat_same_tiles(folder, names, 2, hashes) == right, "tiles are taken for others");
}

int main(void) {
    char path[] = "/tmp/ldcat-fuzz-XXXXXX";
    check(mkdtemp(path) != NULL, "no temporary folder");
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(folder >= 0, "no temporary folder");
    struct ldcat_groups *groups = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        if (!groups || !next(50)) {
            ldcat_groups_free(groups);
            check((groups = ldcat_groups_new(1 + next(20))) != NULL, "no memory");
        }
        read_bundle(groups);
        if (!next(8))
            sort_rows();
        if (!next(16))
            read_files(folder), compare_tiles(folder);
    }
    ldcat_groups_free(groups);
    for (int file = 0; file < 3; file++)
        unlinkat(folder, (const char *[]){"000", "001", "002"}[file], 0);
    close(folder);
    rmdir(path);
    puts("leaves: no sanitizer complained, and leaves are read as one by one");
    return 0;
}
