// Weight matrices × rows: right, and the same bits however they are run.

import CKernels
import Testing

extension KernelTests {
    @Suite struct Matmul {
        static let floatTypes = [CK_F32, CK_F16, CK_BF16]
        static let bitWidths = [2, 3, 4, 5, 6, 8]
        static let groups = [32, 64, 128]
        /// Every width with every group, and groups of 16 where they are allowed.
        static let packings = bitWidths.flatMap { bits in
            ((bits == 4 || bits == 8 ? [] : [16]) + groups).map { (bits: bits, group: $0) }
        }

        @Test(arguments: floatTypes) func floatMatricesGiveTheProduct(type: ck_float_type) {
            var random = RandomSource(seed: 1)
            for inputs in [1, 15, 16, 17, 100, 1000] {
                let sample = MatrixSample(type, outputs: 9, inputs: inputs, random: &random)
                expectProduct(of: sample, rows: 3, CK_ACTIVATIONS_F32, tolerance: 1e-6, random: &random)
                // Of bf16's eight bits the last may be off by half.
                let tolerance = type == CK_BF16 ? 1.0 / 512 : 1e-6
                expectProduct(of: sample, rows: 3, CK_ACTIVATIONS_ROUNDED, tolerance: tolerance, random: &random)
            }
        }

        @Test(arguments: packings) func quantisedMatricesGiveTheProduct(bits: Int, group: Int) {
            var random = RandomSource(seed: 2)
            for type in Self.floatTypes {
                let sample = MatrixSample(
                    bits: bits, group: group, scales: type, outputs: 9, inputs: group * 9, random: &random)
                expectProduct(of: sample, rows: 3, CK_ACTIVATIONS_F32, tolerance: 1e-6, random: &random)
                // 127 steps to each side: half a step is an error of 1/254 of the largest activation of a group.
                expectProduct(of: sample, rows: 3, CK_ACTIVATIONS_ROUNDED, tolerance: 1.0 / 254, random: &random)
            }
        }

        @Test(arguments: floatTypes) func floatMatricesGiveTheSameBitsEverywhere(type: ck_float_type) {
            var random = RandomSource(seed: 3)
            for kind in FloatKind.allCases {
                let inputs = Int.random(in: 1...600, using: &random)
                let outputs = Int.random(in: 1...70, using: &random)
                let sample = MatrixSample(type, outputs: outputs, inputs: inputs, kind, random: &random)
                for rows in [1, 2, 3, 4, 5, 9, 33, 41] {
                    expectSameBits(of: sample, rows: rows, CK_ACTIVATIONS_F32, kind, random: &random)
                    guard type == CK_BF16 else { continue }
                    expectSameBits(of: sample, rows: rows, CK_ACTIVATIONS_ROUNDED, kind, random: &random)
                }
            }
        }

        @Test(arguments: packings) func quantisedMatricesGiveTheSameBitsEverywhere(bits: Int, group: Int) {
            var random = RandomSource(seed: 4)
            for type in Self.floatTypes {
                let inputs = group * Int.random(in: 1...(2560 / group), using: &random)
                let outputs = Int.random(in: 1...40, using: &random)
                let sample = MatrixSample(
                    bits: bits, group: group, scales: type, outputs: outputs, inputs: inputs, random: &random)
                for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 33] {
                    let kind = FloatKind.allCases.randomElement(using: &random)!
                    expectSameBits(of: sample, rows: rows, CK_ACTIVATIONS_ROUNDED, kind, random: &random)
                }
                expectSameBits(of: sample, rows: 1, CK_ACTIVATIONS_F32, .wide, random: &random)
                expectSameBits(of: sample, rows: 17, CK_ACTIVATIONS_F32, .plain, random: &random)
            }
        }

        /// Large enough to be spread over the pool, and for several passes over rows and inputs.
        @Test func largeProductsGiveTheSameBitsEverywhere() {
            var random = RandomSource(seed: 5)
            for rows in [1, 5, 70] {
                let float = MatrixSample(CK_BF16, outputs: 300, inputs: 2100, random: &random)
                expectSameBits(of: float, rows: rows, CK_ACTIVATIONS_F32, .plain, random: &random)
                expectSameBits(of: float, rows: rows, CK_ACTIVATIONS_ROUNDED, .plain, random: &random)
                for bits in [4, 8] {
                    let affine = MatrixSample(
                        bits: bits, group: 64, scales: CK_BF16, outputs: 300, inputs: 2112, random: &random)
                    expectSameBits(of: affine, rows: rows, CK_ACTIVATIONS_ROUNDED, .plain, random: &random)
                }
            }
        }

        @Test func aRowIsTheSameAloneAndAmongMany() {
            var random = RandomSource(seed: 6)
            for rows in [2, 3, 4, 5, 6, 7, 8, 12, 13, 64, 100] {
                for (sample, activations) in [
                    (MatrixSample(CK_F16, outputs: 37, inputs: 211, random: &random), CK_ACTIVATIONS_F32),
                    (MatrixSample(CK_BF16, outputs: 37, inputs: 211, random: &random), CK_ACTIVATIONS_F32),
                    (MatrixSample(CK_BF16, outputs: 37, inputs: 211, random: &random), CK_ACTIVATIONS_ROUNDED),
                    (
                        MatrixSample(bits: 4, group: 64, scales: CK_BF16, outputs: 37, inputs: 320, random: &random),
                        CK_ACTIVATIONS_ROUNDED
                    ),
                    (
                        MatrixSample(bits: 6, group: 16, scales: CK_F32, outputs: 37, inputs: 304, random: &random),
                        CK_ACTIVATIONS_ROUNDED
                    ),
                    (
                        MatrixSample(bits: 8, group: 32, scales: CK_F16, outputs: 37, inputs: 352, random: &random),
                        CK_ACTIVATIONS_ROUNDED
                    ),
                ] {
                    let inputs = Int(sample.matrix.inputs), outputs = Int(sample.matrix.outputs)
                    let x = random.floats(rows * inputs)
                    for instructionSet in instructionSets {
                        using(instructionSet) {
                            let together = multiply(sample, x, rows: rows, activations)
                            for row in 0..<rows {
                                let alone = multiply(
                                    sample, Array(x[row * inputs..<(row + 1) * inputs]), rows: 1, activations)
                                let inTheMidst = Array(together[row * outputs..<(row + 1) * outputs])
                                #expect(firstDifference(alone, inTheMidst) == nil)
                            }
                        }
                    }
                }
            }
        }

        /// The canon of bf16 weights, written down once more: of each 32 inputs a lane takes a pair, its odd element
        /// first; what is too small counts as zero.
        @Test(arguments: FloatKind.allCases) func bf16ProductsAreSumsOfPairs(_ kind: FloatKind) {
            var random = RandomSource(seed: 10)
            let (inputs, outputs) = (211, 7)
            let sample = MatrixSample(CK_BF16, outputs: outputs, inputs: inputs, kind, random: &random)
            let x = random.floats(inputs, kind)
            for activations in [CK_ACTIVATIONS_F32, CK_ACTIVATIONS_ROUNDED] {
                let rows = activations == CK_ACTIVATIONS_F32 ? x : x.map(Self.roundedToBF16)
                let expected = (0..<outputs).map { output in
                    var lanes = [Float](repeating: 0, count: 16)
                    for first in stride(from: 0, to: inputs, by: 32) {
                        for pair in 0..<16 {
                            for index in [first + 2 * pair + 1, first + 2 * pair] where index < inputs {
                                let weight = Float(sample.values[output * inputs + index])
                                lanes[pair].addProduct(abs(weight) < 0x1p-63 ? 0 : weight, rows[index])
                            }
                        }
                    }
                    while lanes.count > 1 {
                        lanes = (0..<lanes.count / 2).map { lanes[$0] + lanes[$0 + lanes.count / 2] }
                    }
                    return lanes[0]
                }
                for instructionSet in instructionSets {
                    let actual = using(instructionSet) { multiply(sample, x, rows: 1, activations) }
                    #expect(firstDifference(expected, actual) == nil, "\(String(cString: ck_isa_name(instructionSet)))")
                }
            }
        }

        private static func roundedToBF16(_ value: Float) -> Float {
            let bits = value.bitPattern
            let rounded = Float(bitPattern: (bits &+ 0x7fff &+ (bits >> 16 & 1)) & 0xffff_0000)
            return abs(rounded) < 0x1p-49 ? 0 : rounded
        }

        @Test func productsThatShareTheirInputAreEachTheirOwn() {
            var random = RandomSource(seed: 7)
            let samples = [
                MatrixSample(bits: 4, group: 64, scales: CK_BF16, outputs: 40, inputs: 256, random: &random),
                MatrixSample(CK_F32, outputs: 33, inputs: 256, random: &random),
                MatrixSample(CK_BF16, outputs: 33, inputs: 256, random: &random),
                MatrixSample(bits: 8, group: 32, scales: CK_F32, outputs: 7, inputs: 256, random: &random),
                MatrixSample(bits: 4, group: 128, scales: CK_F16, outputs: 100, inputs: 256, random: &random),
                MatrixSample(bits: 4, group: 64, scales: CK_BF16, outputs: 1, inputs: 256, random: &random),
            ]
            let rows = 5
            let x = random.floats(rows * 256)
            let biases = samples.map { random.floats(Int($0.matrix.outputs)) }
            for activations in [CK_ACTIVATIONS_F32, CK_ACTIVATIONS_ROUNDED] {
                expectSameEverywhere("six products") { pool in
                    multiply(samples, biases: biases, x, rows: rows, activations, pool: pool).flatMap { $0 }
                }
                let together = multiply(samples, biases: biases, x, rows: rows, activations, pool: nil)
                for (index, sample) in samples.enumerated() {
                    let alone = multiply(sample, x, rows: rows, activations)
                    let outputs = Int(sample.matrix.outputs)
                    let withBias = alone.enumerated().map { $1 + biases[index][$0 % outputs] }
                    #expect(firstDifference(withBias, together[index]) == nil)
                }
            }
        }

        @Test func anActivationThatIsNotFiniteMakesItsRowNotANumber() {
            var random = RandomSource(seed: 8)
            let sample = MatrixSample(bits: 4, group: 64, scales: CK_BF16, outputs: 5, inputs: 128, random: &random)
            for value in [Float.nan, .infinity, -.infinity] {
                var x = random.floats(3 * 128)
                x[128 + 70] = value
                expectSameEverywhere("an activation of \(value)") { pool in
                    let y = multiply(sample, x, rows: 3, CK_ACTIVATIONS_ROUNDED, pool: pool)
                    #expect(y[5..<10].allSatisfy { $0.isNaN })
                    #expect(y[0..<5].allSatisfy { $0.isFinite } && y[10..<15].allSatisfy { $0.isFinite })
                    return y
                }
            }
        }

        @Test func gatheredRowsAreTheMatrixsOwn() {
            var random = RandomSource(seed: 9)
            var samples = Self.floatTypes.map { MatrixSample($0, outputs: 11, inputs: 96, random: &random) }
            for bits in Self.bitWidths {
                samples.append(
                    MatrixSample(bits: bits, group: 32, scales: CK_F16, outputs: 11, inputs: 96, random: &random))
            }
            let ids: [UInt32] = [10, 0, 3, 3]
            for sample in samples {
                expectSameEverywhere(sample.name) { _ in
                    var out = [Float](repeating: .nan, count: ids.count * 96)
                    withUnsafePointer(to: sample.matrix) { ck_gather_rows($0, ids, ids.count, &out) }
                    for (index, value) in out.enumerated() {
                        let expected = sample.values[Int(ids[index / 96]) * 96 + index % 96]
                        #expect(abs(Double(value) - expected) <= abs(expected) * 1e-7)
                    }
                    return out
                }
            }
        }

        /// Every output is within `tolerance` of the largest its terms could add up to.
        private func expectProduct(
            of sample: MatrixSample, rows: Int, _ activations: ck_activations, tolerance: Double,
            random: inout RandomSource
        ) {
            let inputs = Int(sample.matrix.inputs), outputs = Int(sample.matrix.outputs)
            let x = random.floats(rows * inputs)
            let expected = sample.product(x, rows: rows)
            let actual = using(portable) { multiply(sample, x, rows: rows, activations) }
            for (index, value) in actual.enumerated() {
                let output = index % outputs
                let bound = sample.values[output * inputs..<(output + 1) * inputs].reduce(0) { $0 + abs($1) }
                #expect(abs(Double(value) - expected[index]) <= tolerance * bound, "\(sample.name)")
            }
        }

        private func expectSameBits(
            of sample: MatrixSample, rows: Int, _ activations: ck_activations, _ kind: FloatKind,
            random: inout RandomSource
        ) {
            let x = random.floats(rows * Int(sample.matrix.inputs), kind)
            expectSameEverywhere("\(sample.name), \(rows) rows, activations \(activations.rawValue), \(kind)") { pool in
                multiply(sample, x, rows: rows, activations, pool: pool)
            }
        }
    }

    /// One product without a bias, [rows, outputs].
    static func multiply(
        _ sample: MatrixSample, _ x: [Float], rows: Int, _ activations: ck_activations, pool: OpaquePointer? = nil
    ) -> [Float] {
        multiply([sample], biases: nil, x, rows: rows, activations, pool: pool)[0]
    }

    /// Several products of the same rows, each [rows, outputs].
    static func multiply(
        _ samples: [MatrixSample], biases: [[Float]]?, _ x: [Float], rows: Int, _ activations: ck_activations,
        pool: OpaquePointer?
    ) -> [[Float]] {
        let outputs = samples.map { AlignedBytes([Float](repeating: .nan, count: rows * Int($0.matrix.outputs))) }
        let matrices = UnsafeMutableBufferPointer<ck_matrix>.allocate(capacity: samples.count)
        defer { matrices.deallocate() }
        _ = matrices.initialize(from: samples.map(\.matrix))
        let biasMemory = biases?.map { AlignedBytes($0) }
        let products = samples.indices.map { index in
            ck_product(
                matrix: matrices.baseAddress! + index,
                bias: biasMemory.map { UnsafePointer($0[index].pointer.assumingMemoryBound(to: Float.self)) },
                output: outputs[index].pointer.assumingMemoryBound(to: Float.self))
        }
        let scratch = AlignedBytes(count: ck_matmul_scratch_bytes(rows, matrices[0].inputs))
        ck_matmul(pool, products, products.count, x, rows, activations, scratch.pointer)
        return outputs.map { decode($0, as: CK_F32, count: $0.count / 4) }
    }
}
