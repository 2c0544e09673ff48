// What the families of decoders have in common: their sizes in config.json, and the tensors at both ends.

internal import Tensors
internal import Weights

/// The fields of config.json that every decoder of grouped-query attention states under the same names, and the
/// embedding, final norm and output matrix that all of them call the same.
public struct DecoderTrunk: Sendable {
    public let shape: ModelShape
    public let tiesEmbedding: Bool
    let heads: Int
    let cache: CacheShape
    let epsilon: Float
    /// Added to the stored weights of norms.
    let normOffset: Float
    let rotary: RotaryEmbedding
    let quantization: QuantizationScheme
    /// What the names of the model's tensors begin with, before `model.` and `lm_head.`.
    let namePrefix: String

    var hiddenSize: Int { shape.hiddenSize }
    /// Columns of the queries of a row.
    var queryColumns: Int { heads * cache.keyDimension }
    /// Columns of the keys of a row, and of its values.
    var cachedColumns: Int { cache.heads * cache.keyDimension }
    /// 1 / √(columns of a head), by which scores are multiplied before the softmax.
    var scale: Float { 1 / Float(cache.keyDimension).squareRoot() }

    /// What a family does in its own way.
    struct Variant {
        /// Of `hidden_act` or whatever the family calls it.
        var activationField = "hidden_act"
        var activation = "silu"
        /// What a missing `tie_word_embeddings` means.
        var tiesEmbedding = false
        var normOffset: Float = 0
        var namePrefix = ""
        /// What a missing `partial_rotary_factor` means.
        var rotaryPart: Double = 1
        /// In place of grouped-query attention's cache and rotary embedding.
        var attention: (cache: CacheShape, rotary: RotaryEmbedding)?
    }

    /// - Parameter fields: those of the model, where they are not the whole of config.json.
    init(_ config: ModelConfig, fields: ConfigFields? = nil, _ variant: Variant = Variant()) throws(ConfigError) {
        let fields = fields ?? config.fields
        let layerCount = try fields.integer("num_hidden_layers", in: 1...ModelLimits.layersMax)
        let hiddenSize = try fields.integer("hidden_size", in: 1...ModelLimits.hiddenSizeMax)
        heads = try fields.integer("num_attention_heads", in: 1...ModelLimits.headsMax)
        epsilon = Float(try fields.number("rms_norm_eps", in: 0...1))
        tiesEmbedding = try fields.flag("tie_word_embeddings", standard: variant.tiesEmbedding)
        if fields.has(variant.activationField), fields.value(variant.activationField) != .string(variant.activation) {
            throw fields.error(variant.activationField, "\"\(variant.activation)\"")
        }
        let contextTokens = try fields.integer("max_position_embeddings", in: 1...ModelLimits.contextTokensMax)
        if let attention = variant.attention {
            (cache, rotary) = attention
        } else {
            cache = try Self.groupedQueryCache(fields, heads: heads, hiddenSize: hiddenSize)
            rotary = try RotaryEmbedding(
                fields, headDimension: cache.keyDimension, contextTokens: contextTokens, part: variant.rotaryPart)
        }
        shape = ModelShape(
            hiddenSize: hiddenSize,
            vocabularySize: try fields.integer("vocab_size", in: 1...ModelLimits.vocabularySizeMax),
            contextTokensMax: rotary.scaling.contextTokens(unscaled: contextTokens),
            caches: Array(repeating: cache, count: layerCount))
        normOffset = variant.normOffset
        namePrefix = variant.namePrefix
        quantization = config.quantization
    }

    /// A key and a value for each of `num_key_value_heads`.
    static func groupedQueryCache(
        _ fields: ConfigFields, heads: Int, hiddenSize: Int
    ) throws(ConfigError) -> CacheShape {
        let keyValueHeads = try fields.integer("num_key_value_heads", in: 1...heads, standard: heads)
        guard heads % keyValueHeads == 0 else {
            throw fields.error("num_key_value_heads", "a divisor of num_attention_heads, \(heads)")
        }
        let headDimension = try fields.integer(
            "head_dim", in: 2...ModelLimits.headDimensionMax, standard: max(hiddenSize / heads, 2))
        return CacheShape(heads: keyValueHeads, keyDimension: headDimension, valueDimension: headDimension)
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

    private var stem: String { "\(trunk.namePrefix)model." }
    private var head: String { "\(trunk.namePrefix)lm_head" }

    public func layerPrefix(_ index: Int) -> String { "\(stem)layers.\(index)." }
    public var embeddingPrefixes: [String] { ["\(stem)embed_tokens."] }
    public var headPrefixes: [String] { tiesEmbedding ? ["\(stem)norm."] : ["\(stem)norm.", "\(head)."] }

    public func makeEmbedding(_ weights: LayerWeights) throws(CheckpointError) -> TokenEmbedding {
        try embedding(weights, scale: 1)
    }

    /// - Parameter scale: what rows are multiplied by.
    func embedding(_ weights: LayerWeights, scale: Float) throws(CheckpointError) -> TokenEmbedding {
        try TokenEmbedding(
            WeightReader(weights, trunk.quantization), "\(stem)embed_tokens", vocabularySize: shape.vocabularySize,
            hiddenSize: shape.hiddenSize, scale: scale)
    }

    public func makeHead(_ weights: LayerWeights) throws(CheckpointError) -> OutputHead {
        try OutputHead(
            WeightReader(weights, trunk.quantization), norm: "\(stem)norm",
            projection: tiesEmbedding ? "\(stem)embed_tokens" : head, vocabularySize: shape.vocabularySize,
            hiddenSize: shape.hiddenSize, epsilon: trunk.epsilon, normOffset: trunk.normOffset)
    }
}

extension GroupedQueryAttention {
    /// Attention as most families name it: `self_attn` with `q_proj`, `k_proj`, `v_proj`, `o_proj`, and `q_norm` and
    /// `k_norm` over the columns of a head where there are norms.
    init(
        _ trunk: DecoderTrunk, layer: Int, _ reader: WeightReader, inputBias: Bool, outputBias: Bool, norms: Bool
    ) throws(CheckpointError) {
        let (hiddenSize, headColumns) = (trunk.hiddenSize, trunk.cache.keyDimension)
        func input(_ name: String, _ outputs: Int) throws(CheckpointError) -> Linear {
            try reader.linear("self_attn.\(name)", inputs: hiddenSize, outputs: outputs, bias: inputBias)
        }
        func norm(_ name: String) throws(CheckpointError) -> RMSNorm? {
            guard norms else { return nil }
            return try reader.norm(
                "self_attn.\(name)", size: headColumns, epsilon: trunk.epsilon, offset: trunk.normOffset)
        }
        self.init(
            layer: layer, heads: trunk.heads, cache: trunk.cache, scale: trunk.scale,
            qProj: try input("q_proj", trunk.queryColumns), kProj: try input("k_proj", trunk.cachedColumns),
            vProj: try input("v_proj", trunk.cachedColumns),
            oProj: try reader.linear(
                "self_attn.o_proj", inputs: trunk.queryColumns, outputs: hiddenSize, bias: outputBias),
            qNorm: try norm("q_norm"), kNorm: try norm("k_norm"), rotary: trunk.rotary)
    }
}

/// What a layer attends to.
enum LayerType: String, CaseIterable {
    case full = "full_attention"
    case sliding = "sliding_attention"
}

/// A block that norms what goes into attention and into the MLP, and adds what comes out of them.
struct PreNormBlock<Attention: SelfAttention, FeedForward: FeedForwardNetwork>: DecoderLayer {
    let weights: LayerWeights
    let inputLayernorm: RMSNorm
    let selfAttn: Attention
    let postAttentionLayernorm: RMSNorm
    let mlp: FeedForward

    init(
        _ trunk: DecoderTrunk, _ reader: WeightReader, selfAttn: Attention, mlp: FeedForward
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
