// What the AVX2 files share. Include it first: everything after it is compiled for AVX2, FMA and F16C.
#ifndef CK_X86_AVX2_H
#define CK_X86_AVX2_H

#include "../exponential.h"
#include "../kernels.h"

#include <immintrin.h>

#define CK_INLINE static inline __attribute__((always_inline))
// Before a loop over registers, whose count is a constant where the function is inlined.
#define CK_UNROLL _Pragma("clang loop unroll(full)")
// What is read before is read anew after: keeps a compiler from holding it while registers are full of sums.
#define CK_READ_ANEW() __asm__ volatile("" ::: "memory")
#define CK_AVX2 __attribute__((target("avx2,fma,f16c")))

#pragma clang attribute push(CK_AVX2, apply_to = function)

// Sixteen lanes of the canon: lanes 0 … 7 and 8 … 15.
typedef struct {
    __m256 low, high;
} ck_sixteen;

CK_INLINE float ck_fold8_avx2(__m256 lanes) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

CK_INLINE float ck_fold16_avx2(ck_sixteen lanes) { return ck_fold8_avx2(_mm256_add_ps(lanes.low, lanes.high)); }

// The same of four vectors, in order.
CK_INLINE __m128 ck_fold8_four_avx2(__m256 a, __m256 b, __m256 c, __m256 d) {
    __m256 ab = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    __m256 cd = _mm256_add_ps(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
    __m256d even = _mm256_unpacklo_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd));
    __m256d odd = _mm256_unpackhi_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd));
    __m256 two = _mm256_add_ps(_mm256_castpd_ps(even), _mm256_castpd_ps(odd));
    __m128 ac = _mm256_castps256_ps128(two), bd = _mm256_extractf128_ps(two, 1);
    __m128 sum = _mm_add_ps(_mm_shuffle_ps(ac, bd, 0x88), _mm_shuffle_ps(ac, bd, 0xdd));
    return _mm_shuffle_ps(sum, sum, 0xd8);
}

// All bits of the first `count` of eight 32-bit lanes.
CK_INLINE __m256i ck_mask8_avx2(size_t count) {
    __m256i indices = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count < 8 ? (int)count : 8), indices);
}

CK_INLINE __m256 ck_f32_from_bf16_avx2(__m128i halves) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

CK_INLINE __m128i ck_bf16_from_f32_avx2(__m256 values) {
    __m256i bits = _mm256_castps_si256(values);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
    __m256i chosen = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
    chosen = _mm256_permute4x64_epi64(_mm256_packus_epi32(chosen, chosen), 0x08);
    return _mm256_castsi256_si128(chosen);
}

// Eight pairs of bf16 weights; small ones are zeros.
CK_INLINE __m256i ck_load_pairs_avx2(const void *w) {
    __m256i pairs = _mm256_loadu_si256((const __m256i *)w);
    // None of these bits is a sign: what has one of them is kept, what has none is cleared.
    return _mm256_sign_epi16(pairs, _mm256_and_si256(pairs, _mm256_set1_epi16(CK_BF16_WEIGHT_BITS)));
}

CK_INLINE __m256 ck_odd_of_pairs_avx2(__m256i pairs) {
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000u)));
}

CK_INLINE __m256 ck_even_of_pairs_avx2(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }

// Eight values of `type` from values + index.
CK_INLINE __m256 ck_load8_avx2(ck_float_type type, const void *values, size_t index) {
    if (type == CK_F32) return _mm256_loadu_ps((const float *)values + index);
    __m128i halves = _mm_loadu_si128((const __m128i *)((const uint16_t *)values + index));
    return type == CK_F16 ? _mm256_cvtph_ps(halves) : ck_f32_from_bf16_avx2(halves);
}

// Eight scales or biases from index g on, zeros past the last of `groups`.
CK_INLINE __m256 ck_load_scales_avx2(ck_float_type type, const void *values, size_t g, size_t groups) {
    // What lies past the last group may be read: the next output's, or the 64 bytes after the matrix's.
    __m256 loaded = ck_load8_avx2(type, values, g);
    if (g + 8 <= groups) return loaded;
    return _mm256_and_ps(loaded, _mm256_castsi256_ps(ck_mask8_avx2(groups - g)));
}

// Rows of eight become columns.
CK_INLINE void ck_transpose8_avx2(__m256 v[8]) {
    __m256 pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
        quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
    }
}

// The operations of ck_exp.
CK_INLINE __m256 ck_exp_avx2(__m256 x) {
    // The second operand is what comes out when one is a NaN.
    x = _mm256_max_ps(_mm256_set1_ps(CK_EXP_MIN), x);
    x = _mm256_min_ps(_mm256_set1_ps(CK_EXP_MAX), x);
    __m256 rounder = _mm256_set1_ps(CK_EXP_ROUNDER);
    __m256 shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(CK_EXP_LOG2E), rounder);
    __m256 n = _mm256_sub_ps(shifted, rounder);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-CK_EXP_LN2_HIGH), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-CK_EXP_LN2_LOW), r);
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(CK_EXP_C4), r, _mm256_set1_ps(CK_EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(CK_EXP_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(CK_EXP_C1));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(CK_EXP_C0));
    p = _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(p, r), r, r), _mm256_set1_ps(1.0f));
    __m256i exponent = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_castps_si256(rounder));
    __m256i half = _mm256_srai_epi32(exponent, 1), offset = _mm256_set1_epi32(127);
    __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, offset), 23);
    __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(exponent, half), offset), 23);
    return _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}

#pragma clang attribute pop

#endif
