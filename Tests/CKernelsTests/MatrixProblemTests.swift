// Matrices that cannot be multiplied are refused with a reason.

import CKernels
import Testing

extension KernelTests {
    @Suite struct MatrixProblem {
        private func problem(_ change: (inout ck_matrix) -> Void = { _ in }) -> String? {
            var random = RandomSource(seed: 1)
            let sample = MatrixSample(bits: 4, group: 64, scales: CK_F16, outputs: 3, inputs: 128, random: &random)
            var matrix = sample.matrix
            change(&matrix)
            return withUnsafePointer(to: matrix) { ck_matrix_problem($0).map { String(cString: $0) } }
        }

        @Test func whatCanBeMultipliedIsAccepted() {
            #expect(problem() == nil)
            for bits in [2, 3, 4, 5, 6, 8] as [UInt32] { #expect(problem { $0.bits = bits } == nil) }
            #expect(problem { ($0.bits, $0.group) = (6, 16) } == nil)
            for group in [32, 64, 128] as [UInt32] { #expect(problem { $0.group = group } == nil) }
            let float: (inout ck_matrix) -> Void = {
                $0.format = CK_FORMAT_F32
                $0.inputs = 7
                $0.scales = nil
                $0.biases = nil
                $0.bits = 0
                $0.group = 0
            }
            #expect(problem(float) == nil)
        }

        @Test func badShapesAreRefused() {
            #expect(problem { $0.outputs = 0 } == "a matrix needs at least one output and one input")
            #expect(problem { $0.inputs = 0 } == "a matrix needs at least one output and one input")
            #expect(problem { $0.inputs = 131_072 + 64 } == "a matrix has at most 131072 inputs")
            #expect(problem { $0.inputs = 96 } == "the inputs are not a multiple of the quantisation group")
            #expect(problem { $0.bits = 7 } == "quantised weights have 2, 3, 4, 5, 6 or 8 bits")
            #expect(problem { $0.group = 16 } == "groups of 16 inputs have 2, 3, 5 or 6 bits")
            #expect(problem { $0.group = 48 } == "a quantisation group holds 16, 32, 64 or 128 inputs")
            #expect(problem { $0.scale_type = ck_float_type(rawValue: 9) }?.contains("scales and biases are") == true)
            #expect(problem { $0.format = ck_format(rawValue: 9) } == "unknown weight format")
        }

        @Test func badPointersAreRefused() {
            #expect(problem { $0.weights = nil } == "a matrix needs weights")
            #expect(problem { $0.weights += 4 } == "weights must be 64-byte aligned")
            #expect(problem { $0.scales = nil } == "a quantised matrix needs scales and biases")
            #expect(problem { $0.biases += 2 } == "scales and biases must be 64-byte aligned")
        }
    }
}
