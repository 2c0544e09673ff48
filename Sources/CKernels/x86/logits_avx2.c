// Largest value, its index and log Σ exp of a row of logits, in AVX2.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

static float largest(const float *logits, size_t count) {
    __m256 lanes = _mm256_set1_ps(-INFINITY);
    size_t i = 0;
    // A NaN in the first operand gives the second, so NaNs are passed over as `>` passes over them.
    for (; i + 8 <= count; i += 8) lanes = _mm256_max_ps(_mm256_loadu_ps(logits + i), lanes);
    float each[8];
    _mm256_storeu_ps(each, lanes);
    float maximum = -INFINITY;
    for (int lane = 0; lane < 8; lane++) maximum = each[lane] > maximum ? each[lane] : maximum;
    for (; i < count; i++) maximum = logits[i] > maximum ? logits[i] : maximum;
    return maximum;
}

// Adds eight floats to two vectors of four doubles.
CK_INLINE void add_eight(__m256d sums[2], __m256 values) {
    sums[0] = _mm256_add_pd(sums[0], _mm256_cvtps_pd(_mm256_castps256_ps128(values)));
    sums[1] = _mm256_add_pd(sums[1], _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1)));
}

static double sum_exponentials(const float *logits, size_t count, float maximum) {
    __m256d sums[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};
    __m256 shift = _mm256_set1_ps(maximum);
    for (size_t i = 0; i < count; i += CK_LANES) {
        for (size_t half = 0; half < 2; half++) {
            size_t at = i + half * 8, left = at < count ? count - at : 0;
            __m256i mask = ck_mask8_avx2(left);
            __m256 e = ck_exp_avx2(_mm256_sub_ps(_mm256_maskload_ps(logits + at, mask), shift));
            add_eight(sums + half * 2, _mm256_and_ps(e, _mm256_castsi256_ps(mask)));
        }
    }
    __m256d four = _mm256_add_pd(_mm256_add_pd(sums[0], sums[2]), _mm256_add_pd(sums[1], sums[3]));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

static ck_logits_summary summarize_logits(const float *logits, size_t count) {
    float maximum = largest(logits, count);
    return ck_finish_summary(logits, count, maximum, sum_exponentials(logits, count, maximum));
}

#pragma clang attribute pop

void ck_init_logits_avx2(ck_kernels *table) { table->summarize_logits = summarize_logits; }
#endif
