// Row operations in portable C: norm, rotary embedding, gated activation, sum.
#include "exponential.h"
#include "kernels.h"

static void rms_norm_row(const float *x, const float *weight, float offset, float epsilon, size_t columns,
                         float *out) {
    float lanes[CK_LANES] = {0};
    for (size_t i = 0; i < ck_round_up(columns, CK_LANES); i++) {
        float value = i < columns ? x[i] : 0;
        lanes[i % CK_LANES] = fmaf(value, value, lanes[i % CK_LANES]);
    }
    float factor = 1.0f / sqrtf(ck_fold_lanes(lanes) / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) out[i] = x[i] * factor * (weight[i] + offset);
}

static void rope_row(float *x, const float *cosines, const float *sines, size_t heads, size_t head_dim, size_t rotary,
                     bool interleaved) {
    size_t half = rotary / 2;
    size_t step = interleaved ? 2 : 1, distance = interleaved ? 1 : half;
    for (size_t head = 0; head < heads; head++, x += head_dim) {
        for (size_t i = 0; i < half; i++) {
            float first = x[i * step], second = x[i * step + distance];
            x[i * step] = fmaf(first, cosines[i], -(second * sines[i]));
            x[i * step + distance] = fmaf(second, cosines[i], first * sines[i]);
        }
    }
}

static void silu_multiply(const float *gate, const float *up, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) out[i] = gate[i] / (1.0f + ck_exp(-gate[i])) * up[i];
}

static void gelu_multiply(const float *gate, const float *up, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        float doubled = fmaf(gate[i] * gate[i], CK_GELU_CUBIC, CK_GELU_LINEAR) * gate[i];
        out[i] = gate[i] / (1.0f + ck_exp(-doubled)) * up[i];
    }
}

static void clamped_multiply(const float *gate, const float *up, float limit, float alpha, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        float g = limit < gate[i] ? limit : gate[i];
        float u = limit < up[i] ? limit : up[i];
        u = -limit > u ? -limit : u;
        out[i] = g / (1.0f + ck_exp(-(alpha * g))) * (u + 1.0f);
    }
}

static void add(const float *a, const float *b, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) out[i] = a[i] + b[i];
}

void ck_init_rows_portable(ck_kernels *table) {
    table->rms_norm_row = rms_norm_row;
    table->rope_row = rope_row;
    table->silu_multiply = silu_multiply;
    table->gelu_multiply = gelu_multiply;
    table->clamped_multiply = clamped_multiply;
    table->add = add;
}
