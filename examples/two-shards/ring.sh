# Starts two shards and an API on loopback, to be sourced by the scripts beside it.
#
# Reads MODEL (a model directory) and BIN (where the daemons are). start_ring sets api (host:port). All it starts ends with the script.

MODEL=${MODEL:-examples/model}
BIN=${BIN:-.build/release}
pids=()
logs=$(mktemp -d)

stop_ring() {
    local status=$?
    trap - EXIT INT TERM
    [[ ${#pids[@]} -eq 0 ]] || kill -TERM "${pids[@]}" 2>/dev/null || true
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$logs"
    exit "$status"
}
trap stop_ring EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Prints the first port at or after $1 that nobody listens on.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

# start NAME COMMAND…: runs a daemon in the background, its log in a file of its own.
start() {
    local name=$1
    shift
    echo "\$ $*"
    "$@" >"$logs/$name.log" 2>&1 &
    pids+=($!)
}

# Starts a ring that divides the model's layers in two halves, and waits until it is complete.
start_ring() {
    local layers half shard1 shard2
    [[ -f $MODEL/config.json ]] || { echo "no model at $MODEL: config.json is missing" >&2; exit 1; }
    layers=$(jq .num_hidden_layers "$MODEL/config.json")
    half=$((layers / 2))
    shard1=127.0.0.1:$(free_port 50501)
    shard2=127.0.0.1:$(free_port $((${shard1##*:} + 1)))
    api=127.0.0.1:$(free_port 8080)

    start shard-1 "$BIN/ring-shard" -m "$MODEL" -p "${shard1##*:}" -l "0-$((half - 1))" -n "$shard2"
    start shard-2 "$BIN/ring-shard" -m "$MODEL" -p "${shard2##*:}" -l "$half-$((layers - 1))" -n "$api"
    start api "$BIN/ring-api" -a "$api" -s "$shard1" -m "$MODEL"
    wait_for_ring
}

# Waits until the API says that the ring is complete, or shows what the daemons said.
wait_for_ring() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        if curl --silent --fail --max-time 5 "http://$api/health" >/dev/null; then return; fi
        if [[ $(jobs -rp | wc -l) -lt ${#pids[@]} ]]; then break; fi
        sleep 0.1
    done
    echo "the ring did not come up:" >&2
    tail -n 5 "$logs"/*.log >&2
    exit 1
}

# ask PROMPT: prints the answer as it streams, then how fast it came.
ask() {
    local request begun ended tokens
    request=$(jq -n --arg prompt "$1" \
        '{model: "default_model", messages: [{role: "user", content: $prompt}], max_tokens: 200, temperature: 0,
          stream: true, stream_options: {include_usage: true}}')
    begun=$(date +%s%N)
    curl --silent --show-error --no-buffer --max-time 600 "http://$api/v1/chat/completions" \
        -H 'Content-Type: application/json' -d "$request" |
        sed --unbuffered --quiet 's/^data: \({.*\)/\1/p' | tee "$logs/chunks" |
        jq --unbuffered --join-output 'if .error then "error: \(.error.message)" else .choices[0].delta.content // empty end'
    ended=$(date +%s%N)
    echo
    echo
    tokens=$(jq --slurp 'map(.usage.completion_tokens // empty) | last // 0' "$logs/chunks")
    if [[ $tokens -eq 0 ]]; then
        echo "no answer came; the daemons said:" >&2
        tail -n 5 "$logs"/*.log >&2
        exit 1
    fi
    awk -v tokens="$tokens" -v ns="$((ended - begun))" \
        'BEGIN { printf "%d tokens, %.0f a second with the prompt and the connection counted\n", tokens, tokens / (ns / 1e9) }'
}

# Prints what each shard holds.
shards() {
    curl --silent --max-time 5 "http://$api/health" | jq --raw-output '.shards[] |
        "\(.name): layers \(.layers), \(.weight_bytes / 1e5 | round / 10) MB of weights, \(.resident_bytes / 1e6 | round) MB in memory"'
}
