// Norm, rotation, activation, addition, attention against their formulas.

import Glibc
import Testing

@testable import Tensors

@Suite struct RowOperationsTests {
    private let compute: Compute
    private var generator = SeededGenerator(seed: 11)

    init() throws {
        compute = Compute(pool: try WorkerPool(threads: 2), precision: .exact)
    }

    @Test mutating func normDividesByTheRootOfTheMeanSquare() throws {
        let (values, weight) = (generator.floats(3 * 40), generator.floats(40))
        let x = try tensor(values, columns: 40, in: compute)
        let y = try x.rootMeanSquareNormalized(weight: weight, epsilon: 0.01)
        for row in 0..<3 {
            let mean = values[row * 40..<row * 40 + 40].reduce(0) { $0 + Double($1) * Double($1) } / 40
            for column in 0..<40 {
                let expected = Double(values[row * 40 + column]) / (mean + 0.01).squareRoot() * Double(weight[column])
                #expect(abs(Double(y[row][column]) - expected) < 1e-6)
            }
        }
        let expected = y.array
        x.normalizeRootMeanSquare(weight: weight, epsilon: 0.01)
        #expect(x.array == expected)
    }

    @Test(arguments: [RotationPairing.halves, .interleaved])
    mutating func rotationTurnsEachPairOfTheFirstColumns(_ pairing: RotationPairing) throws {
        // Two rows of three heads of 8 columns, of which 6 turn.
        let values = generator.floats(2 * 3 * 8)
        let x = try tensor(values, columns: 24, in: compute)
        let angles = try RotationAngles(rows: 2, pairs: 3, in: compute)
        let radians = (0..<6).map { Double($0) * 0.7 }
        for index in 0..<6 {
            angles.cosines.values[index] = Float(cos(radians[index]))
            angles.sines.values[index] = Float(sin(radians[index]))
        }
        x.rotate(headDimension: 8, by: angles, pairing: pairing)
        for row in 0..<2 {
            for head in 0..<3 {
                let start = row * 24 + head * 8
                for pair in 0..<3 {
                    let (a, b) =
                        pairing == .halves ? (start + pair, start + pair + 3) : (start + 2 * pair, start + 2 * pair + 1)
                    let (p, q, angle) = (Double(values[a]), Double(values[b]), radians[row * 3 + pair])
                    #expect(abs(Double(x.values[a]) - (p * cos(angle) - q * sin(angle))) < 1e-6)
                    #expect(abs(Double(x.values[b]) - (q * cos(angle) + p * sin(angle))) < 1e-6)
                }
                for column in start + 6..<start + 8 { #expect(x.values[column] == values[column]) }
            }
        }
    }

    @Test mutating func gateAndSum() throws {
        let (a, b) = (generator.floats(300), generator.floats(300))
        let (x, y) = (try tensor(a, columns: 100, in: compute), try tensor(b, columns: 100, in: compute))
        let sum = try x + y
        #expect(sum.array == zip(a, b).map { $0 + $1 })
        let gated = siluMultiply(x, y)
        for (index, value) in gated.array.enumerated() {
            let gate = Double(a[index])
            #expect(abs(Double(value) - gate / (1 + exp(-gate)) * Double(b[index])) < 1e-6)
        }
    }

    /// Three query heads share each cached head; keys and values differ in width; the cache spans three blocks.
    @Test mutating func attentionIsASoftmaxOverTheTokensOfTheCache() throws {
        let shape = CacheShape(heads: 2, keyDimension: 16, valueDimension: 8)
        let tokenCount = 2 * CacheBlock.tokens + 5
        let keys = generator.floats(tokenCount * 2 * 16)
        let values = generator.floats(tokenCount * 2 * 8)
        let keyBlocks = blocks(keys, heads: 2, dimension: 16)
        let valueBlocks = blocks(values, heads: 2, dimension: 8)
        defer { for block in keyBlocks + valueBlocks { UnsafeMutableRawPointer(mutating: block)?.deallocate() } }
        let queries = generator.floats(2 * 6 * 16)

        let rows = try AttentionRows(count: 2, in: compute)
        let seen = [0..<tokenCount, 3..<70]
        let output = try keyBlocks.withUnsafeBufferPointer { keyTable in
            try valueBlocks.withUnsafeBufferPointer { valueTable in
                for row in 0..<2 {
                    rows.set(row, keys: keyTable.baseAddress!, values: valueTable.baseAddress!, tokens: seen[row])
                }
                return try rows.attend(
                    queries: tensor(queries, columns: 96, in: compute), heads: 6, cache: shape, type: .f32, scale: 0.5)
            }
        }

        for row in 0..<2 {
            for head in 0..<6 {
                let cached = head / 3
                let weights = seen[row].map { token in
                    exp(
                        (0..<16).reduce(0.0) {
                            $0 + 0.5 * Double(queries[row * 96 + head * 16 + $1])
                                * Double(keys[(token * 2 + cached) * 16 + $1])
                        })
                }
                let total = weights.reduce(0, +)
                for column in 0..<8 {
                    let expected = zip(seen[row], weights).reduce(0.0) {
                        $0 + $1.1 / total * Double(values[($1.0 * 2 + cached) * 8 + column])
                    }
                    #expect(abs(Double(output[row][head * 8 + column]) - expected) < 1e-5)
                }
            }
        }
    }

    private func blocks(_ tokens: [Float], heads: Int, dimension: Int) -> [UnsafeRawPointer?] {
        let bytes = heads * CacheBlock.tokens * dimension * 4
        let count = tokens.count / (heads * dimension)
        return stride(from: 0, to: count, by: CacheBlock.tokens).map { first in
            let block = UnsafeMutableRawPointer.allocate(byteCount: bytes + 64, alignment: 64)
            tokens.withUnsafeBufferPointer { tokens in
                for token in first..<min(first + CacheBlock.tokens, count) {
                    CacheBlock.store(
                        tokens.baseAddress! + token * heads * dimension, heads: heads, dimension: dimension,
                        slot: token - first,
                        type: .f32, in: block)
                }
            }
            return UnsafeRawPointer(block)
        }
    }
}
