// The largest of many logits, without sorting them all.

/// Finds the `count` largest logits in one pass: a buffer of those above a bar, which rises each time the buffer is
/// full and cut back.
enum TopSelection {
    /// Room in the buffer beyond what is wanted: cutting back must be rare even when few are wanted.
    private static let slackMin = 256
    /// Logits that are compared with the bar together. Almost no stretch of this length has one above it.
    private static let stretch = 64

    /// The `count` largest of `logits` in descending order, equal ones by ascending index; fewer if fewer are above −∞.
    static func largest(_ count: Int, of logits: UnsafeBufferPointer<Float>, into found: inout [Candidate]) {
        found.removeAll(keepingCapacity: true)
        guard count > 0 else { return }
        let limit = count + max(count, slackMin)
        var bar = -Float.infinity
        for start in stride(from: 0, to: logits.count, by: stretch) {
            let end = min(start + stretch, logits.count)
            guard countAbove(bar, logits, start, end) > 0 else { continue }
            for index in start..<end where logits[index] > bar {
                found.append(Candidate(id: UInt32(truncatingIfNeeded: index), logit: logits[index]))
            }
            if found.count >= limit {
                cut(&found, to: count)
                // Indices ascend, so what merely equals the last one wanted comes too late.
                bar = found.last?.logit ?? bar
            }
        }
        cut(&found, to: count)
    }

    private static func cut(_ found: inout [Candidate], to count: Int) {
        found.sort { $0.precedes($1) }
        if found.count > count { found.removeLast(found.count - count) }
    }

    /// Counting instead of looking for the first: without an early end the compiler compares several at a time.
    @inline(__always)
    private static func countAbove(_ bar: Float, _ logits: UnsafeBufferPointer<Float>, _ start: Int, _ end: Int)
        -> Int32
    {
        var above: Int32 = 0
        for index in start..<end { above &+= logits[index] > bar ? 1 : 0 }
        return above
    }
}
