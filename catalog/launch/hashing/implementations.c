/* Which implementations can run: the processor has the instructions, the operating system saves the registers. */
#include "implementations.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdatomic.h>

/* CPUID is asked once: in a virtual machine it takes microseconds. */
static int has_sha_extensions(void) {
    static atomic_int known; /* 1, or -1 if it has none */
    unsigned eax, ebx, ecx, edx;
    if (!known)
        known = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> 29 & 1) ? 1 : -1;
    return known > 0;
}

int ldcat_has_implementation(int implementation) {
    __builtin_cpu_init();
    switch (implementation) {
    case LDCAT_PORTABLE:
        return 1;
    case LDCAT_AVX2:
        return __builtin_cpu_supports("avx2") != 0;
    case LDCAT_AVX512:
        return __builtin_cpu_supports("avx512f") != 0;
    case LDCAT_SHA_NI:
        return __builtin_cpu_supports("sse4.1") && has_sha_extensions();
    default:
        return 0;
    }
}
#else
int ldcat_has_implementation(int implementation) {
    return implementation == LDCAT_PORTABLE;
}
#endif
