// Merges the symbols of one piece, in time that grows little faster than its length.

/// The symbols of a piece while they merge, and what the two ways of merging them need.
final class MergingWorkspace {
    /// The ids at hand, in order.
    let symbols = ScratchBuffer<UInt32>(capacity: 256)
    /// [symbol] what it and the next one become.
    private let merges = ScratchBuffer<MergeTable.Merge>(capacity: 256)
    /// [symbol] its neighbours, for long pieces. A merged symbol leaves the list.
    private let next = ScratchBuffer<Int>(capacity: 256)
    private let previous = ScratchBuffer<Int>(capacity: 256)
    /// The pairs waiting to be merged, for long pieces.
    private var queue = MergeQueue()

    /// Longest piece, in symbols, that is merged by looking at all pairs for each merge. Up to about here that is
    /// quicker than keeping a queue; words are shorter, long runs of Chinese or of punctuation are not.
    private static let scannedCountMax = 64

    /// Merges until no pair in `symbols` is left that the table has. Of equal ranks the leftmost pair goes first.
    func mergeSymbols(by table: MergeTable) {
        guard symbols.count > 1 else { return }
        if symbols.count <= Self.scannedCountMax {
            mergeScanning(table)
        } else {
            mergeQueued(table)
        }
    }

    func shrink(toCapacity largest: Int) {
        symbols.shrink(toCapacity: largest)
        merges.shrink(toCapacity: largest)
        next.shrink(toCapacity: largest)
        previous.shrink(toCapacity: largest)
        queue.shrink(toCapacity: largest)
    }

    private func mergeScanning(_ table: MergeTable) {
        merges.removeAll()
        let symbols = self.symbols.elements
        var count = symbols.count
        for index in 0..<count - 1 { merges.append(table.merge(symbols[index], symbols[index + 1])) }
        let merges = self.merges.elements
        while count > 1 {
            var best = 0
            for index in 1..<count - 1 where merges[index].rank < merges[best].rank { best = index }
            let merge = merges[best]
            guard merge != .none else { break }
            symbols[best] = merge.id
            // Close the gap the right symbol leaves.
            for index in best + 1..<count - 1 { symbols[index] = symbols[index + 1] }
            count -= 1
            for index in min(best + 1, count - 1)..<count - 1 { merges[index] = merges[index + 1] }
            if best + 1 < count { merges[best] = table.merge(symbols[best], symbols[best + 1]) }
            if best > 0 { merges[best - 1] = table.merge(symbols[best - 1], symbols[best]) }
        }
        self.symbols.truncate(to: count)
    }

    private func mergeQueued(_ table: MergeTable) {
        let symbols = self.symbols.elements
        let count = symbols.count
        merges.removeAll()
        next.removeAll()
        previous.removeAll()
        queue.removeAll()
        for index in 0..<count {
            next.append(index + 1 < count ? index + 1 : -1)
            previous.append(index - 1)
            let merge = index + 1 < count ? table.merge(symbols[index], symbols[index + 1]) : .none
            merges.append(merge)
            if merge != .none { queue.append(rank: merge.rank, position: index) }
        }
        queue.order()
        let (merges, next, previous) = (self.merges.elements, self.next.elements, self.previous.elements)
        func renew(_ index: Int) {
            let merge =
                next[index] >= 0 ? table.merge(symbols[index], symbols[next[index]]) : MergeTable.Merge.none
            merges[index] = merge
            if merge != .none { queue.push(rank: merge.rank, position: index) }
        }
        while let entry = queue.popFirst() {
            let left = entry.position
            // The pair may have changed since it was queued, or its left symbol have gone.
            guard merges[left] != .none, merges[left].rank == entry.rank else { continue }
            let right = next[left]
            symbols[left] = merges[left].id
            merges[right] = .none
            next[left] = next[right]
            if next[left] >= 0 { previous[next[left]] = left }
            renew(left)
            if previous[left] >= 0 { renew(previous[left]) }
        }
        // The first symbol never goes: only right ones do.
        var kept = 0
        var index = 0
        while index >= 0 {
            symbols[kept] = symbols[index]
            kept += 1
            index = next[index]
        }
        self.symbols.truncate(to: kept)
    }
}
