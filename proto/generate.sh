#!/usr/bin/env bash
# Generates the C of ring.proto into Sources/CRingProto, with the header where SwiftPM looks for it.
set -euo pipefail
cd "$(dirname "$0")/.."

target=Sources/CRingProto
mkdir -p "$target/include"
protoc-c --proto_path=proto --c_out="$target" proto/ring.proto
mv "$target/ring.pb-c.h" "$target/include/ring.pb-c.h"
echo "generated $target/ring.pb-c.c and its header"
