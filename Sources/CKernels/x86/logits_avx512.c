// Largest value, its index and log Σ exp of a row of logits, in AVX-512.
#if defined(__x86_64__)
#include "avx512.h"
#include "x86.h"

// Independent maxima, so that each need not wait for the one before.
#define MAXIMA 4

#pragma clang attribute push(CK_AVX512, apply_to = function)

static float largest(const float *logits, size_t count) {
    __m512 maxima[MAXIMA];
    CK_UNROLL
    for (int m = 0; m < MAXIMA; m++) maxima[m] = _mm512_set1_ps(-INFINITY);
    size_t i = 0;
    // A NaN in the first operand gives the second, so NaNs are passed over as `>` passes over them.
    for (; i + MAXIMA * CK_LANES <= count; i += MAXIMA * CK_LANES) {
        CK_UNROLL
        for (int m = 0; m < MAXIMA; m++) {
            maxima[m] = _mm512_max_ps(_mm512_loadu_ps(logits + i + m * CK_LANES), maxima[m]);
        }
    }
    CK_UNROLL
    for (int m = 1; m < MAXIMA; m++) maxima[0] = _mm512_max_ps(maxima[m], maxima[0]);
    float maximum = _mm512_reduce_max_ps(maxima[0]);
    for (; i < count; i++) maximum = logits[i] > maximum ? logits[i] : maximum;
    return maximum;
}

static double sum_exponentials(const float *logits, size_t count, float maximum) {
    __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
    const __m512 shift = _mm512_set1_ps(maximum);
    for (size_t i = 0; i < count; i += CK_LANES) {
        const __mmask16 mask = ck_mask16_avx512(count - i);
        __m512 e = ck_exp_avx512(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, logits + i), shift));
        e = _mm512_maskz_mov_ps(mask, e);
        low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_castps512_ps256(e)));
        high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm512_extractf32x8_ps(e, 1)));
    }
    __m512d eight = _mm512_add_pd(low, high);
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

static ck_logits_summary summarize_logits(const float *logits, size_t count) {
    float maximum = largest(logits, count);
    return ck_finish_summary(logits, count, maximum, sum_exponentials(logits, count, maximum));
}

#pragma clang attribute pop

void ck_init_logits_avx512(ck_kernels *table) { table->summarize_logits = summarize_logits; }
#endif
