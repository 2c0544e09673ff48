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
    var shards: [Shard]

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
        residentBytes = shard.residentBytes
        sequences = shard.sequences
        pass = HealthResponse.Pass(
            bytesRead: shard.pass.bytesRead, stallNanoseconds: shard.pass.stallNanoseconds,
            computeNanoseconds: shard.pass.computeNanoseconds)
    }
}
