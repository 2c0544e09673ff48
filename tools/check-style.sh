#!/usr/bin/env bash
# House rules that the formatter does not know: see CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
complain() {
    echo "$1" >&2
    failed=1
}

while IFS= read -r file; do
    case $file in
    Sources/CRingProto/*) continue ;; # generated
    Package.swift) continue ;; # begins with the tools version
    esac
    head -n 1 "$file" | grep -q '^// ' || complain "$file: the first line says the file's job"
    lines=$(wc -l <"$file")
    [[ $lines -le 500 ]] || complain "$file: $lines lines; past 500 a file has two jobs"
    # In Swift code the formatter breaks what can be broken; it leaves comments alone, and all of C.
    perl -CSD -ne 'chomp; exit 1 if length > 120 && ($ARGV !~ /swift$/ || m{^\s*//})' "$file" ||
        complain "$file: lines over 120 characters"
done < <(git ls-files '*.swift' '*.c' '*.h' ':!:Tests/**/Fixtures/**' | grep -v 'shim\.h$')

while IFS= read -r match; do
    complain "$match"
done < <(git grep -nE 'try!|fatalError\(|TODO|FIXME|XXX' -- 'Sources/*.swift' 'Sources/*.c' 'Sources/*.h' ':!:Sources/CRingProto' || true)

# The shard's side runs without Foundation: it would add tens of megabytes to each daemon.
while IFS= read -r match; do
    complain "$match (FoundationEssentials at most on the shard's side)"
done < <(git grep -nE '^(public |internal |private |@preconcurrency )*import Foundation$' -- \
    Sources/{Wire,RingTransport,Weights,Hub,Tensors,Models,Sampling,RingShard,ring-shard} || true)

while IFS= read -r -d '' script; do
    bash -n "$script" || failed=1
done < <(git ls-files -z '*.sh' .ci/run)

[[ $failed -eq 0 ]] && echo "house rules hold"
exit "$failed"
