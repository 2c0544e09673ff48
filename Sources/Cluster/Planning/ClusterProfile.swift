// What machines and the links between them can do, as measured.

/// One machine.
public struct ShardProfile: Equatable, Sendable {
    public var name: String
    /// Memory that a shard may take there, all of it counted.
    public var memoryBytes: Int
    /// Weights that products of one row go through in a second: the memory's bandwidth as far as the kernels reach it.
    public var weightBytesPerSecond: Double
    /// Multiplications and additions of products of many rows in a second.
    public var operationsPerSecond: Double
    /// The disk that the model lies on, read in order; 0 when nothing can be read again.
    public var diskBytesPerSecond: Double
    /// What a visit takes however few layers are applied: receiving, waking, sending.
    public var visitSeconds: Double

    public init(
        name: String, memoryBytes: Int, weightBytesPerSecond: Double, operationsPerSecond: Double,
        diskBytesPerSecond: Double, visitSeconds: Double = 0
    ) {
        self.name = name
        self.memoryBytes = memoryBytes
        self.weightBytesPerSecond = weightBytesPerSecond
        self.operationsPerSecond = operationsPerSecond
        self.diskBytesPerSecond = diskBytesPerSecond
        self.visitSeconds = visitSeconds
    }
}

/// One direction between two machines.
public struct LinkProfile: Equatable, Sendable {
    public var roundTripSeconds: Double
    public var bytesPerSecond: Double

    public init(roundTripSeconds: Double, bytesPerSecond: Double) {
        self.roundTripSeconds = roundTripSeconds
        self.bytesPerSecond = bytesPerSecond
    }

    /// From the first byte sent to the last one received.
    func seconds(bytes: Int) -> Double { roundTripSeconds / 2 + transmissionSeconds(bytes: bytes) }

    /// How long the link is busy.
    func transmissionSeconds(bytes: Int) -> Double { Double(bytes) / bytesPerSecond }
}

/// The machines that could take part, and how they reach each other and the API.
public struct ClusterProfile: Equatable, Sendable {
    public var shards: [ShardProfile]
    /// `[from][to]` between shards; the diagonal is not used.
    public var links: [[LinkProfile]]
    public var linksFromAPI: [LinkProfile]
    public var linksToAPI: [LinkProfile]

    /// - Precondition: as many links as there are pairs.
    public init(
        shards: [ShardProfile], links: [[LinkProfile]], linksFromAPI: [LinkProfile], linksToAPI: [LinkProfile]
    ) {
        precondition(links.count == shards.count && links.allSatisfy { $0.count == shards.count })
        precondition(linksFromAPI.count == shards.count && linksToAPI.count == shards.count)
        self.shards = shards
        self.links = links
        self.linksFromAPI = linksFromAPI
        self.linksToAPI = linksToAPI
    }

    /// Machines that all reach each other alike.
    public init(shards: [ShardProfile], link: LinkProfile) {
        let row = [LinkProfile](repeating: link, count: shards.count)
        self.init(
            shards: shards, links: [[LinkProfile]](repeating: row, count: shards.count), linksFromAPI: row,
            linksToAPI: row)
    }

    /// With one more machine that is like `shard` in everything.
    func doubling(_ shard: Int) -> ClusterProfile {
        var doubled = self
        doubled.shards.append(shards[shard])
        doubled.linksFromAPI.append(linksFromAPI[shard])
        doubled.linksToAPI.append(linksToAPI[shard])
        for index in shards.indices { doubled.links[index].append(links[index][shard]) }
        // Between the two, as between the machine and its nearest neighbor, or the API where it has none.
        let nearest = shards.indices.filter { $0 != shard }.map { links[shard][$0] }
            .min { $0.roundTripSeconds < $1.roundTripSeconds }
        let between = nearest ?? linksToAPI[shard]
        doubled.links.append(links[shard] + [between])
        doubled.links[shard][shards.count] = between
        doubled.links[shards.count][shard] = between
        return doubled
    }
}
