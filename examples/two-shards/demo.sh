#!/usr/bin/env bash
# Two shards and the API on this machine answer one question from real weights, streaming; then everything stops.
set -euo pipefail
prompt=${1:-What is 2+2?}
. "$(dirname "$0")/ring.sh"
start_ring

echo
echo "> $prompt"
ask "$prompt"
shards
