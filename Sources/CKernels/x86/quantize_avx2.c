// Rows to int8 and affine rows to float32, in AVX2.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

CK_INLINE uint32_t largest_magnitude(const float *x, size_t count) {
    __m256i lanes = _mm256_setzero_si256(), mask = _mm256_set1_epi32(0x7fffffff);
    for (size_t i = 0; i < count; i += 8) {
        lanes = _mm256_max_epi32(lanes, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + i)), mask));
    }
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(four);
}

// 32 floats to int8 in order; adds the values to four of eight sums.
CK_INLINE __m256i quantize32(const float *x, __m256 inverse, __m256i *sums) {
    __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), inverse));
    __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), inverse));
    __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), inverse));
    __m256i d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), inverse));
    *sums = _mm256_add_epi32(*sums, _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d)));
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

CK_INLINE int32_t sum_of_eight(__m256i lanes) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtsi128_si32(four);
}

// Writes 32 values at k, a multiple of 32, in the order asked for.
CK_INLINE void store32(int8_t *values, size_t k, ck_order order, __m256i bytes) {
    if (order == CK_ORDER_NATURAL) {
        _mm256_storeu_si256((__m256i *)(values + k), bytes);
        return;
    }
    const __m256i split = _mm256_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15,
                                           0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    __m256i halves = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(bytes, split), 0xd8);
    int8_t *even = values + ck_quantized_index(order, k);
    _mm_storeu_si128((__m128i *)even, _mm256_castsi256_si128(halves));
    _mm_storeu_si128((__m128i *)(even + 32), _mm256_extracti128_si256(halves, 1));
}

static void quantize_row(const float *x, size_t inputs, size_t group, ck_order order, const ck_quantized_rows *out,
                         size_t row) {
    int8_t *values = out->values + row * out->value_stride;
    float *scales = out->scales + row * out->group_stride;
    float *sums = out->sums + row * out->group_stride;
    int32_t *value_sums = out->value_sums + row * out->group_stride;
    size_t groups = inputs / group;
    size_t last = inputs & ~(size_t)(CK_GROUP_MAX - 1);
    memset(values + last, 0, out->value_stride - last);
    for (size_t g = 0; g < groups; g++) {
        const float *from = x + g * group;
        float inverse = ck_quantization_inverse(largest_magnitude(from, group), &scales[g]);
        __m256i lanes = _mm256_setzero_si256();
        for (size_t i = 0; i < group; i += 32) {
            __m256i bytes = inverse == 0 ? _mm256_setzero_si256()
                                         : quantize32(from + i, _mm256_set1_ps(inverse), &lanes);
            store32(values, g * group + i, order, bytes);
        }
        value_sums[g] = sum_of_eight(lanes);
        sums[g] = inverse == 0 ? scales[g] : scales[g] * (float)value_sums[g];
    }
    for (size_t g = groups; g < out->group_stride; g++) {
        scales[g] = 0;
        sums[g] = 0;
        value_sums[g] = 0;
    }
}

CK_INLINE void dequantize8(__m128i bytes, __m256 scale, __m256 bias, float *out) {
    __m256 q = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    _mm256_storeu_ps(out, _mm256_fmadd_ps(scale, q, bias));
}

// Elements first ..< first + group of a row, one a byte.
CK_INLINE void unpack_group(const ck_matrix *matrix, const uint8_t *weights, size_t first, uint8_t *elements) {
    if (matrix->bits != 4) {
        ck_unpack_bits_avx2(weights, matrix->bits, first, matrix->group, elements);
        return;
    }
    for (size_t i = 0; i < matrix->group; i += 32) {
        __m128i packed = _mm_loadu_si128((const __m128i *)(weights + (first + i) / 2));
        __m128i low = _mm_and_si128(packed, _mm_set1_epi8(15));
        __m128i high = _mm_and_si128(_mm_srli_epi16(packed, 4), _mm_set1_epi8(15));
        _mm_storeu_si128((__m128i *)(elements + i), _mm_unpacklo_epi8(low, high));
        _mm_storeu_si128((__m128i *)(elements + i + 16), _mm_unpackhi_epi8(low, high));
    }
}

static void dequantize(const ck_matrix *matrix, size_t output, size_t first_input, size_t count, float *out) {
    const uint8_t *weights = ck_matrix_row(matrix, output);
    const void *scales = ck_scales_row(matrix, matrix->scales, output);
    const void *biases = ck_scales_row(matrix, matrix->biases, output);
    size_t group = matrix->group;
    for (size_t done = 0; done < count; done += group) {
        size_t g = (first_input + done) / group;
        __m256 scale = _mm256_set1_ps(ck_load_float(matrix->scale_type, scales, g));
        __m256 bias = _mm256_set1_ps(ck_load_float(matrix->scale_type, biases, g));
        uint8_t elements[CK_GROUP_MAX];
        unpack_group(matrix, weights, g * group, elements);
        for (size_t i = 0; i < group; i += 8) {
            dequantize8(_mm_loadl_epi64((const __m128i *)(elements + i)), scale, bias, out + done + i);
        }
    }
}

#pragma clang attribute pop

void ck_init_quantize_avx2(ck_kernels *table) {
    table->quantize_row = quantize_row;
    table->dequantize = dequantize;
}
#endif
