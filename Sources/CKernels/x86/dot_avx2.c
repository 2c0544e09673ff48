// Float weights × rows in AVX2: tiles of outputs × rows, each pair in the canon's sixteen lanes.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

// Outputs and rows of the largest tiles: the sums, the rows' values and the weights fill the sixteen registers.
#define STRIP 4
#define ROWS_MAX 3

#pragma clang attribute push(CK_AVX2, apply_to = function)

CK_INLINE const uint8_t *weight_at(ck_float_type type, const void *w, size_t element) {
    return (const uint8_t *)w + element * (type == CK_F32 ? 4 : 2);
}

// Sixteen weights as lanes 0 … 7 and 8 … 15; of bf16 as the even and the odd lanes, which takes half the instructions.
CK_INLINE ck_sixteen load_weights(ck_float_type type, const uint8_t *at) {
    if (type != CK_BF16) return (ck_sixteen){ck_load8_avx2(type, at, 0), ck_load8_avx2(type, at, 8)};
    __m256i pairs = _mm256_loadu_si256((const __m256i *)at);
    __m256i odd = _mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000u));
    return (ck_sixteen){_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)), _mm256_castsi256_ps(odd)};
}

// Sixteen values of x in the lanes of the weights.
CK_INLINE ck_sixteen load_x(ck_float_type type, const float *at) {
    __m256 low = _mm256_loadu_ps(at), high = _mm256_loadu_ps(at + 8);
    if (type != CK_BF16) return (ck_sixteen){low, high};
    __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(low, high, 0x88));
    __m256d odd = _mm256_castps_pd(_mm256_shuffle_ps(low, high, 0xdd));
    return (ck_sixteen){_mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xd8)),
                        _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xd8))};
}

// The last `count` < 16 values of a row, then zeros.
CK_INLINE ck_sixteen load_last(ck_float_type type, const uint8_t *at, size_t count) {
    _Alignas(32) uint8_t padded[CK_LANES * sizeof(float)] = {0};
    memcpy(padded, at, count * (type == CK_F32 ? 4 : 2));
    return load_weights(type, padded);
}

CK_INLINE ck_sixteen load_last_x(ck_float_type type, const float *at, size_t count) {
    _Alignas(32) float padded[CK_LANES] = {0};
    memcpy(padded, at, count * sizeof *at);
    return load_x(type, padded);
}

CK_INLINE float fold(ck_float_type type, ck_sixteen lanes) {
    // Folding the even lanes alone ends at what the canon adds last to the sum of the odd ones.
    if (type == CK_BF16) return ck_fold8_avx2(lanes.low) + ck_fold8_avx2(lanes.high);
    return ck_fold16_avx2(lanes);
}

// O × R pairs; both are constants where this is called, so that the sums stay in registers.
CK_INLINE void tile(ck_float_type type, int outputs, int rows, const void *w, size_t w_stride, const float *x,
                    size_t x_stride, size_t n, float *y, size_t y_stride) {
    ck_sixteen sums[STRIP][ROWS_MAX];
    for (int o = 0; o < outputs; o++) {
        for (int r = 0; r < rows; r++) sums[o][r] = (ck_sixteen){_mm256_setzero_ps(), _mm256_setzero_ps()};
    }
    // The next strip is asked for line by line while this one is used: memory sees one stream, not one for each output.
    const uint8_t *next = weight_at(type, w, (size_t)outputs * w_stride);
    const int lines = outputs * (type == CK_F32 ? 64 : 32) / 64;
    size_t k = 0;
    for (; k + CK_LANES <= n; k += CK_LANES) {
        for (int line = 0; line < lines && rows == 1; line++, next += 64) _mm_prefetch((const char *)next, _MM_HINT_T0);
        ck_sixteen xs[ROWS_MAX];
        for (int r = 0; r < rows; r++) xs[r] = load_x(type, x + (size_t)r * x_stride + k);
        for (int o = 0; o < outputs; o++) {
            ck_sixteen weights = load_weights(type, weight_at(type, w, (size_t)o * w_stride + k));
            for (int r = 0; r < rows; r++) {
                sums[o][r].low = _mm256_fmadd_ps(weights.low, xs[r].low, sums[o][r].low);
                sums[o][r].high = _mm256_fmadd_ps(weights.high, xs[r].high, sums[o][r].high);
            }
        }
    }
    if (k < n) {
        for (int r = 0; r < rows; r++) {
            ck_sixteen last = load_last_x(type, x + (size_t)r * x_stride + k, n - k);
            for (int o = 0; o < outputs; o++) {
                ck_sixteen weights = load_last(type, weight_at(type, w, (size_t)o * w_stride + k), n - k);
                sums[o][r].low = _mm256_fmadd_ps(weights.low, last.low, sums[o][r].low);
                sums[o][r].high = _mm256_fmadd_ps(weights.high, last.high, sums[o][r].high);
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int o = 0; o < outputs; o++) y[(size_t)r * y_stride + (size_t)o] = fold(type, sums[o][r]);
    }
}

// All rows of one strip of outputs, so that its weights stay in the first-level cache.
CK_INLINE void strip(ck_float_type type, int outputs, const void *w, size_t w_stride, const float *x, size_t x_stride,
                     size_t rows, size_t n, float *y, size_t y_stride) {
    size_t r = 0;
    for (; r + 3 <= rows && rows - r != 4 && outputs == 2; r += 3) {
        tile(type, outputs, 3, w, w_stride, x + r * x_stride, x_stride, n, y + r * y_stride, y_stride);
    }
    for (; r + 2 <= rows && outputs == 2; r += 2) {
        tile(type, outputs, 2, w, w_stride, x + r * x_stride, x_stride, n, y + r * y_stride, y_stride);
    }
    for (; r < rows; r++) {
        tile(type, outputs, 1, w, w_stride, x + r * x_stride, x_stride, n, y + r * y_stride, y_stride);
    }
}

CK_INLINE void dot(ck_float_type type, const void *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride,
                   size_t rows, size_t n, float *y, size_t y_stride) {
    size_t o = 0;
    for (; o + 4 <= outputs && rows == 1; o += 4) {
        tile(type, 4, 1, weight_at(type, w, o * w_stride), w_stride, x, x_stride, n, y + o, y_stride);
    }
    for (; o + 2 <= outputs; o += 2) {
        strip(type, 2, weight_at(type, w, o * w_stride), w_stride, x, x_stride, rows, n, y + o, y_stride);
    }
    for (; o < outputs; o++) {
        strip(type, 1, weight_at(type, w, o * w_stride), w_stride, x, x_stride, rows, n, y + o, y_stride);
    }
}

static void dot_f32(const float *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                    size_t n, float *y, size_t y_stride) {
    dot(CK_F32, w, w_stride, outputs, x, x_stride, rows, n, y, y_stride);
}

static void dot_f16(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                    size_t n, float *y, size_t y_stride) {
    dot(CK_F16, w, w_stride, outputs, x, x_stride, rows, n, y, y_stride);
}

static void dot_bf16(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                     size_t n, float *y, size_t y_stride) {
    dot(CK_BF16, w, w_stride, outputs, x, x_stride, rows, n, y, y_stride);
}

#pragma clang attribute pop

void ck_init_dot_avx2(ck_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
}
#endif
