// Why a ring cannot serve, in sentences that say what to do.

import Wire

/// What keeps a ring of shards from serving a model. Shards appear under their names.
public enum RingProblem: Error, Equatable, Sendable {
    /// The probe came back without having passed a shard.
    case noShards(ringAddress: String)
    /// A shard's `next` leads back into the ring instead of to the API.
    case shardTwice(String, after: String, next: String, ringAddress: String)
    case otherSoftware(String, version: String, expected: String)
    case otherModel(String, fingerprint: [UInt8], expected: [UInt8])
    case otherLayerCount(String, layerCount: Int, expected: Int)
    /// One computes in float32 throughout, the other rounds.
    case otherPrecision(exact: String, rounded: String)
    /// A shard holds a layer that the model does not have.
    case unknownLayer(String, layer: UInt32, layerCount: Int)
    case layersHeldTwice([ClosedRange<UInt32>], String, String)
    case layersMissing([ClosedRange<UInt32>])
    case tooManyHops(rounds: Int, shards: Int)

    /// One sentence for people, with what to do.
    public var reason: String {
        switch self {
        case .noShards(let ringAddress):
            """
            the ring has no shard: ring-api's -s leads back to ring-api (\(ringAddress)); give it the HOST:PORT of \
            the first ring-shard
            """
        case .shardTwice(let shard, let after, let next, let ringAddress):
            """
            shard \(after)'s next is \(next), which is shard \(shard) again; the last shard's -n must be the API, \
            \(ringAddress)
            """
        case .otherSoftware(let shard, let version, let expected):
            "shard \(shard) runs version \(version) and the API \(expected); install the same version everywhere"
        case .otherModel(let shard, let fingerprint, let expected):
            """
            shard \(shard) has loaded another model (fingerprint \(Self.hex(fingerprint)), the API's is \
            \(Self.hex(expected))); give every daemon the same -m
            """
        case .otherLayerCount(let shard, let layerCount, let expected):
            """
            shard \(shard) counts \(layerCount) layers in the model and the API \(expected); give every daemon the \
            same -m
            """
        case .otherPrecision(let exact, let rounded):
            """
            shard \(exact) computes with --exact and shard \(rounded) without; start all shards with it or all \
            without it
            """
        case .unknownLayer(let shard, let layer, let layerCount):
            """
            shard \(shard) holds layer \(layer), but the model's layers are 0–\(max(0, layerCount - 1)); correct its -l
            """
        case .layersHeldTwice(let ranges, let first, let second) where first == second:
            "shard \(first) names \(Self.layers(ranges)) twice; correct its -l"
        case .layersHeldTwice(let ranges, let first, let second):
            "\(Self.areHeld(ranges)) by both \(first) and \(second); leave \(Self.pronoun(ranges)) out of the -l of one"
        case .layersMissing(let ranges):
            "\(Self.areHeld(ranges)) by no shard; start a ring-shard with -l \(Self.flag(ranges))"
        case .tooManyHops(let rounds, let shards):
            """
            a step would go \(rounds) times round \(shards) shards, more than the \(WireLimits.hopsMax) connections \
            it may cross; give each shard longer runs of consecutive layers
            """
        }
    }
}

extension RingProblem: CustomStringConvertible {
    public var description: String { reason }
}

// MARK: Words

extension RingProblem {
    /// What to call each shard: its name, with its address where several share the name.
    static func labels(of shards: [ShardDescription]) -> [String] {
        shards.map { shard in
            let isAmbiguous = shards.contains { $0.name == shard.name && $0.address != shard.address }
            return isAmbiguous || shard.name.isEmpty ? "\(shard.name) (\(shard.address))" : shard.name
        }
    }

    /// Ascending layers as ranges.
    static func ranges(of layers: [UInt32]) -> [ClosedRange<UInt32>] {
        layers.reduce(into: []) { ranges, layer in
            if let last = ranges.last, last.upperBound + 1 == layer {
                ranges[ranges.count - 1] = last.lowerBound...layer
            } else {
                ranges.append(layer...layer)
            }
        }
    }

    /// `layer 7`, `layers 18–35`, `layers 3 and 18–35`.
    public static func layers(_ ranges: [ClosedRange<UInt32>]) -> String {
        let parts = ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }
        let noun = isPlural(ranges) ? "layers " : "layer "
        guard let last = parts.last, parts.count > 1 else { return noun + parts.joined() }
        return noun + parts.dropLast().joined(separator: ", ") + " and " + last
    }

    private static func areHeld(_ ranges: [ClosedRange<UInt32>]) -> String {
        layers(ranges) + (isPlural(ranges) ? " are held" : " is held")
    }

    private static func pronoun(_ ranges: [ClosedRange<UInt32>]) -> String { isPlural(ranges) ? "them" : "it" }

    private static func isPlural(_ ranges: [ClosedRange<UInt32>]) -> Bool {
        ranges.count > 1 || (ranges.first?.count ?? 0) > 1
    }

    /// As `-l` takes it.
    private static func flag(_ ranges: [ClosedRange<UInt32>]) -> String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.isEmpty ? "none" : bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
