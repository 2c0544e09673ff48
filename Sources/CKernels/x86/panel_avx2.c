// Many rows × float weights in AVX2: strips of 16 outputs, tiles of up to 6 rows (panel.h).
#if defined(__x86_64__)
#include "../panel.h"
#include "avx2.h"
#include "x86.h"

#define STRIP 16
#define TILE_ROWS 6

#pragma clang attribute push(CK_AVX2, apply_to = function)

static void pack_rows(const float *x, size_t x_stride, size_t rows, size_t inputs, float *packed, size_t lane_stride) {
    const size_t elements = ck_lane_elements(inputs);
    for (size_t lane = 0; lane < CK_LANES; lane++) {
        float *to = packed + lane * lane_stride;
        for (size_t element = 0; element < elements; element++) {
            size_t k = element * CK_LANES + lane;
            for (size_t r = 0; r < rows; r++) *to++ = k < inputs ? x[r * x_stride + k] : 0;
        }
    }
}

// Eight inputs of eight outputs, as columns of eight lanes.
CK_INLINE void load_columns(ck_float_type type, const uint8_t *w, size_t row_bytes, size_t outputs, __m256 v[8]) {
    for (size_t o = 0; o < 8; o++) {
        v[o] = o < outputs ? ck_load8_avx2(type, w + o * row_bytes, 0) : _mm256_setzero_ps();
    }
    ck_transpose8_avx2(v);
}

// Eight inputs of a strip into eight lanes: whole cache lines.
CK_INLINE void pack_eight(ck_float_type type, const uint8_t *w, size_t row_bytes, size_t outputs, float *to,
                          size_t lane_stride) {
    __m256 first[8], last[8];
    load_columns(type, w, row_bytes, outputs, first);
    load_columns(type, w + 8 * row_bytes, row_bytes, outputs > 8 ? outputs - 8 : 0, last);
    for (size_t lane = 0; lane < 8; lane++) {
        _mm256_storeu_ps(to + lane * lane_stride, first[lane]);
        _mm256_storeu_ps(to + lane * lane_stride + 8, last[lane]);
    }
}

CK_INLINE void pack_strip(ck_float_type type, const uint8_t *w, size_t w_stride, size_t outputs, size_t inputs,
                          float *to) {
    const size_t bytes = type == CK_F32 ? 4 : 2, lane_stride = ck_panel_lane_stride(inputs, STRIP);
    size_t k = 0;
    for (; k + CK_LANES <= inputs; k += CK_LANES, to += STRIP) {
        pack_eight(type, w + k * bytes, w_stride * bytes, outputs, to, lane_stride);
        pack_eight(type, w + (k + 8) * bytes, w_stride * bytes, outputs, to + 8 * lane_stride, lane_stride);
    }
    if (k == inputs) return;
    uint8_t last[STRIP * CK_LANES * sizeof(float)] = {0};
    const size_t row_bytes = CK_LANES * bytes;
    for (size_t o = 0; o < outputs; o++) {
        memcpy(last + o * row_bytes, w + (o * w_stride + k) * bytes, (inputs - k) * bytes);
    }
    pack_eight(type, last, row_bytes, outputs, to, lane_stride);
    pack_eight(type, last + 8 * bytes, row_bytes, outputs, to + 8 * lane_stride, lane_stride);
}

// bf16 weights in pairs: sixteen inputs of eight outputs into eight lanes, the odd elements and then the even ones.
CK_INLINE void pack_pairs(const uint8_t *w, size_t row_bytes, size_t outputs, float *to, size_t lane_stride) {
    __m256 v[8];
    for (size_t o = 0; o < 8; o++) {
        v[o] = o < outputs ? _mm256_castsi256_ps(ck_load_pairs_avx2(w + o * row_bytes)) : _mm256_setzero_ps();
    }
    ck_transpose8_avx2(v);
    for (size_t lane = 0; lane < 8; lane++) {
        __m256i pairs = _mm256_castps_si256(v[lane]);
        _mm256_storeu_ps(to + lane * lane_stride, ck_odd_of_pairs_avx2(pairs));
        _mm256_storeu_ps(to + lane * lane_stride + STRIP, ck_even_of_pairs_avx2(pairs));
    }
}

static void pack_pair_strip(const uint8_t *w, size_t w_stride, size_t outputs, size_t inputs, float *to) {
    const size_t lane_stride = ck_panel_lane_stride(ck_round_up(inputs, CK_PAIR_INPUTS), STRIP);
    for (size_t k = 0; k < inputs; k += CK_PAIR_INPUTS, to += 2 * STRIP) {
        const uint8_t *from = w + k * 2;
        size_t row_bytes = w_stride * 2;
        uint8_t last[STRIP][CK_PAIR_INPUTS * 2];
        if (inputs - k < CK_PAIR_INPUTS) {
            memset(last, 0, sizeof last);
            for (size_t o = 0; o < outputs; o++) memcpy(last[o], from + o * row_bytes, (inputs - k) * 2);
            from = last[0];
            row_bytes = sizeof last[0];
        }
        for (size_t column = 0; column < STRIP; column += 8) {
            size_t count = outputs > column ? outputs - column : 0;
            const uint8_t *at = from + column * row_bytes;
            pack_pairs(at, row_bytes, count, to + column, lane_stride);
            pack_pairs(at + 32, row_bytes, count, to + column + 8 * lane_stride, lane_stride);
        }
    }
}

static void pack_weights(ck_float_type type, const void *w, size_t w_stride, size_t outputs, size_t inputs,
                         float *panel) {
    switch (type) {
    case CK_F32: pack_strip(CK_F32, w, w_stride, outputs, inputs, panel); break;
    case CK_F16: pack_strip(CK_F16, w, w_stride, outputs, inputs, panel); break;
    case CK_BF16: pack_pair_strip(w, w_stride, outputs, inputs, panel); break;
    }
}

// One lane of one tile.
CK_INLINE void multiply_tile(int rows, const float *w, const float *x, size_t elements, bool begins, float *sums) {
    __m256 acc[TILE_ROWS][2];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        acc[r][0] = begins ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + r * STRIP);
        acc[r][1] = begins ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + r * STRIP + 8);
    }
    for (size_t element = 0; element < elements; element++, w += STRIP, x += rows) {
        __m256 w0 = _mm256_loadu_ps(w), w1 = _mm256_loadu_ps(w + 8);
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            __m256 value = _mm256_broadcast_ss(x + r);
            acc[r][0] = _mm256_fmadd_ps(w0, value, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(w1, value, acc[r][1]);
        }
    }
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        _mm256_storeu_ps(sums + r * STRIP, acc[r][0]);
        _mm256_storeu_ps(sums + r * STRIP + 8, acc[r][1]);
    }
}

static void multiply_panel(const float *panel, const float *packed, size_t rows, size_t row_elements,
                           size_t first_element, size_t elements, const uint8_t *next, size_t next_bytes,
                           float *sums) {
    const size_t tiles = ck_tile_count(rows, TILE_ROWS), lane_stride = elements * STRIP + CK_PANEL_PAD;
    const bool begins = first_element == 0;
    for (size_t lane = 0; lane < CK_LANES; lane++) {
        for (size_t end = next_bytes * (lane + 1) / CK_LANES, at = next_bytes * lane / CK_LANES; at < end; at += 64) {
            _mm_prefetch((const char *)next + at, _MM_HINT_T1);
        }
        const float *w = panel + lane * lane_stride;
        for (size_t tile = 0; tile < tiles; tile++) {
            size_t start = ck_tile_start(rows, tiles, tile), count = ck_tile_start(rows, tiles, tile + 1) - start;
            const float *x = packed + (lane * rows + start) * row_elements + first_element * count;
            float *to = sums + (lane * rows + start) * STRIP;
            switch (count) {
            case 1: multiply_tile(1, w, x, elements, begins, to); break;
            case 2: multiply_tile(2, w, x, elements, begins, to); break;
            case 3: multiply_tile(3, w, x, elements, begins, to); break;
            case 4: multiply_tile(4, w, x, elements, begins, to); break;
            case 5: multiply_tile(5, w, x, elements, begins, to); break;
            case 6: multiply_tile(6, w, x, elements, begins, to); break;
            }
        }
    }
}

static void fold_panel(const float *sums, size_t rows, size_t outputs, float *y, size_t y_stride) {
    const size_t lane_stride = rows * STRIP;
    for (size_t r = 0; r < rows; r++) {
        for (size_t column = 0; column < outputs; column += 8) {
            const float *at = sums + r * STRIP + column;
            __m256 a[8];
            for (size_t i = 0; i < 8; i++) {
                __m256 low = _mm256_loadu_ps(at + i * lane_stride), high = _mm256_loadu_ps(at + (i + 8) * lane_stride);
                a[i] = _mm256_add_ps(low, high);
            }
            for (size_t i = 0; i < 4; i++) a[i] = _mm256_add_ps(a[i], a[i + 4]);
            __m256 sum = _mm256_add_ps(_mm256_add_ps(a[0], a[2]), _mm256_add_ps(a[1], a[3]));
            _mm256_maskstore_ps(y + r * y_stride + column, ck_mask8_avx2(outputs - column), sum);
        }
    }
}

#pragma clang attribute pop

void ck_init_panel_avx2(ck_kernels *table) {
    table->strip = STRIP;
    table->tile_rows = TILE_ROWS;
    table->panel_rows_min = 40;
    table->pack_rows = pack_rows;
    table->pack_weights = pack_weights;
    table->multiply_panel = multiply_panel;
    table->fold_panel = fold_panel;
}
#endif
