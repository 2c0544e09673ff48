// What AVX2 and AVX-512 overwrite in the table.
#include "../kernels.h"

#if defined(__x86_64__)
void ck_kernels_init_avx2(ck_kernels *table) { (void)table; }
void ck_kernels_init_avx512(ck_kernels *table) { (void)table; }
#endif
