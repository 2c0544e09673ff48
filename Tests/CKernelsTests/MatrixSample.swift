// A random weight matrix with the values it stands for in double precision.

import CKernels

/// A matrix in one of the kernels' formats, and `values`, what each weight is worth.
struct MatrixSample {
    /// `storage` and the matrix's shape; `pointers` keep the memory alive.
    let matrix: ck_matrix
    /// [outputs, inputs], row by row.
    let values: [Double]
    let name: String
    private let memory: [AlignedBytes]

    /// A matrix of 32-bit or 16-bit floats.
    init(
        _ type: ck_float_type, outputs: Int, inputs: Int, _ kind: FloatKind = .plain, random: inout RandomSource
    ) {
        let floats = random.floats(outputs * inputs, kind)
        let weights = encode(floats, as: type)
        values = decode(weights, as: type, count: floats.count).map(Double.init)
        memory = [weights]
        var matrix = ck_matrix()
        matrix.format = [CK_FORMAT_F32, CK_FORMAT_F16, CK_FORMAT_BF16][Int(type.rawValue)]
        matrix.outputs = UInt32(outputs)
        matrix.inputs = UInt32(inputs)
        matrix.weights = UnsafeRawPointer(weights.pointer)
        self.matrix = matrix
        name = "float type \(type.rawValue), [\(outputs), \(inputs)], \(kind)"
    }

    /// A quantised matrix, packed here bit by bit.
    init(
        bits: Int, group: Int, scales type: ck_float_type, outputs: Int, inputs: Int, random: inout RandomSource
    ) {
        let groups = inputs / group
        let elements = (0..<outputs * inputs).map { _ in
            // Runs of the largest and the smallest element are where narrow sums overflow.
            switch Int.random(in: 0..<4, using: &random) {
            case 0: (1 << bits) - 1
            case 1: 0
            default: Int.random(in: 0..<1 << bits, using: &random)
            }
        }
        var stream = [UInt8](repeating: 0, count: outputs * inputs * bits / 8)
        for (index, element) in elements.enumerated() {
            for bit in 0..<bits where element >> bit & 1 == 1 {
                let position = index * bits + bit
                stream[position / 8] |= 1 << (position % 8)
            }
        }
        let weights = AlignedBytes(stream)
        let scales = encode(random.floats(outputs * groups).map { $0 / 16 }, as: type)
        let biases = encode(random.floats(outputs * groups), as: type)
        let scaleValues = decode(scales, as: type, count: outputs * groups)
        let biasValues = decode(biases, as: type, count: outputs * groups)
        values = elements.enumerated().map { index, element in
            let at = index / group
            return Double(scaleValues[at]) * Double(element) + Double(biasValues[at])
        }
        memory = [weights, scales, biases]
        var matrix = ck_matrix()
        matrix.format = CK_FORMAT_AFFINE
        matrix.outputs = UInt32(outputs)
        matrix.inputs = UInt32(inputs)
        matrix.weights = UnsafeRawPointer(weights.pointer)
        matrix.bits = UInt32(bits)
        matrix.group = UInt32(group)
        matrix.scale_type = type
        matrix.scales = UnsafeRawPointer(scales.pointer)
        matrix.biases = UnsafeRawPointer(biases.pointer)
        self.matrix = matrix
        name = "\(bits) bits, group \(group), scale type \(type.rawValue), [\(outputs), \(inputs)]"
    }

    /// Σ_i values[o, i] · x[r, i] in double precision, [rows, outputs].
    func product(_ x: [Float], rows: Int) -> [Double] {
        let inputs = Int(matrix.inputs), outputs = Int(matrix.outputs)
        return (0..<rows * outputs).map { at in
            let row = at / outputs * inputs, output = at % outputs * inputs
            return (0..<inputs).reduce(0) { $0 + values[output + $1] * Double(x[row + $1]) }
        }
    }
}

/// Floats in a storage type, rounded to nearest.
func encode(_ values: [Float], as type: ck_float_type) -> AlignedBytes {
    switch type {
    case CK_F16: AlignedBytes(values.map { float16Bits($0) })
    case CK_BF16: AlignedBytes(values.map { UInt16(truncatingIfNeeded: ($0.bitPattern + 0x8000) >> 16) })
    default: AlignedBytes(values)
    }
}

/// The floats that a storage type holds.
func decode(_ bytes: AlignedBytes, as type: ck_float_type, count: Int) -> [Float] {
    switch type {
    case CK_F32: Array(UnsafeRawBufferPointer(start: bytes.pointer, count: count * 4).bindMemory(to: Float.self))
    default:
        UnsafeRawBufferPointer(start: bytes.pointer, count: count * 2).bindMemory(to: UInt16.self).map {
            type == CK_F16 ? float16Value($0) : Float(bitPattern: UInt32($0) << 16)
        }
    }
}

/// What an IEEE half is worth, by its definition. Not for infinities and NaNs.
func float16Value(_ bits: UInt16) -> Float {
    let exponent = Int(bits >> 10 & 31), mantissa = Float(bits & 0x3FF)
    let magnitude =
        exponent == 0
        ? Float(sign: .plus, exponent: -24, significand: mantissa)
        : Float(sign: .plus, exponent: exponent - 25, significand: mantissa + 1024)
    return bits & 0x8000 != 0 ? -magnitude : magnitude
}

/// A half near `value`, clamped to finite ones: the bits are found by bisection over all halves in order.
func float16Bits(_ value: Float) -> UInt16 {
    var low: UInt16 = 0, high: UInt16 = 0x7BFF
    while low < high {
        let middle = (low + high + 1) / 2
        if float16Value(middle) <= abs(value) { low = middle } else { high = middle - 1 }
    }
    return value < 0 ? low | 0x8000 : low
}
