// Gemma 3, text.

internal import Tensors
public import Weights

// MARK: Config

/// Gemma 3: blocks that norm what goes into attention and MLP and what comes out, norms on queries and keys, most
/// layers with a sliding window and a rotary base of their own. Gemma Team, 2025.
public struct Gemma3: TrunkModel {
    public static let modelTypes = ["gemma3", "gemma3_text"]

    let trunk: DecoderTrunk
    fileprivate let intermediateSize: Int
    fileprivate let attentionBias: Bool
    /// 1 / √query_pre_attn_scalar.
    fileprivate let scale: Float
    fileprivate let layerTypes: [LayerType]
    /// Of layers with a window.
    fileprivate let window: Int
    fileprivate let localRotary: RotaryEmbedding

    public var rotaryEmbeddings: [RotaryEmbedding] { [trunk.rotary, localRotary] }

    public init(_ config: ModelConfig) throws(ConfigError) {
        // With a picture encoder the text model's fields are a section, in which published files leave out what is as
        // in Gemma3TextConfig.
        let section = try config.fields.object("text_config")
        let fields = (section ?? config.fields).withDefaults(Self.defaults)
        let contextTokens = try fields.integer("max_position_embeddings", in: 1...ModelLimits.contextTokensMax)
        let heads = try fields.integer("num_attention_heads", in: 1...ModelLimits.headsMax)
        let cache = try DecoderTrunk.groupedQueryCache(fields, heads: heads, hiddenSize: 1)
        func rotary(_ type: LayerType, base: String, scaling: Bool) throws(ConfigError) -> RotaryEmbedding {
            var values: [String: JSONValue] = [:]
            if let parameters = try fields.object("rope_parameters")?.object(type.rawValue) {
                values["rope_parameters"] = .object(parameters.values)
            } else {
                values["rope_theta"] = fields.value(base)
                if scaling { values["rope_scaling"] = fields.value("rope_scaling") }
            }
            return try RotaryEmbedding(
                ConfigFields(path: fields.path, values: values), headDimension: cache.keyDimension,
                contextTokens: contextTokens)
        }
        localRotary = try rotary(.sliding, base: "rope_local_base_freq", scaling: false)
        trunk = try DecoderTrunk(
            config, fields: fields,
            DecoderTrunk.Variant(
                activationField: "hidden_activation", activation: "gelu_pytorch_tanh", tiesEmbedding: true,
                normOffset: 1, namePrefix: section == nil ? "" : "language_model.",
                attention: (cache, try rotary(.full, base: "rope_theta", scaling: true))))
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        attentionBias = try fields.flag("attention_bias", standard: false)
        scale = 1 / Float(try fields.number("query_pre_attn_scalar", in: 1e-3...1e6)).squareRoot()
        window = try fields.integer("sliding_window", in: 1...ModelLimits.contextTokensMax)
        let layerCount = trunk.shape.layerCount
        let pattern = try fields.integer("sliding_window_pattern", in: 1...ModelLimits.layersMax)
        layerTypes =
            try fields.choices("layer_types", count: layerCount, of: LayerType.self)
            ?? (0..<layerCount).map { ($0 + 1) % pattern == 0 ? .full : .sliding }
        for field in ["attn_logit_softcapping", "final_logit_softcapping"] where fields.has(field) {
            throw fields.error(field, "null: Gemma 3 has no soft caps")
        }
        guard try !fields.flag("use_bidirectional_attention", standard: false) else {
            throw fields.error("use_bidirectional_attention", "false: tokens are generated one after the other")
        }
    }

    private static let defaults: [String: JSONValue] = [
        "vocab_size": .number(262_208), "hidden_size": .number(2304), "intermediate_size": .number(9216),
        "num_hidden_layers": .number(26), "num_attention_heads": .number(8), "num_key_value_heads": .number(4),
        "head_dim": .number(256), "max_position_embeddings": .number(131_072), "rms_norm_eps": .number(1e-6),
        "query_pre_attn_scalar": .number(256), "sliding_window": .number(4096), "sliding_window_pattern": .number(6),
        "rope_theta": .number(1_000_000), "rope_local_base_freq": .number(10_000),
    ]
}

// MARK: Attention

extension GroupedQueryAttention {
    fileprivate init(_ model: Gemma3, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        try self.init(
            model.trunk, layer: layer, reader, inputBias: model.attentionBias, outputBias: model.attentionBias,
            norms: true)
        scale = model.scale
        guard model.layerTypes[layer] == .sliding else { return }
        rotary = model.localRotary
        window = model.window
    }
}

// MARK: Block

/// A block that norms what goes into attention and into the MLP and what comes out of them, before it is added.
struct SandwichNormBlock: DecoderLayer {
    let weights: LayerWeights
    let inputLayernorm: RMSNorm
    let selfAttn: GroupedQueryAttention
    let postAttentionLayernorm: RMSNorm
    let preFeedforwardLayernorm: RMSNorm
    let mlp: GeGLU
    let postFeedforwardLayernorm: RMSNorm

    func callAsFunction(_ x: Tensor, _ pass: ForwardPass) throws -> Tensor {
        let h = try x + postAttentionLayernorm(selfAttn(inputLayernorm(x), pass))
        return try h + postFeedforwardLayernorm(mlp(preFeedforwardLayernorm(h)))
    }
}

// MARK: Model

extension Gemma3 {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        func norm(_ name: String) throws(CheckpointError) -> RMSNorm {
            try reader.norm(name, size: trunk.hiddenSize, epsilon: trunk.epsilon, offset: trunk.normOffset)
        }
        return SandwichNormBlock(
            weights: weights, inputLayernorm: try norm("input_layernorm"),
            selfAttn: try GroupedQueryAttention(self, layer: index, reader),
            postAttentionLayernorm: try norm("post_attention_layernorm"),
            preFeedforwardLayernorm: try norm("pre_feedforward_layernorm"),
            mlp: try GeGLU(reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize),
            postFeedforwardLayernorm: try norm("post_feedforward_layernorm"))
    }

    /// Rows are multiplied by the root of their width.
    public func makeEmbedding(_ weights: LayerWeights) throws(CheckpointError) -> TokenEmbedding {
        try embedding(weights, scale: Float(trunk.hiddenSize).squareRoot())
    }
}
