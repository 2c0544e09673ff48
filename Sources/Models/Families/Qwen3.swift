// Qwen3, dense.

internal import Glibc
internal import Tensors
public import Weights

// MARK: Config

/// Qwen3: pre-norm blocks of grouped-query attention, with norms on queries and keys, and SwiGLU. Qwen Team, 2025.
public struct Qwen3: Model {
    public static let modelTypes = ["qwen3"]

    public let shape: ModelShape
    public let tiesEmbedding: Bool
    fileprivate let intermediateSize: Int
    fileprivate let heads: Int
    fileprivate let cache: CacheShape
    fileprivate let attentionBias: Bool
    fileprivate let epsilon: Float
    fileprivate let rotary: RotaryEmbedding
    fileprivate let quantization: QuantizationScheme

    public init(_ config: ModelConfig) throws(ConfigError) {
        let fields = config.fields
        let layerCount = try fields.integer("num_hidden_layers", in: 1...ModelLimits.layersMax)
        let hiddenSize = try fields.integer("hidden_size", in: 1...ModelLimits.hiddenSizeMax)
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        heads = try fields.integer("num_attention_heads", in: 1...ModelLimits.headsMax)
        let keyValueHeads = try fields.integer("num_key_value_heads", in: 1...heads, standard: heads)
        guard heads % keyValueHeads == 0 else {
            throw fields.error("num_key_value_heads", "a divisor of num_attention_heads, \(heads)")
        }
        let headDimension = try fields.integer(
            "head_dim", in: 2...ModelLimits.headDimensionMax, standard: max(hiddenSize / heads, 2))
        epsilon = Float(try fields.number("rms_norm_eps", in: 0...1))
        attentionBias = try fields.flag("attention_bias", standard: false)
        tiesEmbedding = try fields.flag("tie_word_embeddings", standard: false)
        _ = try fields.choice("hidden_act", standard: Activation.silu)
        guard try !fields.flag("use_sliding_window", standard: false) else {
            throw fields.error("use_sliding_window", "false: layers of this family attend to the whole sequence here")
        }
        let contextTokens = try fields.integer("max_position_embeddings", in: 1...ModelLimits.contextTokensMax)
        rotary = try RotaryEmbedding(fields, headDimension: headDimension, contextTokens: contextTokens)
        cache = CacheShape(heads: keyValueHeads, keyDimension: headDimension, valueDimension: headDimension)
        shape = ModelShape(
            hiddenSize: hiddenSize,
            vocabularySize: try fields.integer("vocab_size", in: 1...ModelLimits.vocabularySizeMax),
            contextTokensMax: rotary.scaling.contextTokens(unscaled: contextTokens),
            caches: Array(repeating: cache, count: layerCount))
        quantization = config.quantization
    }

    private enum Activation: String, CaseIterable {
        case silu
    }
}

// MARK: Attention

extension GroupedQueryAttention {
    fileprivate init(_ model: Qwen3, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        let hiddenSize = model.shape.hiddenSize
        let queryColumns = model.heads * model.cache.keyDimension
        let cachedColumns = model.cache.heads * model.cache.keyDimension
        let bias = model.attentionBias
        self.init(
            layer: layer, heads: model.heads, cache: model.cache,
            scale: 1 / Float(model.cache.keyDimension).squareRoot(),
            qProj: try reader.linear("self_attn.q_proj", inputs: hiddenSize, outputs: queryColumns, bias: bias),
            kProj: try reader.linear("self_attn.k_proj", inputs: hiddenSize, outputs: cachedColumns, bias: bias),
            vProj: try reader.linear("self_attn.v_proj", inputs: hiddenSize, outputs: cachedColumns, bias: bias),
            oProj: try reader.linear("self_attn.o_proj", inputs: queryColumns, outputs: hiddenSize, bias: bias),
            qNorm: try reader.norm("self_attn.q_norm", size: model.cache.keyDimension, epsilon: model.epsilon),
            kNorm: try reader.norm("self_attn.k_norm", size: model.cache.keyDimension, epsilon: model.epsilon),
            rotary: model.rotary)
    }
}

// MARK: MLP

extension SwiGLU {
    fileprivate init(_ model: Qwen3, _ reader: WeightReader) throws(CheckpointError) {
        try self.init(
            reader, "mlp", hiddenSize: model.shape.hiddenSize, intermediateSize: model.intermediateSize)
    }
}

// MARK: Block

private struct Qwen3Block: DecoderLayer {
    let weights: LayerWeights
    let inputLayernorm: RMSNorm
    let selfAttn: GroupedQueryAttention
    let postAttentionLayernorm: RMSNorm
    let mlp: SwiGLU

    init(_ model: Qwen3, layer: Int, _ weights: LayerWeights) throws(CheckpointError) {
        let reader = WeightReader(weights, model.quantization)
        self.weights = weights
        inputLayernorm = try reader.norm("input_layernorm", size: model.shape.hiddenSize, epsilon: model.epsilon)
        selfAttn = try GroupedQueryAttention(model, layer: layer, reader)
        postAttentionLayernorm = try reader.norm(
            "post_attention_layernorm", size: model.shape.hiddenSize, epsilon: model.epsilon)
        mlp = try SwiGLU(model, reader)
    }

    func callAsFunction(_ x: Tensor, _ pass: ForwardPass) throws -> Tensor {
        let h = try x + selfAttn(inputLayernorm(x), pass)
        return try h + mlp(postAttentionLayernorm(h))
    }
}

// MARK: Model

extension Qwen3 {
    public var rotaryEmbeddings: [RotaryEmbedding] { [rotary] }

    public func layerPrefix(_ index: Int) -> String { "model.layers.\(index)." }
    public var embeddingPrefixes: [String] { ["model.embed_tokens."] }
    public var headPrefixes: [String] { tiesEmbedding ? ["model.norm."] : ["model.norm.", "lm_head."] }

    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        try Qwen3Block(self, layer: index, weights)
    }

    public func makeEmbedding(_ weights: LayerWeights) throws(CheckpointError) -> TokenEmbedding {
        try TokenEmbedding(
            WeightReader(weights, quantization), "model.embed_tokens", vocabularySize: shape.vocabularySize,
            hiddenSize: shape.hiddenSize)
    }

    public func makeHead(_ weights: LayerWeights) throws(CheckpointError) -> OutputHead {
        try OutputHead(
            WeightReader(weights, quantization), norm: "model.norm",
            projection: tiesEmbedding ? "model.embed_tokens" : "lm_head", vocabularySize: shape.vocabularySize,
            hiddenSize: shape.hiddenSize, epsilon: epsilon)
    }
}
