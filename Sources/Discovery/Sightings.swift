// Services seen on the network, over whichever interface, as one list of shards. Pure.

/// A service is seen once on each interface and for each protocol; those of one name are one shard.
struct Sightings {
    /// One report of a service.
    struct Key: Hashable {
        var interface: Int32
        var isIPv6: Bool
        /// Of the service.
        var name: String
        var domain: String
    }

    private var seen: [Key: DiscoveredShard] = [:]

    mutating func add(_ shard: DiscoveredShard, as key: Key) {
        seen[key] = shard
    }

    mutating func remove(_ key: Key) {
        seen[key] = nil
    }

    mutating func removeAll() {
        seen.removeAll()
    }

    /// Each shard once, at the address that is the surest to be reached, sorted by name.
    var shards: [DiscoveredShard] {
        struct Service: Hashable {
            var name: String
            var domain: String
        }
        var best: [Service: (rank: Int, key: Key, shard: DiscoveredShard)] = [:]
        for (key, shard) in seen {
            let service = Service(name: key.name, domain: key.domain)
            let candidate = (rank: Self.rank(shard.host), key: key, shard: shard)
            // The interface decides between equals, so that the choice does not change without a reason.
            if let known = best[service],
                (known.rank, known.key.interface) <= (candidate.rank, candidate.key.interface)
            {
                continue
            }
            best[service] = candidate
        }
        return best.values.sorted { ($0.key.name, $0.key.domain) < ($1.key.name, $1.key.domain) }.map(\.shard)
    }

    /// Lower is better: IPv4, then IPv6, then addresses that hold for one link only, then the machine's own loopback.
    private static func rank(_ host: String) -> Int {
        if host.hasPrefix("127.") || host == "::1" { return 3 }
        if host.hasPrefix("169.254.") || host.lowercased().hasPrefix("fe80:") { return 2 }
        return host.contains(":") ? 1 : 0
    }
}
