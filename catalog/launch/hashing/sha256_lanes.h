/* SHA-256 over several lanes, side by side in vector registers: the latency of one chain is hidden by the others.
 *
 * Included once for each engine, with these defined: WIDTH, lanes in one register; REGISTERS, how many are interleaved;
 * TARGET, the instructions it may use; MAJORITY, of three words bit by bit; NAME, what sets its functions apart.
 */

#define LANES (WIDTH * REGISTERS)
typedef uint32_t NAME(word) __attribute__((vector_size(4 * WIDTH)));
typedef NAME(word) NAME(words) __attribute__((may_alias));

#define EACH_REGISTER _Pragma("GCC unroll 4") for (int r = 0; r < REGISTERS; r++)
#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
/* In this order, little is left to do when the last round's a and e are known. */
#define ROUND(a, b, c, d, e, f, g, h, kw_i)                                                                     \
    EACH_REGISTER {                                                                                             \
        NAME(word) *v = s[r];                                                                                   \
        NAME(word) sum = v[h] + (kw_i) + (v[g] ^ (v[e] & (v[f] ^ v[g])));                                       \
        NAME(word) t = sum + (ROTATE(v[e], 6) ^ ROTATE(v[e], 11) ^ ROTATE(v[e], 25));                           \
        v[h] = (ROTATE(v[a], 2) ^ ROTATE(v[a], 13) ^ ROTATE(v[a], 22)) + MAJORITY(v[a], v[b], v[c]);            \
        v[h] += t;                                                                                              \
        v[d] += t;                                                                                              \
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
#define SHARED_WORD(j) ((NAME(word)){0} + kw[i + (j)])
#define OWN_WORD(j) own[REGISTERS * (i + (j)) + r]

TARGET static void NAME(load)(NAME(word) s[REGISTERS][8], const uint32_t *states) {
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 8; i++)
            s[lane / WIDTH][i][lane % WIDTH] = states[8 * lane + i];
}

TARGET static void NAME(store)(uint32_t *states, NAME(word) s[REGISTERS][8]) {
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 8; i++)
            states[8 * lane + i] = s[lane / WIDTH][i][lane % WIDTH];
}

/* kw: word by word, the lanes side by side */
TARGET static void NAME(schedule)(uint32_t *kw, const uint8_t *const *blocks) {
    NAME(word) w[REGISTERS][16];
    NAME(words) *out = (NAME(words) *)kw;
    for (int lane = 0; lane < LANES; lane++)
        for (int i = 0; i < 16; i++)
            w[lane / WIDTH][i][lane % WIDTH] = load_big_endian_32(blocks[lane] + 4 * i);
    _Pragma("GCC unroll 64") for (int i = 0; i < 64; i++)
        EACH_REGISTER {
            if (i >= 16) {
                NAME(word) x = w[r][(i + 1) & 15], y = w[r][(i + 14) & 15];
                w[r][i & 15] += (ROTATE(x, 7) ^ ROTATE(x, 18) ^ x >> 3) + w[r][(i + 9) & 15] +
                                (ROTATE(y, 17) ^ ROTATE(y, 19) ^ y >> 10);
            }
            out[REGISTERS * i + r] = w[r][i & 15] + sha256_constants[i];
        }
}

/* states: LANES times eight words */
TARGET static void NAME(rounds)(uint32_t *states, const struct sha256_block *blocks, size_t count) {
    NAME(word) s[REGISTERS][8], before[REGISTERS][8];
    NAME(load)(s, states);
    for (const struct sha256_block *block = blocks; block < blocks + count; block++) {
        const uint32_t *kw = block->kw;
        const NAME(words) *own = (const NAME(words) *)kw;
        EACH_REGISTER for (int i = 0; i < 8; i++) before[r][i] = s[r][i];
        if (block->shared)
            for (int i = 0; i < 64; i += 8)
                EIGHT_ROUNDS(SHARED_WORD);
        else
            for (int i = 0; i < 64; i += 8)
                EIGHT_ROUNDS(OWN_WORD);
        EACH_REGISTER for (int i = 0; i < 8; i++) s[r][i] += before[r][i];
    }
    NAME(store)(states, s);
}

#undef LANES
#undef EACH_REGISTER
#undef ROTATE
#undef ROUND
#undef EIGHT_ROUNDS
#undef SHARED_WORD
#undef OWN_WORD
#undef MAJORITY
#undef WIDTH
#undef REGISTERS
#undef TARGET
#undef NAME
