// The weighted sum of values of attention in NEON.
#if defined(__aarch64__)
#include "neon.h"
#include "arm.h"

// Columns kept in registers at a time, in vectors of four.
#define VECTORS_MAX 8

#pragma clang attribute push(CK_NEON, apply_to = function)

// Columns d ..< d + 4 · vectors of out.
CK_INLINE void accumulate_columns(ck_float_type type, const float *p, const void *values, size_t count, size_t dim,
                                  size_t d, int vectors, float factor, float *out) {
    float32x4_t sums[VECTORS_MAX];
    CK_UNROLL
    for (int v = 0; v < vectors; v++) sums[v] = vmulq_n_f32(vld1q_f32(out + d + v * 4), factor);
    for (size_t t = 0; t < count; t++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            sums[v] = vfmaq_n_f32(sums[v], ck_load4_neon(type, values, t * dim + d + (size_t)v * 4), p[t]);
        }
    }
    CK_UNROLL
    for (int v = 0; v < vectors; v++) vst1q_f32(out + d + v * 4, sums[v]);
}

CK_INLINE void accumulate(ck_float_type type, const float *p, const void *values, size_t count, size_t dim,
                          size_t queries, const float *factors, float *out) {
    for (size_t q = 0; q < queries; q++, p += CK_KV_BLOCK_TOKENS, out += dim) {
        const float factor = factors[q];
        size_t d = 0;
        for (; d + 32 <= dim; d += 32) accumulate_columns(type, p, values, count, dim, d, VECTORS_MAX, factor, out);
        for (; d + 4 <= dim; d += 4) accumulate_columns(type, p, values, count, dim, d, 1, factor, out);
        for (; d < dim; d++) {
            float sum = out[d] * factor;
            for (size_t t = 0; t < count; t++) sum = fmaf(p[t], ck_load_float(type, values, t * dim + d), sum);
            out[d] = sum;
        }
    }
}

static void accumulate_f32(const float *p, const float *values, size_t count, size_t dim, size_t queries,
                           const float *factors, float *out) {
    accumulate(CK_F32, p, values, count, dim, queries, factors, out);
}

static void accumulate_f16(const float *p, const uint16_t *values, size_t count, size_t dim, size_t queries,
                           const float *factors, float *out) {
    accumulate(CK_F16, p, values, count, dim, queries, factors, out);
}

#pragma clang attribute pop

void ck_init_attention_neon(ck_kernels *table) {
    table->accumulate_f32 = accumulate_f32;
    table->accumulate_f16 = accumulate_f16;
}
#endif
