// Where a running sum of weights gets so far, without sorting what it runs over.

/// Quickselect by weight: partitions candidates until the one is found at which the sum of weights, taken in order of
/// likelihood, has got far enough. Expected time is linear, where sorting a whole vocabulary would take longer than a
/// small model's token.
enum WeightedSelection {
    /// - Parameter isEnough: whether a sum of weights is far enough; once true, it stays true for larger sums.
    /// - Returns: the index of the candidate that takes the sum that far, or the last of all if none does, and the sum
    ///   with it. All candidates before that index precede it in likelihood, all after it follow. `nil` when there are
    ///   no candidates.
    static func first(
        in candidates: inout [Candidate], where isEnough: (Double) -> Bool
    ) -> (index: Int, sum: Double)? {
        guard !candidates.isEmpty else { return nil }
        var low = 0
        var high = candidates.count
        var before = 0.0
        while true {
            let pivot = candidates.withUnsafeMutableBufferPointer { partition($0, low, high) }
            var preceding = before
            for index in low..<pivot { preceding += Double(candidates[index].weight) }
            let through = preceding + Double(candidates[pivot].weight)
            if pivot > low, isEnough(preceding) {
                high = pivot
            } else if isEnough(through) || pivot + 1 == high {
                return (pivot, through)
            } else {
                low = pivot + 1
                before = through
            }
        }
    }

    /// Puts one of the candidates low ..< high where it would stand if they were sorted, with all that precede it
    /// before.
    /// - Returns: where it stands.
    private static func partition(_ candidates: UnsafeMutableBufferPointer<Candidate>, _ low: Int, _ high: Int) -> Int {
        let last = high - 1
        candidates.swapAt(medianOfThree(candidates, low, (low + last) / 2, last), last)
        let pivot = candidates[last]
        var place = low
        for index in low..<last where candidates[index].precedes(pivot) {
            candidates.swapAt(index, place)
            place += 1
        }
        candidates.swapAt(place, last)
        return place
    }

    private static func medianOfThree(
        _ candidates: UnsafeMutableBufferPointer<Candidate>, _ a: Int, _ b: Int, _ c: Int
    ) -> Int {
        let (first, second) = candidates[a].precedes(candidates[b]) ? (a, b) : (b, a)
        if candidates[c].precedes(candidates[first]) { return first }
        return candidates[c].precedes(candidates[second]) ? c : second
    }
}
