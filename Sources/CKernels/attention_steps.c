// The steps of attention in portable C: scores, online softmax and the weighted sum of values.
#include "exponential.h"
#include "kernels.h"

static float softmax_step(float *scores, size_t count, float scale, float *maximum, float *sum) {
    float largest = *maximum;
    for (size_t t = 0; t < count; t++) {
        scores[t] *= scale;
        largest = scores[t] > largest ? scores[t] : largest;
    }
    float factor = ck_exp(*maximum - largest);
    float lanes[CK_LANES] = {0};
    for (size_t t = 0; t < ck_round_up(count, CK_LANES); t++) {
        if (t < count) scores[t] = ck_exp(scores[t] - largest);
        lanes[t % CK_LANES] += t < count ? scores[t] : 0;
    }
    *maximum = largest;
    *sum = fmaf(*sum, factor, ck_fold_lanes(lanes));
    return factor;
}

static float score(ck_cache_type type, const void *key, size_t dim, const float *query) {
    float lanes[CK_LANES] = {0};
    for (size_t d = 0; d < ck_round_up(dim, CK_LANES); d++) {
        float k = d < dim ? ck_load_cached(type, key, d) : 0, q = d < dim ? query[d] : 0;
        lanes[d % CK_LANES] = fmaf(k, q, lanes[d % CK_LANES]);
    }
    return ck_fold_lanes(lanes);
}

static void attention_scores(ck_cache_type type, const void *keys, size_t count, size_t dim, const float *queries,
                             size_t query_count, const uint8_t *next, float *scores) {
    (void)next;
    for (size_t q = 0; q < query_count; q++, queries += dim, scores += CK_KV_BLOCK_TOKENS) {
        for (size_t t = 0; t < count; t++) scores[t] = score(type, ck_cached_at(type, keys, t * dim), dim, queries);
    }
}

static void attention_values(ck_cache_type type, const float *p, const void *values, size_t count, size_t dim,
                             size_t stride, size_t query_count, const float *factors, const uint8_t *next, float *out) {
    (void)next;
    for (size_t q = 0; q < query_count; q++, p += CK_KV_BLOCK_TOKENS, out += dim) {
        for (size_t d = 0; d < dim; d++) out[d] *= factors[q];
        for (size_t t = 0; t < count; t++) {
            for (size_t d = 0; d < dim; d++) out[d] = fmaf(p[t], ck_load_cached(type, values, t * stride + d), out[d]);
        }
    }
}

static void f32_from_int8(const int8_t *from, size_t count, float *to) {
    for (size_t i = 0; i < count; i++) to[i] = from[i];
}

void ck_init_attention_portable(ck_kernels *table) {
    table->softmax_step = softmax_step;
    table->attention_scores = attention_scores;
    table->attention_values = attention_values;
    table->f32_from_int8 = f32_from_int8;
}
