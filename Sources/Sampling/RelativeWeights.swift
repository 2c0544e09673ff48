// How likely tokens are beside the likeliest.

/// Weights e^((logit − maximum) / temperature): probabilities times a common factor that makes the likeliest 1. Those
/// below `minP` count as 0, which is what min-p asks for.
struct RelativeWeights {
    let maximum: Float
    let inverseTemperature: Float
    let minP: Float

    /// Logits whose weights are summed before their sum is kept: few sums, and a short way to the token drawn in one of
    /// them.
    static let block = 1024

    @inline(__always)
    func weight(of logit: Float) -> Float {
        let weight = Exponential.ofNonpositive((logit - maximum) * inverseTemperature)
        return weight >= minP ? weight : 0
    }

    /// The sum of all weights, and the sum of each ``block`` of them, in a fixed order and in double precision.
    func sum(_ logits: UnsafeBufferPointer<Float>, blockSums: inout [Double]) -> Double {
        blockSums.removeAll(keepingCapacity: true)
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.block) { weights in
            var total = 0.0
            for start in stride(from: 0, to: logits.count, by: Self.block) {
                let count = min(Self.block, logits.count - start)
                let stretch = UnsafeBufferPointer(rebasing: logits[start..<start + count])
                for index in 0..<count { weights[index] = weight(of: stretch[index]) }
                for index in count..<Self.block { weights[index] = 0 }
                let sum = Self.sumInLanes(UnsafeBufferPointer(weights))
                blockSums.append(sum)
                total += sum
            }
            return total
        }
    }

    /// Four running sums, since one would wait for itself at every step. The count is a multiple of four.
    private static func sumInLanes(_ weights: UnsafeBufferPointer<Float>) -> Double {
        var (a, b, c, d) = (0.0, 0.0, 0.0, 0.0)
        for index in stride(from: 0, to: weights.count, by: 4) {
            a += Double(weights[index])
            b += Double(weights[index + 1])
            c += Double(weights[index + 2])
            d += Double(weights[index + 3])
        }
        return (a + b) + (c + d)
    }

    /// The token at which the running sum of weights, by ascending id, passes `target`; `nil` when all weights are 0.
    func token(at target: Double, in logits: UnsafeBufferPointer<Float>, blockSums: [Double]) -> UInt32? {
        var block: Int?
        var passed = 0.0
        var end = 0.0
        for (index, sum) in blockSums.enumerated() where sum > 0 && end <= target {
            block = index
            passed = end
            end += sum
        }
        guard let start = block.map({ $0 * Self.block }) else { return nil }
        // One by one the weights may add up to a little less than together: then it is the block's last token.
        var last: UInt32?
        for index in start..<min(start + Self.block, logits.count) where passed <= target {
            let weight = Double(weight(of: logits[index]))
            if weight > 0 { last = UInt32(truncatingIfNeeded: index) }
            passed += weight
        }
        return last
    }
}
