// The answer to GET /health: whether the ring serves, and what each shard is.

import Wire

struct HealthResponse: Encodable, Sendable {
    /// `ok`, or `unavailable` with `message` saying what is missing.
    var status: String
    var message: String?
    var model: String
    var layerCount: Int
    var epoch: UInt64
    /// Sequences being generated and waiting to be.
    var active: Int
    var waiting: Int
    var prefixCache: PrefixCache
    var speculation: Speculation
    var shards: [Shard]

    /// What requests that begin the same have saved, and what is kept for the next.
    struct PrefixCache: Encodable, Sendable {
        /// Requests that went on from another's cache, since the start.
        var hits: UInt64
        /// Tokens of prompts that were not computed for that, and those that were.
        var tokensReused: UInt64
        var tokensComputed: UInt64
        /// Ended sequences whose caches the shards keep.
        var sequencesKept: Int
        /// Tokens in the caches of kept and running sequences, shared ones once, in whole blocks.
        var tokensHeld: Int
        /// Bytes that they take, over all shards.
        var bytesHeld: UInt64
    }

    struct Speculation: Encodable, Sendable {
        /// Tokens that were guessed ahead since the start, and those of them that turned out right.
        var drafted: UInt64
        var accepted: UInt64
    }

    struct Shard: Encodable, Sendable {
        var name: String
        var version: String
        var address: String
        var next: String
        /// As `-l` writes them.
        var layers: String
        var windowLayers: UInt32
        var threads: UInt32
        var instructionSet: String
        var exact: Bool
        var weightBytes: UInt64
        var cacheBytes: UInt64
        var cacheBytesMax: UInt64
        /// Of keys and values, in all its layers.
        var cacheBytesPerToken: UInt64
        /// Of these, those given back when a sequence has left the token behind: in layers with a sliding window.
        var cacheBytesPerTokenWindowed: UInt64
        var residentBytes: UInt64
        var sequences: UInt32
        var pass: Pass
    }

    struct Pass: Encodable, Sendable {
        var bytesRead: UInt64
        var stallNanoseconds: UInt64
        var computeNanoseconds: UInt64
    }

    init(_ ring: RingStatus, model: String) {
        switch ring.state {
        case .ready: (status, message) = ("ok", nil)
        case .incomplete(let reason): (status, message) = ("unavailable", reason)
        }
        self.model = model
        layerCount = ring.layerCount
        epoch = ring.epoch
        active = ring.active
        waiting = ring.waiting
        let bytesPerToken = ring.shards.reduce(0) { $0 + $1.cacheBytesPerToken }
        prefixCache = PrefixCache(
            hits: ring.metrics.prefixHits, tokensReused: ring.metrics.promptTokensReused,
            tokensComputed: ring.metrics.promptTokensEvaluated, sequencesKept: ring.prefixesKept,
            tokensHeld: ring.tokensHeld, bytesHeld: UInt64(ring.tokensHeld) &* bytesPerToken)
        speculation = Speculation(drafted: ring.metrics.tokensDrafted, accepted: ring.metrics.draftsAccepted)
        shards = ring.shards.map(Shard.init)
    }
}

extension HealthResponse.Shard {
    init(_ shard: ShardDescription) {
        name = shard.name
        version = shard.softwareVersion
        address = shard.address
        next = shard.nextAddress
        layers = shard.layers
            .map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
        windowLayers = shard.windowLayers
        threads = shard.threads
        instructionSet = shard.instructionSet
        exact = shard.exact
        weightBytes = shard.weightBytes
        cacheBytes = shard.cacheBytes
        cacheBytesMax = shard.cacheBytesMax
        cacheBytesPerToken = shard.cacheBytesPerToken
        cacheBytesPerTokenWindowed = shard.cacheBytesPerTokenWindowed
        residentBytes = shard.residentBytes
        sequences = shard.sequences
        pass = HealthResponse.Pass(
            bytesRead: shard.pass.bytesRead, stallNanoseconds: shard.pass.stallNanoseconds,
            computeNanoseconds: shard.pass.computeNanoseconds)
    }
}
