// Float weights × rows in NEON: tiles of outputs × rows, each pair in the canon's sixteen lanes.
#if defined(__aarch64__)
#include "neon.h"
#include "arm.h"

// Largest tiles: with one row, and with two.
#define TILE_OUTPUTS 4
#define TILE_ROWS 2

#pragma clang attribute push(CK_NEON, apply_to = function)

CK_INLINE const uint8_t *weight_at(ck_float_type type, const void *w, size_t element) {
    return (const uint8_t *)w + element * (type == CK_F32 ? 4 : 2);
}

CK_INLINE ck_sixteen load_sixteen(ck_float_type type, const void *values, size_t index) {
    ck_sixteen sixteen;
    CK_UNROLL
    for (int i = 0; i < 4; i++) sixteen.v[i] = ck_load4_neon(type, values, index + (size_t)i * 4);
    return sixteen;
}

// The values from `index` to before n, then zeros.
CK_INLINE ck_sixteen load_last(ck_float_type type, const void *values, size_t index, size_t count) {
    float padded[CK_LANES] = {0};
    for (size_t i = 0; i < count; i++) padded[i] = ck_load_float(type, values, index + i);
    return load_sixteen(CK_F32, padded, 0);
}

CK_INLINE ck_sixteen multiply_add(ck_sixteen sum, ck_sixteen weights, ck_sixteen x) {
    CK_UNROLL
    for (int i = 0; i < 4; i++) sum.v[i] = vfmaq_f32(sum.v[i], weights.v[i], x.v[i]);
    return sum;
}

// `outputs` and `rows` are constants where this is called, so that the sums stay in registers.
CK_INLINE void tile(ck_float_type type, int outputs, int rows, const void *w, size_t w_stride, const float *x,
                    size_t x_stride, size_t n, float *y, size_t y_stride) {
    ck_sixteen sums[TILE_ROWS][TILE_OUTPUTS];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            CK_UNROLL
            for (int i = 0; i < 4; i++) sums[r][o].v[i] = vdupq_n_f32(0);
        }
    }
    size_t k = 0;
    for (; k + CK_LANES <= n; k += CK_LANES) {
        ck_sixteen values[TILE_ROWS];
        CK_UNROLL
        for (int r = 0; r < rows; r++) values[r] = load_sixteen(CK_F32, x, (size_t)r * x_stride + k);
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            ck_sixteen weights = load_sixteen(type, w, (size_t)o * w_stride + k);
            CK_UNROLL
            for (int r = 0; r < rows; r++) sums[r][o] = multiply_add(sums[r][o], weights, values[r]);
        }
    }
    for (int r = 0; r < rows && k < n; r++) {
        ck_sixteen value = load_last(CK_F32, x, (size_t)r * x_stride + k, n - k);
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            sums[r][o] = multiply_add(sums[r][o], load_last(type, w, (size_t)o * w_stride + k, n - k), value);
        }
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) y[(size_t)r * y_stride + (size_t)o] = ck_fold16_neon(sums[r][o]);
    }
}

CK_INLINE void dot(ck_float_type type, const void *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride,
                   size_t rows, size_t n, float *y, size_t y_stride) {
    size_t o = 0;
    for (; o + 4 <= outputs && rows == 1; o += 4) {
        tile(type, 4, 1, weight_at(type, w, o * w_stride), w_stride, x, x_stride, n, y + o, y_stride);
    }
    for (; o < outputs; o++) {
        const void *from = weight_at(type, w, o * w_stride);
        bool is_pair = o + 1 < outputs && rows > 1;
        size_t r = 0;
        for (; r + 2 <= rows; r += 2) {
            float *to = y + r * y_stride + o;
            if (is_pair) {
                tile(type, 2, 2, from, w_stride, x + r * x_stride, x_stride, n, to, y_stride);
            } else {
                tile(type, 1, 2, from, w_stride, x + r * x_stride, x_stride, n, to, y_stride);
            }
        }
        if (r < rows && is_pair) {
            tile(type, 2, 1, from, w_stride, x + r * x_stride, x_stride, n, y + r * y_stride + o, y_stride);
        } else if (r < rows) {
            tile(type, 1, 1, from, w_stride, x + r * x_stride, x_stride, n, y + r * y_stride + o, y_stride);
        }
        if (is_pair) o++;
    }
}

static void dot_f32(const float *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                    size_t n, float *y, size_t y_stride) {
    dot(CK_F32, w, w_stride, outputs, x, x_stride, rows, n, y, y_stride);
}

static void dot_f16(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                    size_t n, float *y, size_t y_stride) {
    dot(CK_F16, w, w_stride, outputs, x, x_stride, rows, n, y, y_stride);
}

static void dot_bf16(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                     size_t n, float *y, size_t y_stride) {
    dot(CK_BF16, w, w_stride, outputs, x, x_stride, rows, n, y, y_stride);
}

#pragma clang attribute pop

void ck_init_dot_neon(ck_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
}
#endif
