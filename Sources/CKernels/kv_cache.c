// What a block of the KV cache holds, and how a token is written to it.
#include "kernels.h"

// Adding 1.5 · 2²³ rounds to an integer, which then stands in the low bits.
#define ROUNDER 0x1.8p+23f

size_t ck_kv_block_bytes(ck_cache_type type, size_t kv_heads, size_t head_dim) {
    size_t slots = kv_heads * CK_KV_BLOCK_TOKENS, scale_bytes = type == CK_CACHE_INT8 ? sizeof(float) : 0;
    return slots * (head_dim * ck_cache_bytes(type) + scale_bytes);
}

// One head of one token to 8 bits; returns its scale. Plain loops that the compiler makes vectors of.
static float store_int8(const float *from, size_t count, int8_t *to) {
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t magnitude = ck_bits_of(from[i]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    float scale, inverse = ck_quantization_inverse(largest, &scale);
    if (inverse == 0) {
        memset(to, 0, count);
        return scale;
    }
    for (size_t i = 0; i < count; i++) {
        to[i] = (int8_t)(ck_bits_of(from[i] * inverse + ROUNDER) - ck_bits_of(ROUNDER));
    }
    return scale;
}

void ck_kv_store(ck_cache_type type, const float *token, size_t kv_heads, size_t head_dim, uint32_t slot, void *block) {
    float *scales = (float *)((uint8_t *)block + kv_heads * CK_KV_BLOCK_TOKENS * head_dim);
    for (size_t head = 0; head < kv_heads; head++, token += head_dim) {
        const size_t at = head * CK_KV_BLOCK_TOKENS + slot;
        uint8_t *to = (uint8_t *)block + at * head_dim * ck_cache_bytes(type);
        switch (type) {
        case CK_CACHE_F32: ck_convert_from_f32(CK_F32, token, head_dim, to); break;
        case CK_CACHE_F16: ck_convert_from_f32(CK_F16, token, head_dim, to); break;
        case CK_CACHE_INT8: scales[at] = store_int8(token, head_dim, (int8_t *)to); break;
        }
    }
}
