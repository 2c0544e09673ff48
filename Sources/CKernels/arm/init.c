// What NEON overwrites in the table.
#include "../kernels.h"

#if defined(__aarch64__)
void ck_kernels_init_neon(ck_kernels *table) { (void)table; }
#endif
