// The order in which the pairs of a long piece merge.

/// A binary heap of pairs by rank and, within a rank, by position.
struct MergeQueue {
    /// Rank in the upper half, position in the lower: smaller is sooner.
    private let entries = ScratchBuffer<UInt64>(capacity: 256)

    func removeAll() { entries.removeAll() }

    func shrink(toCapacity largest: Int) { entries.shrink(toCapacity: largest) }

    /// Adds a pair without keeping order; `order` follows before the first is taken.
    func append(rank: UInt32, position: Int) {
        entries.append(UInt64(rank) << 32 | UInt64(position))
    }

    func order() {
        for index in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    func push(rank: UInt32, position: Int) {
        append(rank: rank, position: position)
        let elements = entries.elements
        var index = elements.count - 1
        while index > 0 && elements[index] < elements[(index - 1) / 2] {
            elements.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    func popFirst() -> (rank: UInt32, position: Int)? {
        guard let first = entries.elements.first else { return nil }
        entries.elements[0] = entries.elements[entries.count - 1]
        entries.truncate(to: entries.count - 1)
        sink(0)
        return (UInt32(truncatingIfNeeded: first >> 32), Int(UInt32(truncatingIfNeeded: first)))
    }

    private func sink(_ start: Int) {
        let elements = entries.elements
        var index = start
        while 2 * index + 1 < elements.count {
            var child = 2 * index + 1
            if child + 1 < elements.count && elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < elements[index] else { return }
            elements.swapAt(index, child)
            index = child
        }
    }
}
