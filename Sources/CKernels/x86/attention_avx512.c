// The steps of attention in AVX-512: online softmax and the weighted sum of values.
#if defined(__x86_64__)
#include "avx512.h"
#include "x86.h"

// Queries that share the loading of values, and vectors of sixteen columns at a time.
#define QUERIES_MAX 4
#define VECTORS_MAX 4

#pragma clang attribute push(CK_AVX512, apply_to = function)

static float softmax_step(float *scores, size_t count, float scale, float *maximum, float *sum) {
    const __m512 scales = _mm512_set1_ps(scale), lowest = _mm512_set1_ps(-INFINITY);
    __m512 lanes = lowest;
    for (size_t t = 0; t < count; t += 16) {
        const __mmask16 mask = ck_mask16_avx512(count - t);
        __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, scores + t), scales);
        _mm512_mask_storeu_ps(scores + t, mask, scaled);
        // A NaN in the first operand gives the second, so NaNs are passed over as `>` passes over them.
        lanes = _mm512_mask_max_ps(lanes, mask, scaled, lanes);
    }
    float largest = _mm512_reduce_max_ps(lanes);
    largest = largest > *maximum ? largest : *maximum;
    const float factor = ck_exp(*maximum - largest);
    const __m512 shift = _mm512_set1_ps(largest);
    __m512 sums = _mm512_setzero_ps();
    for (size_t t = 0; t < count; t += 16) {
        const __mmask16 mask = ck_mask16_avx512(count - t);
        __m512 e = ck_exp_avx512(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, scores + t), shift));
        _mm512_mask_storeu_ps(scores + t, mask, e);
        sums = _mm512_add_ps(sums, _mm512_maskz_mov_ps(mask, e));
    }
    *maximum = largest;
    *sum = fmaf(*sum, factor, ck_fold16_avx512(sums));
    return factor;
}

// Columns d ..< d + 16 · vectors of `queries` queries, fewer where the mask has fewer; both counts are constants where
// this is called.
CK_INLINE void accumulate_columns(ck_float_type type, int queries, int vectors, __mmask16 mask, const float *p,
                                  const void *values, size_t count, size_t dim, size_t d, const float *factors,
                                  float *out) {
    __m512 sums[QUERIES_MAX][VECTORS_MAX];
    CK_UNROLL
    for (int q = 0; q < queries; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            __m512 before = _mm512_maskz_loadu_ps(mask, out + (size_t)q * dim + d + (size_t)v * 16);
            sums[q][v] = _mm512_mul_ps(before, _mm512_set1_ps(factors[q]));
        }
    }
    for (size_t t = 0; t < count; t++) {
        __m512 value[VECTORS_MAX];
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            value[v] = ck_load16_avx512(type, values, t * dim + d + (size_t)v * 16, mask);
        }
        CK_UNROLL
        for (int q = 0; q < queries; q++) {
            __m512 weight = _mm512_set1_ps(p[(size_t)q * CK_KV_BLOCK_TOKENS + t]);
            CK_UNROLL
            for (int v = 0; v < vectors; v++) sums[q][v] = _mm512_fmadd_ps(weight, value[v], sums[q][v]);
        }
    }
    CK_UNROLL
    for (int q = 0; q < queries; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            _mm512_mask_storeu_ps(out + (size_t)q * dim + d + (size_t)v * 16, mask, sums[q][v]);
        }
    }
}

CK_INLINE void accumulate_queries(ck_float_type type, int queries, const float *p, const void *values, size_t count,
                                  size_t dim, const float *factors, float *out) {
    size_t d = 0;
    for (; d + 16 * VECTORS_MAX <= dim; d += 16 * VECTORS_MAX) {
        accumulate_columns(type, queries, VECTORS_MAX, 0xffff, p, values, count, dim, d, factors, out);
    }
    for (; d < dim; d += 16) {
        accumulate_columns(type, queries, 1, ck_mask16_avx512(dim - d), p, values, count, dim, d, factors, out);
    }
}

CK_INLINE void accumulate(ck_float_type type, const float *p, const void *values, size_t count, size_t dim,
                          size_t queries, const float *factors, float *out) {
    size_t q = 0;
    for (; q + QUERIES_MAX <= queries; q += QUERIES_MAX) {
        accumulate_queries(type, QUERIES_MAX, p + q * CK_KV_BLOCK_TOKENS, values, count, dim, factors + q,
                           out + q * dim);
    }
    for (; q < queries; q++) {
        accumulate_queries(type, 1, p + q * CK_KV_BLOCK_TOKENS, values, count, dim, factors + q, out + q * dim);
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

void ck_init_attention_avx512(ck_kernels *table) {
    table->softmax_step = softmax_step;
    table->accumulate_f32 = accumulate_f32;
    table->accumulate_f16 = accumulate_f16;
}
#endif
