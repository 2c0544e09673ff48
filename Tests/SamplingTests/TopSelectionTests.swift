// The selection against sorting everything.

import Testing

@testable import Sampling

@Suite struct TopSelectionTests {
    private func largest(_ count: Int, _ logits: [Float]) -> [Candidate] {
        var found: [Candidate] = []
        logits.withUnsafeBufferPointer { TopSelection.largest(count, of: $0, into: &found) }
        return found
    }

    private func sorted(_ count: Int, _ logits: [Float]) -> [Candidate] {
        let all = logits.enumerated().filter { $1 > -.infinity }.map { Candidate(id: UInt32($0), logit: $1) }
        return Array(all.sorted { $0.logit == $1.logit ? $0.id < $1.id : $0.logit > $1.logit }.prefix(count))
    }

    @Test(arguments: [0, 1, 2, 20, 255, 256, 257, 1000, 5000]) func isThePrefixOfTheSortedWhole(count: Int) {
        var random = SplitMix(state: UInt64(count))
        let spread = (0..<3001).map { _ in random.logit(spread: 5) }
        #expect(largest(count, spread) == sorted(count, spread))
        // Few different values, so that equals lie on both sides of the edge.
        let coarse = (0..<3001).map { _ in Float(Int.random(in: 0..<4, using: &random)) }
        #expect(largest(count, coarse) == sorted(count, coarse))
        let ascending = (0..<3001).map { Float($0) }
        #expect(largest(count, ascending) == sorted(count, ascending))
        #expect(largest(count, ascending.reversed()) == sorted(count, ascending.reversed()))
    }

    @Test func passesOverWhatIsImpossible() {
        var logits = [Float](repeating: -.infinity, count: 200)
        #expect(largest(5, logits).isEmpty)
        logits[150] = -3
        logits[151] = .nan
        #expect(largest(5, logits) == [Candidate(id: 150, logit: -3)])
        #expect(largest(5, []).isEmpty)
    }
}
