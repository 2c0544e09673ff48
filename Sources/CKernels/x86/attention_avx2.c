// The steps of attention in AVX2: scores, online softmax and the weighted sum of values.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

// Largest tiles: queries × tokens of scores, half of the canon's lanes at a time, and queries × vectors of eight
// columns.
#define SCORE_QUERIES_MAX 3
#define TOKENS_MAX 4
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

// Eight cached values from elements + index.
CK_INLINE __m256 load8(ck_cache_type type, const void *elements, size_t index) {
    switch (type) {
    case CK_CACHE_F16: return ck_load8_avx2(CK_F16, elements, index);
    case CK_CACHE_INT8: {
        __m128i bytes = _mm_loadl_epi64((const __m128i *)((const int8_t *)elements + index));
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    }
    default: return ck_load8_avx2(CK_F32, elements, index);
    }
}

// What there is of eight cached values before index `end`, then zeros.
CK_INLINE __m256 load_last8(ck_cache_type type, const void *elements, size_t index, size_t end) {
    float padded[8] = {0};
    for (size_t i = index; i < end && i < index + 8; i++) padded[i - index] = ck_load_cached(type, elements, i);
    return _mm256_loadu_ps(padded);
}

// Asks memory for the lines of `bytes` bytes from `next` on.
CK_INLINE void ask_for(const uint8_t *next, size_t bytes) {
    for (size_t line = 0; line < bytes; line += 64) _mm_prefetch((const char *)next + line, _MM_HINT_T0);
}

// ---------------------------------------------------------------------------------------------------------------------
// Scores

// Lanes 8 · half … 8 · half + 7 of `count` queries × `tokens` keys, both constants where this is called.
CK_INLINE void add_half(ck_cache_type type, int tokens, int count, const void *keys, size_t dim, const float *queries,
                        size_t half, __m256 sums[SCORE_QUERIES_MAX][TOKENS_MAX]) {
    size_t d = half * 8;
    for (; d + 8 <= dim; d += CK_LANES) {
        __m256 values[SCORE_QUERIES_MAX];
        CK_UNROLL
        for (int q = 0; q < count; q++) values[q] = _mm256_loadu_ps(queries + (size_t)q * dim + d);
        CK_UNROLL
        for (int t = 0; t < tokens; t++) {
            __m256 key = load8(type, keys, (size_t)t * dim + d);
            CK_UNROLL
            for (int q = 0; q < count; q++) sums[q][t] = _mm256_fmadd_ps(key, values[q], sums[q][t]);
        }
    }
    if (d >= dim) return;
    for (int t = 0; t < tokens; t++) {
        __m256 key = load_last8(type, keys, (size_t)t * dim + d, (size_t)(t + 1) * dim);
        for (int q = 0; q < count; q++) {
            __m256 value = load_last8(CK_CACHE_F32, queries, (size_t)q * dim + d, (size_t)(q + 1) * dim);
            sums[q][t] = _mm256_fmadd_ps(key, value, sums[q][t]);
        }
    }
}

CK_INLINE void score_tile(ck_cache_type type, int tokens, int count, const void *keys, size_t dim,
                          const float *queries, float *scores) {
    __m256 sums[2][SCORE_QUERIES_MAX][TOKENS_MAX];
    CK_UNROLL
    for (int half = 0; half < 2; half++) {
        CK_UNROLL
        for (int q = 0; q < count; q++) {
            CK_UNROLL
            for (int t = 0; t < tokens; t++) sums[half][q][t] = _mm256_setzero_ps();
        }
        add_half(type, tokens, count, keys, dim, queries, (size_t)half, sums[half]);
    }
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        float *to = scores + (size_t)q * CK_KV_BLOCK_TOKENS;
        __m256 lanes[TOKENS_MAX];
        CK_UNROLL
        for (int t = 0; t < tokens; t++) lanes[t] = _mm256_add_ps(sums[0][q][t], sums[1][q][t]);
        if (tokens == TOKENS_MAX) {
            _mm_storeu_ps(to, ck_fold8_four_avx2(lanes[0], lanes[1], lanes[2], lanes[3]));
        } else {
            to[0] = ck_fold8_avx2(lanes[0]);
        }
    }
}

// `tokens` keys of all queries.
CK_INLINE void score_strip(ck_cache_type type, int tokens, const void *keys, size_t dim, const float *queries,
                           size_t query_count, float *scores) {
    for (size_t q = 0, together; q < query_count; q += together) {
        const float *from = queries + q * dim;
        float *to = scores + q * CK_KV_BLOCK_TOKENS;
        together = ck_min_size(SCORE_QUERIES_MAX, query_count - q);
        switch (together) {
        case 1: score_tile(type, tokens, 1, keys, dim, from, to); break;
        case 2: score_tile(type, tokens, 2, keys, dim, from, to); break;
        case 3: score_tile(type, tokens, 3, keys, dim, from, to); break;
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

// Columns d ..< d + 8 · vectors of `count` queries; both counts are constants where this is called.
CK_INLINE void add_columns(ck_cache_type type, int count, int vectors, const float *p, const void *values,
                           size_t tokens, size_t dim, size_t stride, size_t d, const float *factors,
                           const uint8_t *next, float *out) {
    __m256 sums[QUERIES_MAX][VECTORS_MAX];
    const size_t bytes = stride * ck_cache_bytes(type);
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            __m256 before = _mm256_loadu_ps(out + (size_t)q * dim + d + (size_t)v * 8);
            sums[q][v] = _mm256_mul_ps(before, _mm256_broadcast_ss(factors + q));
        }
    }
    for (size_t t = 0; t < tokens; t++) {
        if (next != NULL) ask_for(next + t * bytes, bytes);
        __m256 value[VECTORS_MAX];
        CK_UNROLL
        for (int v = 0; v < vectors; v++) value[v] = load8(type, values, t * stride + d + (size_t)v * 8);
        CK_UNROLL
        for (int q = 0; q < count; q++) {
            __m256 weight = _mm256_broadcast_ss(p + q * CK_KV_BLOCK_TOKENS + t);
            CK_UNROLL
            for (int v = 0; v < vectors; v++) sums[q][v] = _mm256_fmadd_ps(weight, value[v], sums[q][v]);
        }
    }
    CK_UNROLL
    for (int q = 0; q < count; q++) {
        CK_UNROLL
        for (int v = 0; v < vectors; v++) {
            _mm256_storeu_ps(out + (size_t)q * dim + d + (size_t)v * 8, sums[q][v]);
        }
    }
}

// All columns of `count` queries, `vectors` vectors at a time; the first of them ask for what is next.
CK_INLINE void add_values(ck_cache_type type, int count, int vectors, const float *p, const void *values,
                          size_t tokens, size_t dim, size_t stride, const float *factors, const uint8_t *next,
                          float *out) {
    size_t d = 0, width = (size_t)vectors * 8;
    for (; d + width <= dim; d += width, next = NULL) {
        add_columns(type, count, vectors, p, values, tokens, dim, stride, d, factors, next, out);
    }
    for (; d + 8 <= dim; d += 8) add_columns(type, count, 1, p, values, tokens, dim, stride, d, factors, NULL, out);
    for (; d < dim; d++) {
        for (int q = 0; q < count; q++) {
            float sum = out[(size_t)q * dim + d] * factors[q];
            for (size_t t = 0; t < tokens; t++) {
                sum = fmaf(p[q * CK_KV_BLOCK_TOKENS + t], ck_load_cached(type, values, t * stride + d), sum);
            }
            out[(size_t)q * dim + d] = sum;
        }
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
        case 2: add_values(type, 2, 4, from, values, tokens, dim, stride, factors + q, next, to); break;
        case 4: add_values(type, 4, 2, from, values, tokens, dim, stride, factors + q, next, to); break;
        case 6: add_values(type, 6, 2, from, values, tokens, dim, stride, factors + q, next, to); break;
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

// The compiler makes vectors of this loop.
static void f32_from_int8(const int8_t *from, size_t count, float *to) {
    for (size_t i = 0; i < count; i++) to[i] = from[i];
}

#pragma clang attribute pop

void ck_init_attention_avx2(ck_kernels *table) {
    table->softmax_step = softmax_step;
    table->attention_scores = attention_scores;
    table->attention_values = attention_values;
    table->f32_from_int8 = f32_from_int8;
}
#endif
