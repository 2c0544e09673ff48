// Probe, with what it collects of shards, as protobuf.

import CRingProto

extension Probe: ProtobufMessage {
    func validate() throws(WireError) {
        try ValueLimit.check(hops: hops, "Probe")
        try CountLimit.probeShards.check(shards.count)
        for shard in shards { try shard.validate() }
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Probe>? {
        arena.message(ring__probe__init) {
            $0.probe_id = probeID
            $0.hops = hops
            $0.n_shards = shards.count
            $0.shards = arena.pointers(shards) { $0.build(in: arena) }
        }
    }

    init(reading message: Ring__Probe) throws(WireError) {
        self.init(
            probeID: message.probe_id, hops: message.hops,
            shards: try ShardDescription.list(message.n_shards, message.shards, .probeShards))
    }
}

extension ShardDescription: ProtobufMessage {
    func validate() throws(WireError) {
        try CountLimit.shardName.check(name.utf8.count)
        try CountLimit.shardSoftwareVersion.check(softwareVersion.utf8.count)
        try CountLimit.shardAddress.check(address.utf8.count)
        try CountLimit.shardNextAddress.check(nextAddress.utf8.count)
        try CountLimit.shardInstructionSet.check(instructionSet.utf8.count)
        try ValueLimit.check(layerCount, in: 0...UInt32(WireLimits.layersMax), "ShardDescription", "layerCount")
        try ValueLimit.check(windowLayers, in: 0...UInt32(WireLimits.layersMax), "ShardDescription", "windowLayers")
        // A shard that has not loaded a model yet has no fingerprint.
        guard modelFingerprint.isEmpty || modelFingerprint.count == WireLimits.fingerprintBytes else {
            throw .field(
                message: "ShardDescription", field: "modelFingerprint", found: "\(modelFingerprint.count) bytes",
                allowed: "\(WireLimits.fingerprintBytes) bytes, or none without a model")
        }
        try CountLimit.shardLayers.check(layers.count)
        var free: UInt32 = 0
        for range in layers {
            guard range.lowerBound >= free, range.upperBound < layerCount else {
                throw Self.wrongLayers(
                    first: range.lowerBound, last: range.upperBound,
                    allowed: "ranges that ascend from \(free) below \(layerCount)")
            }
            free = range.upperBound + 1
        }
    }

    private static func wrongLayers(first: UInt32, last: UInt32, allowed: String) -> WireError {
        .field(message: "ShardDescription", field: "layers", found: "\(first)-\(last)", allowed: allowed)
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__ShardDescription>? {
        arena.message(ring__shard_description__init) {
            $0.name = arena.text(name)
            $0.software_version = arena.text(softwareVersion)
            $0.address = arena.text(address)
            $0.next_address = arena.text(nextAddress)
            $0.model_fingerprint = arena.bytes(modelFingerprint)
            $0.layer_count = layerCount
            $0.n_layers = layers.count
            $0.layers = arena.pointers(layers) { range in
                arena.message(ring__layer_range__init) {
                    $0.first = range.lowerBound
                    $0.last = range.upperBound
                }
            }
            $0.window_layers = windowLayers
            $0.weight_bytes = weightBytes
            $0.cache_bytes = cacheBytes
            $0.cache_bytes_max = cacheBytesMax
            $0.cache_bytes_per_token = cacheBytesPerToken
            $0.cache_bytes_per_token_windowed = cacheBytesPerTokenWindowed
            $0.resident_bytes = residentBytes
            $0.threads = threads
            $0.exact = exact ? 1 : 0
            $0.sequences = sequences
            $0.instruction_set = arena.text(instructionSet)
            $0.context_tokens_max = contextTokensMax
            $0.pass = arena.message(ring__pass_statistics__init) {
                $0.bytes_read = pass.bytesRead
                $0.stall_nanoseconds = pass.stallNanoseconds
                $0.compute_nanoseconds = pass.computeNanoseconds
            }
        }
    }

    init(reading message: Ring__ShardDescription) throws(WireError) {
        self.init()
        name = try CountLimit.shardName.text(message.name)
        softwareVersion = try CountLimit.shardSoftwareVersion.text(message.software_version)
        address = try CountLimit.shardAddress.text(message.address)
        nextAddress = try CountLimit.shardNextAddress.text(message.next_address)
        modelFingerprint = try UInt8.list(
            message.model_fingerprint.len, message.model_fingerprint.data, .shardFingerprint)
        layerCount = message.layer_count
        try CountLimit.shardLayers.check(message.n_layers)
        for index in 0..<message.n_layers {
            guard let range = message.layers[index]?.pointee else { continue }
            guard range.first <= range.last else {
                throw Self.wrongLayers(first: range.first, last: range.last, allowed: "the first layer before the last")
            }
            layers.append(range.first...range.last)
        }
        windowLayers = message.window_layers
        weightBytes = message.weight_bytes
        cacheBytes = message.cache_bytes
        cacheBytesMax = message.cache_bytes_max
        cacheBytesPerToken = message.cache_bytes_per_token
        cacheBytesPerTokenWindowed = message.cache_bytes_per_token_windowed
        residentBytes = message.resident_bytes
        threads = message.threads
        exact = message.exact != 0
        sequences = message.sequences
        instructionSet = try CountLimit.shardInstructionSet.text(message.instruction_set)
        contextTokensMax = message.context_tokens_max
        if let statistics = message.pass?.pointee {
            pass = PassStatistics(
                bytesRead: statistics.bytes_read, stallNanoseconds: statistics.stall_nanoseconds,
                computeNanoseconds: statistics.compute_nanoseconds)
        }
    }
}
