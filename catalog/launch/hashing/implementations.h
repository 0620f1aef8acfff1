/* The implementations of a hash, and whether this processor can run them. */
#ifndef LDCAT_IMPLEMENTATIONS_H
#define LDCAT_IMPLEMENTATIONS_H

enum ldcat_implementation { LDCAT_PORTABLE, LDCAT_AVX2, LDCAT_AVX512, LDCAT_SHA_NI };

/* 1 where this processor and its operating system can run it, else 0 */
int ldcat_has_implementation(int implementation);

#endif
