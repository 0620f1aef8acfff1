/* The implementations of a hash, and whether this processor can run them. */
#ifndef LDCAT_IMPLEMENTATIONS_H
#define LDCAT_IMPLEMENTATIONS_H

enum ldcat_implementation { LDCAT_PORTABLE, LDCAT_AVX2, LDCAT_AVX512, LDCAT_SHA_NI };

/* 1 where this processor and its operating system can run it, else 0 */
int ldcat_has_implementation(int implementation);

/* 1 for a processor that has 512-bit instructions and runs each as two of 256 bits, so that SHA extensions are faster */
int ldcat_halves_512_bits(void);

#endif
