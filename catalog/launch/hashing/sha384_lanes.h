/* SNP vCPU chains over several lanes, side by side in vector registers: the latency of one chain is hidden by the others.
 *
 * Included once for each implementation, with these defined: WIDTH, lanes in one register; REGISTERS, how many are
 * interleaved; TARGET, the instructions it may use; NAME, what sets its functions apart.
 *
 * One vCPU is SHA-384 of 112 bytes, which is two SHA-512 blocks: the digest so far, 64 bytes that never change
 * and the first byte of padding; then a block of nothing but the length, whose schedule is a constant.
 */

#define LANES (WIDTH * REGISTERS)
typedef uint64_t NAME(word) __attribute__((vector_size(8 * WIDTH)));

#define EACH_REGISTER _Pragma("GCC unroll 4") for (int r = 0; r < REGISTERS; r++)
#define ROTATE(x, n) ((x) >> (n) | (x) << (64 - (n)))
#define ROUND(a, b, c, d, e, f, g, h, kw_i)                                                                     \
    EACH_REGISTER {                                                                                             \
        NAME(word) *v = s[r];                                                                                   \
        NAME(word) t = v[h] + (kw_i) + ((v[e] & v[f]) ^ (~v[e] & v[g])) +                                       \
                       (ROTATE(v[e], 14) ^ ROTATE(v[e], 18) ^ ROTATE(v[e], 41));                                \
        v[d] += t;                                                                                              \
        v[h] = t + (ROTATE(v[a], 28) ^ ROTATE(v[a], 34) ^ ROTATE(v[a], 39)) +                                   \
               ((v[a] & v[b]) | (v[c] & (v[a] | v[b])));                                                        \
    }
#define EIGHT_ROUNDS(KW)                                                                                        \
    do {                                                                                                        \
        ROUND(0, 1, 2, 3, 4, 5, 6, 7, KW(0))                                                                    \
        ROUND(7, 0, 1, 2, 3, 4, 5, 6, KW(1))                                                                    \
        ROUND(6, 7, 0, 1, 2, 3, 4, 5, KW(2))                                                                    \
        ROUND(5, 6, 7, 0, 1, 2, 3, 4, KW(3))                                                                    \
        ROUND(4, 5, 6, 7, 0, 1, 2, 3, KW(4))                                                                    \
        ROUND(3, 4, 5, 6, 7, 0, 1, 2, KW(5))                                                                    \
        ROUND(2, 3, 4, 5, 6, 7, 0, 1, KW(6))                                                                    \
        ROUND(1, 2, 3, 4, 5, 6, 7, 0, KW(7))                                                                    \
    } while (0)
#define FIRST_WORD(j) (w[r][i + (j)] + sha512_constants[i + (j)])
#define LATER_WORD(j) (NAME(extend)(w[r], (i + (j)) & 15) + sha512_constants[i + (j)])
#define LENGTH_WORD(j) ((NAME(word)){0} + length_kw[i + (j)])

/* The next word of the schedule, in place of the one sixteen before. */
TARGET static inline __attribute__((always_inline)) NAME(word) NAME(extend)(NAME(word) w[16], const int i) {
    NAME(word) x = w[(i + 1) & 15], y = w[(i + 14) & 15];
    w[i] += (ROTATE(x, 1) ^ ROTATE(x, 8) ^ x >> 7) + w[(i + 9) & 15] + (ROTATE(y, 19) ^ ROTATE(y, 61) ^ y >> 6);
    return w[i];
}

/* w: message words of the first block; the digest, its first six, is changed in place */
TARGET static inline void NAME(fold)(NAME(word) message[REGISTERS][16], const uint64_t length_kw[80]) {
    NAME(word) s[REGISTERS][8], between[REGISTERS][8], w[REGISTERS][16];
    EACH_REGISTER {
        for (int i = 0; i < 16; i++)
            w[r][i] = message[r][i];
        for (int i = 0; i < 8; i++)
            s[r][i] = (NAME(word)){0} + sha384_initial[i];
    }
    for (int i = 0; i < 16; i += 8)
        EIGHT_ROUNDS(FIRST_WORD);
    for (int j = 16; j < 80; j += 16) {
        _Pragma("GCC unroll 2") for (int i = j; i < j + 16; i += 8) EIGHT_ROUNDS(LATER_WORD);
    }
    EACH_REGISTER for (int i = 0; i < 8; i++) between[r][i] = s[r][i] += sha384_initial[i];
    for (int i = 0; i < 80; i += 8)
        EIGHT_ROUNDS(LENGTH_WORD);
    EACH_REGISTER for (int i = 0; i < 6; i++) message[r][i] = s[r][i] + between[r][i];
}

/* Words of the message from `first` on, from `stride` bytes a chain; lanes without a chain repeat the last one. */
TARGET static void NAME(load)(NAME(word) message[REGISTERS][16], int first, const uint8_t *bytes, size_t stride,
                              size_t chains) {
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t i = 0; i < stride / 8; i++)
            message[lane / WIDTH][first + i][lane % WIDTH] =
                load_big_endian_64(bytes + stride * (lane < chains ? lane : chains - 1) + 8 * i);
}

/* Up to LANES chains from their digests to the last count. */
TARGET static void NAME(walk)(size_t chains, const uint8_t *digests, const uint8_t *bsp, const uint8_t *ap,
                              const uint32_t *counts, size_t count_of_counts, const uint64_t length_kw[80],
                              uint8_t *out) {
    NAME(word) message[REGISTERS][16];
    NAME(load)(message, 0, digests, 48, chains);
    NAME(load)(message, 6, bsp, 64, chains);
    EACH_REGISTER {
        message[r][14] = (NAME(word)){0} + 0x8000000000000000;
        message[r][15] = (NAME(word)){0};
    }
    for (size_t emitted = 0, vcpus = 1; emitted < count_of_counts; vcpus++) {
        NAME(fold)(message, length_kw);
        if (vcpus == 1)
            NAME(load)(message, 6, ap, 64, chains);
        if (counts[emitted] != vcpus)
            continue;
        for (size_t chain = 0; chain < chains; chain++)
            for (int i = 0; i < 6; i++)
                store_big_endian_64(out + 48 * (chain * count_of_counts + emitted) + 8 * i,
                                    message[chain / WIDTH][i][chain % WIDTH]);
        emitted++;
    }
}

/* Words 6 to 13 of the message: PAGE_INFO of a page after the digest. SEV-SNP ABI (56860), 8.17.2. */
TARGET static void NAME(load_page)(NAME(word) message[REGISTERS][16], size_t lane, const struct ldcat_pages *pages,
                                   size_t page, const uint8_t *contents) {
    NAME(word) *words = message[lane / WIDTH];
    size_t within = lane % WIDTH;
    for (size_t i = 0; i < 6; i++)
        words[6 + i][within] = load_big_endian_64(contents + 48 * (size_t)pages->contents[page] + 8 * i);
    words[12][within] = PAGE_INFO_SIZE | (uint64_t)pages->kinds[page] << 40;
    words[13][within] = __builtin_bswap64(pages->gpas[page]);
}

/* Up to LANES chains, each from its digest to its last page; a lane that has ended repeats what it did last. */
TARGET static void NAME(pages)(size_t chains, const struct ldcat_pages *pages, const uint8_t *contents,
                               const uint64_t length_kw[80], uint8_t *digests) {
    NAME(word) message[REGISTERS][16] = {0};
    size_t most = 0;
    NAME(load)(message, 0, digests, 48, chains);
    EACH_REGISTER message[r][14] = (NAME(word)){0} + 0x8000000000000000;
    for (size_t chain = 0; chain < chains; chain++)
        most = pages[chain].count > most ? pages[chain].count : most;
    for (size_t page = 0; page < most; page++) {
        for (size_t chain = 0; chain < chains; chain++)
            if (page < pages[chain].count)
                NAME(load_page)(message, chain, pages + chain, page, contents);
        NAME(fold)(message, length_kw);
        for (size_t chain = 0; chain < chains; chain++)
            if (page + 1 == pages[chain].count)
                for (int i = 0; i < 6; i++)
                    store_big_endian_64(digests + 48 * chain + 8 * i, message[chain / WIDTH][i][chain % WIDTH]);
    }
}

#undef LANES
#undef EACH_REGISTER
#undef ROTATE
#undef ROUND
#undef EIGHT_ROUNDS
#undef FIRST_WORD
#undef LATER_WORD
#undef LENGTH_WORD
#undef WIDTH
#undef REGISTERS
#undef TARGET
#undef NAME
