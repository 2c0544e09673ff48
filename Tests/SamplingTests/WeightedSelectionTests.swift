// The weighted selection against sorting.

import Testing

@testable import Sampling

@Suite struct WeightedSelectionTests {
    @Test(arguments: 1...20) func findsWhatSortingFinds(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let count = Int.random(in: 1...300, using: &random)
        // Few different values, and whole-numbered weights, so that every sum is exact in any order.
        let original = (0..<count).map { id in
            let logit = Float(Int.random(in: 0..<40, using: &random))
            return Candidate(id: UInt32(id), logit: logit, weight: logit + 1)
        }.shuffled(using: &random)
        let sorted = original.sorted { $0.precedes($1) }
        var candidates = original
        for target in stride(from: 0.0, through: Double(sorted.reduce(0) { $0 + $1.weight }) + 3, by: 7) {
            var sum = 0.0
            let expected =
                sorted.firstIndex { candidate in
                    sum += Double(candidate.weight)
                    return sum > target
                } ?? count - 1
            let found = try #require(WeightedSelection.first(in: &candidates) { $0 > target })
            #expect(found.index == expected)
            #expect(found.sum == sum)
            #expect(candidates[expected] == sorted[expected])
            #expect(Set(candidates[..<expected].map(\.id)) == Set(sorted[..<expected].map(\.id)))
            #expect(candidates.count == count)
        }
    }

    @Test func endsOnlyWhereItMust() {
        var none: [Candidate] = []
        #expect(WeightedSelection.first(in: &none) { _ in true } == nil)
        var equal = (0..<50).map { Candidate(id: UInt32(49 - $0), logit: 1, weight: 1) }
        let first = WeightedSelection.first(in: &equal) { _ in true }
        #expect(first?.index == 0 && first?.sum == 1 && equal[0].id == 0)
        let last = WeightedSelection.first(in: &equal) { _ in false }
        #expect(last?.index == 49 && last?.sum == 50 && equal[49].id == 49)
    }
}
