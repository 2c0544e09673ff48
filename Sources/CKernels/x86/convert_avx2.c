// Conversions between float32 and the half-width types in AVX2 and F16C.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

static void f16_from_f32(const float *from, size_t count, uint16_t *to) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((__m128i *)(to + i), halves);
    }
    for (; i < count; i++) to[i] = ck_f16_from_float(from[i]);
}

static void bf16_from_f32(const float *from, size_t count, uint16_t *to) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        _mm_storeu_si128((__m128i *)(to + i), ck_bf16_from_f32_avx2(_mm256_loadu_ps(from + i)));
    }
    for (; i < count; i++) to[i] = ck_bf16_from_float(from[i]);
}

static void f32_from_f16(const uint16_t *from, size_t count, float *to) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) _mm256_storeu_ps(to + i, ck_load8_avx2(CK_F16, from, i));
    for (; i < count; i++) to[i] = ck_float_from_f16(from[i]);
}

static void f32_from_bf16(const uint16_t *from, size_t count, float *to) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) _mm256_storeu_ps(to + i, ck_load8_avx2(CK_BF16, from, i));
    for (; i < count; i++) to[i] = ck_float_from_bf16(from[i]);
}

#pragma clang attribute pop

void ck_init_convert_avx2(ck_kernels *table) {
    table->f16_from_f32 = f16_from_f32;
    table->bf16_from_f32 = bf16_from_f32;
    table->f32_from_f16 = f32_from_f16;
    table->f32_from_bf16 = f32_from_bf16;
}
#endif
