# Starts two shards and an API on loopback, to be sourced by the scripts beside it.
#
# Reads MODEL (a model directory) and BIN (where the daemons are). Sets api (host:port). All it starts ends with the script.

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
