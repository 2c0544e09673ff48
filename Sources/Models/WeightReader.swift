// Modules of a layer from its stored tensors.

internal import Tensors
internal import Weights

/// Makes matrices, norms and biases of the tensors of a layer: whatever format they are stored in, in the shapes the
/// model asks for.
struct WeightReader {
    let weights: LayerWeights
    let quantization: QuantizationScheme

    init(_ weights: LayerWeights, _ quantization: QuantizationScheme) {
        self.weights = weights
        self.quantization = quantization
    }

    /// The module `name`, a product with weights `[outputs, inputs]`, and a bias of `outputs` where it has one.
    func linear(_ name: String, inputs: Int, outputs: Int, bias: Bool = false) throws(CheckpointError) -> Linear {
        Linear(
            try matrix(name, outputs: outputs, inputs: inputs),
            bias: bias ? try vector("\(name).bias", count: outputs) : nil)
    }

    /// The `count` modules `stem.i.name`, or the slices of the one module `stack.name` that holds them all. MLX's
    /// converter stacks the experts of a layer, Hugging Face's files keep them apart.
    func linears(
        stack: String, stem: String, _ name: String, count: Int, inputs: Int, outputs: Int
    ) throws(CheckpointError) -> [Linear] {
        var linears: [Linear] = []
        linears.reserveCapacity(count)
        let stacked = "\(stack).\(name)"
        let isStacked = weights.has("\(stacked).weight")
        for index in 0..<count {
            let matrix =
                isStacked
                ? try matrix(stacked, outputs: outputs, inputs: inputs, slice: (index, count))
                : try matrix("\(stem).\(index).\(name)", outputs: outputs, inputs: inputs)
            linears.append(Linear(matrix))
        }
        return linears
    }

    /// The norm `name` over `size` columns.
    func norm(_ name: String, size: Int, epsilon: Float) throws(CheckpointError) -> RMSNorm {
        RMSNorm(weight: try vector("\(name).weight", count: size), epsilon: epsilon)
    }

    /// The weights `[outputs, inputs]` of module `name`: quantized where it has scales, plain floats otherwise.
    /// - Parameter slice: which of how many such matrices the module holds one after the other.
    func matrix(
        _ name: String, outputs: Int, inputs: Int, slice: (index: Int, count: Int)? = nil
    ) throws(CheckpointError) -> Matrix {
        if weights.has("\(name).scales") {
            return try quantizedMatrix(name, outputs: outputs, inputs: inputs, slice: slice)
        }
        let stored = try tensor("\(name).weight", shape: [outputs, inputs], slice: slice)
        let type = try floatType(stored.tensor)
        return try usable(name) { (path) throws(MatrixError) in
            try Matrix(type, outputs: outputs, inputs: inputs, weights: stored.address, module: path)
        }
    }

    /// The tensor `name` of `shape`, or one of the slices of that shape that it holds, and where that begins.
    private func tensor(
        _ name: String, shape: [Int], slice: (index: Int, count: Int)?
    ) throws(CheckpointError) -> (tensor: StoredTensor, address: UnsafeRawPointer) {
        guard let slice else {
            let stored = try weights.tensor(name, shape: shape)
            return (stored, stored.baseAddress)
        }
        let stored = try weights.tensor(name, shape: [slice.count] + shape)
        let sliceBytes = shape.reduce(stored.elementType.byteCount, *)
        return (stored, stored.baseAddress + slice.index * sliceBytes)
    }

    /// `count` values of float32.
    private func vector(_ name: String, count: Int) throws(CheckpointError) -> UnsafePointer<Float> {
        let stored = try weights.tensor(name, shape: [count])
        // Half-width vectors are widened on loading.
        guard stored.elementType == .f32 else { throw unsupportedType(stored) }
        return stored.baseAddress.assumingMemoryBound(to: Float.self)
    }

    private func quantizedMatrix(
        _ name: String, outputs: Int, inputs: Int, slice: (index: Int, count: Int)?
    ) throws(CheckpointError) -> Matrix {
        let path = weights.namePrefix + name
        let stated = weights.tensorIfPresent("\(name).weight")?.packing.map { packing in
            QuantizationParameters.affine(AffineQuantization(bits: packing.bits, group: packing.group))
        }
        switch stated ?? quantization.parameters(forModule: path) {
        case nil:
            throw CheckpointError(
                .unsupported, tensor: "\(path).scales",
                "is there, but config.json does not say how \(path) is quantized")
        case .affine(let affine):
            guard inputs % affine.group == 0, inputs * affine.bits % 32 == 0 else {
                throw CheckpointError(
                    .unsupported, tensor: "\(path).weight",
                    "rows of \(inputs) inputs do not divide into groups of \(affine.group) of \(affine.bits) bits")
            }
            let words = try tensor("\(name).weight", shape: [outputs, inputs * affine.bits / 32], slice: slice)
            guard words.tensor.elementType == .u32 else { throw unsupportedType(words.tensor) }
            let scales = try tensor("\(name).scales", shape: [outputs, inputs / affine.group], slice: slice)
            let biases = try tensor("\(name).biases", shape: [outputs, inputs / affine.group], slice: slice)
            guard scales.tensor.elementType == biases.tensor.elementType else { throw unsupportedType(biases.tensor) }
            let scaleType = try floatType(scales.tensor)
            return try usable(name) { (path) throws(MatrixError) in
                try Matrix(
                    affine: affine, outputs: outputs, inputs: inputs, weights: words.address,
                    scales: scales.address, biases: biases.address, scaleType: scaleType, module: path)
            }
        }
    }

    private func floatType(_ stored: StoredTensor) throws(CheckpointError) -> FloatType {
        switch stored.elementType {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        default: throw unsupportedType(stored)
        }
    }

    private func unsupportedType(_ stored: StoredTensor) -> CheckpointError {
        CheckpointError(.unsupported, tensor: stored.name, "cannot be used as \(stored.elementType.rawValue)")
    }

    private func usable(
        _ name: String, _ make: (_ path: String) throws(MatrixError) -> Matrix
    ) throws(CheckpointError) -> Matrix {
        do throws(MatrixError) {
            return try make(weights.namePrefix + name)
        } catch {
            throw CheckpointError(.unsupported, tensor: "\(error.module).weight", error.problem)
        }
    }
}
