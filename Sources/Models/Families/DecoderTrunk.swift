// What the families of decoders have in common: their sizes in config.json, and the tensors at both ends.

internal import Tensors
public import Weights

/// The fields of config.json that every decoder of grouped-query attention states under the same names, and the
/// embedding, final norm and output matrix that all of them call the same.
public struct DecoderTrunk: Sendable {
    public let shape: ModelShape
    public let tiesEmbedding: Bool
    let heads: Int
    let cache: CacheShape
    let epsilon: Float
    let rotary: RotaryEmbedding
    let quantization: QuantizationScheme

    var hiddenSize: Int { shape.hiddenSize }
    /// Columns of the queries of a row.
    var queryColumns: Int { heads * cache.keyDimension }
    /// Columns of the keys of a row, and of its values.
    var cachedColumns: Int { cache.heads * cache.keyDimension }
    /// 1 / √(columns of a head), by which scores are multiplied before the softmax.
    var scale: Float { 1 / Float(cache.keyDimension).squareRoot() }

    /// - Parameter tiesEmbedding: what a missing `tie_word_embeddings` means.
    init(_ config: ModelConfig, tiesEmbedding standard: Bool = false) throws(ConfigError) {
        let fields = config.fields
        let layerCount = try fields.integer("num_hidden_layers", in: 1...ModelLimits.layersMax)
        let hiddenSize = try fields.integer("hidden_size", in: 1...ModelLimits.hiddenSizeMax)
        heads = try fields.integer("num_attention_heads", in: 1...ModelLimits.headsMax)
        let keyValueHeads = try fields.integer("num_key_value_heads", in: 1...heads, standard: heads)
        guard heads % keyValueHeads == 0 else {
            throw fields.error("num_key_value_heads", "a divisor of num_attention_heads, \(heads)")
        }
        let headDimension = try fields.integer(
            "head_dim", in: 2...ModelLimits.headDimensionMax, standard: max(hiddenSize / heads, 2))
        epsilon = Float(try fields.number("rms_norm_eps", in: 0...1))
        tiesEmbedding = try fields.flag("tie_word_embeddings", standard: standard)
        _ = try fields.choice("hidden_act", standard: Activation.silu)
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

/// A family whose config and ends are those of a ``DecoderTrunk``; what is its own are its layers.
protocol TrunkModel: Model {
    var trunk: DecoderTrunk { get }
}

extension TrunkModel {
    public var shape: ModelShape { trunk.shape }
    public var tiesEmbedding: Bool { trunk.tiesEmbedding }
    public var rotaryEmbeddings: [RotaryEmbedding] { [trunk.rotary] }

    public func layerPrefix(_ index: Int) -> String { "model.layers.\(index)." }
    public var embeddingPrefixes: [String] { ["model.embed_tokens."] }
    public var headPrefixes: [String] { tiesEmbedding ? ["model.norm."] : ["model.norm.", "lm_head."] }

    public func makeEmbedding(_ weights: LayerWeights) throws(CheckpointError) -> TokenEmbedding {
        try TokenEmbedding(
            WeightReader(weights, trunk.quantization), "model.embed_tokens", vocabularySize: shape.vocabularySize,
            hiddenSize: shape.hiddenSize)
    }

    public func makeHead(_ weights: LayerWeights) throws(CheckpointError) -> OutputHead {
        try OutputHead(
            WeightReader(weights, trunk.quantization), norm: "model.norm",
            projection: tiesEmbedding ? "model.embed_tokens" : "lm_head", vocabularySize: shape.vocabularySize,
            hiddenSize: shape.hiddenSize, epsilon: trunk.epsilon)
    }
}

/// A block that norms what goes into attention and into the MLP, and adds what comes out of them.
struct PreNormBlock<FeedForward: FeedForwardNetwork>: DecoderLayer {
    let weights: LayerWeights
    let inputLayernorm: RMSNorm
    let selfAttn: GroupedQueryAttention
    let postAttentionLayernorm: RMSNorm
    let mlp: FeedForward

    init(
        _ trunk: DecoderTrunk, _ reader: WeightReader, selfAttn: GroupedQueryAttention, mlp: FeedForward
    ) throws(CheckpointError) {
        weights = reader.weights
        inputLayernorm = try reader.norm("input_layernorm", size: trunk.hiddenSize, epsilon: trunk.epsilon)
        self.selfAttn = selfAttn
        postAttentionLayernorm = try reader.norm(
            "post_attention_layernorm", size: trunk.hiddenSize, epsilon: trunk.epsilon)
        self.mlp = mlp
    }

    func callAsFunction(_ x: Tensor, _ pass: ForwardPass) throws -> Tensor {
        let h = try x + selfAttn(inputLayernorm(x), pass)
        return try h + mlp(postAttentionLayernorm(h))
    }
}

/// What follows attention in a block: `[row, hidden]` to `[row, hidden]`.
protocol FeedForwardNetwork: Sendable {
    func callAsFunction(_ x: Tensor) throws -> Tensor
}
