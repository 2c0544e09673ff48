// Products head by head: right, and the same bits however they are run.

import CKernels
import Testing

extension KernelTests {
    @Suite struct HeadProducts {
        /// Heads of 24 outputs, of which 5 ..< 21 are used.
        static let heads = 3, headOutputs = 24, first = 5, outputs = 16, inputs = 96

        static func samples() -> [MatrixSample] {
            var random = RandomSource(seed: 21)
            let all = heads * headOutputs
            return [CK_F32, CK_F16, CK_BF16].map { MatrixSample($0, outputs: all, inputs: inputs, random: &random) }
                + [
                    MatrixSample(bits: 4, group: 32, scales: CK_F16, outputs: all, inputs: inputs, random: &random),
                    MatrixSample(bits: 6, group: 32, scales: CK_BF16, outputs: all, inputs: inputs, random: &random),
                ]
        }

        private func multiply(
            _ sample: MatrixSample, transposed: Bool, _ x: [Float], rows: Int, _ pool: OpaquePointer?
        ) -> [Float] {
            // Heads of x and y are wider than what is used of them.
            let (from, to) = transposed ? (Self.outputs, Self.inputs) : (Self.inputs, Self.outputs)
            var y = [Float](repeating: 7, count: rows * Self.heads * (to + 3))
            let scratch = AlignedBytes(count: ck_multiply_heads_scratch_bytes())
            withUnsafePointer(to: sample.matrix) { matrix in
                var part = ck_head_matrix(
                    matrix: matrix, heads: Self.heads, head_outputs: Self.headOutputs, first_output: Self.first,
                    outputs: Self.outputs, transposed: transposed)
                ck_multiply_heads(pool, &part, x, from + 2, rows, &y, to + 3, scratch.pointer)
            }
            return y
        }

        @Test(arguments: [false, true], [1, 5, 40]) func aHeadMeetsItsOwnOutputs(transposed: Bool, rows: Int) {
            let (from, to) = transposed ? (Self.outputs, Self.inputs) : (Self.inputs, Self.outputs)
            var random = RandomSource(seed: 22)
            let x = random.floats(rows * Self.heads * (from + 2))
            for sample in Self.samples() {
                expectSameEverywhere("\(sample.name), transposed \(transposed)") { pool in
                    let y = multiply(sample, transposed: transposed, x, rows: rows, pool)
                    for at in 0..<rows * Self.heads {
                        let head = at % Self.heads
                        #expect(y[at * (to + 3) + to..<(at + 1) * (to + 3)].allSatisfy { $0 == 7 }, "left alone")
                        for column in 0..<to {
                            let expected = (0..<from).reduce(0.0) { sum, k in
                                let (output, input) = transposed ? (k, column) : (column, k)
                                let weight = (head * Self.headOutputs + Self.first + output) * Self.inputs + input
                                return sum + sample.values[weight] * Double(x[at * (from + 2) + k])
                            }
                            #expect(abs(Double(y[at * (to + 3) + column]) - expected) < 2e-5)
                        }
                    }
                    return y
                }
            }
        }

        @Test(arguments: [false, true]) func aRowIsTheSameAloneAndAmongMany(transposed: Bool) {
            let from = transposed ? Self.outputs : Self.inputs, perRow = Self.heads * (from + 2)
            var random = RandomSource(seed: 23)
            let x = random.floats(40 * perRow)
            for sample in Self.samples() {
                let together = multiply(sample, transposed: transposed, x, rows: 40, nil)
                for row in [0, 17, 31, 32, 39] {
                    let alone = multiply(
                        sample, transposed: transposed, Array(x[row * perRow..<(row + 1) * perRow]), rows: 1, nil)
                    let inTheMidst = Array(together[row * alone.count..<(row + 1) * alone.count])
                    #expect(firstDifference(alone, inTheMidst) == nil)
                }
            }
        }
    }
}
