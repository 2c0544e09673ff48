// A weight matrix as a checkpoint stores it.

internal import CKernels

/// Weights `[outputs, inputs]` in the memory of whoever loaded them: plain floats or quantized.
///
/// It owns nothing and is valid as long as that memory is. The memory is only read, and starts 64-byte aligned with 64
/// bytes readable past its end.
public struct Matrix: @unchecked Sendable {  // Its pointers are to memory that nobody writes.
    let kernel: ck_matrix

    public var outputs: Int { Int(kernel.outputs) }
    public var inputs: Int { Int(kernel.inputs) }

    /// A matrix of plain floats `[outputs, inputs]`.
    /// - Parameter module: its path in the checkpoint, for errors.
    public init(
        _ type: FloatType, outputs: Int, inputs: Int, weights: UnsafeRawPointer, module: String
    ) throws(MatrixError) {
        var kernel = ck_matrix()
        kernel.format = type.format
        kernel.weights = weights
        try self.init(kernel, outputs: outputs, inputs: inputs, module: module)
    }

    /// A matrix in MLX's affine quantization: value = scale · element + bias, a scale and a bias for each group of
    /// inputs.
    ///
    /// - Parameters:
    ///   - weights: little-endian streams of unsigned elements, `[outputs, inputs · bits / 32]` words of 32 bits.
    ///   - scales: `[outputs, inputs / group]` of `scaleType`, as are `biases`.
    ///   - module: its path in the checkpoint, for errors.
    public init(
        affine quantization: AffineQuantization, outputs: Int, inputs: Int, weights: UnsafeRawPointer,
        scales: UnsafeRawPointer, biases: UnsafeRawPointer, scaleType: FloatType, module: String
    ) throws(MatrixError) {
        var kernel = ck_matrix()
        kernel.format = CK_FORMAT_AFFINE
        kernel.weights = weights
        kernel.bits = UInt32(clamping: quantization.bits)
        kernel.group = UInt32(clamping: quantization.group)
        kernel.scale_type = scaleType.kernelType
        kernel.scales = scales
        kernel.biases = biases
        try self.init(kernel, outputs: outputs, inputs: inputs, module: module)
    }

    /// A matrix of small floats with a scale for each group of inputs, or for each block.
    ///
    /// - Parameters:
    ///   - weights: `[outputs, inputs]` elements of 8 bits, or of 4 with the first in the low half of a byte.
    ///   - scales: as ``CodedQuantization`` says.
    ///   - module: its path in the checkpoint, for errors.
    public init(
        coded quantization: CodedQuantization, outputs: Int, inputs: Int, weights: UnsafeRawPointer,
        scales: UnsafeRawPointer, module: String
    ) throws(MatrixError) {
        var kernel = ck_matrix()
        kernel.format = quantization.format
        kernel.weights = weights
        kernel.scales = scales
        try self.init(kernel, outputs: outputs, inputs: inputs, module: module)
    }

    private init(_ described: ck_matrix, outputs: Int, inputs: Int, module: String) throws(MatrixError) {
        guard let rows = UInt32(exactly: outputs), let columns = UInt32(exactly: inputs), rows > 0, columns > 0 else {
            throw MatrixError(module: module, problem: "a matrix cannot have \(outputs) outputs and \(inputs) inputs")
        }
        var kernel = described
        kernel.outputs = rows
        kernel.inputs = columns
        if let problem = ck_matrix_problem(&kernel) {
            throw MatrixError(module: module, problem: String(cString: problem))
        }
        self.kernel = kernel
    }

    /// Its rows `ids` as float32, `[ids, inputs]`, into `rows`. Every id is below ``outputs``.
    public func gatherRows(_ ids: UnsafeBufferPointer<UInt32>, into rows: Tensor) {
        precondition(rows.rows == ids.count && rows.columns == inputs, "a row for each id")
        precondition(ids.allSatisfy { $0 < kernel.outputs }, "an id past the matrix")
        withUnsafePointer(to: kernel) { ck_gather_rows($0, ids.baseAddress, ids.count, rows.elements) }
    }
}

/// How an affine-quantized matrix is packed.
public struct AffineQuantization: Sendable, Equatable {
    /// Width of an element.
    public var bits: Int
    /// Inputs that share a scale and a bias.
    public var group: Int

    public init(bits: Int, group: Int) {
        self.bits = bits
        self.group = group
    }
}

/// Formats of small floats; values are element · scale.
public enum CodedQuantization: Sendable, Equatable, CaseIterable {
    /// E2M1 in groups of 32 with a power of two as scale, `[outputs, inputs / 32]` bytes E8M0.
    case mxfp4
    /// E4M3 with the same scales.
    case mxfp8
    /// E2M1 in groups of 16 with scales `[outputs, inputs / 16]` in E4M3.
    case nvfp4
    /// E4M3 in blocks of 128 outputs and 128 inputs with a float32 scale, `[outputs / 128, inputs / 128]` rounded up.
    case fp8

    /// Width of an element.
    public var bits: Int { self == .mxfp4 || self == .nvfp4 ? 4 : 8 }
    /// Inputs that share a scale.
    public var group: Int {
        switch self {
        case .mxfp4, .mxfp8: 32
        case .nvfp4: 16
        case .fp8: 128
        }
    }

    var format: ck_format {
        switch self {
        case .mxfp4: CK_FORMAT_MXFP4
        case .mxfp8: CK_FORMAT_MXFP8
        case .nvfp4: CK_FORMAT_NVFP4
        case .fp8: CK_FORMAT_FP8
        }
    }
}

/// A matrix that cannot be multiplied here.
public struct MatrixError: Error, Equatable, CustomStringConvertible {
    /// Path of the module in the checkpoint.
    public let module: String
    public let problem: String

    public init(module: String, problem: String) {
        self.module = module
        self.problem = problem
    }

    public var description: String { "\(module): \(problem)" }
}
