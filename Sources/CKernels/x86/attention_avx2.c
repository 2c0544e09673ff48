// The steps of attention in AVX2: online softmax and the weighted sum of values.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

// Queries that share the loading of values, and vectors of eight columns at a time: of several queries two, of one
// eight.
#define QUERIES_MAX 6
#define VECTORS_MAX 8

#pragma clang attribute push(CK_AVX2, apply_to = function)

static float softmax_step(float *scores, size_t count, float scale, float *maximum, float *sum) {
    __m256 scales = _mm256_set1_ps(scale), lanes = _mm256_set1_ps(-INFINITY);
    for (size_t t = 0; t < count; t += 8) {
        __m256i mask = ck_mask8_avx2(count - t);
        __m256 scaled = _mm256_mul_ps(_mm256_maskload_ps(scores + t, mask), scales);
        _mm256_maskstore_ps(scores + t, mask, scaled);
        scaled = _mm256_blendv_ps(_mm256_set1_ps(-INFINITY), scaled, _mm256_castsi256_ps(mask));
        lanes = _mm256_max_ps(scaled, lanes);
    }
    float each[8], largest = *maximum;
    _mm256_storeu_ps(each, lanes);
    for (int lane = 0; lane < 8; lane++) largest = each[lane] > largest ? each[lane] : largest;
    float factor = _mm256_cvtss_f32(ck_exp_avx2(_mm256_set1_ps(*maximum - largest)));
    __m256 shift = _mm256_set1_ps(largest);
    ck_sixteen sums = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t t = 0; t < count; t += CK_LANES) {
        for (size_t half = 0; half < 2; half++) {
            size_t at = t + half * 8;
            __m256i mask = ck_mask8_avx2(at < count ? count - at : 0);
            __m256 e = ck_exp_avx2(_mm256_sub_ps(_mm256_maskload_ps(scores + at, mask), shift));
            _mm256_maskstore_ps(scores + at, mask, e);
            e = _mm256_and_ps(e, _mm256_castsi256_ps(mask));
            if (half == 0) {
                sums.low = _mm256_add_ps(sums.low, e);
            } else {
                sums.high = _mm256_add_ps(sums.high, e);
            }
        }
    }
    *maximum = largest;
    *sum = fmaf(*sum, factor, ck_fold16_avx2(sums));
    return factor;
}

// Columns d ..< d + 8 · vectors of `queries` queries; both counts are constants where this is called.
CK_INLINE void accumulate_columns(ck_float_type type, int queries, int vectors, const float *p, const void *values,
                                  size_t count, size_t dim, size_t d, const float *factors, float *out) {
    __m256 sums[QUERIES_MAX][VECTORS_MAX];
    CK_UNROLL
    for (int q = 0; q < queries; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            __m256 before = _mm256_loadu_ps(out + (size_t)q * dim + d + (size_t)v * 8);
            sums[q][v] = _mm256_mul_ps(before, _mm256_broadcast_ss(factors + q));
        }
    }
    for (size_t t = 0; t < count; t++) {
        __m256 value[VECTORS_MAX];
        CK_UNROLL
        for (int v = 0; v < vectors; v++) value[v] = ck_load8_avx2(type, values, t * dim + d + (size_t)v * 8);
        CK_UNROLL
        for (int q = 0; q < queries; q++) {
            __m256 weight = _mm256_broadcast_ss(p + q * CK_KV_BLOCK_TOKENS + t);
            CK_UNROLL
            for (int v = 0; v < vectors; v++) sums[q][v] = _mm256_fmadd_ps(weight, value[v], sums[q][v]);
        }
    }
    CK_UNROLL
    for (int q = 0; q < queries; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            _mm256_storeu_ps(out + (size_t)q * dim + d + (size_t)v * 8, sums[q][v]);
        }
    }
}

// All columns of `queries` queries, `vectors` vectors at a time.
CK_INLINE void accumulate_queries(ck_float_type type, int queries, int vectors, const float *p, const void *values,
                                  size_t count, size_t dim, const float *factors, float *out) {
    size_t d = 0, width = (size_t)vectors * 8;
    for (; d + width <= dim; d += width) {
        accumulate_columns(type, queries, vectors, p, values, count, dim, d, factors, out);
    }
    for (; d + 8 <= dim; d += 8) accumulate_columns(type, queries, 1, p, values, count, dim, d, factors, out);
    for (; d < dim; d++) {
        for (int q = 0; q < queries; q++) {
            float sum = out[(size_t)q * dim + d] * factors[q];
            for (size_t t = 0; t < count; t++) {
                sum = fmaf(p[q * CK_KV_BLOCK_TOKENS + t], ck_load_float(type, values, t * dim + d), sum);
            }
            out[(size_t)q * dim + d] = sum;
        }
    }
}

CK_INLINE void accumulate(ck_float_type type, const float *p, const void *values, size_t count, size_t dim,
                          size_t queries, const float *factors, float *out) {
    for (size_t q = 0, together; q < queries; q += together) {
        size_t left = queries - q;
        together = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        const float *from = p + q * CK_KV_BLOCK_TOKENS;
        float *to = out + q * dim;
        switch (together) {
        case 1: accumulate_queries(type, 1, VECTORS_MAX, from, values, count, dim, factors + q, to); break;
        case 2: accumulate_queries(type, 2, 4, from, values, count, dim, factors + q, to); break;
        case 4: accumulate_queries(type, 4, 2, from, values, count, dim, factors + q, to); break;
        case 6: accumulate_queries(type, 6, 2, from, values, count, dim, factors + q, to); break;
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

void ck_init_attention_avx2(ck_kernels *table) {
    table->softmax_step = softmax_step;
    table->accumulate_f32 = accumulate_f32;
    table->accumulate_f16 = accumulate_f16;
}
#endif
