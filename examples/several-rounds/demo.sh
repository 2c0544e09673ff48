#!/usr/bin/env bash
# Two shards that each hold two stretches of layers and keep one stretch in memory at a time: a token goes round twice.
set -euo pipefail
prompt=${1:-What is 2+2?}
. "$(dirname "$0")/../two-shards/ring.sh"

layers=$(jq .num_hidden_layers "$MODEL/config.json")
quarter=$((layers / 4))
shard1=127.0.0.1:$(free_port 50501)
shard2=127.0.0.1:$(free_port $((${shard1##*:} + 1)))
api=127.0.0.1:$(free_port 8080)

# The next layer of a frame that leaves shard 2 after the first round is on shard 1 again: the API passes it on.
start shard-1 "$BIN/ring-shard" -m "$MODEL" -p "${shard1##*:}" -n "$shard2" --prefetch-window "$quarter" \
    -l "0-$((quarter - 1)),$((2 * quarter))-$((3 * quarter - 1))"
start shard-2 "$BIN/ring-shard" -m "$MODEL" -p "${shard2##*:}" -n "$api" --prefetch-window "$quarter" \
    -l "$quarter-$((2 * quarter - 1)),$((3 * quarter))-$((layers - 1))"
start api "$BIN/ring-api" -a "$api" -s "$shard1" -m "$MODEL"
wait_for_ring

echo
echo "> $prompt"
ask "$prompt"
shards
