// Matrices of small floats as float32, in AVX2.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

#include "../coded.h"

// The compiler makes vectors of the loops.
static void widen_coded(const ck_matrix *matrix, size_t output, size_t first_input, size_t count, float *out) {
    ck_widen_coded_row(matrix, output, first_input, count, out);
}

#pragma clang attribute pop

void ck_init_coded_avx2(ck_kernels *table) { table->widen_coded = widen_coded; }
#endif
