// Float weights × rows in portable C: every sum in CK_LANES lanes, lane k mod 16, fused.
#include "kernels.h"

// Adds w[k] · x[k] of one whole or last sixteen to the lanes; `w` and `x` are zero past the row's end.
static void add_sixteen(float lanes[CK_LANES], const float *w, const float *x) {
    for (int lane = 0; lane < CK_LANES; lane++) lanes[lane] = fmaf(w[lane], x[lane], lanes[lane]);
}

#define DEFINE_DOT(NAME, TYPE, TO_FLOAT)                                                                               \
    static float NAME##_one(const TYPE *w, const float *x, size_t n) {                                                 \
        float lanes[CK_LANES] = {0};                                                                                   \
        for (size_t k = 0; k < n; k += CK_LANES) {                                                                     \
            float w16[CK_LANES] = {0}, x16[CK_LANES] = {0};                                                            \
            size_t count = ck_min_size(CK_LANES, n - k);                                                               \
            for (size_t i = 0; i < count; i++) {                                                                       \
                w16[i] = TO_FLOAT(w[k + i]);                                                                           \
                x16[i] = x[k + i];                                                                                     \
            }                                                                                                          \
            add_sixteen(lanes, w16, x16);                                                                              \
        }                                                                                                              \
        return ck_fold_lanes(lanes);                                                                                   \
    }                                                                                                                  \
    static void NAME(const TYPE *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,     \
                     size_t n, float *y, size_t y_stride) {                                                            \
        for (size_t o = 0; o < outputs; o++) {                                                                         \
            for (size_t r = 0; r < rows; r++) y[r * y_stride + o] = NAME##_one(w + o * w_stride, x + r * x_stride, n); \
        }                                                                                                              \
    }

static inline float itself(float value) { return value; }

DEFINE_DOT(dot_f32, float, itself)
DEFINE_DOT(dot_f16, uint16_t, ck_float_from_f16)

static float dot_bf16_one(const uint16_t *w, const float *x, size_t n) {
    float lanes[CK_LANES] = {0};
    for (size_t k = 0; k < n; k += CK_PAIR_INPUTS) {
        float w32[CK_PAIR_INPUTS] = {0};  // in the order of x
        size_t count = ck_min_size(CK_PAIR_INPUTS, n - k);
        for (size_t i = 0; i < count; i++) w32[(i % 2 == 0 ? CK_LANES : 0) + i / 2] = ck_bf16_weight(w[k + i]);
        add_sixteen(lanes, w32, x + k);
        add_sixteen(lanes, w32 + CK_LANES, x + k + CK_LANES);
    }
    return ck_fold_lanes(lanes);
}

static void dot_bf16(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                     size_t n, float *y, size_t y_stride) {
    for (size_t o = 0; o < outputs; o++) {
        for (size_t r = 0; r < rows; r++) y[r * y_stride + o] = dot_bf16_one(w + o * w_stride, x + r * x_stride, n);
    }
}

static void order_row(const float *x, size_t inputs, bool rounds, float *out) {
    for (size_t k = 0; k < inputs; k += CK_PAIR_INPUTS, out += CK_PAIR_INPUTS) {
        for (size_t i = 0; i < CK_PAIR_INPUTS; i++) {
            float value = k + i < inputs ? x[k + i] : 0;
            if (rounds) value = ck_float_from_bf16(ck_bf16_activation(value));
            out[(i % 2 == 0 ? CK_LANES : 0) + i / 2] = value;
        }
    }
}

void ck_init_dot_portable(ck_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
    table->order_row = order_row;
}
