// Streams of narrow elements to one element a byte, in AVX2.
#if defined(__x86_64__)
#include "avx2.h"
#include "x86.h"

#pragma clang attribute push(CK_AVX2, apply_to = function)

// The stream's bytes of eight elements from `low` on, and of eight from `high` on.
CK_INLINE __m256i load_two(const uint8_t *low, const uint8_t *high) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

// Thirty-two elements at a time. An element of at most 6 bits lies within two bytes: those go to a lane of 16 bits, a
// product moves the element to the lane's top, a shift brings it down. Reads less than 16 bytes past the last element.
void ck_unpack_bits_avx2(const uint8_t *stream, uint32_t bits, size_t first, size_t count, uint8_t *out) {
    size_t done = 0;
    if (bits <= 6) {
        uint8_t places[16];
        uint16_t factors[8];
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t place = i * bits / 8, shift = i * bits % 8;
            places[2 * i] = (uint8_t)place;
            places[2 * i + 1] = (uint8_t)(place + 1);
            factors[i] = (uint16_t)(1u << (16 - bits - shift));
        }
        const __m256i places_of_two = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)places));
        const __m256i factors_of_two = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)factors));
        const __m128i down = _mm_cvtsi32_si128((int)(16 - bits));
        const uint8_t *from = stream + first / 8 * bits;
        for (; done + 32 <= count; done += 32, from += 4 * bits) {
            __m256i even = _mm256_shuffle_epi8(load_two(from, from + 2 * bits), places_of_two);
            __m256i odd = _mm256_shuffle_epi8(load_two(from + bits, from + 3 * bits), places_of_two);
            even = _mm256_srl_epi16(_mm256_mullo_epi16(even, factors_of_two), down);
            odd = _mm256_srl_epi16(_mm256_mullo_epi16(odd, factors_of_two), down);
            _mm256_storeu_si256((__m256i *)(out + done), _mm256_packus_epi16(even, odd));
        }
    }
    ck_unpack_bits(stream, bits, first + done, count - done, out + done);
}

#pragma clang attribute pop

void ck_init_unpack_avx2(ck_kernels *table) { table->unpack_bits = ck_unpack_bits_avx2; }
#endif
