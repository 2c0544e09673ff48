// Weight matrices in memory that meets the kernels' demands, and their products in double.

import Glibc
import Tensors

/// A matrix with the memory it lies in, and the values it stands for.
final class StoredMatrix {
    let linear: Linear
    let values: [Double]
    let bias: [Float]?
    private let blocks: [UnsafeMutableRawPointer]

    init(_ type: FloatType, outputs: Int, inputs: Int, withBias: Bool = false, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let floats = generator.floats(outputs * inputs).map {
            type == .bf16 ? Float(bitPattern: $0.bitPattern & 0xFFFF_0000) : $0
        }
        let weights: UnsafeMutableRawPointer
        switch type {
        case .f32: weights = Self.copy(floats)
        case .f16: weights = Self.copy(floats.map { Self.float16Bits($0) })
        case .bf16: weights = Self.copy(floats.map { UInt16($0.bitPattern >> 16) })
        }
        let bias = withBias ? generator.floats(outputs) : nil
        let biasBlock = bias.map(Self.copy)
        blocks = [weights] + (biasBlock.map { [$0] } ?? [])
        values = floats.map { Double(type == .f16 ? Self.float16Value(Self.float16Bits($0)) : $0) }
        self.bias = bias
        linear = Linear(
            try Matrix(type, outputs: outputs, inputs: inputs, weights: weights, module: "test"),
            bias: biasBlock.map { UnsafePointer($0.assumingMemoryBound(to: Float.self)) })
    }

    /// An affine matrix of random elements, scales and biases.
    init(_ quantization: AffineQuantization, outputs: Int, inputs: Int, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let levels = UInt32(1) << quantization.bits
        let elements = (0..<outputs * inputs).map { _ in UInt32.random(in: 0..<levels, using: &generator) }
        // Rows are multiples of 32 bits, so one stream holds them all.
        var stream = [UInt32](repeating: 0, count: elements.count * quantization.bits / 32)
        for (index, element) in elements.enumerated() {
            let (word, bit) = (index * quantization.bits).quotientAndRemainder(dividingBy: 32)
            stream[word] |= element << bit
            if bit + quantization.bits > 32 { stream[word + 1] |= element >> (32 - bit) }
        }
        let groups = outputs * inputs / quantization.group
        let scales = generator.floats(groups).map { $0 / Float(levels) }
        let biases = generator.floats(groups)
        values = elements.indices.map {
            Double(scales[$0 / quantization.group]) * Double(elements[$0]) + Double(biases[$0 / quantization.group])
        }
        bias = nil
        blocks = [Self.copy(stream), Self.copy(scales), Self.copy(biases)]
        linear = Linear(
            try Matrix(
                affine: quantization, outputs: outputs, inputs: inputs, weights: blocks[0], scales: blocks[1],
                biases: blocks[2], scaleType: .f32, module: "test"))
    }

    deinit { for block in blocks { free(block) } }

    /// The product with `x`, `[rows, inputs]`, summed in double.
    func product(with x: [Float], rows: Int) -> [Double] {
        let (outputs, inputs) = (linear.matrix.outputs, linear.matrix.inputs)
        return (0..<rows).flatMap { row in
            (0..<outputs).map { output in
                (0..<inputs).reduce(bias.map { Double($0[output]) } ?? 0) {
                    $0 + values[output * inputs + $1] * Double(x[row * inputs + $1])
                }
            }
        }
    }

    /// Aligned to 64 bytes, with 64 readable ones behind.
    private static func copy<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutableRawPointer {
        let bytes = elements.count * MemoryLayout<Element>.stride
        let block = UnsafeMutableRawPointer.allocate(byteCount: bytes + 64, alignment: 64)
        block.initializeMemory(as: UInt8.self, repeating: 0, count: bytes + 64)
        elements.withUnsafeBytes { block.copyMemory(from: $0.baseAddress!, byteCount: bytes) }
        return block
    }

    // x86-64 compilers differ in whether Swift has a Float16 there, so its bits are made by hand: values below 2 in
    // magnitude, cut off after ten bits of fraction.
    private static func float16Bits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let exponent = Int((bits >> 23) & 0xFF) - 127 + 15
        guard exponent > 0 else { return UInt16((bits >> 16) & 0x8000) }
        return UInt16((bits >> 16) & 0x8000) | UInt16(exponent) << 10 | UInt16((bits >> 13) & 0x3FF)
    }

    private static func float16Value(_ bits: UInt16) -> Float {
        let exponent = UInt32(bits >> 10 & 0x1F)
        let sign = UInt32(bits & 0x8000) << 16
        guard exponent > 0 else { return Float(bitPattern: sign) }
        return Float(bitPattern: sign | (exponent + 127 - 15) << 23 | UInt32(bits & 0x3FF) << 13)
    }
}

extension Tensor {
    /// A copy of its values, taken while the arena they lie in surely lives.
    var array: [Float] { withExtendedLifetime(self) { Array(values) } }
}

/// A tensor of given values.
func tensor(_ values: [Float], columns: Int, in compute: Compute) throws -> Tensor {
    let tensor = try Tensor(rows: values.count / columns, columns: columns, in: compute)
    _ = tensor.values.update(fromContentsOf: values)
    return tensor
}
