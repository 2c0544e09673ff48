// The steps of attention in AVX-512: scores, online softmax and the weighted sum of values.
#if defined(__x86_64__)
#include "avx512.h"
#include "x86.h"

// Largest tiles: queries × tokens of scores, and queries × vectors of sixteen columns.
#define QUERIES_MAX 6
#define TOKENS_MAX 4
#define VECTORS_MAX 8

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

// Sixteen cached values from elements + index, zeros where the mask has none.
CK_INLINE __m512 load16(ck_cache_type type, const void *elements, size_t index, __mmask16 mask) {
    switch (type) {
    case CK_CACHE_F16: return ck_load16_avx512(CK_F16, elements, index, mask);
    case CK_CACHE_INT8: {
        __m128i bytes = _mm_maskz_loadu_epi8(mask, (const int8_t *)elements + index);
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    }
    default: return ck_load16_avx512(CK_F32, elements, index, mask);
    }
}

// Asks memory for the lines of `bytes` bytes from `next` on.
CK_INLINE void ask_for(const uint8_t *next, size_t bytes) {
    for (size_t line = 0; line < bytes; line += 64) _mm_prefetch((const char *)next + line, _MM_HINT_T0);
}

// ---------------------------------------------------------------------------------------------------------------------
// Scores

// One sixteen of `tokens` keys and `count` queries, both constants where this is called.
CK_INLINE void add_sixteen(ck_cache_type type, int tokens, int count, const void *keys, size_t dim,
                           const float *queries, size_t d, __mmask16 mask,
                           __m512 sums[QUERIES_MAX][TOKENS_MAX]) {
    __m512 values[QUERIES_MAX];
    CK_UNROLL
    for (int q = 0; q < count; q++) values[q] = load16(CK_CACHE_F32, queries, (size_t)q * dim + d, mask);
    CK_UNROLL
    for (int t = 0; t < tokens; t++) {
        __m512 key = load16(type, keys, (size_t)t * dim + d, mask);
        CK_UNROLL
        for (int q = 0; q < count; q++) sums[q][t] = _mm512_fmadd_ps(key, values[q], sums[q][t]);
    }
}

CK_INLINE void score_tile(ck_cache_type type, int tokens, int count, const void *keys, size_t dim,
                          const float *queries, float *scores) {
    __m512 sums[QUERIES_MAX][TOKENS_MAX];
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int t = 0; t < tokens; t++) sums[q][t] = _mm512_setzero_ps();
    }
    size_t d = 0;
    for (; d + CK_LANES <= dim; d += CK_LANES) add_sixteen(type, tokens, count, keys, dim, queries, d, 0xffff, sums);
    if (d < dim) add_sixteen(type, tokens, count, keys, dim, queries, d, ck_mask16_avx512(dim - d), sums);
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        float *to = scores + (size_t)q * CK_KV_BLOCK_TOKENS;
        __m256 halves[TOKENS_MAX];
        CK_UNROLL
        for (int t = 0; t < tokens; t++) {
            halves[t] = _mm256_add_ps(_mm512_castps512_ps256(sums[q][t]), _mm512_extractf32x8_ps(sums[q][t], 1));
        }
        if (tokens == TOKENS_MAX) {
            _mm_storeu_ps(to, ck_fold8_four_avx2(halves[0], halves[1], halves[2], halves[3]));
        } else {
            to[0] = ck_fold8_avx2(halves[0]);
        }
    }
}

// `tokens` keys of all queries.
CK_INLINE void score_strip(ck_cache_type type, int tokens, const void *keys, size_t dim, const float *queries,
                           size_t query_count, float *scores) {
    for (size_t q = 0, together; q < query_count; q += together) {
        const float *from = queries + q * dim;
        float *to = scores + q * CK_KV_BLOCK_TOKENS;
        size_t left = query_count - q;
        together = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        switch (together) {
        case 1: score_tile(type, tokens, 1, keys, dim, from, to); break;
        case 2: score_tile(type, tokens, 2, keys, dim, from, to); break;
        case 4: score_tile(type, tokens, 4, keys, dim, from, to); break;
        case 6: score_tile(type, tokens, 6, keys, dim, from, to); break;
        }
    }
}

CK_INLINE void score_all(ck_cache_type type, const void *keys, size_t count, size_t dim, const float *queries,
                         size_t query_count, const uint8_t *next, float *scores) {
    const size_t bytes = dim * ck_cache_bytes(type);
    size_t t = 0;
    for (; t + TOKENS_MAX <= count; t += TOKENS_MAX) {
        if (next != NULL) ask_for(next + t * bytes, TOKENS_MAX * bytes);
        score_strip(type, TOKENS_MAX, ck_cached_at(type, keys, t * dim), dim, queries, query_count, scores + t);
    }
    for (; t < count; t++) {
        score_strip(type, 1, ck_cached_at(type, keys, t * dim), dim, queries, query_count, scores + t);
    }
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

// Columns d ..< d + 16 · vectors of `count` queries, fewer where the mask has fewer; both counts are constants where
// this is called.
CK_INLINE void add_columns(ck_cache_type type, int count, int vectors, __mmask16 mask, const float *p,
                           const void *values, size_t tokens, size_t dim, size_t stride, size_t d, const float *factors,
                           const uint8_t *next, float *out) {
    __m512 sums[QUERIES_MAX][VECTORS_MAX];
    const size_t bytes = stride * ck_cache_bytes(type);
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            __m512 before = _mm512_maskz_loadu_ps(mask, out + (size_t)q * dim + d + (size_t)v * 16);
            sums[q][v] = _mm512_mul_ps(before, _mm512_set1_ps(factors[q]));
        }
    }
    for (size_t t = 0; t < tokens; t++) {
        if (next != NULL) ask_for(next + t * bytes, bytes);
        __m512 value[VECTORS_MAX];
        CK_UNROLL
        for (int v = 0; v < vectors; v++) value[v] = load16(type, values, t * stride + d + (size_t)v * 16, mask);
        CK_UNROLL
        for (int q = 0; q < count; q++) {
            __m512 weight = _mm512_set1_ps(p[(size_t)q * CK_KV_BLOCK_TOKENS + t]);
            CK_UNROLL
            for (int v = 0; v < vectors; v++) sums[q][v] = _mm512_fmadd_ps(weight, value[v], sums[q][v]);
        }
    }
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            _mm512_mask_storeu_ps(out + (size_t)q * dim + d + (size_t)v * 16, mask, sums[q][v]);
        }
    }
}

// All columns of `count` queries, `vectors` vectors at a time; the first of them ask for what is next.
CK_INLINE void add_values(ck_cache_type type, int count, int vectors, const float *p, const void *values,
                          size_t tokens, size_t dim, size_t stride, const float *factors, const uint8_t *next,
                          float *out) {
    size_t d = 0, width = (size_t)vectors * 16;
    for (; d + width <= dim; d += width, next = NULL) {
        add_columns(type, count, vectors, 0xffff, p, values, tokens, dim, stride, d, factors, next, out);
    }
    for (; d < dim; d += 16) {
        add_columns(type, count, 1, ck_mask16_avx512(dim - d), p, values, tokens, dim, stride, d, factors, NULL, out);
    }
}

CK_INLINE void add_all(ck_cache_type type, const float *p, const void *values, size_t tokens, size_t dim, size_t stride,
                       size_t query_count, const float *factors, const uint8_t *next, float *out) {
    for (size_t q = 0, together; q < query_count; q += together, next = NULL) {
        const float *from = p + q * CK_KV_BLOCK_TOKENS;
        float *to = out + q * dim;
        size_t left = query_count - q;
        together = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        switch (together) {
        case 1: add_values(type, 1, 8, from, values, tokens, dim, stride, factors + q, next, to); break;
        case 2: add_values(type, 2, 8, from, values, tokens, dim, stride, factors + q, next, to); break;
        case 4: add_values(type, 4, 4, from, values, tokens, dim, stride, factors + q, next, to); break;
        case 6: add_values(type, 6, 4, from, values, tokens, dim, stride, factors + q, next, to); break;
        }
    }
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

void ck_init_attention_avx512(ck_kernels *table) {
    table->softmax_step = softmax_step;
    table->attention_scores = attention_scores;
    table->attention_values = attention_values;
}
#endif
