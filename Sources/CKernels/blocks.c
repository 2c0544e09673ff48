// The packed blocks of GGUF files to affine weights: every value stays what it was, bit for bit.
//
// A block's value is scale · q or scale · q − minimum. Codes become unsigned, so a symmetric format's middle goes into
// the bias; products of a super-block's float16 scale and its integer scales have at most 19 significant bits, so that
// float32 holds them.
#include "kernels.h"

// A symmetric format's bias is its scale times −2^shift, which a float16 holds unless it overflows.
#define SHIFT_Q8_0 7
#define SHIFT_Q4_0 3
#define SHIFT_Q5_0 4

static const ck_block_layout layouts[] = {
    [CK_BLOCK_Q8_0] = {.elements = 32, .bytes = 34, .bits = 8, .group = 32, .scale_type = CK_F16},
    [CK_BLOCK_Q4_0] = {.elements = 32, .bytes = 18, .bits = 4, .group = 32, .scale_type = CK_F16},
    [CK_BLOCK_Q4_1] = {.elements = 32, .bytes = 20, .bits = 4, .group = 32, .scale_type = CK_F16},
    [CK_BLOCK_Q5_0] = {.elements = 32, .bytes = 22, .bits = 5, .group = 32, .scale_type = CK_F16},
    [CK_BLOCK_Q5_1] = {.elements = 32, .bytes = 24, .bits = 5, .group = 32, .scale_type = CK_F16},
    [CK_BLOCK_Q4_K] = {.elements = 256, .bytes = 144, .bits = 4, .group = 32, .scale_type = CK_F32},
    [CK_BLOCK_Q5_K] = {.elements = 256, .bytes = 176, .bits = 5, .group = 32, .scale_type = CK_F32},
    [CK_BLOCK_Q6_K] = {.elements = 256, .bytes = 210, .bits = 6, .group = 16, .scale_type = CK_F32},
};

ck_block_layout ck_block_layout_of(ck_block_format format) { return layouts[format]; }

// ---------------------------------------------------------------------------------------------------------------------
// Parts of a block

static inline uint16_t load16(const uint8_t *from) {
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint32_t load32(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

// A float16 times −2^shift. False when a finite one becomes an infinity.
static inline bool negative_multiple(uint16_t half, unsigned shift, uint16_t *out) {
    unsigned exponent = half >> 10 & 31u;
    if (exponent != 0 && exponent + shift < 31) {
        *out = (uint16_t)((half ^ 0x8000u) + (shift << 10));
        return true;
    }
    *out = ck_f16_from_float(ck_float_from_f16(half) * -(float)(1u << shift));
    return exponent == 31 || (*out & 0x7c00u) != 0x7c00u;
}

// 32 elements of 4 bits, one a byte, as MLX packs them.
static inline void pack4(const uint8_t elements[32], uint8_t *to) {
    for (size_t i = 0; i < 16; i++) to[i] = (uint8_t)(elements[2 * i] | elements[2 * i + 1] << 4);
}

// The same of 5 bits: eight elements are joined two by two to 10, 20 and 40 bits.
static inline void pack5(const uint8_t elements[32], uint8_t *to) {
    for (size_t i = 0; i < 4; i++, to += 5) {
        uint64_t x;
        memcpy(&x, elements + 8 * i, sizeof x);
        x = (x & 0x00ff00ff00ff00ffu) | (x & 0xff00ff00ff00ff00u) >> 3;
        x = (x & 0x0000ffff0000ffffu) | (x & 0xffff0000ffff0000u) >> 6;
        x = (x & 0x00000000ffffffffu) | (x & 0xffffffff00000000u) >> 12;
        memcpy(to, &x, 5);
    }
}

// The same of 6 bits.
static inline void pack6(const uint8_t elements[32], uint8_t *to) {
    for (size_t i = 0; i < 4; i++, to += 6) {
        uint64_t x;
        memcpy(&x, elements + 8 * i, sizeof x);
        x = (x & 0x00ff00ff00ff00ffu) | (x & 0xff00ff00ff00ff00u) >> 2;
        x = (x & 0x0000ffff0000ffffu) | (x & 0xffff0000ffff0000u) >> 4;
        x = (x & 0x00000000ffffffffu) | (x & 0xffffffff00000000u) >> 8;
        memcpy(to, &x, 6);
    }
}

// The low halves of 16 bytes, then their high halves.
static inline void split_nibbles(const uint8_t *from, uint8_t elements[32]) {
    for (size_t i = 0; i < 16; i++) {
        elements[i] = from[i] & 15;
        elements[i + 16] = from[i] >> 4;
    }
}

// Adds bit i of `fifth` to element i as its fifth bit.
static inline void add_fifth_bits(const uint8_t *fifth, uint8_t elements[32]) {
    uint32_t bits = load32(fifth);
    for (size_t i = 0; i < 32; i++) elements[i] |= (uint8_t)((bits >> i & 1) << 4);
}

// Scales and biases of the eight groups of a Q4_K or Q5_K block: d, dmin, and eight 6-bit pairs in twelve bytes.
static inline void scales_of_super_block(const uint8_t *block, uint8_t *scales, uint8_t *biases) {
    const float d = ck_float_from_f16(load16(block)), minimum = -ck_float_from_f16(load16(block + 2));
    const uint32_t a = load32(block + 4), b = load32(block + 8), c = load32(block + 12);
    const uint32_t factors[2] = {a & 0x3f3f3f3fu, (c & 0x0f0f0f0fu) | (a >> 6 & 0x03030303u) << 4};
    const uint32_t minima[2] = {b & 0x3f3f3f3fu, (c >> 4 & 0x0f0f0f0fu) | (b >> 6 & 0x03030303u) << 4};
    uint8_t codes[2][8];
    memcpy(codes[0], factors, sizeof factors);
    memcpy(codes[1], minima, sizeof minima);
    float out[2][8];
    for (size_t g = 0; g < 8; g++) {
        out[0][g] = d * (float)codes[0][g];
        out[1][g] = minimum * (float)codes[1][g];
    }
    memcpy(scales, out[0], sizeof out[0]);
    memcpy(biases, out[1], sizeof out[1]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Blocks. Each takes one block and where its elements, scales and biases go; false when a bias does not fit.

static inline bool from_q8_0(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    for (size_t i = 0; i < 32; i++) weights[i] = block[2 + i] ^ 0x80;
    uint16_t bias;
    bool fits = negative_multiple(load16(block), SHIFT_Q8_0, &bias);
    memcpy(scales, block, 2);
    memcpy(biases, &bias, 2);
    return fits;
}

static inline bool from_q4_0(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    uint8_t elements[32];
    split_nibbles(block + 2, elements);
    pack4(elements, weights);
    uint16_t bias;
    bool fits = negative_multiple(load16(block), SHIFT_Q4_0, &bias);
    memcpy(scales, block, 2);
    memcpy(biases, &bias, 2);
    return fits;
}

static inline bool from_q4_1(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    uint8_t elements[32];
    split_nibbles(block + 4, elements);
    pack4(elements, weights);
    memcpy(scales, block, 2);
    memcpy(biases, block + 2, 2);
    return true;
}

static inline bool from_q5_0(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    uint8_t elements[32];
    split_nibbles(block + 6, elements);
    add_fifth_bits(block + 2, elements);
    pack5(elements, weights);
    uint16_t bias;
    bool fits = negative_multiple(load16(block), SHIFT_Q5_0, &bias);
    memcpy(scales, block, 2);
    memcpy(biases, &bias, 2);
    return fits;
}

static inline bool from_q5_1(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    uint8_t elements[32];
    split_nibbles(block + 8, elements);
    add_fifth_bits(block + 4, elements);
    pack5(elements, weights);
    memcpy(scales, block, 2);
    memcpy(biases, block + 2, 2);
    return true;
}

static inline bool from_q4_k(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    scales_of_super_block(block, scales, biases);
    for (size_t chunk = 0; chunk < 4; chunk++, weights += 32) {
        const uint8_t *from = block + 16 + 32 * chunk;
        uint8_t low[32], high[32];
        for (size_t i = 0; i < 32; i++) {
            low[i] = from[i] & 15;
            high[i] = from[i] >> 4;
        }
        pack4(low, weights);
        pack4(high, weights + 16);
    }
    return true;
}

static inline bool from_q5_k(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    scales_of_super_block(block, scales, biases);
    const uint8_t *fifth = block + 16;
    for (unsigned chunk = 0; chunk < 4; chunk++, weights += 40) {
        const uint8_t *from = block + 48 + 32 * chunk;
        uint8_t low[32], high[32];
        for (size_t i = 0; i < 32; i++) {
            low[i] = (uint8_t)((from[i] & 15) | (fifth[i] >> 2 * chunk & 1) << 4);
            high[i] = (uint8_t)(from[i] >> 4 | (fifth[i] >> (2 * chunk + 1) & 1) << 4);
        }
        pack5(low, weights);
        pack5(high, weights + 20);
    }
    return true;
}

static inline bool from_q6_k(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases) {
    const float d = ck_float_from_f16(load16(block + 208));
    float out[2][16];
    for (size_t g = 0; g < 16; g++) {
        out[0][g] = d * (float)(int8_t)block[192 + g];
        out[1][g] = out[0][g] * -32.0f;
    }
    memcpy(scales, out[0], sizeof out[0]);
    memcpy(biases, out[1], sizeof out[1]);
    for (size_t half = 0; half < 2; half++) {
        const uint8_t *low = block + 64 * half, *high = block + 128 + 32 * half;
        for (unsigned quarter = 0; quarter < 4; quarter++, weights += 24) {
            const uint8_t *from = low + quarter % 2 * 32;
            const unsigned shift = quarter / 2 * 4;
            uint8_t elements[32];
            for (size_t i = 0; i < 32; i++) {
                elements[i] = (uint8_t)((from[i] >> shift & 15) | (high[i] >> 2 * quarter & 3) << 4);
            }
            pack6(elements, weights);
        }
    }
    return true;
}

typedef bool (*block_conversion)(const uint8_t *block, uint8_t *weights, uint8_t *scales, uint8_t *biases);

// Inlined for each format, so that everything but `count` is a constant.
static inline __attribute__((always_inline)) bool convert(block_conversion from, ck_block_format format,
                                                          const uint8_t *blocks, size_t count, uint8_t *weights,
                                                          uint8_t *scales, uint8_t *biases) {
    const ck_block_layout layout = layouts[format];
    const size_t weight_bytes = layout.elements / 8 * layout.bits;
    const size_t scale_bytes = layout.elements / layout.group * ck_float_bytes(layout.scale_type);
    bool fits = true;
    for (size_t b = 0; b < count; b++) {
        fits &= from(blocks + b * layout.bytes, weights + b * weight_bytes, scales + b * scale_bytes,
                     biases + b * scale_bytes);
    }
    return fits;
}

bool ck_blocks_to_affine(ck_block_format format, const void *blocks, size_t count, void *weights, void *scales,
                         void *biases) {
    switch (format) {
    case CK_BLOCK_Q8_0: return convert(from_q8_0, CK_BLOCK_Q8_0, blocks, count, weights, scales, biases);
    case CK_BLOCK_Q4_0: return convert(from_q4_0, CK_BLOCK_Q4_0, blocks, count, weights, scales, biases);
    case CK_BLOCK_Q4_1: return convert(from_q4_1, CK_BLOCK_Q4_1, blocks, count, weights, scales, biases);
    case CK_BLOCK_Q5_0: return convert(from_q5_0, CK_BLOCK_Q5_0, blocks, count, weights, scales, biases);
    case CK_BLOCK_Q5_1: return convert(from_q5_1, CK_BLOCK_Q5_1, blocks, count, weights, scales, biases);
    case CK_BLOCK_Q4_K: return convert(from_q4_k, CK_BLOCK_Q4_K, blocks, count, weights, scales, biases);
    case CK_BLOCK_Q5_K: return convert(from_q5_k, CK_BLOCK_Q5_K, blocks, count, weights, scales, biases);
    case CK_BLOCK_Q6_K: return convert(from_q6_k, CK_BLOCK_Q6_K, blocks, count, weights, scales, biases);
    }
    return false;
}
