// The steps of attention in NEON: scores and the weighted sum of values.
#if defined(__aarch64__)
#include "neon.h"
#include "arm.h"

// Largest tile of scores: queries × tokens. Columns of values kept in registers at a time: queries × vectors of four.
#define QUERIES_MAX 2
#define TOKENS_MAX 2
#define VECTORS_MAX 8

#pragma clang attribute push(CK_NEON, apply_to = function)

// Four cached values from elements + index.
CK_INLINE float32x4_t load4(ck_cache_type type, const void *elements, size_t index) {
    switch (type) {
    case CK_CACHE_F16: return ck_load4_neon(CK_F16, elements, index);
    case CK_CACHE_INT8: {
        const int8_t *from = (const int8_t *)elements + index;
        uint32_t four;
        memcpy(&four, from, sizeof four);
        int16x4_t halves = vget_low_s16(vmovl_s8(vcreate_s8(four)));
        return vcvtq_f32_s32(vmovl_s16(halves));
    }
    default: return ck_load4_neon(CK_F32, elements, index);
    }
}

CK_INLINE ck_sixteen load_sixteen(ck_cache_type type, const void *elements, size_t index) {
    ck_sixteen sixteen;
    CK_UNROLL
    for (int i = 0; i < 4; i++) sixteen.v[i] = load4(type, elements, index + (size_t)i * 4);
    return sixteen;
}

// `count` values from index on, then zeros.
CK_INLINE ck_sixteen load_last(ck_cache_type type, const void *elements, size_t index, size_t count) {
    float padded[CK_LANES] = {0};
    for (size_t i = 0; i < count; i++) padded[i] = ck_load_cached(type, elements, index + i);
    return load_sixteen(CK_CACHE_F32, padded, 0);
}

CK_INLINE ck_sixteen multiply_add(ck_sixteen sum, ck_sixteen a, ck_sixteen b) {
    CK_UNROLL
    for (int i = 0; i < 4; i++) sum.v[i] = vfmaq_f32(sum.v[i], a.v[i], b.v[i]);
    return sum;
}

// Asks memory for the lines of `bytes` bytes from `next` on.
CK_INLINE void ask_for(const uint8_t *next, size_t bytes) {
    for (size_t line = 0; line < bytes; line += 64) __builtin_prefetch(next + line);
}

// ---------------------------------------------------------------------------------------------------------------------
// Scores

// `count` queries × `tokens` keys, both constants where this is called, so that the sums stay in registers.
CK_INLINE void score_tile(ck_cache_type type, int tokens, int count, const void *keys, size_t dim,
                          const float *queries, float *scores) {
    ck_sixteen sums[QUERIES_MAX][TOKENS_MAX];
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int t = 0; t < tokens; t++) {
            CK_UNROLL
            for (int i = 0; i < 4; i++) sums[q][t].v[i] = vdupq_n_f32(0);
        }
    }
    size_t d = 0;
    for (; d + CK_LANES <= dim; d += CK_LANES) {
        ck_sixteen values[QUERIES_MAX];
        CK_UNROLL
        for (int q = 0; q < count; q++) values[q] = load_sixteen(CK_CACHE_F32, queries, (size_t)q * dim + d);
        CK_UNROLL
        for (int t = 0; t < tokens; t++) {
            ck_sixteen key = load_sixteen(type, keys, (size_t)t * dim + d);
            CK_UNROLL
            for (int q = 0; q < count; q++) sums[q][t] = multiply_add(sums[q][t], key, values[q]);
        }
    }
    for (int t = 0; t < tokens && d < dim; t++) {
        ck_sixteen key = load_last(type, keys, (size_t)t * dim + d, dim - d);
        for (int q = 0; q < count; q++) {
            ck_sixteen value = load_last(CK_CACHE_F32, queries, (size_t)q * dim + d, dim - d);
            sums[q][t] = multiply_add(sums[q][t], key, value);
        }
    }
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int t = 0; t < tokens; t++) scores[q * CK_KV_BLOCK_TOKENS + t] = ck_fold16_neon(sums[q][t]);
    }
}

// `tokens` keys of all queries.
CK_INLINE void score_strip(ck_cache_type type, int tokens, const void *keys, size_t dim, const float *queries,
                           size_t query_count, float *scores) {
    size_t q = 0;
    for (; q + QUERIES_MAX <= query_count; q += QUERIES_MAX) {
        score_tile(type, tokens, QUERIES_MAX, keys, dim, queries + q * dim, scores + q * CK_KV_BLOCK_TOKENS);
    }
    if (q < query_count) score_tile(type, tokens, 1, keys, dim, queries + q * dim, scores + q * CK_KV_BLOCK_TOKENS);
}

CK_INLINE void score_all(ck_cache_type type, const void *keys, size_t count, size_t dim, const float *queries,
                         size_t query_count, const uint8_t *next, float *scores) {
    const size_t bytes = dim * ck_cache_bytes(type);
    size_t t = 0;
    for (; t + TOKENS_MAX <= count; t += TOKENS_MAX) {
        if (next != NULL) ask_for(next + t * bytes, TOKENS_MAX * bytes);
        score_strip(type, TOKENS_MAX, ck_cached_at(type, keys, t * dim), dim, queries, query_count, scores + t);
    }
    if (t < count) score_strip(type, 1, ck_cached_at(type, keys, t * dim), dim, queries, query_count, scores + t);
}

static void attention_scores(ck_cache_type type, const void *keys, size_t count, size_t dim, const float *queries,
                             size_t query_count, const uint8_t *next, float *scores) {
    switch (type) {
    case CK_CACHE_F32: score_all(CK_CACHE_F32, keys, count, dim, queries, query_count, next, scores); break;
    case CK_CACHE_F16: score_all(CK_CACHE_F16, keys, count, dim, queries, query_count, next, scores); break;
    case CK_CACHE_INT8: score_all(CK_CACHE_INT8, keys, count, dim, queries, query_count, next, scores); break;
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The weighted sum of values

// Columns d ..< d + 4 · vectors of `count` queries; both counts are constants where this is called.
CK_INLINE void add_columns(ck_cache_type type, int count, int vectors, const float *p, const void *values,
                           size_t tokens, size_t dim, size_t stride, size_t d, const float *factors,
                           const uint8_t *next, float *out) {
    float32x4_t sums[QUERIES_MAX][VECTORS_MAX];
    const size_t bytes = stride * ck_cache_bytes(type);
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) sums[q][v] = vmulq_n_f32(vld1q_f32(out + q * dim + d + v * 4), factors[q]);
    }
    for (size_t t = 0; t < tokens; t++) {
        if (next != NULL) ask_for(next + t * bytes, bytes);
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            float32x4_t value = load4(type, values, t * stride + d + (size_t)v * 4);
            CK_UNROLL
            for (int q = 0; q < count; q++) {
                sums[q][v] = vfmaq_n_f32(sums[q][v], value, p[q * CK_KV_BLOCK_TOKENS + t]);
            }
        }
    }
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) vst1q_f32(out + q * dim + d + v * 4, sums[q][v]);
    }
}

CK_INLINE void add_values(ck_cache_type type, int count, const float *p, const void *values, size_t tokens, size_t dim,
                          size_t stride,
                          const float *factors, const uint8_t *next, float *out) {
    size_t d = 0;
    for (; d + 4 * VECTORS_MAX <= dim; d += 4 * VECTORS_MAX, next = NULL) {
        add_columns(type, count, VECTORS_MAX, p, values, tokens, dim, stride, d, factors, next, out);
    }
    for (; d + 4 <= dim; d += 4) add_columns(type, count, 1, p, values, tokens, dim, stride, d, factors, NULL, out);
    for (; d < dim; d++) {
        for (int q = 0; q < count; q++) {
            float sum = out[q * dim + d] * factors[q];
            for (size_t t = 0; t < tokens; t++) {
                sum = fmaf(p[q * CK_KV_BLOCK_TOKENS + t], ck_load_cached(type, values, t * stride + d), sum);
            }
            out[q * dim + d] = sum;
        }
    }
}

CK_INLINE void add_all(ck_cache_type type, const float *p, const void *values, size_t tokens, size_t dim, size_t stride,
                       size_t query_count, const float *factors, const uint8_t *next, float *out) {
    size_t q = 0;
    for (; q + QUERIES_MAX <= query_count; q += QUERIES_MAX, next = NULL) {
        add_values(type, QUERIES_MAX, p + q * CK_KV_BLOCK_TOKENS, values, tokens, dim, stride, factors + q, next,
                   out + q * dim);
    }
    if (q == query_count) return;
    add_values(type, 1, p + q * CK_KV_BLOCK_TOKENS, values, tokens, dim, stride, factors + q, next, out + q * dim);
}

static void attention_values(ck_cache_type type, const float *p, const void *values, size_t count, size_t dim,
                             size_t stride, size_t query_count, const float *factors, const uint8_t *next, float *out) {
    switch (type) {
    case CK_CACHE_F32: add_all(CK_CACHE_F32, p, values, count, dim, stride, query_count, factors, next, out); break;
    case CK_CACHE_F16: add_all(CK_CACHE_F16, p, values, count, dim, stride, query_count, factors, next, out); break;
    case CK_CACHE_INT8: add_all(CK_CACHE_INT8, p, values, count, dim, stride, query_count, factors, next, out); break;
    }
}

#pragma clang attribute pop

void ck_init_attention_neon(ck_kernels *table) {
    table->attention_scores = attention_scores;
    table->attention_values = attention_values;
}
#endif
