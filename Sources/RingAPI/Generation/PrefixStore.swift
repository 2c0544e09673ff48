// Sequences that ended and whose caches the shards keep, to be found by their tokens.

/// Ended sequences in the order of their last use. A sequence that begins as one of them does takes over its cache up
/// to the first token that differs.
struct PrefixStore {
    struct Prefix: Equatable, Sendable {
        var sequenceID: UInt64
        /// Tokens whose keys and values every shard holds.
        var tokens: [UInt32]
    }

    /// Most sequences kept.
    let countMax: Int
    /// Longest unused first.
    private(set) var prefixes: [Prefix] = []

    init(countMax: Int) {
        self.countMax = countMax
    }

    var count: Int { prefixes.count }

    func contains(_ sequenceID: UInt64) -> Bool { prefixes.contains { $0.sequenceID == sequenceID } }

    /// Keeps an ended sequence, where it is worth it.
    /// - Returns: sequences that are kept no more, itself perhaps among them.
    mutating func keep(_ sequenceID: UInt64, tokens: [UInt32]) -> [UInt64] {
        guard countMax > 0, tokens.count >= PrefixReuse.tokensMin else { return [sequenceID] }
        if let longer = prefixes.first(where: { $0.tokens.starts(with: tokens) }) {
            use(longer.sequenceID)
            return [sequenceID]
        }
        // A conversation's earlier turns are in its latest.
        var dropped = prefixes.filter { tokens.starts(with: $0.tokens) }.map(\.sequenceID)
        prefixes.removeAll { dropped.contains($0.sequenceID) }
        prefixes.append(Prefix(sequenceID: sequenceID, tokens: tokens))
        while prefixes.count > countMax, let oldest = dropOldest() { dropped.append(oldest) }
        return dropped
    }

    /// The sequence that has most of the first tokens of `tokens`, and how many.
    func longestMatch(of tokens: [UInt32]) -> (sequenceID: UInt64, count: Int)? {
        var best: (sequenceID: UInt64, count: Int)?
        for prefix in prefixes {
            let count = prefix.tokens.commonPrefix(with: tokens, beyond: best?.count ?? 0)
            if count > best?.count ?? 0 { best = (prefix.sequenceID, count) }
        }
        return best
    }

    /// Notes that a sequence was of use.
    mutating func use(_ sequenceID: UInt64) {
        guard let index = prefixes.firstIndex(where: { $0.sequenceID == sequenceID }) else { return }
        prefixes.append(prefixes.remove(at: index))
    }

    /// Gives up the sequence that was of no use for longest, of those that are not `spared`.
    mutating func dropOldest(sparing isSpared: (UInt64) -> Bool = { _ in false }) -> UInt64? {
        prefixes.firstIndex { !isSpared($0.sequenceID) }.map { prefixes.remove(at: $0).sequenceID }
    }

    mutating func removeAll() {
        prefixes.removeAll()
    }
}

extension [UInt32] {
    /// How many first elements are those of `other`, or 0 where they are `least` at most.
    func commonPrefix(with other: [UInt32], beyond least: Int) -> Int {
        let end = Swift.min(count, other.count)
        // Most candidates part from the best one so far where it parts from what is looked for.
        guard end > least, self[least] == other[least] else { return 0 }
        return withUnsafeBufferPointer { one in
            other.withUnsafeBufferPointer { two in
                var index = 0
                while index < end, one[index] == two[index] { index += 1 }
                return index > least ? index : 0
            }
        }
    }
}
