// The steps of attention in portable C: online softmax and the weighted sum of values.
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

#define DEFINE_ACCUMULATE(NAME, TYPE, TO_FLOAT)                                                                        \
    static void NAME(const float *p, const TYPE *values, size_t count, size_t dim, size_t queries,                     \
                     const float *factors, float *out) {                                                               \
        for (size_t q = 0; q < queries; q++, p += CK_KV_BLOCK_TOKENS, out += dim) {                                    \
            for (size_t d = 0; d < dim; d++) out[d] *= factors[q];                                                     \
            for (size_t t = 0; t < count; t++) {                                                                       \
                for (size_t d = 0; d < dim; d++) out[d] = fmaf(p[t], TO_FLOAT(values[t * dim + d]), out[d]);           \
            }                                                                                                          \
        }                                                                                                              \
    }

static inline float itself(float value) { return value; }

DEFINE_ACCUMULATE(accumulate_f32, float, itself)
DEFINE_ACCUMULATE(accumulate_f16, uint16_t, ck_float_from_f16)

void ck_init_attention_portable(ck_kernels *table) {
    table->softmax_step = softmax_step;
    table->accumulate_f32 = accumulate_f32;
    table->accumulate_f16 = accumulate_f16;
}
