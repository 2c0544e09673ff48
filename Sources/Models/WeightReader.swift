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

    /// Which part of a stored tensor a matrix is.
    enum Part {
        case whole
        /// One of `count` matrices that lie one after the other.
        case slice(index: Int, count: Int)
        /// Some of `total` outputs, from `first` on.
        case outputs(first: Int, total: Int)
        /// All of `count` matrices that lie one after the other, as one.
        case stack(count: Int)
    }

    /// The module `name`, a product with weights `[outputs, inputs]`, and a bias of `outputs` where it has one.
    func linear(
        _ name: String, inputs: Int, outputs: Int, bias: Bool = false, part: Part = .whole
    ) throws(CheckpointError) -> Linear {
        Linear(
            try matrix(name, outputs: outputs, inputs: inputs, part: part),
            bias: bias ? try vector("\(name).bias", count: outputs, part: part) : nil)
    }

    /// The `count` modules `stem.i.name`, or the slices of the one module `stack.name` that holds them all. MLX's
    /// converter stacks the experts of a layer, Hugging Face's files keep them apart.
    func linears(
        stack: String, stem: String, _ name: String, count: Int, inputs: Int, outputs: Int, bias: Bool = false
    ) throws(CheckpointError) -> [Linear] {
        var linears: [Linear] = []
        linears.reserveCapacity(count)
        let stacked = "\(stack).\(name)"
        let isStacked = weights.has("\(stacked).weight")
        for index in 0..<count {
            linears.append(
                isStacked
                    ? try linear(
                        stacked, inputs: inputs, outputs: outputs, bias: bias, part: .slice(index: index, count: count))
                    : try linear("\(stem).\(index).\(name)", inputs: inputs, outputs: outputs, bias: bias))
        }
        return linears
    }

    /// The norm `name` over `size` columns, whose weights are those stored plus `offset`.
    func norm(_ name: String, size: Int, epsilon: Float, offset: Float = 0) throws(CheckpointError) -> RMSNorm {
        RMSNorm(weight: try vector("\(name).weight", count: size), offset: offset, epsilon: epsilon)
    }

    /// The weights `[outputs, inputs]` of module `name`: quantized where it has scales, plain floats otherwise.
    func matrix(
        _ name: String, outputs: Int, inputs: Int, part: Part = .whole
    ) throws(CheckpointError) -> Matrix {
        if weights.has("\(name).scales") {
            return try quantizedMatrix(name, outputs: outputs, inputs: inputs, part: part)
        }
        if weights.has("\(name)_blocks") {
            return try publishedMXFP4(name, outputs: outputs, inputs: inputs, part: part)
        }
        if weights.has("\(name).weight_scale_inv") {
            return try blockFP8(name, outputs: outputs, inputs: inputs)
        }
        let stored = try tensor("\(name).weight", shape: [outputs, inputs], part: part)
        let type = try floatType(stored.tensor)
        return try usable(name) { (path) throws(MatrixError) in
            try Matrix(type, outputs: outputs, inputs: inputs, weights: stored.address, module: path)
        }
    }

    /// The tensor `name` of which `shape` is a part, and where that begins.
    private func tensor(
        _ name: String, shape: [Int], part: Part
    ) throws(CheckpointError) -> (tensor: StoredTensor, address: UnsafeRawPointer) {
        let whole: [Int]
        // Of elements before the part.
        let skipped: Int
        switch part {
        case .whole: (whole, skipped) = (shape, 0)
        case .slice(let index, let count): (whole, skipped) = ([count] + shape, index * shape.reduce(1, *))
        case .outputs(let first, let total):
            (whole, skipped) = ([total] + shape.dropFirst(), first * shape.dropFirst().reduce(1, *))
        case .stack(let count): (whole, skipped) = ([count, shape[0] / count] + shape.dropFirst(), 0)
        }
        let stored = try weights.tensor(name, shape: whole)
        return (stored, stored.baseAddress + skipped * stored.elementType.byteCount)
    }

    /// `count` values of float32.
    func vector(
        _ name: String, count: Int, part: Part = .whole
    ) throws(CheckpointError) -> UnsafePointer<Float> {
        let stored = try tensor(name, shape: [count], part: part)
        // Half-width vectors and biases are widened on loading.
        guard stored.tensor.elementType == .f32 else { throw unsupportedType(stored.tensor) }
        return stored.address.assumingMemoryBound(to: Float.self)
    }

    private func quantizedMatrix(
        _ name: String, outputs: Int, inputs: Int, part: Part
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
            try checkGroups(name, inputs: inputs, group: affine.group, bits: affine.bits)
            let words = try tensor("\(name).weight", shape: [outputs, inputs * affine.bits / 32], part: part)
            guard words.tensor.elementType == .u32 else { throw unsupportedType(words.tensor) }
            let scales = try tensor("\(name).scales", shape: [outputs, inputs / affine.group], part: part)
            let biases = try tensor("\(name).biases", shape: [outputs, inputs / affine.group], part: part)
            guard scales.tensor.elementType == biases.tensor.elementType else { throw unsupportedType(biases.tensor) }
            let scaleType = try floatType(scales.tensor)
            return try usable(name) { (path) throws(MatrixError) in
                try Matrix(
                    affine: affine, outputs: outputs, inputs: inputs, weights: words.address,
                    scales: scales.address, biases: biases.address, scaleType: scaleType, module: path)
            }
        case .coded(let coded):
            try checkGroups(name, inputs: inputs, group: coded.group, bits: coded.bits)
            let words = try tensor("\(name).weight", shape: [outputs, inputs * coded.bits / 32], part: part)
            guard words.tensor.elementType == .u32 else { throw unsupportedType(words.tensor) }
            let scales = try tensor("\(name).scales", shape: [outputs, inputs / coded.group], part: part)
            guard scales.tensor.elementType == .u8 else { throw unsupportedType(scales.tensor) }
            return try usable(name) { (path) throws(MatrixError) in
                try Matrix(
                    coded: coded, outputs: outputs, inputs: inputs, weights: words.address, scales: scales.address,
                    module: path)
            }
        }
    }

    private func checkGroups(_ name: String, inputs: Int, group: Int, bits: Int) throws(CheckpointError) {
        guard inputs % group == 0, inputs * bits % 32 == 0 else {
            throw CheckpointError(
                .unsupported, tensor: "\(weights.namePrefix + name).weight",
                "rows of \(inputs) inputs do not divide into groups of \(group) of \(bits) bits")
        }
    }

    /// MXFP4 as OpenAI publishes it: `name_blocks` of 16 bytes for each group, and `name_scales`.
    private func publishedMXFP4(
        _ name: String, outputs: Int, inputs: Int, part: Part
    ) throws(CheckpointError) -> Matrix {
        let group = CodedQuantization.mxfp4.group
        try checkGroups(name, inputs: inputs, group: group, bits: 4)
        let blocks = try tensor("\(name)_blocks", shape: [outputs, inputs / group, group / 2], part: part)
        let scales = try tensor("\(name)_scales", shape: [outputs, inputs / group], part: part)
        for stored in [blocks.tensor, scales.tensor] where stored.elementType != .u8 { throw unsupportedType(stored) }
        return try usable(name) { (path) throws(MatrixError) in
            try Matrix(
                coded: .mxfp4, outputs: outputs, inputs: inputs, weights: blocks.address, scales: scales.address,
                module: path)
        }
    }

    /// FP8 as DeepSeek publishes it: a scale for each block of 128 × 128, named as its inverse.
    private func blockFP8(_ name: String, outputs: Int, inputs: Int) throws(CheckpointError) -> Matrix {
        let weight = try weights.tensor("\(name).weight", shape: [outputs, inputs])
        guard weight.elementType == .f8e4m3 else { throw unsupportedType(weight) }
        let block = CodedQuantization.fp8.group
        let scales = try weights.tensor(
            "\(name).weight_scale_inv", shape: [(outputs + block - 1) / block, (inputs + block - 1) / block])
        guard scales.elementType == .f32 else { throw unsupportedType(scales) }
        return try usable(name) { (path) throws(MatrixError) in
            try Matrix(
                coded: .fp8, outputs: outputs, inputs: inputs, weights: weight.baseAddress, scales: scales.baseAddress,
                module: path)
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
