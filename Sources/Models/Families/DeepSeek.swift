// DeepSeek-V2 and V2-Lite, V3 and R1, and Kimi K2, which is V3 in other sizes.

internal import Tensors
public import Weights

// MARK: Config

/// DeepSeek: pre-norm blocks of multi-head latent attention, and experts of which some see every row. DeepSeek-AI,
/// 2024.
public struct DeepSeek: TrunkModel {
    public static let modelTypes = ["deepseek_v2", "deepseek_v3", "kimi_k2"]

    let trunk: DecoderTrunk
    fileprivate let latent: LatentFields
    fileprivate let intermediateSize: Int
    fileprivate let mixture: DeepSeekFields
    fileprivate let routing: Routing

    public var shape: ModelShape {
        var shape = trunk.shape
        // Queries and what they attend to, for each head as wide as what is cached.
        shape.workingColumns = trunk.heads * 2 * (trunk.cache.keyDimension + latent.rotated)
        return shape
    }

    /// How experts are chosen.
    fileprivate enum Routing: String, CaseIterable {
        case greedy
        /// Of the groups whose best expert is best.
        case groupLimited = "group_limited_greedy"
        /// V3's.
        case corrected = "noaux_tc"
    }

    public init(_ config: ModelConfig) throws(ConfigError) {
        let fields = config.fields
        let isV2 = config.modelType == "deepseek_v2"
        let latent = try LatentFields(fields)
        trunk = try DecoderTrunk(
            config,
            DecoderTrunk.Variant(attention: (latent.cache, latent.rotary)))
        self.latent = latent
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        mixture = try DeepSeekFields(fields, normalizes: !isV2)
        routing = try fields.choice("topk_method", standard: isV2 ? Routing.greedy : .corrected)
        let scoring: ExpertRouter.Scoring = routing == .corrected ? .sigmoid : .softmax
        guard try fields.choice("scoring_func", standard: scoring) == scoring else {
            throw fields.error("scoring_func", "\"\(scoring.rawValue)\" with topk_method \"\(routing.rawValue)\"")
        }
    }
}

/// The fields about attention.
fileprivate struct LatentFields: Sendable {
    /// Columns of the compressed queries; nil where queries are made in one product.
    let queryRank: Int?
    /// Columns of the compressed keys and values.
    let rank: Int
    /// Columns of a head's query and key without, and with, positions.
    let plain: Int
    let rotated: Int
    /// Columns of a head's value.
    let value: Int
    let bias: Bool
    let scale: Float
    let rotary: RotaryEmbedding

    /// One key for all heads: the latent that keys and values are made of, and the columns that are rotated.
    var cache: CacheShape {
        CacheShape(heads: 1, keyDimension: rank + rotated, valueDimension: rank, valuesInKeys: true)
    }

    init(_ fields: ConfigFields) throws(ConfigError) {
        let columns = 1...ModelLimits.headDimensionMax
        queryRank =
            fields.has("q_lora_rank") ? try fields.integer("q_lora_rank", in: 1...ModelLimits.hiddenSizeMax) : nil
        rank = try fields.integer("kv_lora_rank", in: 1...min(HeadMatrix.inputsMax, ModelLimits.headDimensionMax))
        plain = try fields.integer("qk_nope_head_dim", in: columns)
        rotated = try fields.integer("qk_rope_head_dim", in: 2...ModelLimits.headDimensionMax)
        value = try fields.integer("v_head_dim", in: columns)
        bias = try fields.flag("attention_bias", standard: false)
        rotary = try RotaryEmbedding(
            fields, headDimension: rotated,
            contextTokens: fields.integer("max_position_embeddings", in: 1...ModelLimits.contextTokensMax),
            pairing: fields.flag("rope_interleave", standard: true) ? .interleaved : .halves)
        // YaRN's factor of all columns, rotated or not, goes into the scale of scores.
        var magnitude = 1.0
        let parameters = try fields.object("rope_parameters")
        if let section = try fields.object("rope_scaling") ?? parameters, case .yarn = rotary.scaling {
            magnitude = RotaryScaling.yarnMagnitude(
                try section.number("mscale_all_dim", in: 0...1e6, standard: 0),
                factor: try section.number("factor", in: 1...1e6))
        }
        scale = Float(magnitude * magnitude / Double(plain + rotated).squareRoot())
    }
}

// MARK: Attention

extension LatentAttention {
    fileprivate init(_ model: DeepSeek, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        let (trunk, fields) = (model.trunk, model.latent)
        let (heads, hiddenSize) = (trunk.heads, trunk.hiddenSize)
        let queryColumns = heads * (fields.plain + fields.rotated)
        // The inner norms have an epsilon of their own.
        let epsilon: Float = 1e-6
        let query: LatentAttention.Query
        if let rank = fields.queryRank {
            query = .compressed(
                qAProj: try reader.linear("self_attn.q_a_proj", inputs: hiddenSize, outputs: rank, bias: fields.bias),
                qALayernorm: try reader.norm("self_attn.q_a_layernorm", size: rank, epsilon: epsilon),
                qBProj: try reader.linear("self_attn.q_b_proj", inputs: rank, outputs: queryColumns))
        } else {
            query = .direct(
                qProj: try reader.linear("self_attn.q_proj", inputs: hiddenSize, outputs: queryColumns))
        }
        let absorbed = try Self.absorbed(fields, heads: heads, reader)
        self.init(
            layer: layer, heads: heads, cache: trunk.cache, scale: fields.scale, plainColumns: fields.plain,
            rotatedColumns: fields.rotated, valueColumns: fields.value, query: query,
            kvAProjWithMqa: try reader.linear(
                "self_attn.kv_a_proj_with_mqa", inputs: hiddenSize, outputs: fields.rank + fields.rotated,
                bias: fields.bias),
            kvALayernorm: try reader.norm("self_attn.kv_a_layernorm", size: fields.rank, epsilon: epsilon),
            queryToLatent: absorbed.query, latentToValue: absorbed.value,
            oProj: try reader.linear(
                "self_attn.o_proj", inputs: heads * fields.value, outputs: hiddenSize, bias: fields.bias),
            rotary: trunk.rotary)
    }

    /// Both from `kv_b_proj`, whose outputs are each head's keys, then its values; or apart, as MLX's converter makes
    /// of it: `embed_q` is the transpose of the first, `unembed_out` the second.
    private static func absorbed(
        _ fields: LatentFields, heads: Int, _ reader: WeightReader
    ) throws(CheckpointError) -> (query: HeadMatrix, value: HeadMatrix) {
        if reader.weights.has("self_attn.embed_q.weight") {
            let query = try reader.matrix(
                "self_attn.embed_q", outputs: heads * fields.rank, inputs: fields.plain, part: .stack(count: heads))
            let value = try reader.matrix(
                "self_attn.unembed_out", outputs: heads * fields.value, inputs: fields.rank, part: .stack(count: heads))
            return (
                HeadMatrix(query, heads: heads, outputs: 0..<fields.rank),
                HeadMatrix(value, heads: heads, outputs: 0..<fields.value)
            )
        }
        let both = try reader.matrix(
            "self_attn.kv_b_proj", outputs: heads * (fields.plain + fields.value), inputs: fields.rank)
        return (
            HeadMatrix(both, heads: heads, outputs: 0..<fields.plain, isTransposed: true),
            HeadMatrix(both, heads: heads, outputs: fields.plain..<fields.plain + fields.value)
        )
    }
}

// MARK: Mixture

extension ExpertRouter {
    fileprivate init(_ model: DeepSeek, _ reader: WeightReader) throws(CheckpointError) {
        let (fields, hiddenSize) = (model.mixture, model.trunk.hiddenSize)
        guard model.routing != .corrected else {
            try self.init(sigmoid: fields, hiddenSize: hiddenSize, reader)
            return
        }
        // V2's scores are probabilities over all experts, and never made to add up to 1.
        self.init(
            gate: try reader.linear("mlp.gate", inputs: hiddenSize, outputs: fields.experts), scoring: .softmax,
            chosen: fields.chosen, normalizes: false, factor: fields.factor,
            groups: model.routing == .groupLimited ? fields.routerGroups(bestCounted: 1) : nil)
    }
}

// MARK: Block

extension DeepSeek {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        let selfAttn = try LatentAttention(self, layer: index, reader)
        guard mixture.hasExperts(index) else {
            return try PreNormBlock(
                trunk, reader, selfAttn: selfAttn,
                mlp: SwiGLU(reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize))
        }
        return try PreNormBlock(
            trunk, reader, selfAttn: selfAttn,
            mlp: MixtureOfExperts(
                mixture, router: ExpertRouter(self, reader), hiddenSize: trunk.hiddenSize, reader))
    }
}
