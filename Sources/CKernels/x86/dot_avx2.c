// Float weights × rows in AVX2: tiles of outputs × rows, each pair in the canon's sixteen lanes.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

// Bytes of weights asked for ahead of use. The hardware's prefetcher stops at page borders.
#define PREFETCH_BYTES 1024

CK_INLINE const uint8_t *weight_at(ck_float_type type, const void *w, size_t element) {
    return (const uint8_t *)w + element * (type == CK_F32 ? 4 : 2);
}

CK_INLINE ck_sixteen load_sixteen(ck_float_type type, const void *values, size_t k) {
    return (ck_sixteen){ck_load8_avx2(type, values, k), ck_load8_avx2(type, values, k + 8)};
}

// The last n − k < 16 weights of a row, then zeros.
CK_INLINE ck_sixteen load_tail(ck_float_type type, const void *values, size_t k, size_t n) {
    float padded[CK_LANES] = {0};
    for (size_t i = k; i < n; i++) padded[i - k] = ck_load_float(type, values, i);
    return load_sixteen(CK_F32, padded, 0);
}

// O × R pairs; both are constants where this is called, so that the sums stay in registers.
CK_INLINE void tile(ck_float_type type, int outputs, int rows, const void *w, size_t w_stride, const float *x,
                    size_t x_stride, size_t n, float *y, size_t y_stride) {
    ck_sixteen sums[4][4];
    for (int o = 0; o < outputs; o++) {
        for (int r = 0; r < rows; r++) sums[o][r] = (ck_sixteen){_mm256_setzero_ps(), _mm256_setzero_ps()};
    }
    size_t k = 0;
    for (; k + CK_LANES <= n; k += CK_LANES) {
        ck_sixteen xs[4];
        for (int r = 0; r < rows; r++) xs[r] = load_sixteen(CK_F32, x + (size_t)r * x_stride, k);
        for (int o = 0; o < outputs; o++) {
            const uint8_t *at = weight_at(type, w, (size_t)o * w_stride + k);
            if (rows == 1) _mm_prefetch((const char *)at + PREFETCH_BYTES, _MM_HINT_T0);
            ck_sixteen weights = load_sixteen(type, at, 0);
            for (int r = 0; r < rows; r++) {
                sums[o][r].low = _mm256_fmadd_ps(weights.low, xs[r].low, sums[o][r].low);
                sums[o][r].high = _mm256_fmadd_ps(weights.high, xs[r].high, sums[o][r].high);
            }
        }
    }
    if (k < n) {
        for (int r = 0; r < rows; r++) {
            ck_sixteen last = load_tail(CK_F32, x + (size_t)r * x_stride, k, n);
            for (int o = 0; o < outputs; o++) {
                ck_sixteen weights = load_tail(type, weight_at(type, w, (size_t)o * w_stride), k, n);
                sums[o][r].low = _mm256_fmadd_ps(weights.low, last.low, sums[o][r].low);
                sums[o][r].high = _mm256_fmadd_ps(weights.high, last.high, sums[o][r].high);
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int o = 0; o < outputs; o++) y[(size_t)r * y_stride + (size_t)o] = ck_fold16_avx2(sums[o][r]);
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
