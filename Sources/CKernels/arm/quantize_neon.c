// Rows to int8 and affine rows to float32, in NEON.
#if defined(__aarch64__)
#include "neon.h"
#include "arm.h"

#pragma clang attribute push(CK_NEON, apply_to = function)

CK_INLINE uint32_t largest_magnitude(const float *x, size_t count) {
    uint32x4_t largest = vdupq_n_u32(0), mask = vdupq_n_u32(0x7fffffffu);
    for (size_t i = 0; i < count; i += 4) {
        largest = vmaxq_u32(largest, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), mask));
    }
    return vmaxvq_u32(largest);
}

// Sixteen values to int8, rounded to nearest even; adds them to four sums.
CK_INLINE int8x16_t quantize16(const float *x, float inverse, int32x4_t *sums) {
    int32x4_t v[4];
    CK_UNROLL
    for (int i = 0; i < 4; i++) {
        v[i] = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i * 4), inverse));
        *sums = vaddq_s32(*sums, v[i]);
    }
    int16x8_t low = vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]));
    int16x8_t high = vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]));
    return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}

// Writes 32 values at k, a multiple of 32, in the order asked for.
CK_INLINE void store32(int8_t *values, size_t k, ck_order order, int8x16_t low, int8x16_t high) {
    int8_t *at = values + ck_quantized_index(order, k);
    if (order == CK_ORDER_NATURAL) {
        vst1q_s8(at, low);
        vst1q_s8(at + 16, high);
    } else {
        vst1q_s8(at, vuzp1q_s8(low, high));
        vst1q_s8(at + 32, vuzp2q_s8(low, high));
    }
}

static void quantize_row(const float *x, size_t inputs, size_t group, ck_order order, const ck_quantized_rows *out,
                         size_t row) {
    int8_t *values = out->values + row * out->value_stride;
    float *scales = out->scales + row * out->group_stride;
    float *sums = out->sums + row * out->group_stride;
    int32_t *value_sums = out->value_sums + row * out->group_stride;
    size_t groups = inputs / group, last = inputs & ~(size_t)(CK_GROUP_MAX - 1);
    memset(values + last, 0, out->value_stride - last);
    for (size_t g = 0; g < groups; g++) {
        const float *from = x + g * group;
        float inverse = ck_quantization_inverse(largest_magnitude(from, group), &scales[g]);
        int32x4_t lanes = vdupq_n_s32(0);
        for (size_t i = 0; i < group; i += 32) {
            int8x16_t low = vdupq_n_s8(0), high = vdupq_n_s8(0);
            if (inverse != 0) {
                low = quantize16(from + i, inverse, &lanes);
                high = quantize16(from + i + 16, inverse, &lanes);
            }
            store32(values, g * group + i, order, low, high);
        }
        value_sums[g] = vaddvq_s32(lanes);
        sums[g] = inverse == 0 ? scales[g] : scales[g] * (float)value_sums[g];
    }
    for (size_t g = groups; g < out->group_stride; g++) {
        scales[g] = 0;
        sums[g] = 0;
        value_sums[g] = 0;
    }
}

static void dequantize(const ck_matrix *matrix, size_t output, size_t first_input, size_t count, float *out) {
    const uint8_t *weights = ck_matrix_row(matrix, output);
    const void *scales = ck_scales_row(matrix, matrix->scales, output);
    const void *biases = ck_scales_row(matrix, matrix->biases, output);
    size_t group = matrix->group;
    for (size_t done = 0; done < count; done += group) {
        size_t g = (first_input + done) / group;
        float32x4_t scale = vdupq_n_f32(ck_load_float(matrix->scale_type, scales, g));
        float32x4_t bias = vdupq_n_f32(ck_load_float(matrix->scale_type, biases, g));
        uint8_t elements[CK_GROUP_MAX];
        ck_unpack_bits(weights, matrix->bits, g * group, group, elements);
        for (size_t i = 0; i < group; i += 8) {
            uint16x8_t wide = vmovl_u8(vld1_u8(elements + i));
            float32x4_t low = vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide)));
            float32x4_t high = vcvtq_f32_u32(vmovl_u16(vget_high_u16(wide)));
            vst1q_f32(out + done + i, vfmaq_f32(bias, scale, low));
            vst1q_f32(out + done + i + 4, vfmaq_f32(bias, scale, high));
        }
    }
}

#pragma clang attribute pop

void ck_init_quantize_neon(ck_kernels *table) {
    table->quantize_row = quantize_row;
    table->dequantize = dequantize;
}
#endif
