// Attention over a paged cache: the walk over rows, heads and blocks, and its steps in portable C.
#include "exponential.h"
#include "kernels.h"

// Query heads that share a pass over the keys; more are taken in turns. Bounds the scores kept on the stack.
#define HEADS_AT_ONCE 16

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

static void accumulate_f32(const float *p, const float *values, size_t count, size_t dim, float factor, float *out) {
    for (size_t d = 0; d < dim; d++) out[d] *= factor;
    for (size_t t = 0; t < count; t++) {
        for (size_t d = 0; d < dim; d++) out[d] = fmaf(p[t], values[t * dim + d], out[d]);
    }
}

static void accumulate_f16(const float *p, const uint16_t *values, size_t count, size_t dim, float factor, float *out) {
    for (size_t d = 0; d < dim; d++) out[d] *= factor;
    for (size_t t = 0; t < count; t++) {
        for (size_t d = 0; d < dim; d++) out[d] = fmaf(p[t], ck_float_from_f16(values[t * dim + d]), out[d]);
    }
}

void ck_init_attention_portable(ck_kernels *table) {
    table->softmax_step = softmax_step;
    table->accumulate_f32 = accumulate_f32;
    table->accumulate_f16 = accumulate_f16;
}

void ck_kv_store(ck_float_type type, const float *token, size_t kv_heads, size_t head_dim, uint32_t slot, void *block) {
    for (size_t head = 0; head < kv_heads; head++) {
        size_t element = (head * CK_KV_BLOCK_TOKENS + slot) * head_dim;
        void *to = (uint8_t *)block + element * ck_float_bytes(type);
        ck_convert_from_f32(type, token + head * head_dim, head_dim, to);
    }
}

typedef struct {
    const ck_kernels *kernels;
    ck_float_type type;
    const float *queries;
    const ck_attention_row *rows;
    size_t heads, kv_heads, head_dim, value_dim;
    float scale;
    float *out;
} attention;

// Heads first_head ..< first_head + heads of one row, all on kv head `kv_head`.
static void attend(const attention *a, size_t row, size_t kv_head, size_t first_head, size_t heads) {
    const ck_attention_row *span = &a->rows[row];
    const float *queries = a->queries + (row * a->heads + first_head) * a->head_dim;
    float *out = a->out + (row * a->heads + first_head) * a->value_dim;
    size_t element_bytes = ck_float_bytes(a->type);
    float scores[HEADS_AT_ONCE * CK_KV_BLOCK_TOKENS];
    float maxima[HEADS_AT_ONCE], sums[HEADS_AT_ONCE];
    for (size_t h = 0; h < heads; h++) {
        maxima[h] = -INFINITY;
        sums[h] = 0;
    }
    memset(out, 0, heads * a->value_dim * sizeof *out);
    size_t end;
    for (size_t start = span->first_token; start < span->token_count; start = end) {
        size_t block = start / CK_KV_BLOCK_TOKENS, slot = start % CK_KV_BLOCK_TOKENS;
        end = ck_min_size((block + 1) * CK_KV_BLOCK_TOKENS, span->token_count);
        size_t count = end - start, first_slot = kv_head * CK_KV_BLOCK_TOKENS + slot;
        const void *keys = (const uint8_t *)span->key_blocks[block] + first_slot * a->head_dim * element_bytes;
        const void *values = (const uint8_t *)span->value_blocks[block] + first_slot * a->value_dim * element_bytes;
        if (a->type == CK_F16) {
            a->kernels->dot_f16(keys, a->head_dim, count, queries, a->head_dim, heads, a->head_dim, scores,
                                CK_KV_BLOCK_TOKENS);
        } else {
            a->kernels->dot_f32(keys, a->head_dim, count, queries, a->head_dim, heads, a->head_dim, scores,
                                CK_KV_BLOCK_TOKENS);
        }
        for (size_t h = 0; h < heads; h++) {
            float *p = scores + h * CK_KV_BLOCK_TOKENS;
            float factor = a->kernels->softmax_step(p, count, a->scale, &maxima[h], &sums[h]);
            if (a->type == CK_F16) {
                a->kernels->accumulate_f16(p, values, count, a->value_dim, factor, out + h * a->value_dim);
            } else {
                a->kernels->accumulate_f32(p, values, count, a->value_dim, factor, out + h * a->value_dim);
            }
        }
    }
    for (size_t h = 0; h < heads; h++) {
        float inverse = 1.0f / sums[h];
        for (size_t d = 0; d < a->value_dim; d++) out[h * a->value_dim + d] *= inverse;
    }
}

static void attend_item(void *context, size_t item) {
    const attention *a = context;
    size_t row = item / a->kv_heads, kv_head = item % a->kv_heads;
    size_t sharing = a->heads / a->kv_heads;
    for (size_t first = 0; first < sharing; first += HEADS_AT_ONCE) {
        attend(a, row, kv_head, kv_head * sharing + first, ck_min_size(HEADS_AT_ONCE, sharing - first));
    }
}

void ck_attention(ck_pool *pool, ck_float_type type, const float *queries, const ck_attention_row *rows,
                  size_t row_count, size_t heads, size_t kv_heads, size_t head_dim, size_t value_dim, float scale,
                  float *out) {
    attention a = {ck_kernels_current(), type, queries, rows, heads, kv_heads, head_dim, value_dim, scale, out};
    ck_pool_run(pool, row_count * kv_heads, attend_item, &a);
}
