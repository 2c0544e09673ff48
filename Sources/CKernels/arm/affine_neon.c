// Affine weights × int8 rows in NEON with dotprod: outputs one after the other, eight groups at a time.
#if defined(__aarch64__)
#include "neon.h"
#include "arm.h"

// Rows that share one unpacking of the weights.
#define ROWS_MAX 4

#pragma clang attribute push(CK_NEON, apply_to = function)

// The canon's eight lanes of groups.
typedef struct {
    float32x4_t low, high;
} group_lanes;

// Σ over one group: four sums, added to `sums`. 4-bit weights meet x in even-odd order, where 64 values are a chunk;
// 8-bit ones are taken as q − 128, which fits a signed byte.
CK_INLINE void add_group(int bits, int group, int rows, const uint8_t *w, const int8_t *x, size_t x_stride, size_t g,
                         int32x4_t sums[ROWS_MAX]) {
    if (bits == 8) {
        CK_UNROLL
        for (int at = 0; at < group; at += 16) {
            size_t k = g * (size_t)group + (size_t)at;
            int8x16_t weights = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(w + k), vdupq_n_u8(0x80)));
            CK_UNROLL
            for (int r = 0; r < rows; r++) {
                sums[r] = vdotq_s32(sums[r], weights, vld1q_s8(x + (size_t)r * x_stride + k));
            }
        }
        return;
    }
    CK_UNROLL
    for (int at = 0; at < group; at += 32) {
        size_t k = g * (size_t)group + (size_t)at;
        uint8x16_t packed = vld1q_u8(w + k / 2);
        int8x16_t low = vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(15)));
        int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(packed, 4));
        const int8_t *even = x + ck_quantized_index(CK_ORDER_EVEN_ODD, k);
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            sums[r] = vdotq_s32(sums[r], low, vld1q_s8(even + (size_t)r * x_stride));
            sums[r] = vdotq_s32(sums[r], high, vld1q_s8(even + (size_t)r * x_stride + 32));
        }
    }
}

// Σ over each of four groups from group g on.
CK_INLINE void sums_of_four(int bits, int group, int rows, const uint8_t *w, const int8_t *x, size_t x_stride, size_t g,
                            int32x4_t out[ROWS_MAX]) {
    int32x4_t each[4][ROWS_MAX];
    CK_UNROLL
    for (int i = 0; i < 4; i++) {
        CK_UNROLL
        for (int r = 0; r < rows; r++) each[i][r] = vdupq_n_s32(0);
        add_group(bits, group, rows, w, x, x_stride, g + (size_t)i, each[i]);
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        out[r] = vpaddq_s32(vpaddq_s32(each[0][r], each[1][r]), vpaddq_s32(each[2][r], each[3][r]));
    }
}

// Four scales or biases from index g on, zeros past the last of `groups`.
CK_INLINE float32x4_t load_scales(ck_float_type type, const void *values, size_t g, size_t groups) {
    if (g + 4 <= groups) return ck_load4_neon(type, values, g);
    float padded[4] = {0};
    for (size_t i = g; i < groups; i++) padded[i - g] = ck_load_float(type, values, i);
    return vld1q_f32(padded);
}

// Four groups of one output and `rows` rows, added to four lanes of each row.
CK_INLINE void add_four(int bits, ck_float_type scale_type, const void *scales, const void *biases, int rows,
                        const int32x4_t sums[ROWS_MAX], const ck_quantized_rows *x, size_t row, size_t g,
                        size_t groups, float32x4_t *lanes[ROWS_MAX]) {
    float32x4_t scale = load_scales(scale_type, scales, g, groups), bias = load_scales(scale_type, biases, g, groups);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        size_t at = (row + (size_t)r) * x->group_stride + g;
        int32x4_t sum = sums[r];
        if (bits == 8) sum = vaddq_s32(sum, vshlq_n_s32(vld1q_s32(x->value_sums + at), 7));
        float32x4_t factor = vmulq_f32(scale, vld1q_f32(x->scales + at));
        *lanes[r] = vfmaq_f32(*lanes[r], factor, vcvtq_f32_s32(sum));
        *lanes[r] = vfmaq_f32(*lanes[r], bias, vld1q_f32(x->sums + at));
    }
}

// One output and `rows` rows from `row` on.
CK_INLINE void dot_rows(int bits, int group, int rows, const ck_matrix *matrix, size_t output,
                        const ck_quantized_rows *x, size_t row, float *y, size_t y_stride) {
    const uint8_t *w = ck_matrix_row(matrix, output);
    const void *scales = ck_scales_row(matrix, matrix->scales, output);
    const void *biases = ck_scales_row(matrix, matrix->biases, output);
    const uint8_t *end = ck_readable_end(matrix);
    const int8_t *values = x->values + row * x->value_stride;
    const size_t groups = matrix->inputs / (size_t)group, block_bytes = (size_t)(group * bits);
    group_lanes lanes[ROWS_MAX];
    float32x4_t *low[ROWS_MAX], *high[ROWS_MAX];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        lanes[r] = (group_lanes){vdupq_n_f32(0), vdupq_n_f32(0)};
        low[r] = &lanes[r].low;
        high[r] = &lanes[r].high;
    }
    for (size_t g = 0; g < groups; g += 8, w += block_bytes, values += group * 8) {
        // The last block may reach into the next row, whose weights meet zeros, but not past the matrix.
        uint8_t last[CK_GROUP_MAX * 8];
        const uint8_t *from = w;
        if (w + block_bytes > end) from = ck_copy_last_block(w, block_bytes, end, last);
        int32x4_t sums[ROWS_MAX];
        sums_of_four(bits, group, rows, from, values, x->value_stride, 0, sums);
        add_four(bits, matrix->scale_type, scales, biases, rows, sums, x, row, g, groups, low);
        sums_of_four(bits, group, rows, from, values, x->value_stride, 4, sums);
        add_four(bits, matrix->scale_type, scales, biases, rows, sums, x, row, g + 4, groups, high);
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) y[(size_t)r * y_stride] = ck_fold4_neon(vaddq_f32(lanes[r].low, lanes[r].high));
}

// All rows of one output after the other, so that its weights stay in the first-level cache.
CK_INLINE void dot_outputs(int bits, int group, const ck_matrix *matrix, size_t first_output, size_t outputs,
                           const ck_quantized_rows *x, size_t rows, float *y, size_t y_stride) {
    for (size_t o = 0; o < outputs; o++) {
        size_t output = first_output + o, r = 0;
        float *to = y + o;
        for (; r + 4 <= rows; r += 4) dot_rows(bits, group, 4, matrix, output, x, r, to + r * y_stride, y_stride);
        for (; r + 2 <= rows; r += 2) dot_rows(bits, group, 2, matrix, output, x, r, to + r * y_stride, y_stride);
        for (; r < rows; r++) dot_rows(bits, group, 1, matrix, output, x, r, to + r * y_stride, y_stride);
    }
}

#define DEFINE_DOT_AFFINE(BITS)                                                                                        \
    static void dot_affine##BITS(const ck_matrix *matrix, size_t first_output, size_t outputs,                         \
                                 const ck_quantized_rows *x, size_t rows, float *y, size_t y_stride) {                 \
        switch (matrix->group) {                                                                                       \
        case 32: dot_outputs(BITS, 32, matrix, first_output, outputs, x, rows, y, y_stride); break;                    \
        case 64: dot_outputs(BITS, 64, matrix, first_output, outputs, x, rows, y, y_stride); break;                    \
        default: dot_outputs(BITS, 128, matrix, first_output, outputs, x, rows, y, y_stride); break;                   \
        }                                                                                                              \
    }

DEFINE_DOT_AFFINE(4)
DEFINE_DOT_AFFINE(8)

#pragma clang attribute pop

void ck_init_affine_neon(ck_kernels *table) {
    table->dot_affine4 = dot_affine4;
    table->dot_affine8 = dot_affine8;
}
#endif
