// Norm, rotary embedding, gated activation and sum: right, and the same bits everywhere.

import CKernels
import Glibc
import Testing

extension KernelTests {
    @Suite struct RowOperations {
        @Test(arguments: [1, 5, 16, 31, 128, 1000, 20000]) func rmsNorm(columns: Int) {
            var random = RandomSource(seed: 1)
            let rows = 3, epsilon: Float = 1e-6
            let x = random.floats(rows * columns), weight = random.floats(columns)
            expectSameEverywhere("\(columns) columns") { pool in
                var out = [Float](repeating: .nan, count: x.count)
                ck_rms_norm(pool, x, weight, epsilon, rows, columns, &out)
                for row in 0..<rows {
                    let squares = x[row * columns..<(row + 1) * columns].reduce(0.0) { $0 + Double($1) * Double($1) }
                    let norm = (squares / Double(columns) + Double(epsilon)).squareRoot()
                    for i in 0..<columns {
                        let expected = Double(x[row * columns + i]) / norm * Double(weight[i])
                        expectClose(out[row * columns + i], expected, 1e-6)
                    }
                }
                return out
            }
        }

        @Test func rmsNormWithWeightsAboutOne() {
            var random = RandomSource(seed: 8)
            let x = random.floats(2 * 77), weight = random.floats(77), larger = weight.map { $0 + 1 }
            expectSameEverywhere("offset") { pool in
                var out = x, expected = x
                ck_rms_norm_offset(pool, x, weight, 1, 1e-5, 2, 77, &out)
                ck_rms_norm(pool, x, larger, 1e-5, 2, 77, &expected)
                #expect(firstDifference(expected, out) == nil)
                return out
            }
        }

        @Test func rmsNormInPlace() {
            var random = RandomSource(seed: 2)
            let weight = random.floats(100)
            let x = random.floats(300)
            expectSameEverywhere("in place") { pool in
                var apart = [Float](repeating: .nan, count: 300)
                ck_rms_norm(pool, x, weight, 1e-5, 3, 100, &apart)
                var inPlace = x
                inPlace.withUnsafeMutableBufferPointer {
                    ck_rms_norm(pool, $0.baseAddress, weight, 1e-5, 3, 100, $0.baseAddress)
                }
                #expect(firstDifference(apart, inPlace) == nil)
                return inPlace
            }
        }

        @Test(arguments: [false, true]) func rope(interleaved: Bool) {
            var random = RandomSource(seed: 3)
            for (rows, heads, headDim, rotary) in [(1, 1, 2, 2), (3, 2, 64, 64), (2, 5, 80, 34), (40, 8, 128, 128)] {
                let x = random.floats(rows * heads * headDim)
                let cosines = random.floats(rows * rotary / 2), sines = random.floats(rows * rotary / 2)
                var expected = x.map(Double.init)
                for row in 0..<rows {
                    for head in 0..<heads {
                        let start = (row * heads + head) * headDim
                        for i in 0..<rotary / 2 {
                            let a = start + (interleaved ? 2 * i : i)
                            let b = start + (interleaved ? 2 * i + 1 : i + rotary / 2)
                            let cosine = Double(cosines[row * rotary / 2 + i])
                            let sine = Double(sines[row * rotary / 2 + i])
                            let (first, second) = (Double(x[a]), Double(x[b]))
                            expected[a] = first * cosine - second * sine
                            expected[b] = second * cosine + first * sine
                        }
                    }
                }
                expectSameEverywhere("rope [\(rows), \(heads), \(headDim)], \(rotary) rotated") { pool in
                    var out = x
                    ck_rope(pool, &out, cosines, sines, rows, heads, headDim, rotary, interleaved)
                    for (got, want) in zip(out, expected) { #expect(abs(Double(got) - want) < 2e-7) }
                    return out
                }
            }
        }

        /// silu(−x) ≈ −x · exp(−x) for large x: where the gate is far below zero the error of exp shows as it is.
        @Test func siluIsAccurateWhereverItCountsAndTheSameEverywhere() {
            var gates: [Float] = [0, -0.0, 1e-30, -1e-30, 1e-40, 30, 88, 89, 1e30, -1e30, .infinity]
            gates += (0..<40_000).map { Float($0) / 40_000 * 200 - 100 }
            let ups = [Float](repeating: 1, count: gates.count)
            expectSameEverywhere("silu") { pool in
                var out = [Float](repeating: .nan, count: gates.count)
                ck_silu_multiply(pool, gates, ups, gates.count, &out)
                for (gate, value) in zip(gates, out) where gate > -86 && gate.isFinite {
                    let expected = Double(gate) / (1 + Glibc.exp(-Double(gate)))
                    expectClose(value, expected, 4e-7)
                }
                return out
            }
        }

        @Test func geluIsAccurateWhereverItCountsAndTheSameEverywhere() {
            var gates: [Float] = [0, -0.0, 1e-30, -1e-30, 30, 1e30, -1e30, .infinity, .nan]
            gates += (0..<20_000).map { Float($0) / 20_000 * 24 - 12 }
            let ups = gates.indices.map { Float($0 % 7) - 3 }
            expectSameEverywhere("gelu") { pool in
                var out = [Float](repeating: .nan, count: gates.count)
                ck_gelu_multiply(pool, gates, ups, gates.count, &out)
                for (index, gate) in gates.enumerated() where gate > -5 && gate < 20 {
                    let x = Double(gate)
                    let inner = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
                    expectClose(out[index], x / 2 * (1 + tanh(inner)) * Double(ups[index]), 1e-5)
                }
                return out
            }
        }

        @Test func gatesAndValuesAreKeptWithinTheLimit() {
            var gates: [Float] = [0, -0.0, 7, 7.5, -200, 1e30, -1e30, .infinity, -.infinity, .nan, 1]
            var ups: [Float] = [1, 1, 1, 1, 8, -8, .infinity, -.infinity, 0.5, 1, .nan]
            gates += (0..<5_000).map { Float($0) / 5_000 * 40 - 20 }
            ups += (0..<5_000).map { Float($0 % 37) - 18 }
            expectSameEverywhere("clamped") { pool in
                var out = [Float](repeating: .nan, count: gates.count)
                ck_clamped_multiply(pool, gates, ups, 7, 1.702, gates.count, &out)
                #expect(out[9].isNaN && out[10].isNaN)
                for (index, value) in out.enumerated() where gates[index] > -40 && gates[index].isFinite {
                    guard !ups[index].isNaN else { continue }
                    let gate = min(Double(gates[index]), 7), up = min(max(Double(ups[index]), -7), 7)
                    let expected = gate / (1 + Glibc.exp(-Double(Float(1.702)) * gate)) * (up + 1)
                    expectClose(value, expected, 2e-6)
                }
                return out
            }
        }

        @Test func pairsAreTakenApart() {
            let pairs = (0..<26).map(Float.init)
            var even = [Float](repeating: -1, count: 13), odd = even
            ck_separate_pairs(pairs, 13, &even, &odd)
            #expect(even == stride(from: 0, to: 26, by: 2).map(Float.init))
            #expect(odd == stride(from: 1, to: 26, by: 2).map(Float.init))
        }

        @Test func addAndItsAliases() {
            var random = RandomSource(seed: 5)
            for count in [1, 7, 8, 9, 100, 50_001] {
                let a = random.floats(count, .wide), b = random.floats(count, .wide)
                let expected = zip(a, b).map { $0 + $1 }
                expectSameEverywhere("\(count) sums") { pool in
                    var out = a
                    out.withUnsafeMutableBufferPointer { ck_add(pool, $0.baseAddress, b, count, $0.baseAddress) }
                    #expect(firstDifference(expected, out) == nil)
                    return out
                }
            }
        }
    }

    /// Expects a relative error of at most `tolerance`.
    static func expectClose(
        _ value: Float, _ expected: Double, _ tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = abs(Double(value) - expected)
        if !(error <= tolerance * abs(expected) + 1e-44) {
            Issue.record("\(value) is not \(expected)", sourceLocation: sourceLocation)
        }
    }
}
