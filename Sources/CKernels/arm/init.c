// What NEON overwrites in the table. Portable C is left where the compiler makes as good use of NEON by itself.
#if defined(__aarch64__)
#include "arm.h"

void ck_kernels_init_neon(ck_kernels *table) {
    ck_init_affine_neon(table);
    ck_init_attention_neon(table);
    ck_init_convert_neon(table);
    ck_init_dot_neon(table);
    ck_init_quantize_neon(table);
}
#endif
