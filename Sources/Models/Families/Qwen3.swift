// Qwen3, dense.

internal import Tensors
public import Weights

// MARK: Config

/// Qwen3: pre-norm blocks of grouped-query attention, with norms on queries and keys, and SwiGLU. Qwen Team, 2025.
public struct Qwen3: TrunkModel {
    public static let modelTypes = ["qwen3"]

    let trunk: DecoderTrunk
    fileprivate let intermediateSize: Int
    fileprivate let attentionBias: Bool

    public init(_ config: ModelConfig) throws(ConfigError) {
        trunk = try DecoderTrunk(config)
        let fields = config.fields
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        attentionBias = try fields.flag("attention_bias", standard: false)
        guard try !fields.flag("use_sliding_window", standard: false) else {
            throw fields.error("use_sliding_window", "false: layers of this family attend to the whole sequence here")
        }
    }
}

// MARK: Attention

extension GroupedQueryAttention {
    /// With norms over the columns of each head of queries and keys, as Qwen3 and its mixture of experts have them.
    init(qwen3 trunk: DecoderTrunk, bias: Bool, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        let (hiddenSize, headColumns) = (trunk.hiddenSize, trunk.cache.keyDimension)
        self.init(
            layer: layer, heads: trunk.heads, cache: trunk.cache, scale: trunk.scale,
            qProj: try reader.linear("self_attn.q_proj", inputs: hiddenSize, outputs: trunk.queryColumns, bias: bias),
            kProj: try reader.linear("self_attn.k_proj", inputs: hiddenSize, outputs: trunk.cachedColumns, bias: bias),
            vProj: try reader.linear("self_attn.v_proj", inputs: hiddenSize, outputs: trunk.cachedColumns, bias: bias),
            oProj: try reader.linear("self_attn.o_proj", inputs: trunk.queryColumns, outputs: hiddenSize, bias: bias),
            qNorm: try reader.norm("self_attn.q_norm", size: headColumns, epsilon: trunk.epsilon),
            kNorm: try reader.norm("self_attn.k_norm", size: headColumns, epsilon: trunk.epsilon),
            rotary: trunk.rotary)
    }
}

// MARK: Block

extension Qwen3 {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        return try PreNormBlock(
            trunk, reader,
            selfAttn: GroupedQueryAttention(qwen3: trunk, bias: attentionBias, layer: index, reader),
            mlp: SwiGLU(reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize))
    }
}
