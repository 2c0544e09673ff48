#!/usr/bin/env bash
# Counts the instructions of the hot matrix products and compares them with expected.txt, so that a kernel that became
# slower is noticed on any machine, however busy. `run.sh record` writes expected.txt anew.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=Tests/InstructionCounts
build=.build/instruction-counts
# Per cent. Another compiler chooses other instructions.
tolerance=3
tolerance_of_another_compiler=30

if [[ $(uname -m) != x86_64 ]]; then
    echo "instruction counts: skipped, they are kept for x86-64 and this is $(uname -m)"
    exit 0
fi
if ! grep -qw avx2 /proc/cpuinfo; then
    echo "instruction counts: skipped, this processor has no AVX2"
    exit 0
fi

# The C compiler that comes with Swift.
clang=$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")/clang
compiler=$("$clang" --version | sed -nE '1s/.*clang version ([0-9]+).*/clang \1/p')
mkdir -p "$build"
"$clang" -O2 -I Sources/CKernels/include -o "$build/products" \
    "$here/products.c" Sources/CKernels/*.c Sources/CKernels/x86/*.c -lm -lpthread

count() {
    RING_ISA=avx2 valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=counted \
        "$build/products" "$1" 2>&1 | sed -nE 's/.*Collected : ([0-9]+)$/\1/p'
}

if [[ ${1:-} == record ]]; then
    {
        echo "$compiler"
        "$build/products" | while IFS= read -r name; do printf '%s\t%s\n' "$name" "$(count "$name")"; done
    } >"$build/recorded"
    mv "$build/recorded" "$here/expected.txt"
    cat "$here/expected.txt"
    exit 0
fi

if [[ $(head -n 1 "$here/expected.txt") != "$compiler" ]]; then
    echo "instruction counts: recorded with $(head -n 1 "$here/expected.txt"), this is $compiler: within" \
        "$tolerance_of_another_compiler % will do"
    tolerance=$tolerance_of_another_compiler
fi

failed=0
while IFS=$'\t' read -r name expected <&3; do
    counted=$(count "$name")
    if [[ -z $counted ]]; then
        echo "$name: could not be counted" >&2
        failed=1
        continue
    fi
    difference=$(awk -v a="$counted" -v b="$expected" 'BEGIN { printf "%+.1f", 100 * (a - b) / b }')
    if ((counted * 100 > expected * (100 + tolerance))); then
        echo "$name: $counted instructions, $difference % beside the $expected expected" >&2
        failed=1
    elif ((counted * 100 < expected * (100 - tolerance))); then
        echo "$name: $counted instructions, $difference % beside the $expected expected: record them"
    fi
done 3< <(tail -n +2 "$here/expected.txt")
# A product without a line would never be noticed.
diff <("$build/products") <(tail -n +2 "$here/expected.txt" | cut -f 1) || failed=1

if ((failed)); then
    echo "A kernel does more than it did. If that is meant, $here/run.sh record writes the new counts." >&2
    exit 1
fi
echo "instruction counts: as expected within $tolerance %"
