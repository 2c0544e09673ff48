// What the kernel files share: the dispatch table, the canon's fixed numbers, and float conversions bit for bit.
#ifndef CK_KERNELS_H
#define CK_KERNELS_H

#include "ckernels.h"

#include <math.h>
#include <string.h>

// Whether a product and a sum are fused is written out everywhere (fmaf or not), never the compiler's choice.
#pragma STDC FP_CONTRACT OFF

// ---------------------------------------------------------------------------------------------------------------------
// The canon

// Lanes of a float sum: element k is added, fused, to lane k mod 16; a row is padded with zeros to whole sixteens.
// One AVX-512 register, two of AVX2, four of NEON.
#define CK_LANES 16
// Lanes of a sum over groups in int8 products: group g goes to lane g mod 8, missing groups of the last eight are
// zeros.
#define CK_GROUP_LANES 8
// Groups that kernels take at a time at the most: quantised rows are padded with zeros to whole blocks.
#define CK_GROUP_BLOCK 16
// Groups that share a scale hold at most this many inputs, at least CK_GROUP_MIN.
#define CK_GROUP_MAX 128
#define CK_GROUP_MIN 32

// Folds the lanes of a float sum: halves are added until one is left.
static inline float ck_fold_lanes(const float lanes[CK_LANES]) {
    float a[8];
    for (int i = 0; i < 8; i++) a[i] = lanes[i] + lanes[i + 8];
    for (int i = 0; i < 4; i++) a[i] = a[i] + a[i + 4];
    return (a[0] + a[2]) + (a[1] + a[3]);
}

static inline float ck_fold_group_lanes(const float lanes[CK_GROUP_LANES]) {
    float a[4];
    for (int i = 0; i < 4; i++) a[i] = lanes[i] + lanes[i + 4];
    return (a[0] + a[2]) + (a[1] + a[3]);
}

static inline size_t ck_round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }
static inline size_t ck_min_size(size_t a, size_t b) { return a < b ? a : b; }

// Rows are cut into as few tiles as hold at most `most` rows, as even as can be: tile t begins at ck_tile_start(…, t).
static inline size_t ck_tile_count(size_t rows, size_t most) { return (rows + most - 1) / most; }

static inline size_t ck_tile_start(size_t rows, size_t tiles, size_t tile) {
    return tile * (rows / tiles) + ck_min_size(tile, rows % tiles);
}

// ---------------------------------------------------------------------------------------------------------------------
// Bits of floats

static inline uint32_t ck_bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float ck_float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float ck_float_from_bf16(uint16_t half) { return ck_float_of((uint32_t)half << 16); }

static inline uint16_t ck_bf16_from_float(float value) {
    uint32_t bits = ck_bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);  // stays a NaN
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline float ck_float_from_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 31u;
    uint32_t mantissa = half & 0x3ffu;
    if (exponent == 0) return ck_float_of(sign | ck_bits_of((float)mantissa * 0x1p-24f));
    if (exponent == 31) return ck_float_of(sign | 0x7f800000u | mantissa << 13 | (mantissa != 0 ? 0x400000u : 0u));
    return ck_float_of(sign | (exponent + 112u) << 23 | mantissa << 13);
}

static inline uint16_t ck_f16_from_float(float value) {
    uint32_t bits = ck_bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (bits >> 13 & 0x1ffu));
    if (bits >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u);  // 65520 and above round to infinity
    if (bits < 0x38800000u) {
        // Below 2⁻¹⁴ an f16 is a multiple of 2⁻²⁴, which is also the spacing of floats in 0.5 ..< 1.
        return (uint16_t)(sign | (ck_bits_of(ck_float_of(bits) + 0.5f) - ck_bits_of(0.5f)));
    }
    return (uint16_t)(sign | ((bits + 0xfffu + (bits >> 13 & 1u)) >> 13) - (112u << 10));
}

static inline float ck_load_float(ck_float_type type, const void *values, size_t index) {
    switch (type) {
    case CK_F16: return ck_float_from_f16(((const uint16_t *)values)[index]);
    case CK_BF16: return ck_float_from_bf16(((const uint16_t *)values)[index]);
    default: return ((const float *)values)[index];
    }
}

static inline size_t ck_float_bytes(ck_float_type type) { return type == CK_F32 ? 4 : 2; }

// Bytes of an element of the KV cache.
static inline size_t ck_cache_bytes(ck_cache_type type) {
    return type == CK_CACHE_F32 ? 4 : type == CK_CACHE_F16 ? 2 : 1;
}

// An element of the KV cache, without its scale.
static inline float ck_load_cached(ck_cache_type type, const void *elements, size_t index) {
    switch (type) {
    case CK_CACHE_F16: return ck_float_from_f16(((const uint16_t *)elements)[index]);
    case CK_CACHE_INT8: return ((const int8_t *)elements)[index];
    default: return ((const float *)elements)[index];
    }
}

static inline const uint8_t *ck_cached_at(ck_cache_type type, const void *elements, size_t index) {
    return (const uint8_t *)elements + index * ck_cache_bytes(type);
}

// ---------------------------------------------------------------------------------------------------------------------
// Matrices

// Bytes of one row of weights.
static inline size_t ck_matrix_row_bytes(const ck_matrix *matrix) {
    switch (matrix->format) {
    case CK_FORMAT_F32: return (size_t)matrix->inputs * 4;
    case CK_FORMAT_AFFINE: return (size_t)matrix->inputs / 8 * matrix->bits;
    default: return (size_t)matrix->inputs * 2;
    }
}

static inline const uint8_t *ck_matrix_row(const ck_matrix *matrix, size_t output) {
    return (const uint8_t *)matrix->weights + output * ck_matrix_row_bytes(matrix);
}

static inline const void *ck_scales_row(const ck_matrix *matrix, const void *values, size_t output) {
    return (const uint8_t *)values + output * (matrix->inputs / matrix->group) * ck_float_bytes(matrix->scale_type);
}

// Where reading has to end: the last byte of weights and the 64 behind it that may be read but not used.
static inline const uint8_t *ck_readable_end(const ck_matrix *matrix) {
    return ck_matrix_row(matrix, matrix->outputs) + 64;
}

// What there is of `bytes` bytes of weights from `at` on, then zeros.
static inline const uint8_t *ck_copy_last_block(const uint8_t *at, size_t bytes, const uint8_t *readable_end,
                                                uint8_t *copy) {
    memset(copy, 0, bytes);
    memcpy(copy, at, (size_t)(readable_end - 64 - at));
    return copy;
}

// Order of the int8 values of a quantised row. Each table's quantize_row and products agree on what they make of it.
typedef enum {
    CK_ORDER_NATURAL = 0,
    // Each 64 values as the 32 of even index, then the 32 of odd index: what the low and the high halves of 32 bytes of
    // 4-bit weights multiply.
    CK_ORDER_EVEN_ODD = 1,
} ck_order;

// Rows of x in int8: x[r, k] ≈ scales[r, k / group] · values[r, k].
typedef struct {
    int8_t *values;       // [rows, value_stride], within −127 … 127, zeros past inputs
    float *scales;        // [rows, group_stride], zeros past the last group
    float *sums;          // [rows, group_stride], scale · Σ values of the group, zeros past the last group
    int32_t *value_sums;  // [rows, group_stride], Σ values of the group, zeros past the last group
    size_t value_stride;  // at least the inputs of group_stride groups
    size_t group_stride;  // groups rounded up to CK_GROUP_BLOCK
} ck_quantized_rows;

// Where value k of a row lies.
static inline size_t ck_quantized_index(ck_order order, size_t k) {
    return order == CK_ORDER_NATURAL ? k : (k & ~(size_t)63) + (k & 1) * 32 + (k & 63) / 2;
}

// Below, a group of x counts as zeros: 127 / maximum would leave the range of floats, and so would any use of the
// values.
#define CK_QUANTIZED_MAXIMUM_MIN 0x1p-100f

// What a group with this largest magnitude (as bits) is multiplied by to lie within −127 … 127, and its scale. 0 for
// a group whose values are all taken as zero: its scale is 0, or NaN when x holds an infinity or a NaN.
static inline float ck_quantization_inverse(uint32_t largest, float *scale) {
    float maximum = ck_float_of(largest);
    bool is_finite = largest < 0x7f800000u;
    if (!is_finite || maximum < CK_QUANTIZED_MAXIMUM_MIN) {
        *scale = is_finite ? 0 : ck_float_of(0x7fc00000u);
        return 0;
    }
    *scale = maximum / 127.0f;
    return 127.0f / maximum;
}

// ---------------------------------------------------------------------------------------------------------------------
// The table

// One entry per kernel that has variants. Filled with portable C, then overwritten by what the instruction set in use
// has. `outputs` × `rows` tiles are written to y[r · y_stride + o].
typedef struct {
    // y[r, o] = Σ_k w[o, k] · x[r, k] over n elements; strides in elements.
    void (*dot_f32)(const float *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                    size_t n, float *y, size_t y_stride);
    void (*dot_f16)(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                    size_t n, float *y, size_t y_stride);
    void (*dot_bf16)(const uint16_t *w, size_t w_stride, size_t outputs, const float *x, size_t x_stride, size_t rows,
                     size_t n, float *y, size_t y_stride);
    // The same over a block of inputs, whose sums wait in memory: adds n elements (whole sixteens, but for the last
    // block) to the lanes sums [output, rows, CK_LANES], or begins them. As many bytes at `next`, unless it is NULL, as
    // the block's weights have are asked for on the way. NULL where an instruction set has none. A block has
    // block_inputs inputs: a few rows of them and a strip of weights share the first-level cache.
    size_t block_inputs;
    void (*dot_block)(ck_float_type type, const void *w, size_t w_stride, size_t outputs, const float *x,
                      size_t x_stride, size_t rows, size_t n, bool begins, const uint8_t *next, float *sums);
    void (*fold_block)(ck_float_type type, const float *sums, size_t outputs, size_t rows, float *y, size_t y_stride);
    // What dot_block takes for bf16 weights in place of x, unless it is NULL: a row of `inputs` floats with each
    // sixteen as its eight of even index, then its eight of odd index, zeros up to whole sixteens. Halves of 32-bit
    // words then are weights of neighbouring lanes, widened by one instruction each.
    void (*order_row)(const float *x, size_t inputs, float *out);
    // The same over outputs first_output ..< first_output + outputs of an affine matrix of 4 bits (x in even-odd order)
    // or 8 bits (natural order) and quantised rows.
    void (*dot_affine4)(const ck_matrix *matrix, size_t first_output, size_t outputs, const ck_quantized_rows *x,
                        size_t rows, float *y, size_t y_stride);
    void (*dot_affine8)(const ck_matrix *matrix, size_t first_output, size_t outputs, const ck_quantized_rows *x,
                        size_t rows, float *y, size_t y_stride);
    // Many rows by panels (panel.h): strips of `strip` outputs, tiles of at most tile_rows rows, from panel_rows_min
    // rows on (affine_panel_rows_min for int8 rows), where packing pays. strip is 0 where an instruction set has no
    // panels.
    size_t strip, tile_rows, panel_rows_min, affine_panel_rows_min;
    // Tile `tile` of the rows x [rows, inputs] into packed rows.
    void (*pack_rows)(const float *x, size_t rows, size_t inputs, size_t tile, float *packed);
    // `inputs` inputs of up to `strip` outputs into a panel; missing outputs become zeros.
    void (*pack_weights)(ck_float_type type, const void *w, size_t w_stride, size_t outputs, size_t inputs,
                         float *panel);
    // Adds a panel of `elements` elements a lane × the rows' elements from first_element on to sums [lane, rows,
    // strip]; where first_element is 0 the sums begin. next_bytes bytes at `next`, which the next strip will read, are
    // asked for on the way: memory works while sums are formed.
    void (*multiply_panel)(const float *panel, const float *packed, size_t rows, size_t row_elements,
                           size_t first_element, size_t elements, const uint8_t *next, size_t next_bytes, float *sums);
    // The sums of all lanes of `outputs` outputs.
    void (*fold_panel)(const float *sums, size_t rows, size_t outputs, float *y, size_t y_stride);
    // A strip of an affine matrix of 4 or 8 bits × quantised rows; `arena` is CK_AFFINE_ARENA_BYTES, 64-byte aligned.
    void (*multiply_affine_panel)(const ck_matrix *matrix, size_t first_output, size_t outputs,
                                  const ck_quantized_rows *x, size_t rows, uint8_t *arena, float *y, size_t y_stride);
    // One row of `inputs` floats into row `row` of `out`.
    void (*quantize_row)(const float *x, size_t inputs, size_t group, ck_order order, const ck_quantized_rows *out,
                         size_t row);
    // As ck_unpack_bits, from a stream readable for 64 bytes past its end.
    void (*unpack_bits)(const uint8_t *stream, uint32_t bits, size_t first, size_t count, uint8_t *out);
    // `count` inputs of one row of an affine matrix from first_input on (multiples of its group) as float32:
    // fma(scale, q, bias).
    void (*dequantize)(const ck_matrix *matrix, size_t output, size_t first_input, size_t count, float *out);
    void (*rms_norm_row)(const float *x, const float *weight, float epsilon, size_t columns, float *out);
    void (*rope_row)(float *x, const float *cosines, const float *sines, size_t heads, size_t head_dim, size_t rotary,
                     bool interleaved);
    void (*silu_multiply)(const float *gate, const float *up, size_t count, float *out);
    void (*add)(const float *a, const float *b, size_t count, float *out);
    ck_logits_summary (*summarize_logits)(const float *logits, size_t count);
    void (*f16_from_f32)(const float *from, size_t count, uint16_t *to);
    void (*bf16_from_f32)(const float *from, size_t count, uint16_t *to);
    void (*f32_from_f16)(const uint16_t *from, size_t count, float *to);
    void (*f32_from_bf16)(const uint16_t *from, size_t count, float *to);
    // One step of the online softmax over `count` new scores (1 … CK_KV_BLOCK_TOKENS): scores become exp(scale · score
    // − maximum) with the maximum so far; maximum and sum are carried on; the result is what earlier sums are to be
    // multiplied by.
    float (*softmax_step)(float *scores, size_t count, float scale, float *maximum, float *sum);
    // The other steps of attention, over cached keys and values without their scales: scores[q, t] =
    // Σ_d keys[t, d] · queries[q, d] in the canon's lanes, and out[q, d] = factors[q] · out[q, d], then out[q, d] +=
    // p[q, t] · values[t, d] for t in order. keys and values are [count, dim], queries and out [query_count, dim],
    // scores and p [query_count, CK_KV_BLOCK_TOKENS]. count · dim elements at `next`, unless NULL, are asked of memory
    // on the way.
    void (*attention_scores)(ck_cache_type type, const void *keys, size_t count, size_t dim, const float *queries,
                             size_t query_count, const uint8_t *next, float *scores);
    void (*attention_values)(ck_cache_type type, const float *p, const void *values, size_t count, size_t dim,
                             size_t query_count, const float *factors, const uint8_t *next, float *out);
    void (*f32_from_int8)(const int8_t *from, size_t count, float *to);
} ck_kernels;

// The table in use.
const ck_kernels *ck_kernels_current(void);

// Each fills or overwrites its entries; an instruction set that this build lacks has no such function.
void ck_kernels_init_portable(ck_kernels *table);
#if defined(__x86_64__)
void ck_kernels_init_avx2(ck_kernels *table);
void ck_kernels_init_avx512(ck_kernels *table);
#elif defined(__aarch64__)
void ck_kernels_init_neon(ck_kernels *table);
#endif

// Portable entries, by file.
void ck_init_dot_portable(ck_kernels *table);
void ck_init_affine_portable(ck_kernels *table);
void ck_init_rows_portable(ck_kernels *table);
void ck_init_logits_portable(ck_kernels *table);
void ck_init_convert_portable(ck_kernels *table);
void ck_init_attention_portable(ck_kernels *table);

// Elements first ..< first + count of a little-endian stream of `bits`-wide unsigned elements, one a byte; first is a
// multiple of 8.
void ck_unpack_bits(const uint8_t *stream, uint32_t bits, size_t first, size_t count, uint8_t *out);

// ln x for normal x > 0, correct to about one unit in the last place and the same on every machine.
double ck_log(double x);

// Whether `value` is among sixteen; without an early end the compiler compares several at a time.
static inline bool ck_holds_sixteen(const float *values, float value) {
    int found = 0;
    for (int i = 0; i < CK_LANES; i++) found |= values[i] == value;
    return found != 0;
}

// The summary of a row from its largest value and Σ exp(logit − maximum).
static inline ck_logits_summary ck_finish_summary(const float *logits, size_t count, float maximum, double sum) {
    if (maximum == -INFINITY) return (ck_logits_summary){maximum, 0, maximum};
    uint32_t index = 0;
    while (index + CK_LANES <= count && !ck_holds_sixteen(logits + index, maximum)) index += CK_LANES;
    while (index + 1 < count && logits[index] != maximum) index++;
    double log_sum = sum == sum ? ck_log(sum) : sum;  // a NaN among the logits shows
    return (ck_logits_summary){logits[index], index, (float)((double)maximum + log_sum)};
}

#endif
