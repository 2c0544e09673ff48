// What AVX2 and AVX-512 overwrite in the table.
#if defined(__x86_64__)
#include "x86.h"

void ck_kernels_init_avx2(ck_kernels *table) {
    ck_init_affine_avx2(table);
    ck_init_affine_panel_avx2(table);
    ck_init_attention_avx2(table);
    ck_init_convert_avx2(table);
    ck_init_dot_avx2(table);
    ck_init_logits_avx2(table);
    ck_init_panel_avx2(table);
    ck_init_quantize_avx2(table);
    ck_init_rows_avx2(table);
    ck_init_unpack_avx2(table);
}

void ck_kernels_init_avx512(ck_kernels *table) {
    ck_init_affine_avx512(table);
    ck_init_affine_panel_avx512(table);
    ck_init_attention_avx512(table);
    ck_init_dot_avx512(table);
    ck_init_logits_avx512(table);
    ck_init_panel_avx512(table);
    ck_init_quantize_avx512(table);
}
#endif
