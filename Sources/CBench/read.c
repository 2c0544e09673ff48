// Reading memory as fast as one thread can.

#include "cbench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef uint64_t lanes __attribute__((vector_size(64)));

// Cache lines asked for ahead of the loads: hardware prefetchers stop at the end of a page.
enum { AHEAD_BYTES = 4096, LANES = 8, HUGE_PAGE = 2 << 20 };

#define READ_LOOP                                                                                                     \
    const lanes *line = from, *end = line + bytes / sizeof(lanes);                                                    \
    lanes sum[LANES] = {0};                                                                                           \
    for (; line < end; line += LANES)                                                                                 \
        for (int lane = 0; lane < LANES; lane++) {                                                                    \
            __builtin_prefetch((const char *)(line + lane) + AHEAD_BYTES);                                            \
            sum[lane] ^= line[lane];                                                                                  \
        }                                                                                                             \
    for (int lane = 1; lane < LANES; lane++) sum[0] ^= sum[lane];                                                     \
    uint64_t all = 0;                                                                                                 \
    for (int word = 0; word < 8; word++) all ^= sum[0][word];                                                         \
    return all;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static uint64_t read_avx512(const void *from, size_t bytes) { READ_LOOP }
__attribute__((target("avx2"))) static uint64_t read_avx2(const void *from, size_t bytes) { READ_LOOP }
#endif
static uint64_t read_portable(const void *from, size_t bytes) { READ_LOOP }

uint64_t cbench_read(const void *from, size_t bytes) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return read_avx512(from, bytes);
    if (__builtin_cpu_supports("avx2")) return read_avx2(from, bytes);
#endif
    return read_portable(from, bytes);
}

void *cbench_allocate(size_t bytes) {
    void *memory = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    if (!memory) return NULL;
    madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 1, bytes);
    return memory;
}
