// What a probe's answer amounts to: a ring that covers the model, and how a step travels it.

public import Wire

/// A ring that can serve: every layer is held exactly once, and all shards agree on what they compute.
///
/// A step visits the shards in ring order. A shard that holds the next layer applies its whole consecutive run, any
/// other passes the step on, and the API passes it on to the first shard for another round. This type follows that rule
/// to say what a step costs.
public struct RingTopology: Equatable, Sendable {
    /// What the ring must agree with.
    public struct Expectation: Equatable, Sendable {
        /// ``WireLimits/fingerprintBytes`` bytes.
        public var modelFingerprint: [UInt8]
        /// Layers of the model.
        public var layerCount: Int
        /// Version of the API's software: a ring of several versions might not compute the same.
        public var softwareVersion: String
        /// `host:port` that the last shard must pass frames to.
        public var ringAddress: String

        public init(modelFingerprint: [UInt8], layerCount: Int, softwareVersion: String, ringAddress: String) {
            self.modelFingerprint = modelFingerprint
            self.layerCount = layerCount
            self.softwareVersion = softwareVersion
            self.ringAddress = ringAddress
        }
    }

    /// Layers that one shard applies in one visit.
    public struct Visit: Equatable, Sendable {
        /// Index in ``RingTopology/shards``.
        public var shard: Int
        public var layers: ClosedRange<UInt32>
    }

    /// In ring order, as they described themselves.
    public let shards: [ShardDescription]
    public let layerCount: Int
    /// In the order of the layers.
    public let visits: [Visit]
    /// Times a step goes round the ring.
    public let rounds: Int

    /// Connections that a step and its result cross from the API back to it.
    public var hopCount: Int { rounds * (shards.count + 1) }

    /// Shards that hold layers: the number of steps that can be worked on at the same time.
    public var stageCount: Int { Set(visits.map(\.shard)).count }

    /// Whether all shards compute in float32 throughout.
    public var isExact: Bool { shards.allSatisfy(\.exact) }

    /// Whether a shard holds more layers than it keeps in memory, so that each pass reads weights from disk.
    public var streamsWeights: Bool {
        shards.contains { $0.windowLayers > 0 && Int($0.windowLayers) < $0.layers.reduce(0) { $0 + $1.count } }
    }

    /// Tokens a sequence may have on every shard; `nil` when no shard names a limit.
    public var contextTokensMax: Int? {
        shards.map { Int($0.contextTokensMax) }.filter { $0 > 0 }.min()
    }

    /// Tokens for whose keys and values every shard has room, over all sequences; `nil` when no shard says.
    public var cacheTokensMax: Int? {
        shards.filter { $0.cacheBytesPerToken > 0 }.map { Int(clamping: $0.cacheBytesMax / $0.cacheBytesPerToken) }
            .min()
    }

    /// - Parameter shards: from a returned probe, in the order the probe passed them.
    /// - Throws: the first ``RingProblem`` that keeps the ring from serving.
    public init(shards: [ShardDescription], expecting expected: Expectation) throws(RingProblem) {
        let labels = RingProblem.labels(of: shards)
        try Self.checkMembers(shards, labels, expected)
        let holders = try Self.holders(shards, labels, expected)
        let visits = Self.visits(holders)

        // A visit that is not further along the ring than the one before needs another round.
        let rounds = zip(visits, visits.dropFirst()).reduce(1) { $0 + ($1.1.shard <= $1.0.shard ? 1 : 0) }
        guard rounds * (shards.count + 1) <= Int(WireLimits.hopsMax) else {
            throw .tooManyHops(rounds: rounds, shards: shards.count)
        }
        self.shards = shards
        self.layerCount = expected.layerCount
        self.visits = visits
        self.rounds = rounds
    }

    /// Whether every shard is, holds and computes the same as in `other`; their counters may differ.
    public func isSameRing(as other: RingTopology) -> Bool {
        visits == other.visits && shards.count == other.shards.count
            && zip(shards, other.shards).allSatisfy { one, two in
                one.name == two.name && one.address == two.address && one.exact == two.exact
                    && one.modelFingerprint == two.modelFingerprint && one.contextTokensMax == two.contextTokensMax
            }
    }

    // MARK: Checks

    private static func checkMembers(
        _ shards: [ShardDescription], _ labels: [String], _ expected: Expectation
    ) throws(RingProblem) {
        guard let first = shards.first else { throw .noShards(ringAddress: expected.ringAddress) }
        for (index, shard) in shards.enumerated() {
            let isSame: (ShardDescription) -> Bool = { $0.name == shard.name && $0.address == shard.address }
            if let earlier = shards[..<index].firstIndex(where: isSame) {
                // The probe came by a second time, so whoever precedes the repetition leads back to it.
                throw .shardTwice(
                    labels[earlier], after: labels[index - 1], next: shards[index - 1].nextAddress,
                    ringAddress: expected.ringAddress)
            }
            guard shard.softwareVersion == expected.softwareVersion else {
                throw .otherSoftware(labels[index], version: shard.softwareVersion, expected: expected.softwareVersion)
            }
            guard shard.modelFingerprint == expected.modelFingerprint else {
                throw .otherModel(
                    labels[index], fingerprint: shard.modelFingerprint, expected: expected.modelFingerprint)
            }
            guard Int(shard.layerCount) == expected.layerCount else {
                throw .otherLayerCount(labels[index], layerCount: Int(shard.layerCount), expected: expected.layerCount)
            }
            guard shard.exact == first.exact else {
                throw .otherPrecision(exact: labels[shard.exact ? index : 0], rounded: labels[shard.exact ? 0 : index])
            }
        }
    }

    /// The shard of each layer.
    private static func holders(
        _ shards: [ShardDescription], _ labels: [String], _ expected: Expectation
    ) throws(RingProblem) -> [Int] {
        var holders = [Int?](repeating: nil, count: expected.layerCount)
        // Layers by the pair of shards that both hold them; only the first pair is reported.
        var doubled: (first: Int, second: Int, layers: [UInt32])?
        for (index, shard) in shards.enumerated() {
            for range in shard.layers {
                guard Int(range.upperBound) < expected.layerCount else {
                    throw .unknownLayer(labels[index], layer: range.upperBound, layerCount: expected.layerCount)
                }
                for layer in range {
                    guard let holder = holders[Int(layer)] else {
                        holders[Int(layer)] = index
                        continue
                    }
                    if doubled == nil { doubled = (holder, index, []) }
                    if doubled?.first == holder, doubled?.second == index { doubled?.layers.append(layer) }
                }
            }
        }
        if let doubled {
            throw .layersHeldTwice(
                RingProblem.ranges(of: doubled.layers), labels[doubled.first], labels[doubled.second])
        }
        let missing = holders.indices.filter { holders[$0] == nil }.map { UInt32($0) }
        guard missing.isEmpty else { throw .layersMissing(RingProblem.ranges(of: missing)) }
        return holders.compactMap { $0 }
    }

    private static func visits(_ holders: [Int]) -> [Visit] {
        var visits: [Visit] = []
        for (layer, shard) in holders.enumerated() {
            if let last = visits.last, last.shard == shard {
                visits[visits.count - 1].layers = last.layers.lowerBound...UInt32(layer)
            } else {
                visits.append(Visit(shard: shard, layers: UInt32(layer)...UInt32(layer)))
            }
        }
        return visits
    }
}
