// Which pairs of tokens merge, how urgently, and into what.

/// The merges of a byte-pair model: a flat hash table from two ids to a rank and an id, made once and only read then.
///
/// Unchecked: the table's memory is written by the initializer alone.
final class MergeTable: @unchecked Sendable {
    /// What a pair becomes. Ordered by urgency: the rank is in the upper half.
    struct Merge: Comparable, BitwiseCopyable {
        fileprivate let bits: UInt64

        /// The pair does not merge; later than all that do.
        static let none = Merge(bits: .max)

        /// The place of the pair in the file's list; merges of lower ranks come first.
        var rank: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) }
        /// The id of the token that the two become.
        var id: UInt32 { UInt32(truncatingIfNeeded: bits) }

        fileprivate init(bits: UInt64) { self.bits = bits }

        init(rank: UInt32, id: UInt32) { bits = UInt64(rank) << 32 | UInt64(id) }

        @inline(__always)
        static func < (left: Merge, right: Merge) -> Bool { left.bits < right.bits }
    }

    private struct Slot: BitwiseCopyable {
        /// Both ids; all ones where the slot is free, which no pair of ids below the vocabulary's limit is.
        var pair: UInt64
        var merge: Merge
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let mask: Int

    /// - Parameter model: whose merges name tokens of `vocabulary`.
    /// - Throws: `TokenizerProblem` when a merge is malformed or names or makes a token that is not in the vocabulary.
    convenience init(_ model: BytePairModelDefinition, vocabulary: Vocabulary) throws {
        if case .scores(let scores) = model.merges {
            let merges = ScoredMerges(scores, vocabulary: vocabulary).merges
            self.init(capacity: merges.count)
            for merge in merges { insert(Self.pair(merge.left, merge.right), merge.merge) }
            return
        }
        self.init(capacity: model.merges.count)
        var joined: [UInt8] = []
        try model.merges.forEach { rank, left, right in
            func id(_ token: UnsafeBufferPointer<UInt8>) throws -> UInt32 {
                guard let id = vocabulary.id(of: token) else {
                    throw TokenizerProblem(
                        field: "model.merges[\(rank)]",
                        "needs \(quoted(token)), which model.vocab does not have")
                }
                return id
            }
            joined.removeAll(keepingCapacity: true)
            joined.append(contentsOf: left)
            joined.append(contentsOf: right)
            let merge = Merge(rank: UInt32(rank), id: try joined.withUnsafeBufferPointer(id))
            insert(Self.pair(try id(left), try id(right)), merge)
        }
    }

    /// An empty table.
    private init(capacity: Int) {
        // At most five eighths full, so that probes stay short and the table stays small.
        var slotCount = 16
        while 5 * slotCount < 8 * capacity { slotCount *= 2 }
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: Slot(pair: .max, merge: .none), count: slotCount)
        mask = slotCount - 1
    }

    deinit {
        slots.deallocate()
    }

    /// What two neighbouring tokens become.
    @inline(__always)
    func merge(_ left: UInt32, _ right: UInt32) -> Merge {
        let pair = Self.pair(left, right)
        var slot = Int(truncatingIfNeeded: mix(pair)) & mask
        while slots[slot].pair != pair {
            if slots[slot].pair == .max { return .none }
            slot = (slot + 1) & mask
        }
        return slots[slot].merge
    }

    @inline(__always)
    private static func pair(_ left: UInt32, _ right: UInt32) -> UInt64 {
        UInt64(left) << 32 | UInt64(right)
    }

    /// Of a pair listed twice, the later place counts.
    private func insert(_ pair: UInt64, _ merge: Merge) {
        var slot = Int(truncatingIfNeeded: mix(pair)) & mask
        while slots[slot].pair != .max && slots[slot].pair != pair { slot = (slot + 1) & mask }
        slots[slot] = Slot(pair: pair, merge: merge)
    }
}

extension BytePairModelDefinition.Merges {
    /// Number of merges.
    var count: Int {
        switch self {
        case .scores: 0
        case .joined(let merges): merges.count
        case .pairs(let merges): merges.count
        }
    }

    /// Hands over each merge with its rank and the UTF-8 of its two tokens.
    fileprivate func forEach(
        _ body: (Int, UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws {
        switch self {
        case .scores:
            break
        case .joined(let merges):
            for (rank, merge) in merges.enumerated() {
                var merge = merge
                try merge.withUTF8 { bytes in
                    let blank = UInt8(ascii: " ")
                    guard let middle = bytes.firstIndex(of: blank), bytes.lastIndex(of: blank) == middle else {
                        throw TokenizerProblem(
                            field: "model.merges[\(rank)]", "must be two tokens with one blank between")
                    }
                    try body(
                        rank, UnsafeBufferPointer(rebasing: bytes[..<middle]),
                        UnsafeBufferPointer(rebasing: bytes[(middle + 1)...]))
                }
            }
        case .pairs(let merges):
            for (rank, merge) in merges.enumerated() {
                var (left, right) = (merge.left, merge.right)
                try left.withUTF8 { left in try right.withUTF8 { right in try body(rank, left, right) } }
            }
        }
    }
}
