// The merges of a vocabulary that has scores instead.

/// The pairs of tokens that together are a token, as SentencePiece's byte-pair models merge them: whatever pair makes
/// the token of the highest score goes first, of equal scores the leftmost.
struct ScoredMerges {
    struct Pair {
        let left: UInt32
        let right: UInt32
        let merge: MergeTable.Merge
    }

    let merges: [Pair]

    /// - Parameter scores: one for each id of `vocabulary`.
    init(_ scores: [Float], vocabulary: Vocabulary) {
        let ids = (0..<UInt32(min(scores.count, vocabulary.count))).filter { vocabulary.content(of: $0) != nil }
        // Equal scores are equally urgent: they share a rank.
        let order = Set(ids.map { scores[Int($0)] }).sorted(by: >)
        var ranks: [Float: UInt32] = [:]
        ranks.reserveCapacity(order.count)
        for (rank, score) in order.enumerated() { ranks[score] = UInt32(rank) }
        var merges: [Pair] = []
        for id in ids {
            guard let content = vocabulary.content(of: id), let rank = ranks[scores[Int(id)]] else { continue }
            content.withUnsafeBufferPointer { bytes in
                for cut in 1..<max(bytes.count, 1) where bytes[cut] & 0xC0 != 0x80 {
                    guard let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[..<cut])),
                        let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: bytes[cut...]))
                    else { continue }
                    merges.append(Pair(left: left, right: right, merge: MergeTable.Merge(rank: rank, id: id)))
                }
            }
        }
        self.merges = merges
    }
}
