// Small floats as float32: plain loops that the compiler makes vectors of, included once for each instruction set.
#ifndef CK_CODED_H
#define CK_CODED_H

#include "kernels.h"

// An E4M3 element moved to the place of a float32's exponent and mantissa is itself times 2^−120; multiplying makes
// subnormal ones right too. The magnitude 0x7f is a NaN.
static inline float ck_float_from_e4m3(uint8_t element) {
    uint32_t magnitude = element & 0x7fu;
    float value = ck_float_of(magnitude << 20) * 0x1p+120f;
    uint32_t bits = magnitude == 0x7fu ? 0x7fc00000u : ck_bits_of(value);
    return ck_float_of(bits | (uint32_t)(element & 0x80u) << 24);
}

// The same of an E2M1 element in the low four bits: itself times 2^−126.
static inline float ck_float_from_e2m1(uint8_t element) {
    float value = ck_float_of((uint32_t)(element & 7u) << 22) * 0x1p+126f;
    return ck_float_of(ck_bits_of(value) | (uint32_t)(element & 8u) << 28);
}

// 2^(s − 127); s = 255 is a NaN.
static inline float ck_float_from_e8m0(uint8_t scale) {
    if (scale == 255) return ck_float_of(0x7fc00000u);
    return scale == 0 ? 0x1p-127f : ck_float_of((uint32_t)scale << 23);
}

// `count` elements times a scale; `from` begins with a whole byte.
static inline void ck_widen_e2m1(const uint8_t *from, size_t count, float scale, float *out) {
    for (size_t i = 0; i < count / 2; i++) {
        out[2 * i] = ck_float_from_e2m1(from[i]) * scale;
        out[2 * i + 1] = ck_float_from_e2m1(from[i] >> 4) * scale;
    }
}

static inline void ck_widen_e4m3(const uint8_t *from, size_t count, float scale, float *out) {
    for (size_t i = 0; i < count; i++) out[i] = ck_float_from_e4m3(from[i]) * scale;
}

// What a table's widen_coded does.
static inline void ck_widen_coded_row(const ck_matrix *matrix, size_t output, size_t first_input, size_t count,
                                      float *out) {
    const uint8_t *row = ck_matrix_row(matrix, output);
    if (matrix->format == CK_FORMAT_FP8) {
        const size_t blocks = (matrix->inputs + CK_FP8_BLOCK - 1) / CK_FP8_BLOCK;
        const uint8_t *scales = (const uint8_t *)matrix->scales + output / CK_FP8_BLOCK * blocks * sizeof(float);
        for (size_t done = 0, step; done < count; done += step) {
            const size_t k = first_input + done;
            step = ck_min_size(CK_FP8_BLOCK - k % CK_FP8_BLOCK, count - done);
            float scale;
            memcpy(&scale, scales + k / CK_FP8_BLOCK * sizeof scale, sizeof scale);
            ck_widen_e4m3(row + k, step, scale, out + done);
        }
        return;
    }
    const size_t group = matrix->format == CK_FORMAT_NVFP4 ? 16 : 32;
    const uint8_t *scales = (const uint8_t *)matrix->scales + output * (matrix->inputs / group);
    for (size_t done = 0; done < count; done += group) {
        const size_t k = first_input + done, inputs = ck_min_size(group, count - done);
        const uint8_t code = scales[k / group];
        const float scale = matrix->format == CK_FORMAT_NVFP4 ? ck_float_from_e4m3(code) : ck_float_from_e8m0(code);
        if (matrix->format == CK_FORMAT_MXFP8) {
            ck_widen_e4m3(row + k, inputs, scale, out + done);
        } else {
            ck_widen_e2m1(row + k / 2, inputs, scale, out + done);
        }
    }
}

#endif
