// PCRE2 in its 8-bit (UTF-8) form, for Swift.
#ifndef RING_CPCRE2_SHIM_H
#define RING_CPCRE2_SHIM_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#endif
