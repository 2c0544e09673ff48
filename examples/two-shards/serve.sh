#!/usr/bin/env bash
# Two shards and the API on this machine stay up until Ctrl-C.
set -euo pipefail
. "$(dirname "$0")/ring.sh"
start_ring

cat <<EOT

The ring is up. In another terminal:

  curl http://$api/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"model": "default_model", "messages": [{"role": "user", "content": "What is 2+2?"}], "max_tokens": 30}'

Ctrl-C stops it.
EOT
wait
