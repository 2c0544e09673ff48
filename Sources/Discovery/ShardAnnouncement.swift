// What a shard tells the network about itself, and the text records that carry it.

/// A shard as it announces itself over mDNS, as a service of type ``serviceType``.
public struct ShardAnnouncement: Sendable, Equatable {
    public static let serviceType = "_ring-shard._tcp"
    /// Bytes of a text record's entry, and of a service's name, by DNS.
    static let entryBytesMax = 255
    static let nameBytesMax = 63

    /// The shard's name in its ring.
    public var name: String
    /// Where it takes connections of the ring.
    public var port: UInt16
    public var protocolVersion: UInt32
    /// Only shards of one cluster are used together.
    public var cluster: String
    public var cores: Int
    /// Of the machine, or of the shard's part of it.
    public var memoryBytes: UInt64
    /// The layers it holds, as `-l` writes them; empty while it holds none.
    public var layers: String
    /// Hexadecimal; empty while it holds no model.
    public var modelFingerprint: String

    public init(
        name: String, port: UInt16, protocolVersion: UInt32, cluster: String, cores: Int, memoryBytes: UInt64,
        layers: String = "", modelFingerprint: String = ""
    ) {
        self.name = name
        self.port = port
        self.protocolVersion = protocolVersion
        self.cluster = cluster
        self.cores = cores
        self.memoryBytes = memoryBytes
        self.layers = layers
        self.modelFingerprint = modelFingerprint
    }

    // MARK: Text records

    private enum Key: String {
        case name, cluster, cores, memory, layers, model
        case protocolVersion = "protocol"
    }

    /// Entries `key=value`. A value too long for an entry is cut at its end.
    var entries: [String] {
        [
            (Key.name, name), (.protocolVersion, "\(protocolVersion)"), (.cluster, cluster), (.cores, "\(cores)"),
            (.memory, "\(memoryBytes)"), (.layers, layers), (.model, modelFingerprint),
        ].map { "\($0.rawValue)=\($1)".cut(toBytes: Self.entryBytesMax) }
    }

    /// Reads what another shard announced; entries that are not known are left aside.
    /// - Returns: nil when an entry that every shard sends is missing or not what it should be.
    init?(entries: [String], port: UInt16) {
        var values: [String: String] = [:]
        for entry in entries {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            // The first of two alike counts, by the rules of DNS service discovery.
            let key = entry[..<equals].lowercased()
            if values[key] == nil { values[key] = String(entry[entry.index(after: equals)...]) }
        }
        func value(_ key: Key) -> String? { values[key.rawValue] }
        guard let name = value(.name), !name.isEmpty, let cluster = value(.cluster),
            let version = value(.protocolVersion).flatMap({ UInt32($0) }),
            let cores = value(.cores).flatMap({ Int($0) }),
            let memory = value(.memory).flatMap({ UInt64($0) })
        else { return nil }
        self.init(
            name: name, port: port, protocolVersion: version, cluster: cluster, cores: cores, memoryBytes: memory,
            layers: value(.layers) ?? "", modelFingerprint: value(.model) ?? "")
    }
}

extension String {
    /// As much of it as fits in `count` bytes of UTF-8, in whole characters.
    func cut(toBytes count: Int) -> String {
        var result = ""
        var bytes = 0
        for character in self {
            bytes += character.utf8.count
            if bytes > count { break }
            result.append(character)
        }
        return result
    }
}

/// A shard that was found, and where.
public struct DiscoveredShard: Sendable, Equatable {
    public var announcement: ShardAnnouncement
    /// A numeric address; that of a link-local IPv6 host names the interface, as in `fe80::1%eth0`.
    public var host: String

    public init(announcement: ShardAnnouncement, host: String) {
        self.announcement = announcement
        self.host = host
    }
}
