// Matrices of small floats: right, and products with them those of the same values in float32.

import CKernels
import Glibc
import Testing

/// A random matrix in one of the formats, and the values it stands for.
private struct CodedSample {
    let matrix: ck_matrix
    let values: [Float]

    /// By the formats' own definitions: sign, exponent, mantissa.
    static func value(_ code: UInt8, exponentBits: Int, mantissaBits: Int, bias: Int) -> Float {
        let mantissa = Float(Int(code) & ((1 << mantissaBits) - 1)) / Float(1 << mantissaBits)
        let exponent = (Int(code) >> mantissaBits) & ((1 << exponentBits) - 1)
        let magnitude =
            exponent == 0
            ? mantissa * Float(Glibc.exp2(Double(1 - bias)))
            : (1 + mantissa) * Float(Glibc.exp2(Double(exponent - bias)))
        return Int(code) >> (exponentBits + mantissaBits) & 1 == 1 ? -magnitude : magnitude
    }

    static func e2m1(_ code: UInt8) -> Float { value(code, exponentBits: 2, mantissaBits: 1, bias: 1) }
    static func e4m3(_ code: UInt8) -> Float {
        code & 0x7F == 0x7F ? .nan : value(code, exponentBits: 4, mantissaBits: 3, bias: 7)
    }

    init(_ format: ck_format, outputs: Int, inputs: Int, random: inout RandomSource) {
        let isNarrow = format == CK_FORMAT_MXFP4 || format == CK_FORMAT_NVFP4
        let group = format == CK_FORMAT_NVFP4 ? 16 : format == CK_FORMAT_FP8 ? 128 : 32
        let codes = (0..<outputs * inputs).map { _ in
            var code = UInt8.random(in: 0...255, using: &random)
            if code & 0x7F == 0x7F { code = 0x80 }
            return isNarrow ? code & 15 : code
        }
        let bytes =
            isNarrow ? stride(from: 0, to: codes.count, by: 2).map { codes[$0] | codes[$0 + 1] << 4 } : codes
        let weights = AlignedBytes(bytes)
        let columns = (inputs + group - 1) / group
        let scales: AlignedBytes
        let scaleOf: (Int, Int) -> Float
        if format == CK_FORMAT_FP8 {
            let floats = random.floats((outputs + 127) / 128 * columns)
            scales = AlignedBytes(floats)
            scaleOf = { floats[$0 / 128 * columns + $1 / 128] }
        } else {
            let stored = (0..<outputs * columns).map { _ in UInt8.random(in: 100...126, using: &random) }
            scales = AlignedBytes(stored)
            scaleOf = { output, input in
                let code = stored[output * columns + input / group]
                return format == CK_FORMAT_NVFP4 ? Self.e4m3(code) : Float(Glibc.exp2(Double(Int(code) - 127)))
            }
        }
        values = codes.enumerated().map { index, code in
            (isNarrow ? Self.e2m1(code) : Self.e4m3(code)) * scaleOf(index / inputs, index % inputs)
        }
        var matrix = ck_matrix()
        matrix.format = format
        matrix.outputs = UInt32(outputs)
        matrix.inputs = UInt32(inputs)
        matrix.weights = UnsafeRawPointer(weights.pointer)
        matrix.scales = UnsafeRawPointer(scales.pointer)
        self.matrix = matrix
    }

    /// The same values in float32.
    var plain: ck_matrix {
        var plain = ck_matrix()
        plain.format = CK_FORMAT_F32
        plain.outputs = matrix.outputs
        plain.inputs = matrix.inputs
        plain.weights = UnsafeRawPointer(AlignedBytes(values).pointer)
        return plain
    }
}

extension KernelTests {
    @Suite struct CodedMatrices {
        static let formats = [CK_FORMAT_MXFP4, CK_FORMAT_MXFP8, CK_FORMAT_NVFP4, CK_FORMAT_FP8]

        @Test(arguments: formats) func rowsAreReadAsTheFormatSays(_ format: ck_format) {
            var random = RandomSource(seed: 11)
            // FP8 may end inside a block, in both directions.
            let inputs = format == CK_FORMAT_FP8 ? 300 : 320
            let sample = CodedSample(format, outputs: 150, inputs: inputs, random: &random)
            expectSameEverywhere("rows of \(format.rawValue)") { _ in
                var out = [Float](repeating: .nan, count: 3 * inputs)
                withUnsafePointer(to: sample.matrix) { ck_gather_rows($0, [0, 149, 127], 3, &out) }
                let expected = [0, 149, 127].flatMap { sample.values[$0 * inputs..<($0 + 1) * inputs] }
                #expect(firstDifference(expected, out) == nil)
                return out
            }
        }

        @Test(arguments: formats, [1, 3, 30]) func productsAreThoseOfTheirValues(_ format: ck_format, _ rows: Int) {
            var random = RandomSource(seed: 12)
            let sample = CodedSample(format, outputs: 70, inputs: 2176, random: &random)
            let x = random.floats(rows * 2176)
            func product(_ matrix: ck_matrix, _ pool: OpaquePointer?) -> [Float] {
                var out = [Float](repeating: .nan, count: rows * 70)
                let scratch = AlignedBytes(count: ck_matmul_scratch_bytes(rows, 2176))
                withUnsafePointer(to: matrix) { matrix in
                    out.withUnsafeMutableBufferPointer { out in
                        var product = ck_product(matrix: matrix, bias: nil, output: out.baseAddress)
                        // Their activations are float32 in every mode.
                        ck_matmul(pool, &product, 1, x, rows, CK_ACTIVATIONS_INT8, scratch.pointer)
                    }
                }
                return out
            }
            let plain = sample.plain
            let expected = using(portable) { product(plain, nil) }
            expectSameEverywhere("product of \(format.rawValue)") { pool in
                let out = product(sample.matrix, pool)
                #expect(firstDifference(expected, out) == nil)
                return out
            }
        }

        @Test func scalesAtTheEndsOfTheirRange() {
            var random = RandomSource(seed: 13)
            let sample = CodedSample(CK_FORMAT_MXFP4, outputs: 1, inputs: 64, random: &random)
            var matrix = sample.matrix
            matrix.weights = UnsafeRawPointer(AlignedBytes([UInt8](repeating: 0x22, count: 32)).pointer)  // all 1
            matrix.scales = UnsafeRawPointer(AlignedBytes([0, 255] as [UInt8]).pointer)
            expectSameEverywhere("ends") { _ in
                var out = [Float](repeating: 0, count: 64)
                withUnsafePointer(to: matrix) { ck_gather_rows($0, [0], 1, &out) }
                #expect(out[..<32].allSatisfy { $0 == 0x1p-127 } && out[32...].allSatisfy(\.isNaN))
                return out
            }
        }

        @Test func groupsThatDoNotDivideARowAreRefused() {
            var random = RandomSource(seed: 14)
            var matrix = CodedSample(CK_FORMAT_MXFP4, outputs: 1, inputs: 64, random: &random).matrix
            func problem() -> String? { ck_matrix_problem(&matrix).map { String(cString: $0) } }
            #expect(problem() == nil)
            matrix.inputs = 48
            #expect(problem() == "the inputs are not a multiple of the quantisation group")
            matrix.format = CK_FORMAT_NVFP4
            #expect(problem() == nil)
            matrix.scales = nil
            #expect(problem() == "a quantised matrix needs scales")
        }
    }
}
