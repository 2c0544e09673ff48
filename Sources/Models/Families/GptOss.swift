// gpt-oss.

internal import Tensors
public import Weights

// MARK: Config

/// gpt-oss: pre-norm blocks of grouped-query attention with sinks and biases, every other layer with a sliding window,
/// and experts with a clamped SwiGLU. OpenAI, 2025.
public struct GptOss: TrunkModel {
    public static let modelTypes = ["gpt_oss"]

    let trunk: DecoderTrunk
    fileprivate let attentionBias: Bool
    fileprivate let layerTypes: [LayerType]
    /// Of layers with a window.
    fileprivate let window: Int
    fileprivate let experts: Int
    /// Experts of a row.
    fileprivate let chosen: Int
    /// Columns inside an expert.
    fileprivate let intermediateSize: Int
    fileprivate let limit: Float
    fileprivate let alpha: Float

    public init(_ config: ModelConfig) throws(ConfigError) {
        let fields = config.fields
        trunk = try DecoderTrunk(config)
        attentionBias = try fields.flag("attention_bias", standard: true)
        let layerCount = trunk.shape.layerCount
        layerTypes =
            try fields.choices("layer_types", count: layerCount, of: LayerType.self)
            ?? (0..<layerCount).map { $0 % 2 == 0 ? .sliding : .full }
        window = try fields.integer("sliding_window", in: 1...ModelLimits.contextTokensMax, standard: 128)
        experts = try fields.integer("num_local_experts", in: 1...ModelLimits.expertsMax)
        chosen = try fields.integer("num_experts_per_tok", in: 1...experts)
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        limit = Float(try fields.number("swiglu_limit", in: 1e-3...1e6, standard: 7))
        alpha = Float(try fields.number("swiglu_alpha", in: 1e-3...1e3, standard: 1.702))
    }
}

// MARK: Attention

extension GroupedQueryAttention {
    fileprivate init(_ model: GptOss, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        try self.init(
            model.trunk, layer: layer, reader, inputBias: model.attentionBias, outputBias: model.attentionBias,
            norms: false)
        sinks = AttentionSinks(values: try reader.vector("self_attn.sinks", count: model.trunk.heads))
        if model.layerTypes[layer] == .sliding { window = model.window }
    }
}

// MARK: Mixture

/// An expert: down((up + 1) · gate · logistic(alpha · gate)), gate and up kept within a limit, with biases.
private struct ClampedSwiGLU: GatedNetwork {
    /// Gate and up, or one product whose outputs are those of both by turns.
    let inner: [Linear]
    let downProj: Linear
    let limit: Float
    let alpha: Float

    func gated(_ products: ArraySlice<Tensor>) throws(TensorError) -> Tensor {
        let first = products[products.startIndex]
        let (gate, up) =
            products.count == 1 ? try first.separatingPairs() : (first, products[products.startIndex + 1])
        return clampedMultiply(gate, up, limit: limit, alpha: alpha)
    }
}

extension MixtureOfExperts<ClampedSwiGLU> {
    /// The experts chosen by their logits share the softmax. As published, gate and up are in one tensor of all
    /// experts, output by output by turns; MLX's converter takes them apart.
    fileprivate init(_ model: GptOss, _ reader: WeightReader) throws(CheckpointError) {
        let (hiddenSize, columns, count) = (model.trunk.hiddenSize, model.intermediateSize, model.experts)
        func linears(_ name: String, _ inputs: Int, _ outputs: Int) throws(CheckpointError) -> [Linear] {
            var linears: [Linear] = []
            linears.reserveCapacity(count)
            for index in 0..<count {
                linears.append(
                    try reader.expert(name, inputs: inputs, outputs: outputs, index: index, count: count))
            }
            return linears
        }
        let downs = try linears("mlp.experts.down_proj", columns, hiddenSize)
        var inner: [[Linear]] = []
        if reader.weights.has("mlp.experts.gate_proj.weight") {
            let gates = try linears("mlp.experts.gate_proj", hiddenSize, columns)
            let ups = try linears("mlp.experts.up_proj", hiddenSize, columns)
            inner = zip(gates, ups).map { [$0, $1] }
        } else {
            inner = try linears("mlp.experts.gate_up_proj", hiddenSize, 2 * columns).map { [$0] }
        }
        self.init(
            router: ExpertRouter(
                gate: try reader.linear("mlp.router", inputs: hiddenSize, outputs: count, bias: true),
                scoring: .softmaxOfChosen, chosen: model.chosen, normalizes: false),
            experts: zip(inner, downs).map {
                ClampedSwiGLU(inner: $0, downProj: $1, limit: model.limit, alpha: model.alpha)
            })
    }
}

extension WeightReader {
    /// One of `count` experts, whose biases lie beside the weights as `name_bias`, or as `name.bias` after conversion.
    fileprivate func expert(
        _ name: String, inputs: Int, outputs: Int, index: Int, count: Int
    ) throws(CheckpointError) -> Linear {
        let part = Part.slice(index: index, count: count)
        let bias = weights.has("\(name).bias") ? "\(name).bias" : "\(name)_bias"
        return Linear(
            try matrix(name, outputs: outputs, inputs: inputs, part: part),
            bias: try vector(bias, count: outputs, part: part))
    }
}

// MARK: Block

extension GptOss {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        return try PreNormBlock(
            trunk, reader, selfAttn: GroupedQueryAttention(self, layer: index, reader),
            mlp: MixtureOfExperts(self, reader))
    }
}
