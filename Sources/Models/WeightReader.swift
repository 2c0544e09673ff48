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

    /// The norm `name` over `size` columns.
    func norm(_ name: String, size: Int, epsilon: Float) throws(CheckpointError) -> RMSNorm {
        RMSNorm(weight: try vector("\(name).weight", count: size), epsilon: epsilon)
    }

    /// The weights `[outputs, inputs]` of module `name`: quantized where it has scales, plain floats otherwise.
    func matrix(_ name: String, outputs: Int, inputs: Int) throws(CheckpointError) -> Matrix {
        if weights.has("\(name).scales") { return try quantizedMatrix(name, outputs: outputs, inputs: inputs) }
        let stored = try weights.tensor("\(name).weight", shape: [outputs, inputs])
        let type = try floatType(stored)
        return try usable(name) { (path) throws(MatrixError) in
            try Matrix(type, outputs: outputs, inputs: inputs, weights: stored.baseAddress, module: path)
        }
    }

    /// `count` values of float32.
    private func vector(_ name: String, count: Int) throws(CheckpointError) -> UnsafePointer<Float> {
        let stored = try weights.tensor(name, shape: [count])
        // Half-width vectors are widened on loading.
        guard stored.elementType == .f32 else { throw unsupportedType(stored) }
        return stored.baseAddress.assumingMemoryBound(to: Float.self)
    }

    private func quantizedMatrix(_ name: String, outputs: Int, inputs: Int) throws(CheckpointError) -> Matrix {
        let path = weights.namePrefix + name
        switch quantization.parameters(forModule: path) {
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
            let words = try weights.tensor("\(name).weight", shape: [outputs, inputs * affine.bits / 32])
            guard words.elementType == .u32 else { throw unsupportedType(words) }
            let scales = try weights.tensor("\(name).scales", shape: [outputs, inputs / affine.group])
            let biases = try weights.tensor("\(name).biases", shape: [outputs, inputs / affine.group])
            guard scales.elementType == biases.elementType else { throw unsupportedType(biases) }
            let scaleType = try floatType(scales)
            return try usable(name) { (path) throws(MatrixError) in
                try Matrix(
                    affine: affine, outputs: outputs, inputs: inputs, weights: words.baseAddress,
                    scales: scales.baseAddress,
                    biases: biases.baseAddress, scaleType: scaleType, module: path)
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
