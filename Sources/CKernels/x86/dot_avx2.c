// Float weights × rows in AVX2: tiles of outputs × rows, each pair in the canon's sixteen lanes.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

CK_INLINE size_t weight_bytes(ck_float_type type, size_t elements) { return elements * (type == CK_F32 ? 4 : 2); }

CK_INLINE const uint8_t *weight_at(ck_float_type type, const void *w, size_t element) {
    return (const uint8_t *)w + weight_bytes(type, element);
}

// ---------------------------------------------------------------------------------------------------------------------
// One row: bound by memory

// Outputs of a strip: enough independent sums to hide the latency of fma behind memory, few enough that the strip to
// come fits the first-level cache beside this one.
#define STRIP 2

// Inputs taken at a time.
CK_INLINE size_t step_of(ck_float_type type) { return type == CK_BF16 ? CK_PAIR_INPUTS : CK_LANES; }

// Half of a step of one output × one row: of pairs the odd elements first.
CK_INLINE __m256 add_half_step(ck_float_type type, int half, const uint8_t *w, const float *x, __m256 sum) {
    if (type != CK_BF16) {
        return _mm256_fmadd_ps(ck_load8_avx2(type, w, (size_t)half * 8), _mm256_loadu_ps(x + half * 8), sum);
    }
    __m256i pairs = ck_load_pairs_avx2(w + half * 32);
    sum = _mm256_fmadd_ps(ck_odd_of_pairs_avx2(pairs), _mm256_loadu_ps(x + half * 8), sum);
    return _mm256_fmadd_ps(ck_even_of_pairs_avx2(pairs), _mm256_loadu_ps(x + CK_LANES + half * 8), sum);
}

CK_INLINE ck_sixteen add_step(ck_float_type type, const uint8_t *w, const float *x, ck_sixteen sum) {
    return (ck_sixteen){add_half_step(type, 0, w, x, sum.low), add_half_step(type, 1, w, x, sum.high)};
}

// `outputs` is a constant where this is called, so that the sums stay in registers.
CK_INLINE void dot_row(ck_float_type type, int outputs, const void *w, size_t w_stride, const float *x, size_t n,
                       float *y) {
    ck_sixteen sums[STRIP];
    CK_UNROLL
    for (int o = 0; o < outputs; o++) sums[o] = (ck_sixteen){_mm256_setzero_ps(), _mm256_setzero_ps()};
    // The next strip is asked for line by line while this one is used: memory sees one stream, not one for each output.
    const uint8_t *next = weight_at(type, w, (size_t)outputs * w_stride);
    const size_t step = step_of(type), lines = weight_bytes(type, (size_t)outputs * step) / 64;
    size_t k = 0;
    for (; k + step <= n; k += step) {
        for (size_t line = 0; line < lines; line++, next += 64) _mm_prefetch((const char *)next, _MM_HINT_T0);
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            sums[o] = add_step(type, weight_at(type, w, (size_t)o * w_stride + k), x + k, sums[o]);
        }
    }
    if (k < n) {
        uint8_t last_weights[CK_LANES * sizeof(float)] = {0};
        float last_x[CK_PAIR_INPUTS] = {0};
        // Ordered rows have zeros of their own.
        memcpy(last_x, x + k, (type == CK_BF16 ? CK_PAIR_INPUTS : n - k) * sizeof *x);
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            memcpy(last_weights, weight_at(type, w, (size_t)o * w_stride + k), weight_bytes(type, n - k));
            sums[o] = add_step(type, last_weights, last_x, sums[o]);
        }
    }
    CK_UNROLL
    for (int o = 0; o < outputs; o++) y[o] = ck_fold16_avx2(sums[o]);
}

// ---------------------------------------------------------------------------------------------------------------------
// A few rows: tiles of four outputs × up to three rows, eight of the sixteen lanes at a time

#define TILE_OUTPUTS 4
#define TILE_ROWS 3

// Adds to lanes first_lane ..< first_lane + 8 of a tile's sums. `next`, unless NULL, is asked for on the way, as in
// dot_row.
CK_INLINE void tile_lanes(ck_float_type type, int outputs, int rows, size_t first_lane, const void *w, size_t w_stride,
                          const float *x, size_t x_stride, size_t n, const uint8_t *next,
                          __m256 sums[TILE_ROWS][TILE_OUTPUTS]) {
    const size_t lines = weight_bytes(type, (size_t)outputs * CK_LANES) / 64;
    size_t k = first_lane;
    for (; k + 8 <= n; k += CK_LANES) {
        for (size_t line = 0; line < lines && next != NULL; line++, next += 64) {
            _mm_prefetch((const char *)next, _MM_HINT_T0);
        }
        __m256 values[TILE_ROWS];
        CK_UNROLL
        for (int r = 0; r < rows; r++) values[r] = _mm256_loadu_ps(x + (size_t)r * x_stride + k);
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            __m256 weights = ck_load8_avx2(type, w, (size_t)o * w_stride + k);
            CK_UNROLL
            for (int r = 0; r < rows; r++) sums[r][o] = _mm256_fmadd_ps(weights, values[r], sums[r][o]);
        }
    }
    // The row may end within these lanes or, in the last sixteen, before them; then they are zeros.
    if (k - first_lane >= n) return;
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        float last_x[8] = {0};
        for (size_t i = k; i < n; i++) last_x[i - k] = x[(size_t)r * x_stride + i];
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            float last_w[8] = {0};
            for (size_t i = k; i < n; i++) last_w[i - k] = ck_load_float(type, w, (size_t)o * w_stride + i);
            sums[r][o] = _mm256_fmadd_ps(_mm256_loadu_ps(last_w), _mm256_loadu_ps(last_x), sums[r][o]);
        }
    }
}

CK_INLINE void tile(ck_float_type type, int outputs, int rows, const void *w, size_t w_stride, const float *x,
                    size_t x_stride, size_t n, const uint8_t *next, float *y, size_t y_stride) {
    __m256 low[TILE_ROWS][TILE_OUTPUTS], high[TILE_ROWS][TILE_OUTPUTS];
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        CK_UNROLL
        for (int o = 0; o < outputs; o++) low[r][o] = high[r][o] = _mm256_setzero_ps();
    }
    tile_lanes(type, outputs, rows, 0, w, w_stride, x, x_stride, n, next, low);
    tile_lanes(type, outputs, rows, 8, w, w_stride, x, x_stride, n, NULL, high);
    CK_UNROLL
    for (int r = 0; r < rows; r++) {
        float *to = y + (size_t)r * y_stride;
        CK_UNROLL
        for (int o = 0; o < outputs; o++) low[r][o] = _mm256_add_ps(low[r][o], high[r][o]);
        if (outputs == TILE_OUTPUTS) {
            _mm_storeu_ps(to, ck_fold8_four_avx2(low[r][0], low[r][1], low[r][2], low[r][3]));
        } else {
            CK_UNROLL
            for (int o = 0; o < outputs; o++) to[o] = ck_fold8_avx2(low[r][o]);
        }
    }
}

// All rows of a strip, in threes and, where one would be left, in twos.
CK_INLINE void strip_rows(ck_float_type type, int outputs, const void *w, size_t w_stride, const float *x,
                          size_t x_stride, size_t rows, size_t n, float *y, size_t y_stride) {
    const uint8_t *next = weight_at(type, w, (size_t)outputs * w_stride);
    for (size_t r = 0, count; r < rows; r += count, next = NULL) {
        size_t left = rows - r;
        count = left == 4 ? 2 : ck_min_size(left, TILE_ROWS);
        const float *from = x + r * x_stride;
        float *to = y + r * y_stride;
        switch (count) {
        case 1: tile(type, outputs, 1, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        case 2: tile(type, outputs, 2, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        case 3: tile(type, outputs, 3, w, w_stride, from, x_stride, n, next, to, y_stride); break;
        }
    }
}

CK_INLINE void dot(ck_float_type type, const void *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride,
                   size_t rows, size_t n, float *y, size_t y_stride) {
    size_t o = 0;
    for (; o + STRIP <= outputs && rows == 1; o += STRIP) {
        dot_row(type, STRIP, weight_at(type, w, o * w_stride), w_stride, x, n, y + o);
    }
    for (; o < outputs && rows == 1; o++) dot_row(type, 1, weight_at(type, w, o * w_stride), w_stride, x, n, y + o);
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

// Several rows are taken by blocks.
static void dot_bf16(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                     size_t n, float *y, size_t y_stride) {
    for (size_t r = 0; r < rows; r++) {
        dot(CK_BF16, w, w_stride, outputs, x + r * x_stride, x_stride, 1, n, y + r * y_stride, y_stride);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// A block of inputs of a few rows, the sums waiting in memory

// A half of the lanes in as many registers as there are: twelve sums, two weights, a value of x and load_half's mask.
#define BLOCK_OUTPUTS 2
#define BLOCK_ROWS 6
// Two rows take more outputs, for independent sums enough to hide the latency of fma.
#define BLOCK_OUTPUTS_TWO_ROWS 4

// Eight pairs of clean bf16 weights, or of others.
CK_INLINE __m256i load_pairs(bool clean, const uint8_t *at) {
    return clean ? _mm256_loadu_si256((const __m256i *)at) : ck_load_pairs_avx2(at);
}

// Adds a half of the lanes of a step of inputs to the sums [row, output] of a tile: of pairs the odd elements first.
CK_INLINE void add_half(ck_float_type type, bool clean, int half, int outputs, int rows, const uint8_t *w,
                        size_t w_bytes, const float *x, size_t x_stride, __m256 *sums) {
    CK_UNROLL
    for (int element = 0; element < (type == CK_BF16 ? 2 : 1); element++) {
        if (element == 1) CK_READ_ANEW();
        __m256 weights[BLOCK_OUTPUTS_TWO_ROWS];
        CK_UNROLL
        for (int o = 0; o < outputs; o++) {
            const uint8_t *at = w + (size_t)o * w_bytes;
            if (type != CK_BF16) {
                weights[o] = ck_load8_avx2(type, at, (size_t)half * 8);
            } else {
                __m256i pairs = load_pairs(clean, at + half * 32);
                weights[o] = element == 0 ? ck_odd_of_pairs_avx2(pairs) : ck_even_of_pairs_avx2(pairs);
            }
        }
        CK_UNROLL
        for (int r = 0; r < rows; r++) {
            __m256 value = _mm256_loadu_ps(x + (size_t)r * x_stride + element * CK_LANES + half * 8);
            CK_UNROLL
            for (int o = 0; o < outputs; o++) {
                __m256 *sum = &sums[r * outputs + o];
                *sum = _mm256_fmadd_ps(weights[o], value, *sum);
            }
        }
    }
}

// The same of the last n inputs, fewer than a step.
CK_INLINE void add_last_half(ck_float_type type, int half, int outputs, int rows, const uint8_t *w, size_t w_bytes,
                             const float *x, size_t x_stride, size_t n, __m256 *sums) {
    uint8_t last_w[BLOCK_OUTPUTS_TWO_ROWS][CK_LANES * sizeof(float)] = {0};
    float last_x[BLOCK_ROWS][CK_PAIR_INPUTS] = {0};
    for (int o = 0; o < outputs; o++) memcpy(last_w[o], w + (size_t)o * w_bytes, weight_bytes(type, n));
    // Ordered rows have zeros of their own.
    size_t x_bytes = (type == CK_BF16 ? CK_PAIR_INPUTS : n) * sizeof *x;
    for (int r = 0; r < rows; r++) memcpy(last_x[r], x + (size_t)r * x_stride, x_bytes);
    add_half(type, false, half, outputs, rows, last_w[0], sizeof last_w[0], last_x[0], CK_PAIR_INPUTS, sums);
}

// A half of the lanes of a tile's sums [output, all_rows, CK_LANES]. `next`, unless NULL, is asked for on the way, line
// by line.
CK_INLINE void block_half(ck_float_type type, bool clean, int half, int outputs, int rows, const uint8_t *w,
                          size_t w_bytes, const float *x, size_t x_stride, size_t n, bool begins, const uint8_t *next,
                          float *memory, size_t all_rows) {
    __m256 sums[BLOCK_ROWS * BLOCK_OUTPUTS];
    memory += half * 8;
    CK_UNROLL
    for (int i = 0; i < rows * outputs; i++) {
        const float *at = memory + ((size_t)(i % outputs) * all_rows + (size_t)(i / outputs)) * CK_LANES;
        sums[i] = begins ? _mm256_setzero_ps() : _mm256_loadu_ps(at);
    }
    const size_t step = step_of(type), step_bytes = weight_bytes(type, step);
    const size_t lines = (size_t)outputs * step_bytes / 64;
    size_t k = 0;
    for (; k + step <= n; k += step, w += step_bytes, x += step) {
        for (size_t line = 0; line < lines && next != NULL; line++, next += 64) {
            _mm_prefetch((const char *)next, _MM_HINT_T1);
            // The strip that follows comes nearer, too: its rows of weights lie apart.
            size_t o = type == CK_F16 ? k / CK_LANES % 2 : line % (size_t)outputs;
            _mm_prefetch((const char *)w + ((size_t)outputs + o) * w_bytes, _MM_HINT_T0);
        }
        add_half(type, clean, half, outputs, rows, w, w_bytes, x, x_stride, sums);
    }
    if (k < n) add_last_half(type, half, outputs, rows, w, w_bytes, x, x_stride, n - k, sums);
    CK_UNROLL
    for (int i = 0; i < rows * outputs; i++) {
        float *at = memory + ((size_t)(i % outputs) * all_rows + (size_t)(i / outputs)) * CK_LANES;
        _mm256_storeu_ps(at, sums[i]);
    }
}

CK_INLINE void block_tile(ck_float_type type, bool clean, int outputs, int rows, const void *w, size_t w_stride,
                          const float *x, size_t x_stride, size_t n, bool begins, const uint8_t *next, float *memory,
                          size_t all_rows) {
    const size_t w_bytes = weight_bytes(type, w_stride);
    block_half(type, clean, 0, outputs, rows, w, w_bytes, x, x_stride, n, begins, next, memory, all_rows);
    block_half(type, clean, 1, outputs, rows, w, w_bytes, x, x_stride, n, begins, NULL, memory, all_rows);
}

// All outputs of a tile of rows: its values of x stay in the first-level cache.
CK_INLINE void block_outputs(ck_float_type type, bool clean, int rows, const void *w, size_t w_stride, size_t outputs,
                             const float *x, size_t x_stride, size_t n, bool begins, const uint8_t *next, float *sums,
                             size_t all_rows) {
    const int most = rows == 2 ? BLOCK_OUTPUTS_TWO_ROWS : BLOCK_OUTPUTS;
    size_t o = 0;
    for (; o + (size_t)most <= outputs; o += (size_t)most) {
        const uint8_t *wanted = next == NULL ? NULL : next + weight_bytes(type, o * n);
        block_tile(type, clean, most, rows, weight_at(type, w, o * w_stride), w_stride, x, x_stride, n, begins, wanted,
                   sums + o * all_rows * CK_LANES, all_rows);
    }
    for (; o < outputs; o++) {
        block_tile(type, clean, 1, rows, weight_at(type, w, o * w_stride), w_stride, x, x_stride, n, begins, NULL,
                   sums + o * all_rows * CK_LANES, all_rows);
    }
}

CK_INLINE void block(ck_float_type type, bool clean, const void *w, size_t w_stride, size_t outputs, const float *x,
                     size_t x_stride, size_t rows, size_t n, bool begins, const uint8_t *next, float *sums) {
    const size_t tiles = ck_tile_count(rows, BLOCK_ROWS);
    for (size_t t = 0; t < tiles; t++, next = NULL) {
        size_t r = ck_tile_start(rows, tiles, t), count = ck_tile_start(rows, tiles, t + 1) - r;
        const float *from = x + r * x_stride;
        float *to = sums + r * CK_LANES;
        switch (count) {
        case 1: block_outputs(type, clean, 1, w, w_stride, outputs, from, x_stride, n, begins, next, to, rows); break;
        case 2: block_outputs(type, clean, 2, w, w_stride, outputs, from, x_stride, n, begins, next, to, rows); break;
        case 3: block_outputs(type, clean, 3, w, w_stride, outputs, from, x_stride, n, begins, next, to, rows); break;
        case 4: block_outputs(type, clean, 4, w, w_stride, outputs, from, x_stride, n, begins, next, to, rows); break;
        case 5: block_outputs(type, clean, 5, w, w_stride, outputs, from, x_stride, n, begins, next, to, rows); break;
        case 6: block_outputs(type, clean, 6, w, w_stride, outputs, from, x_stride, n, begins, next, to, rows); break;
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
            y[r * y_stride + o] = ck_fold16_avx2((ck_sixteen){_mm256_loadu_ps(sums), _mm256_loadu_ps(sums + 8)});
        }
    }
}

// Rounded to bf16, small ones to zero.
CK_INLINE __m256 round_activations(__m256 x) {
    // Bits of bf16 in words, which packing them would not change.
    __m256i halves = _mm256_cvtepu16_epi32(ck_bf16_from_f32_avx2(x));
    __m256 rounded = _mm256_castsi256_ps(_mm256_slli_epi32(halves, 16));
    __m256 magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), rounded);
    // A NaN is no smaller.
    return _mm256_and_ps(rounded, _mm256_cmp_ps(magnitude, _mm256_set1_ps(CK_BF16_ACTIVATION_MIN), _CMP_NLT_UQ));
}

// Sixteen floats as their eight of odd index and their eight of even index, sixteen floats on.
CK_INLINE void order_sixteen(const float *x, bool rounds, float *out) {
    __m256 low = _mm256_loadu_ps(x), high = _mm256_loadu_ps(x + 8);
    if (rounds) {
        low = round_activations(low);
        high = round_activations(high);
    }
    __m256d odd = _mm256_castps_pd(_mm256_shuffle_ps(low, high, 0xdd));
    __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(low, high, 0x88));
    _mm256_storeu_ps(out, _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xd8)));
    _mm256_storeu_ps(out + CK_LANES, _mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xd8)));
}

static void order_row(const float *x, size_t inputs, bool rounds, float *out) {
    float last[CK_PAIR_INPUTS] = {0};
    for (size_t k = 0; k < inputs; k += CK_PAIR_INPUTS) {
        const float *from = x + k;
        if (inputs - k < CK_PAIR_INPUTS) from = memcpy(last, from, (inputs - k) * sizeof *x);
        order_sixteen(from, rounds, out + k);
        order_sixteen(from + CK_LANES, rounds, out + k + 8);
    }
}

static void clean_weights(const uint16_t *w, size_t outputs, size_t n, uint16_t *out) {
    for (size_t o = 0; o < outputs; o++, w += n, out += CK_PAIR_STRIDE(n)) {
        size_t k = 0;
        for (; k + 16 <= n; k += 16) _mm256_store_si256((__m256i *)(out + k), ck_load_pairs_avx2(w + k));
        if (k == n && k % CK_PAIR_INPUTS == 0) continue;
        memset(out + k, 0, (ck_round_up(n, CK_PAIR_INPUTS) - k) * sizeof *out);
        for (; k < n; k++) out[k] = (w[k] & CK_BF16_WEIGHT_BITS) != 0 ? w[k] : 0;
    }
}

#pragma clang attribute pop

void ck_init_dot_avx2(ck_kernels *table) {
    table->dot_f32 = dot_f32;
    table->dot_f16 = dot_f16;
    table->dot_bf16 = dot_bf16;
    table->block_inputs = 512;
    table->dot_block = dot_block;
    table->fold_block = fold_block;
    table->clean_weights = clean_weights;
    table->order_row = order_row;
}
#endif
