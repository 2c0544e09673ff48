// The shards as they were last heard, for saying what is missing.

import Cluster
import Wire

/// Remembers each shard that a probe has met, and when.
struct RingSightings {
    private struct Sighting {
        var shard: ShardDescription
        var at: Duration
    }

    /// The latest probe's shards in ring order, then those it did not meet.
    private var sightings: [Sighting] = []
    /// The latest probe's shards in ring order.
    private(set) var latest: [ShardDescription] = []

    mutating func saw(_ shards: [ShardDescription], at now: Duration) {
        latest = shards
        let absent = sightings.filter { old in !shards.contains { $0.name == old.shard.name } }
        sightings = Array((shards.map { Sighting(shard: $0, at: now) } + absent).prefix(WireLimits.shardsMax))
    }

    /// The shard that came after `name` in the ring.
    func shard(after name: String) -> String? {
        guard let index = sightings.firstIndex(where: { $0.shard.name == name }) else { return nil }
        return sightings[(index + 1)...].first?.shard.name
    }

    /// A shard that held one of `layers` and is not among `present`.
    func formerHolder(of layers: [ClosedRange<UInt32>], besides present: [ShardDescription]) -> String? {
        sightings.first { old in
            !present.contains { $0.name == old.shard.name }
                && old.shard.layers.contains { held in layers.contains { $0.overlaps(held) } }
        }?.shard.name
    }

    /// `layers 18–35 were last held by b (10.0.0.2:9000), heard 12 s ago`.
    func sentence(about name: String, at now: Duration) -> String? {
        guard let seen = sightings.first(where: { $0.shard.name == name }) else { return nil }
        let heard = "\(name) (\(seen.shard.address)), heard \(Self.words(for: now - seen.at)) ago"
        guard let first = seen.shard.layers.first else { return "the ring's next was \(heard)" }
        let isOne = seen.shard.layers.count == 1 && first.count == 1
        return "\(RingProblem.layers(seen.shard.layers)) \(isOne ? "was" : "were") last held by \(heard)"
    }

    private static func words(for duration: Duration) -> String {
        let seconds = duration.components.seconds
        return switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        default: "\(seconds / 3600) h"
        }
    }
}
