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

CK_INLINE ck_sixteen multiply_add(ck_sixteen sum, ck_sixteen weights, ck_sixteen x) {
    CK_UNROLL
    for (int i = 0; i < 4; i++) sum.v[i] = vfmaq_f32(sum.v[i], weights.v[i], x.v[i]);
    return sum;
}

// Of sixteen pairs of bf16 weights the odd elements (0) or the even ones (1); small ones are zeros.
CK_INLINE ck_sixteen load_pairs(const void *values, size_t index, int element) {
    ck_sixteen sixteen;
    CK_UNROLL
    for (int i = 0; i < 4; i++) {
        uint16x8_t halves = vld1q_u16((const uint16_t *)values + index + (size_t)i * 8);
        halves = vandq_u16(halves, vtstq_u16(halves, vdupq_n_u16(CK_BF16_WEIGHT_BITS)));
        uint32x4_t pairs = vreinterpretq_u32_u16(halves);
        pairs = element == 0 ? vandq_u32(pairs, vdupq_n_u32(0xffff0000u)) : vshlq_n_u32(pairs, 16);
        sixteen.v[i] = vreinterpretq_f32_u32(pairs);
    }
    return sixteen;
}

// One step of a tile: sixteen inputs, or, with ordered rows, sixteen pairs. `outputs` and `rows` are constants where
// this is called, so that the sums stay in registers.
CK_INLINE void add_step(ck_float_type type, int outputs, int rows, const void *w, size_t w_stride, const float *x,
                        size_t x_stride, size_t k, ck_sixteen sums[TILE_ROWS][TILE_OUTPUTS]) {
    CK_UNROLL
    for (int element = 0; element < (type == CK_BF16 ? 2 : 1); element++) {
        ck_sixteen values[TILE_ROWS];
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            values[r] = load_sixteen(CK_F32, x, (size_t)r * x_stride + k + (size_t)element * CK_LANES);
        }
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            size_t index = (size_t)o * w_stride + k;
            ck_sixteen weights = type == CK_BF16 ? load_pairs(w, index, element) : load_sixteen(type, w, index);
            CK_UNROLL
            for (int r = 0; r < rows; r++) sums[r][o] = multiply_add(sums[r][o], weights, values[r]);
        }
    }
}

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
    const size_t step = type == CK_BF16 ? CK_PAIR_INPUTS : CK_LANES;
    size_t k = 0;
    for (; k + step <= n; k += step) add_step(type, outputs, rows, w, w_stride, x, x_stride, k, sums);
    if (k < n) {
        uint8_t last_w[TILE_OUTPUTS][CK_LANES * sizeof(float)] = {0};
        float last_x[TILE_ROWS][CK_PAIR_INPUTS] = {0};
        const size_t bytes = type == CK_F32 ? 4 : 2;
        for (int o = 0; o < outputs; o++) {
            memcpy(last_w[o], weight_at(type, w, (size_t)o * w_stride + k), (n - k) * bytes);
        }
        // Ordered rows have zeros of their own.
        size_t x_bytes = (type == CK_BF16 ? CK_PAIR_INPUTS : n - k) * sizeof *x;
        for (int r = 0; r < rows; r++) memcpy(last_x[r], x + (size_t)r * x_stride + k, x_bytes);
        add_step(type, outputs, rows, last_w, sizeof last_w[0] / bytes, last_x[0], CK_PAIR_INPUTS, 0, sums);
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
