// The x86-64 entries of the table, by file.
#ifndef CK_X86_H
#define CK_X86_H

#include "../kernels.h"

void ck_init_affine_avx2(ck_kernels *table);
void ck_init_affine_panel_avx2(ck_kernels *table);
void ck_init_attention_avx2(ck_kernels *table);
void ck_init_convert_avx2(ck_kernels *table);
void ck_init_dot_avx2(ck_kernels *table);
void ck_init_logits_avx2(ck_kernels *table);
void ck_init_panel_avx2(ck_kernels *table);
void ck_init_quantize_avx2(ck_kernels *table);
void ck_init_rows_avx2(ck_kernels *table);
void ck_init_unpack_avx2(ck_kernels *table);

void ck_init_affine_avx512(ck_kernels *table);
void ck_init_affine_panel_avx512(ck_kernels *table);
void ck_init_attention_avx512(ck_kernels *table);
void ck_init_dot_avx512(ck_kernels *table);
void ck_init_logits_avx512(ck_kernels *table);
void ck_init_panel_avx512(ck_kernels *table);
void ck_init_quantize_avx512(ck_kernels *table);

// As ck_unpack_bits, from a stream readable for 64 bytes past its end.
void ck_unpack_bits_avx2(const uint8_t *stream, uint32_t bits, size_t first, size_t count, uint8_t *out);

#endif
