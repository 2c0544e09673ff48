// Which of the shards on the network is the first of this API's ring.

public import Discovery
public import RingTransport
import Synchronization
import Wire

/// Chooses, among the shards that were found, the one that holds layer 0 of the model that is served.
public final class FirstShardSearch: Sendable {
    private let cluster: String
    private let modelFingerprint: String
    private let found = Mutex<[DiscoveredShard]>([])

    /// - Parameters:
    ///   - cluster: shards of others are left aside.
    ///   - modelFingerprint: hexadecimal, of the model that is served.
    public init(cluster: String, modelFingerprint: String) {
        self.cluster = cluster
        self.modelFingerprint = modelFingerprint
    }

    /// All shards that are seen now.
    public func found(_ shards: [DiscoveredShard]) {
        found.withLock { $0 = shards }
    }

    /// Where the first shard is, or why it is not known.
    public func address() -> Result<RingAddress, LinkTarget.AddressUnknown> {
        Self.address(among: found.withLock { $0 }, cluster: cluster, modelFingerprint: modelFingerprint)
    }

    static func address(
        among shards: [DiscoveredShard], cluster: String, modelFingerprint: String
    ) -> Result<RingAddress, LinkTarget.AddressUnknown> {
        func unknown(_ reason: String) -> Result<RingAddress, LinkTarget.AddressUnknown> {
            .failure(LinkTarget.AddressUnknown(reason: reason))
        }
        func names(_ shards: [DiscoveredShard]) -> String {
            // A few are enough to see what is wrong.
            let shown = shards.prefix(8).map { "\($0.announcement.name) (\(address(of: $0)))" }
            return (shown + (shards.count > shown.count ? ["…"] : [])).joined(separator: ", ")
        }
        guard !shards.isEmpty else { return unknown("mDNS shows no shard; start one, or name the first with -s") }
        let ours = shards.filter { $0.announcement.cluster == cluster }
        guard !ours.isEmpty else {
            return unknown("mDNS shows shards of other clusters only, none of \(cluster): \(names(shards))")
        }
        let speaking = ours.filter { $0.announcement.protocolVersion == WireLimits.protocolVersion }
        guard !speaking.isEmpty else {
            return unknown("the shards that mDNS shows are of another version of ring: \(names(ours))")
        }
        let same = speaking.filter { $0.announcement.modelFingerprint == modelFingerprint }
        guard !same.isEmpty else {
            return unknown("none of the shards that mDNS shows holds this model: \(names(speaking))")
        }
        let first = same.filter { $0.announcement.holdsLayerZero }
        guard let shard = first.first else {
            return unknown("none of the shards that mDNS shows holds layer 0 of this model: \(names(same))")
        }
        guard first.count == 1 else {
            return unknown("several shards hold layer 0 of this model, name one with -s: \(names(first))")
        }
        return .success(address(of: shard))
    }

    private static func address(of shard: DiscoveredShard) -> RingAddress {
        RingAddress(host: shard.host, port: shard.announcement.port)
    }
}

extension ShardAnnouncement {
    /// Layers are announced in ascending order, as `0-17,36-53`.
    fileprivate var holdsLayerZero: Bool {
        layers.split(separator: ",").first?.split(separator: "-").first == "0"
    }
}
