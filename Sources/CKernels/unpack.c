// Unpacks little-endian streams of narrow unsigned elements, the way MLX packs quantised weights, to one element a
// byte.
#include "kernels.h"

void ck_unpack_bits(const uint8_t *stream, uint32_t bits, size_t first, size_t count, uint8_t *out) {
    const uint8_t *from = stream + first / 8 * bits;
    if (bits == 8) {
        memcpy(out, from, count);
        return;
    }
    // Eight elements fill `bits` whole bytes, which fit a 64-bit word.
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    for (size_t done = 0; done < count; done += 8, from += bits) {
        uint64_t word = 0;
        for (uint32_t byte = 0; byte < bits; byte++) word |= (uint64_t)from[byte] << 8 * byte;
        for (size_t i = 0; i < 8 && done + i < count; i++) out[done + i] = (uint8_t)(word >> i * bits & mask);
    }
}
