// Float weights × rows in AVX-512: the canon's sixteen lanes are one register.
#if defined(__x86_64__)
#include "avx512.h"
#include "x86.h"

// Outputs taken with one row: enough independent sums to hide the latency of fma behind memory, few enough that the
// next ones fit the first-level cache beside these.
#define ROW_OUTPUTS 2
#define TILE_OUTPUTS 4
#define TILE_ROWS 6

#pragma clang attribute push(CK_AVX512, apply_to = function)

CK_INLINE size_t weight_bytes(ck_float_type type, size_t elements) { return elements * (type == CK_F32 ? 4 : 2); }

CK_INLINE const uint8_t *weight_at(ck_float_type type, const void *w, size_t element) {
    return (const uint8_t *)w + weight_bytes(type, element);
}

// Inputs taken at a time: those of one register of weights.
CK_INLINE size_t step_of(ck_float_type type) { return type == CK_BF16 ? CK_PAIR_INPUTS : CK_LANES; }

// One step of a tile, of whose inputs `left` are left; `outputs` and `rows` are constants where this is called, so that
// the sums stay in registers.
CK_INLINE void add_step(ck_float_type type, bool clean, int outputs, int rows, const void *w, size_t w_stride,
                        const float *x, size_t x_stride, size_t k, size_t left, __m512 sums[TILE_ROWS][TILE_OUTPUTS]) {
    const __mmask16 mask = type == CK_BF16 ? 0xffff : ck_mask16_avx512(left);
    // Which elements of pairs count.
    __mmask32 counts[TILE_OUTPUTS];
    CK_UNROLL
    for (int o = 0; o < outputs && type == CK_BF16 && !clean; o++) {
        const uint16_t *at = (const uint16_t *)w + (size_t)o * w_stride + k;
        __m512i pairs = _mm512_maskz_loadu_epi16(ck_mask32_avx512(left), at);
        counts[o] = _mm512_test_epi16_mask(pairs, _mm512_set1_epi16(CK_BF16_WEIGHT_BITS));
    }
    // Of pairs the odd elements, then the even ones.
    CK_UNROLL
    for (int half = 0; half < (type == CK_BF16 ? 2 : 1); half++) {
        if (half == 1) CK_READ_ANEW();
        __m512 values[TILE_ROWS];
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            values[r] = ck_load16_avx512(CK_F32, x, (size_t)r * x_stride + k + (size_t)half * CK_LANES, mask);
        }
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            __m512 weights;
            if (type != CK_BF16) {
                weights = ck_load16_avx512(type, w, (size_t)o * w_stride + k, mask);
            } else {
                const uint16_t *at = (const uint16_t *)w + (size_t)o * w_stride + k;
                __m512i pairs = clean ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi16(counts[o], at);
                pairs = half == 0 ? _mm512_and_si512(pairs, _mm512_set1_epi32((int)0xffff0000u))
                                  : _mm512_slli_epi32(pairs, 16);
                weights = _mm512_castsi512_ps(pairs);
            }
            CK_UNROLL
            for (int r = 0; r < rows; r++) sums[r][o] = _mm512_fmadd_ps(weights, values[r], sums[r][o]);
        }
    }
}

// `next`, unless NULL, is asked for on the way.
CK_INLINE void tile(ck_float_type type, int outputs, int rows, const void *w, size_t w_stride, const float *x,
                    size_t x_stride, size_t n, const uint8_t *next, float *y, size_t y_stride) {
    __m512 sums[TILE_ROWS][TILE_OUTPUTS];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) sums[r][o] = _mm512_setzero_ps();
    }
    const size_t step = step_of(type), lines = weight_bytes(type, (size_t)outputs * step) / 64;
    size_t k = 0;
    for (; k + step <= n; k += step) {
        for (size_t line = 0; line < lines && next != NULL; line++, next += 64) {
            _mm_prefetch((const char *)next, _MM_HINT_T0);
        }
        add_step(type, false, outputs, rows, w, w_stride, x, x_stride, k, step, sums);
    }
    if (k < n) add_step(type, false, outputs, rows, w, w_stride, x, x_stride, k, n - k, sums);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        float *to = y + (size_t)r * y_stride;
        __m256 halves[TILE_OUTPUTS];
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            halves[o] = _mm256_add_ps(_mm512_castps512_ps256(sums[r][o]), _mm512_extractf32x8_ps(sums[r][o], 1));
        }
        if (outputs == TILE_OUTPUTS) {
            _mm_storeu_ps(to, ck_fold8_four_avx2(halves[0], halves[1], halves[2], halves[3]));
        } else {
            CK_UNROLL
            for (int o = 0; o < outputs; o++) to[o] = ck_fold8_avx2(halves[o]);
        }
    }
}

// All rows of a strip of outputs. The next strip is asked for while the first rows use this one: memory sees one
// stream, not one for each output.
CK_INLINE void strip_rows(ck_float_type type, int outputs, const void *w, size_t w_stride, const float *x,
                          size_t x_stride, size_t rows, size_t n, float *y, size_t y_stride) {
    const uint8_t *next = weight_at(type, w, (size_t)outputs * w_stride);
    for (size_t r = 0, count; r < rows; r += count, next = NULL) {
        size_t left = rows - r, tiles = ck_tile_count(left, TILE_ROWS);
        count = ck_tile_count(left, tiles);
        const float *from = x + r * x_stride;
        float *to = y + r * y_stride;
        switch (count) {
        case 1: tile(type, outputs, 1, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        case 2: tile(type, outputs, 2, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        case 3: tile(type, outputs, 3, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        case 4: tile(type, outputs, 4, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        case 5: tile(type, outputs, 5, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        case 6: tile(type, outputs, 6, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        }
    }
}

CK_INLINE void dot(ck_float_type type, const void *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride,
                   size_t rows, size_t n, float *y, size_t y_stride) {
    size_t o = 0;
    for (; o + ROW_OUTPUTS <= outputs && rows == 1; o += ROW_OUTPUTS) {
        const void *at = weight_at(type, w, o * w_stride);
        const uint8_t *next = weight_at(type, at, ROW_OUTPUTS * w_stride);
        tile(type, ROW_OUTPUTS, 1, at, w_stride, x, x_stride, n, next, y + o, y_stride);
    }
    for (; o + TILE_OUTPUTS <= outputs; o += TILE_OUTPUTS) {
        const void *at = weight_at(type, w, o * w_stride);
        strip_rows(type, TILE_OUTPUTS, at, w_stride, x, x_stride, rows, n, y + o, y_stride);
    }
    for (; o < outputs; o++) {
        strip_rows(type, 1, weight_at(type, w, o * w_stride), w_stride, x, x_stride, rows, n, y + o, y_stride);
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

// ---------------------------------------------------------------------------------------------------------------------
// A block of inputs of a few rows, the sums waiting in memory

// A tile's sums [output, all_rows, CK_LANES]. `next`, unless NULL, is asked for on the way, line by line.
CK_INLINE void block_tile(ck_float_type type, bool clean, int outputs, int rows, const void *w, size_t w_stride,
                          const float *x, size_t x_stride, size_t n, bool begins, const uint8_t *next, float *memory,
                          size_t all_rows) {
    __m512 sums[TILE_ROWS][TILE_OUTPUTS];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            const float *at = memory + ((size_t)o * all_rows + (size_t)r) * CK_LANES;
            sums[r][o] = begins ? _mm512_setzero_ps() : _mm512_loadu_ps(at);
        }
    }
    const size_t step = step_of(type), lines = weight_bytes(type, (size_t)outputs * step) / 64;
    size_t k = 0;
    for (; k + step <= n; k += step) {
        for (size_t line = 0; line < lines && next != NULL; line++, next += 64) {
            _mm_prefetch((const char *)next, _MM_HINT_T1);
        }
        add_step(type, clean, outputs, rows, w, w_stride, x, x_stride, k, step, sums);
    }
    if (k < n) add_step(type, clean, outputs, rows, w, w_stride, x, x_stride, k, n - k, sums);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            _mm512_storeu_ps(memory + ((size_t)o * all_rows + (size_t)r) * CK_LANES, sums[r][o]);
        }
    }
}

CK_INLINE void block_rows(ck_float_type type, bool clean, int outputs, const void *w, size_t w_stride, const float *x,
                          size_t x_stride, size_t rows, size_t n, bool begins, const uint8_t *next, float *sums) {
    for (size_t r = 0, count; r < rows; r += count, next = NULL) {
        size_t left = rows - r, tiles = ck_tile_count(left, TILE_ROWS);
        count = ck_tile_count(left, tiles);
        const float *from = x + r * x_stride;
        float *to = sums + r * CK_LANES;
        switch (count) {
        case 1: block_tile(type, clean, outputs, 1, w, w_stride, from, x_stride, n, begins, next, to, rows); break;
        case 2: block_tile(type, clean, outputs, 2, w, w_stride, from, x_stride, n, begins, next, to, rows); break;
        case 3: block_tile(type, clean, outputs, 3, w, w_stride, from, x_stride, n, begins, next, to, rows); break;
        case 4: block_tile(type, clean, outputs, 4, w, w_stride, from, x_stride, n, begins, next, to, rows); break;
        case 5: block_tile(type, clean, outputs, 5, w, w_stride, from, x_stride, n, begins, next, to, rows); break;
        case 6: block_tile(type, clean, outputs, 6, w, w_stride, from, x_stride, n, begins, next, to, rows); break;
        }
    }
}

CK_INLINE void block(ck_float_type type, bool clean, const void *w, size_t w_stride, size_t outputs, const float *x,
                     size_t x_stride, size_t rows, size_t n, bool begins, const uint8_t *next, float *sums) {
    for (size_t o = 0, count; o < outputs; o += count) {
        const void *at = weight_at(type, w, o * w_stride);
        const uint8_t *wanted = next == NULL ? NULL : next + weight_bytes(type, o * n);
        float *to = sums + o * rows * CK_LANES;
        count = outputs - o < TILE_OUTPUTS ? 1 : TILE_OUTPUTS;
        if (count == 1) {
            block_rows(type, clean, 1, at, w_stride, x, x_stride, rows, n, begins, wanted, to);
        } else {
            block_rows(type, clean, TILE_OUTPUTS, at, w_stride, x, x_stride, rows, n, begins, wanted, to);
        }
    }
}

static void dot_block(ck_float_type type, bool clean, const void *w, size_t w_stride, size_t outputs, const float *x,
                      size_t x_stride, size_t rows, size_t n, bool begins, const uint8_t *next, float *sums) {
    switch (type) {
    case CK_F32: block(CK_F32, false, w, w_stride, outputs, x, x_stride, rows, n, begins, next, sums); break;
    case CK_F16: block(CK_F16, false, w, w_stride, outputs, x, x_stride, rows, n, begins, next, sums); break;
    case CK_BF16:
        if (clean) {
            block(CK_BF16, true, w, w_stride, outputs, x, x_stride, rows, n, begins, next, sums);
        } else {
            block(CK_BF16, false, w, w_stride, outputs, x, x_stride, rows, n, begins, next, sums);
        }
        break;
    }
}

static void fold_block(ck_float_type type, const float *sums, size_t outputs, size_t rows, float *y, size_t y_stride) {
    (void)type;
    for (size_t o = 0; o < outputs; o++) {
        for (size_t r = 0; r < rows; r++, sums += CK_LANES) {
            y[r * y_stride + o] = ck_fold16_avx512(_mm512_loadu_ps(sums));
        }
    }
}

static void clean_weights(const uint16_t *w, size_t outputs, size_t n, uint16_t *out) {
    for (size_t o = 0; o < outputs; o++, w += n, out += CK_PAIR_STRIDE(n)) {
        for (size_t k = 0; k < n; k += CK_PAIR_INPUTS) {
            _mm512_store_si512(out + k, ck_load_pairs_avx512(w + k, ck_mask32_avx512(n - k)));
        }
    }
}

#pragma clang attribute pop

void ck_init_dot_avx512(ck_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
    table->block_inputs = 1024;
    table->dot_block = dot_block;
    table->fold_block = fold_block;
    table->clean_weights = clean_weights;
}
#endif
