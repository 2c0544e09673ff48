// The random numbers: even, independent, and the same for good.

import Testing

@testable import Sampling

@Suite struct RandomDrawTests {
    /// The mean of 100,000 numbers, and how they fall into 64 boxes (63 degrees of freedom: above 103 once in a
    /// thousand).
    @Test(arguments: [0, 1, 2, 1 << 40, UInt64.max]) func isEven(seed: UInt64) {
        var boxes = [Int](repeating: 0, count: 64)
        for position in 0..<100_000 {
            let value = RandomDraw.uniform(seed: seed, position: position)
            boxes[Int(value * 64)] += 1  // ends the test where it is outside 0 ..< 1
        }
        let expected = 100_000.0 / 64
        #expect(boxes.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected } < 103)
    }

    /// Choices of one request (n > 1) and requests one after the other often have neighbouring seeds.
    @Test func neighbouringSeedsAndPositionsAreUnrelated() {
        for (seedStep, positionStep) in [(UInt64(1), 0), (0, 1), (1, 1), (1, -1), (0x9E37_79B9_7F4A_7C15, -1), (2, 1)] {
            var products = 0.0
            for position in 10..<20_010 {
                let a = RandomDraw.uniform(seed: 77, position: position) - 0.5
                let b = RandomDraw.uniform(seed: 77 &+ seedStep, position: position + positionStep) - 0.5
                products += a * b
            }
            // Unrelated: mean 0, deviation 1/12 · √20,000 = 11.8.
            #expect(abs(products) < 48)
        }
    }

    /// Fixed for good: shards of different versions, and a replay after an update, must draw the same. The values come
    /// from a few lines of Python that were checked against SplitMix64's published output.
    @Test func keepsItsValuesOverVersions() {
        #expect(RandomDraw.uniform(seed: 0, position: 0) == 0x1.4e0dba5e9a32fp-1)
        #expect(RandomDraw.uniform(seed: 42, position: 7) == 0x1.782d47a99890cp-1)
        #expect(RandomDraw.uniform(seed: .max, position: 123_456) == 0x1.4a393010fc302p-2)
    }
}
