// Rows to int8 in AVX-512.
#if defined(__x86_64__)
#include "avx512.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX512, apply_to = function)

// 32 values to int8; adds them to sixteen sums.
CK_INLINE __m256i quantize32(const float *x, __m512 inverse, __m512i *sums) {
    __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), inverse));
    __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16), inverse));
    *sums = _mm512_add_epi32(*sums, _mm512_add_epi32(low, high));
    return _mm256_set_m128i(_mm512_cvtepi32_epi8(high), _mm512_cvtepi32_epi8(low));
}

CK_INLINE uint32_t largest_magnitude(const float *x, size_t count) {
    __m512i largest = _mm512_setzero_si512(), mask = _mm512_set1_epi32(0x7fffffff);
    for (size_t i = 0; i < count; i += 16) {
        largest = _mm512_max_epi32(largest, _mm512_and_si512(_mm512_loadu_si512(x + i), mask));
    }
    return (uint32_t)_mm512_reduce_max_epi32(largest);
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
    int8_t *even = values + ck_avx512_index(k);
    _mm_storeu_si128((__m128i *)even, _mm256_castsi256_si128(halves));
    _mm_storeu_si128((__m128i *)(even + 64), _mm256_extracti128_si256(halves, 1));
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
        __m512i lanes = _mm512_setzero_si512();
        for (size_t i = 0; i < group; i += 32) {
            __m256i bytes = inverse == 0 ? _mm256_setzero_si256()
                                         : quantize32(from + i, _mm512_set1_ps(inverse), &lanes);
            store32(values, g * group + i, order, bytes);
        }
        value_sums[g] = _mm512_reduce_add_epi32(lanes);
        sums[g] = inverse == 0 ? scales[g] : scales[g] * (float)value_sums[g];
    }
    for (size_t g = groups; g < out->group_stride; g++) {
        scales[g] = 0;
        sums[g] = 0;
        value_sums[g] = 0;
    }
}

#pragma clang attribute pop

void ck_init_quantize_avx512(ck_kernels *table) { table->quantize_row = quantize_row; }
#endif
