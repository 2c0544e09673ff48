#!/usr/bin/env bash
# Two shards and the API on this machine answer one question from real weights, streaming; then everything stops.
set -euo pipefail
prompt=${1:-What is 2+2?}
. "$(dirname "$0")/ring.sh"
start_ring

echo
echo "> $prompt"
request=$(jq -n --arg prompt "$prompt" \
    '{model: "default_model", messages: [{role: "user", content: $prompt}], max_tokens: 200, temperature: 0,
      stream: true, stream_options: {include_usage: true}}')
begun=$(date +%s%N)
curl --silent --show-error --no-buffer --max-time 600 "http://$api/v1/chat/completions" \
    -H 'Content-Type: application/json' -d "$request" |
    sed -un 's/^data: \({.*\)/\1/p' | tee "$logs/chunks" |
    jq --unbuffered -j 'if .error then "error: \(.error.message)" else .choices[0].delta.content // empty end'
ended=$(date +%s%N)
echo
echo
tokens=$(jq -s 'map(.usage.completion_tokens // empty) | last // 0' "$logs/chunks")
if [[ $tokens -eq 0 ]]; then exit 1; fi
awk -v tokens="$tokens" -v ns="$((ended - begun))" \
    'BEGIN { printf "%d tokens, %.0f tokens/s with the prompt and the connection counted\n", tokens, tokens / (ns / 1e9) }'
curl --silent --max-time 5 "http://$api/health" | jq -r '.shards[] |
    "\(.name): layers \(.layers), \(.weight_bytes / 1e6 * 10 | round / 10) MB of weights, \(.resident_bytes / 1e6 | round) MB in memory"'
