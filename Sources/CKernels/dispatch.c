// Chooses the instruction set: a table of kernels filled with portable C, then overwritten by what the processor has.
#include "kernels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#define ISA_COUNT 4

static const char *const names[ISA_COUNT] = {"portable", "avx2", "avx512", "neon"};

static ck_kernels tables[ISA_COUNT];
static _Atomic int current;
static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is_available(ck_isa isa) {
    switch (isa) {
    case CK_ISA_PORTABLE: return true;
#if defined(__x86_64__)
    case CK_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case CK_ISA_AVX512:
        return is_available(CK_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    case CK_ISA_NEON: return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
    default: return false;
    }
}

static ck_isa best_available(void) {
    static const ck_isa best_first[] = {CK_ISA_AVX512, CK_ISA_AVX2, CK_ISA_NEON};
    for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++) {
        if (is_available(best_first[i])) return best_first[i];
    }
    return CK_ISA_PORTABLE;
}

// NULL when `name` could be chosen.
static const char *choose(const char *name, ck_isa *chosen) {
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (strcmp(name, names[isa]) != 0) continue;
        if (!is_available((ck_isa)isa)) return "RING_ISA names an instruction set this processor lacks; unset it";
        *chosen = (ck_isa)isa;
        return NULL;
    }
    return "RING_ISA must be portable, avx2, avx512 or neon, or unset";
}

static void fill_tables(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    for (int isa = 0; isa < ISA_COUNT; isa++) ck_kernels_init_portable(&tables[isa]);
#if defined(__x86_64__)
    ck_kernels_init_avx2(&tables[CK_ISA_AVX2]);
    ck_kernels_init_avx2(&tables[CK_ISA_AVX512]);
    ck_kernels_init_avx512(&tables[CK_ISA_AVX512]);
#elif defined(__aarch64__)
    ck_kernels_init_neon(&tables[CK_ISA_NEON]);
#endif
    ck_isa chosen = best_available();
    const char *wanted = getenv("RING_ISA");
    if (wanted != NULL && wanted[0] != '\0') problem = choose(wanted, &chosen);
    atomic_store(&current, (int)chosen);
}

void ck_kernels_init_portable(ck_kernels *table) {
    ck_init_dot_portable(table);
    ck_init_affine_portable(table);
    ck_init_rows_portable(table);
    ck_init_logits_portable(table);
    ck_init_coded_portable(table);
    ck_init_convert_portable(table);
    ck_init_attention_portable(table);
}

const ck_kernels *ck_kernels_current(void) { return &tables[ck_isa_current()]; }

bool ck_isa_available(ck_isa isa) {
    pthread_once(&once, fill_tables);
    return (unsigned)isa < ISA_COUNT && is_available(isa);
}

ck_isa ck_isa_current(void) {
    pthread_once(&once, fill_tables);
    return (ck_isa)atomic_load_explicit(&current, memory_order_relaxed);
}

bool ck_isa_use(ck_isa isa) {
    if (!ck_isa_available(isa)) return false;
    atomic_store(&current, (int)isa);
    return true;
}

const char *ck_isa_name(ck_isa isa) { return (unsigned)isa < ISA_COUNT ? names[isa] : "unknown"; }

const char *ck_isa_problem(void) {
    pthread_once(&once, fill_tables);
    return problem;
}
