// The numeric kernels of a shard: matrix × rows, norms, rotary embedding, attention, activations, conversions, and the
// worker pool they run on.
//
// One canon of arithmetic. For given inputs every function returns the same bits on every instruction set (portable C,
// AVX2, AVX-512, NEON), with any number of threads, and for a row alone or among many: sums along an axis are kept in a
// fixed number of lanes that are filled and folded in a fixed order, products are fused (fma) everywhere or nowhere,
// and work is split over outputs, never over a sum. A ring may therefore mix machines, cut its prompts anywhere and
// rebuild a lost cache by replay, and answer alike. Of a NaN only that it is one is the same everywhere, not its bits.
//
// Shapes are written [slowest, …, fastest]; all arrays are contiguous row-major unless a stride is named.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------------------------------------------------------------
// Instruction sets (dispatch.c)

typedef enum {
    CK_ISA_PORTABLE = 0,    // plain C, the reference every other one must equal bit for bit
    CK_ISA_AVX2 = 1,        // AVX2 + FMA + F16C
    CK_ISA_AVX512 = 2,      // AVX-512 F/BW/DQ/VL + VNNI
    CK_ISA_NEON = 3,        // Armv8.2-A with dotprod
    CK_ISA_AVX512BF16 = 4,  // AVX-512 as above + BF16
} ck_isa;

// Whether this processor and this build can run `isa`.
bool ck_isa_available(ck_isa isa);
// The instruction set in use: the best available one, unless the environment variable RING_ISA (portable, avx2, avx512,
// avx512bf16, neon) or ck_isa_use() chose another.
ck_isa ck_isa_current(void);
// Makes every later call use `isa`; false (and no change) when it is not available. Not to be called while kernels run.
bool ck_isa_use(ck_isa isa);
const char *ck_isa_name(ck_isa isa);
// NULL when RING_ISA is unset or names an available instruction set, otherwise what is wrong with it, as a static
// string. A program says so at its start; without that the variable is passed over.
const char *ck_isa_problem(void);

// ---------------------------------------------------------------------------------------------------------------------
// Worker pool (pool.c)

typedef struct ck_pool ck_pool;

// A pool of `threads` workers, the caller of a kernel being worker 0. 1 starts no thread. NULL when threads cannot be
// started or the count is not in 1…CK_POOL_THREADS_MAX.
#define CK_POOL_THREADS_MAX 256
ck_pool *ck_pool_create(uint32_t threads);
// Ends the workers and waits for them. NULL is allowed.
void ck_pool_destroy(ck_pool *pool);
// The workers of a pool, the caller included; 1 for NULL.
uint32_t ck_pool_threads(const ck_pool *pool);

// Runs body(context, item) for every item in 0 ..< items over the pool's workers and returns when all are done. A NULL
// pool runs them here. One caller at a time per pool; a body does not run the pool it runs on.
typedef void (*ck_pool_body)(void *context, size_t item);
void ck_pool_run(ck_pool *pool, size_t items, ck_pool_body body, void *context);

// Wakes the workers that sleep, because a run comes soon: they spin for it a while. NULL is allowed.
void ck_pool_rouse(ck_pool *pool);

// ---------------------------------------------------------------------------------------------------------------------
// Element types and matrices (matrix.c, matmul.c)

typedef enum { CK_F32 = 0, CK_F16 = 1, CK_BF16 = 2 } ck_float_type;

typedef enum {
    CK_FORMAT_F32 = 0,
    CK_FORMAT_F16 = 1,
    CK_FORMAT_BF16 = 2,
    CK_FORMAT_AFFINE = 3,  // MLX affine: unsigned `bits`-wide elements, value = scale · q + bias for each group
    // Small floats, value = element · scale. Activations are float32 for all but MXFP4 in every mode.
    CK_FORMAT_MXFP4 = 4,  // E2M1 in groups of 32 with a scale 2^(s − 127), s uint8 (OCP microscaling)
    CK_FORMAT_MXFP8 = 5,  // E4M3 in the same groups
    CK_FORMAT_NVFP4 = 6,  // E2M1 in groups of 16 with a scale in E4M3
    CK_FORMAT_FP8 = 7,    // E4M3 in blocks of 128 outputs × 128 inputs with a float32 scale
} ck_format;

// Inputs of the widest matrix: more than twice the widest layer of published models.
#define CK_INPUTS_MAX 131072

// A weight matrix [outputs, inputs] as a checkpoint stores it. Every pointer is 64-byte aligned and readable for 64
// bytes past its end.
typedef struct {
    ck_format format;
    uint32_t outputs;
    uint32_t inputs;      // 1 … CK_INPUTS_MAX; affine: a multiple of group
    const void *weights;  // float formats: [outputs, inputs]; others: a little-endian bit stream per row,
                          // [outputs, inputs · bits / 32] uint32
    // Small floats have scales [outputs, inputs / group], or [outputs / 128, inputs / 128] rounded up, at any alignment
    // their type allows. Affine only:
    uint32_t bits;             // 2, 3, 4, 5, 6 or 8; 4 and 8 run at full speed
    uint32_t group;            // 32, 64 or 128 inputs share a scale and a bias, or 16 where bits are not 4 or 8
    ck_float_type scale_type;  // of scales and biases
    const void *scales;        // [outputs, inputs / group]
    const void *biases;        // [outputs, inputs / group]
} ck_matrix;

typedef enum {
    CK_ACTIVATIONS_F32 = 0,      // float activations throughout: the exact mode
    CK_ACTIVATIONS_ROUNDED = 1,  // affine and MXFP4 matrices multiply activations quantised to int8 (one scale per row
                                 // and group), bf16 matrices activations rounded to bf16, others floats
} ck_activations;

// NULL when this matrix can be multiplied here, otherwise what is wrong with it, as a static string.
const char *ck_matrix_problem(const ck_matrix *matrix);

// Scratch bytes ck_matmul needs for `rows` rows of `inputs` columns (quantised activations, group sums, unpacked
// weights); 64-byte aligned.
size_t ck_matmul_scratch_bytes(size_t rows, uint32_t inputs);

// y_m[r, o] = Σ_i matrices[m][o, i] · x[r, i] (+ bias_m[o]) for several matrices that share their input, such as q/k/v
// or gate/up. x is [rows, inputs] float32; outputs[m] is [rows, matrices[m]->outputs] float32; biases[m] is NULL or
// [matrices[m]->outputs] float32. With int8 activations a group of x that holds an infinity or a NaN gives NaN.
// Weights in bf16 below 2⁻⁶³ count as zeros, and activations below 2⁻⁴⁹ where they are rounded to bf16.
typedef struct {
    const ck_matrix *matrix;
    const float *bias;
    float *output;
} ck_product;
void ck_matmul(ck_pool *pool, const ck_product *products, size_t product_count, const float *x, size_t rows,
               ck_activations activations, void *scratch);

// The packed blocks of GGUF files (blocks.c).
typedef enum {
    CK_BLOCK_Q8_0 = 0,
    CK_BLOCK_Q4_0 = 1,
    CK_BLOCK_Q4_1 = 2,
    CK_BLOCK_Q5_0 = 3,
    CK_BLOCK_Q5_1 = 4,
    CK_BLOCK_Q4_K = 5,
    CK_BLOCK_Q5_K = 6,
    CK_BLOCK_Q6_K = 7,
} ck_block_format;

typedef struct {
    uint32_t elements;  // of a block
    uint32_t bytes;     // of a block
    // Of the affine matrix that holds the same values:
    uint32_t bits;
    uint32_t group;
    ck_float_type scale_type;
} ck_block_layout;
ck_block_layout ck_block_layout_of(ck_block_format format);

// `count` blocks, which lie anywhere, as affine weights, scales and biases that have the same values as float32; a
// block's part of each is whole bytes. False when a float16 bias overflowed (a scale beyond 511 of Q8_0, far beyond any
// weight's): nothing is to be computed with these weights.
bool ck_blocks_to_affine(ck_block_format format, const void *blocks, size_t count, void *weights, void *scales,
                         void *biases);

// Rows `ids` of a matrix as float32, for the embedding: out[r, :] = matrix[ids[r], :]. Every id is below
// matrix->outputs (the caller checks).
void ck_gather_rows(const ck_matrix *matrix, const uint32_t *ids, size_t rows, float *out);

// ---------------------------------------------------------------------------------------------------------------------
// Row operations, all on float32 (rows.c, logits.c, convert.c)

// out[r, i] = x[r, i] / sqrt(mean_i(x[r, i]²) + epsilon) · weight[i]. out may be x.
void ck_rms_norm(ck_pool *pool, const float *x, const float *weight, float epsilon, size_t rows, size_t columns,
                 float *out);
// The same with weights weight[i] + offset.
void ck_rms_norm_offset(ck_pool *pool, const float *x, const float *weight, float offset, float epsilon, size_t rows,
                        size_t columns, float *out);

// Rotates the first `rotary` of each head's head_dim columns in place. x is [rows, heads, head_dim]; cosines and sines
// are [rows, rotary / 2]. interleaved: pairs are (2i, 2i+1), otherwise (i, i + rotary/2).
void ck_rope(ck_pool *pool, float *x, const float *cosines, const float *sines, size_t rows, size_t heads,
             size_t head_dim, size_t rotary, bool interleaved);

// out[i] = silu(gate[i]) · up[i]. out may be gate or up.
void ck_silu_multiply(ck_pool *pool, const float *gate, const float *up, size_t count, float *out);

// out[i] = gelu(gate[i]) · up[i] with the tangent's approximation: gelu(x) = x / 2 · (1 + tanh(√(2/π) (x + 0.044715
// x³))). out may be gate or up.
void ck_gelu_multiply(ck_pool *pool, const float *gate, const float *up, size_t count, float *out);

// out[i] = g · logistic(alpha · g) · (u + 1) with g = min(gate[i], limit) and u = up[i] within −limit … limit. out may
// be gate or up.
void ck_clamped_multiply(ck_pool *pool, const float *gate, const float *up, float limit, float alpha, size_t count,
                         float *out);

// `count` pairs apart: first[i] = pairs[2i], second[i] = pairs[2i + 1].
void ck_separate_pairs(const float *pairs, size_t count, float *first, float *second);

// out[i] = a[i] + b[i]. out may be a or b.
void ck_add(ck_pool *pool, const float *a, const float *b, size_t count, float *out);

// Largest value and its lowest index, and log Σ exp over a row of logits. −∞ is a logit like any other.
typedef struct {
    float maximum;
    uint32_t maximum_index;
    float log_sum_exp;
} ck_logits_summary;
ck_logits_summary ck_summarize_logits(const float *logits, size_t count);

// Scores of a mixture of experts (routing.c), in place: softmax over the values, or the logistic function of each.
void ck_softmax(float *values, size_t count);
void ck_sigmoid(float *values, size_t count);

// y[i] += factor · x[i].
void ck_add_scaled(float factor, const float *x, size_t count, float *y);

// Conversions, round to nearest even; `to` and `from` do not overlap.
void ck_convert_from_f32(ck_float_type type, const float *from, size_t count, void *to);
void ck_convert_to_f32(ck_float_type type, const void *from, size_t count, float *to);

// ---------------------------------------------------------------------------------------------------------------------
// Attention over a paged cache (attention.c, kv_cache.c)

// How keys and values are kept.
typedef enum {
    CK_CACHE_F32 = 0,
    CK_CACHE_F16 = 1,
    // 8 bits, −127 … 127, with one float32 scale for each token and head: largest magnitude / 127.
    CK_CACHE_INT8 = 2,
} ck_cache_type;

// Tokens in a block of the KV cache. 64 rows of a head fit the first-level cache at head dimension 128 in f16 (16 KiB).
#define CK_KV_BLOCK_TOKENS 64

// Bytes of a block of keys (or values): elements [kv_heads, CK_KV_BLOCK_TOKENS, head_dim], then, of CK_CACHE_INT8, the
// scales [kv_heads, CK_KV_BLOCK_TOKENS]. A multiple of 64.
size_t ck_kv_block_bytes(ck_cache_type type, size_t kv_heads, size_t head_dim);

// Writes one token's keys (or values) [kv_heads, head_dim] float32 into slot `slot` (0 ..< CK_KV_BLOCK_TOKENS) of a
// block, which is 4-byte aligned. With CK_CACHE_INT8 a head that holds an infinity or a NaN reads back as NaNs.
void ck_kv_store(ck_cache_type type, const float *token, size_t kv_heads, size_t head_dim, uint32_t slot, void *block);

// What one row attends to: tokens first_token ..< token_count of its sequence, its own included, through tables of
// block pointers (token t lies in block t / CK_KV_BLOCK_TOKENS).
typedef struct {
    const void *const *key_blocks;
    const void *const *value_blocks;
    uint32_t first_token;
    uint32_t token_count;  // > first_token
} ck_attention_row;

// Bytes of working memory of ck_attention's caller; a pool's threads have their own.
size_t ck_attention_scratch_bytes(void);

// Columns of the widest keys that hold their values: more than ten times those of published models.
#define CK_LATENT_COLUMNS_MAX 8192

// What all rows of a call have in common.
typedef struct {
    size_t heads;     // of queries; a multiple of kv_heads
    size_t kv_heads;  // cached
    size_t head_dim;  // columns of a head's key and query
    size_t value_dim;
    // Whether a token's values are the first value_dim columns of its keys, as in latent attention. Blocks of keys then
    // hold those columns, and blocks of values the rest of the keys; kv_heads is 1, and head_dim more than value_dim
    // and at most CK_LATENT_COLUMNS_MAX. Otherwise blocks of keys have head_dim columns, and those of values value_dim.
    bool values_in_keys;
    float scale;
    // NULL, or for each head a score that joins the softmax, unscaled, with a value of zero. [heads]
    const float *sinks;
} ck_attention_shape;

// out[r, h, :] = softmax(scale · q[r, h, :] · K[h', :, :]ᵀ) V[h', :, :] with h' = h · kv_heads / heads, computed block
// by block with an online softmax, so memory does not grow with the context. queries is [rows, heads, head_dim], out
// [rows, heads, value_dim]. scratch is ck_attention_scratch_bytes(), 64-byte aligned.
void ck_attention(ck_pool *pool, ck_cache_type type, const float *queries, const ck_attention_row *rows,
                  size_t row_count, const ck_attention_shape *shape, float *out, void *scratch);

// ---------------------------------------------------------------------------------------------------------------------
// Products head by head (heads.c)

// The part of a matrix that belongs to each head: of head h the outputs h · head_outputs + first_output and on.
typedef struct {
    const ck_matrix *matrix;
    size_t heads;
    size_t head_outputs;
    size_t first_output;
    size_t outputs;
    // Whether vectors of `outputs` columns are multiplied by its transpose and become those of matrix->inputs columns,
    // instead of the other way round.
    bool transposed;
} ck_head_matrix;

// Inputs of the widest matrix that is multiplied head by head: eight times those of published models.
#define CK_HEAD_INPUTS_MAX 4096

// y[r, h, :] = W_h x[r, h, :], or W_hᵀ x[r, h, :], over the first columns of each head: x is [rows, heads, x_columns],
// y [rows, heads, y_columns]. Activations are float32. scratch is ck_multiply_heads_scratch_bytes(), 64-byte aligned.
size_t ck_multiply_heads_scratch_bytes(void);
void ck_multiply_heads(ck_pool *pool, const ck_head_matrix *matrix, const float *x, size_t x_columns, size_t rows,
                       float *y, size_t y_columns, void *scratch);

#ifdef __cplusplus
}
#endif
#endif
