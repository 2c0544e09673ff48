// What the AVX-512 files share. Include it first: everything after it may be compiled for AVX-512 F/BW/DQ/VL and VNNI.
#ifndef CK_X86_AVX512_H
#define CK_X86_AVX512_H

#include "avx2.h"

#define CK_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

// Where value k of a row for 4-bit weights lies: each 128 values as the 64 of even index, then the 64 of odd index, for
// 64 bytes of weights are multiplied at a time.
static inline size_t ck_avx512_index(size_t k) { return (k & ~(size_t)127) + (k & 1) * 64 + (k & 127) / 2; }

#pragma clang attribute push(CK_AVX512, apply_to = function)

// The canon's fold of sixteen lanes.
CK_INLINE float ck_fold16_avx512(__m512 lanes) {
    return ck_fold8_avx2(_mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1)));
}

// The first `count` of sixteen lanes.
CK_INLINE __mmask16 ck_mask16_avx512(size_t count) {
    return (__mmask16)(count < 16 ? (1u << count) - 1 : 0xffffu);
}

// The first `count` of 32 lanes.
CK_INLINE __mmask32 ck_mask32_avx512(size_t count) {
    return count < 32 ? ((__mmask32)1 << count) - 1 : ~(__mmask32)0;
}

// Sixteen pairs of bf16 weights; small ones are zeros, and those that the mask has not.
CK_INLINE __m512i ck_load_pairs_avx512(const uint16_t *w, __mmask32 mask) {
    __m512i pairs = _mm512_maskz_loadu_epi16(mask, w);
    return _mm512_maskz_mov_epi16(_mm512_test_epi16_mask(pairs, _mm512_set1_epi16(CK_BF16_WEIGHT_BITS)), pairs);
}

// Sixteen values of `type` from values + index, zeros where the mask has none.
CK_INLINE __m512 ck_load16_avx512(ck_float_type type, const void *values, size_t index, __mmask16 mask) {
    if (type == CK_F32) return _mm512_maskz_loadu_ps(mask, (const float *)values + index);
    __m256i halves = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)values + index);
    if (type == CK_F16) return _mm512_cvtph_ps(halves);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

// The operations of ck_exp.
CK_INLINE __m512 ck_exp_avx512(__m512 x) {
    // The second operand is what comes out when one is a NaN.
    x = _mm512_max_ps(_mm512_set1_ps(CK_EXP_MIN), x);
    x = _mm512_min_ps(_mm512_set1_ps(CK_EXP_MAX), x);
    __m512 rounder = _mm512_set1_ps(CK_EXP_ROUNDER);
    __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(CK_EXP_LOG2E), rounder);
    __m512 n = _mm512_sub_ps(shifted, rounder);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-CK_EXP_LN2_HIGH), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-CK_EXP_LN2_LOW), r);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(CK_EXP_C4), r, _mm512_set1_ps(CK_EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(CK_EXP_C2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(CK_EXP_C1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(CK_EXP_C0));
    p = _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(p, r), r, r), _mm512_set1_ps(1.0f));
    __m512i exponent = _mm512_sub_epi32(_mm512_castps_si512(shifted), _mm512_castps_si512(rounder));
    __m512i half = _mm512_srai_epi32(exponent, 1), offset = _mm512_set1_epi32(127);
    __m512i first = _mm512_slli_epi32(_mm512_add_epi32(half, offset), 23);
    __m512i second = _mm512_slli_epi32(_mm512_add_epi32(_mm512_sub_epi32(exponent, half), offset), 23);
    return _mm512_mul_ps(_mm512_mul_ps(p, _mm512_castsi512_ps(first)), _mm512_castsi512_ps(second));
}

// Rows of sixteen become columns.
CK_INLINE void ck_transpose16_avx512(__m512 v[16]) {
    __m512 pairs[16], quads[16], halves[16];
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        quads[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        quads[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
        quads[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        quads[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        halves[i] = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0x88);
        halves[i + 4] = _mm512_shuffle_f32x4(quads[i], quads[i + 4], 0xdd);
        halves[i + 8] = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0x88);
        halves[i + 12] = _mm512_shuffle_f32x4(quads[i + 8], quads[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        v[i] = _mm512_shuffle_f32x4(halves[i], halves[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(halves[i], halves[i + 8], 0xdd);
    }
}

#pragma clang attribute pop

#endif
