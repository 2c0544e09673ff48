// Qwen2 and Qwen2.5, dense.

internal import Tensors
public import Weights

// MARK: Config

/// Qwen2: pre-norm blocks of grouped-query attention, with biases on queries, keys and values, and SwiGLU. Qwen Team,
/// 2024.
public struct Qwen2: TrunkModel {
    public static let modelTypes = ["qwen2"]

    let trunk: DecoderTrunk
    fileprivate let intermediateSize: Int

    public init(_ config: ModelConfig) throws(ConfigError) {
        trunk = try DecoderTrunk(config)
        let fields = config.fields
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        guard try !fields.flag("use_sliding_window", standard: false) else {
            throw fields.error("use_sliding_window", "false: layers of this family attend to the whole sequence here")
        }
    }
}

// MARK: Attention

extension GroupedQueryAttention {
    /// With biases on queries, keys and values, as Qwen2 and its mixture of experts have them.
    init(qwen2 trunk: DecoderTrunk, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        let hiddenSize = trunk.hiddenSize
        self.init(
            layer: layer, heads: trunk.heads, cache: trunk.cache, scale: trunk.scale,
            qProj: try reader.linear("self_attn.q_proj", inputs: hiddenSize, outputs: trunk.queryColumns, bias: true),
            kProj: try reader.linear("self_attn.k_proj", inputs: hiddenSize, outputs: trunk.cachedColumns, bias: true),
            vProj: try reader.linear("self_attn.v_proj", inputs: hiddenSize, outputs: trunk.cachedColumns, bias: true),
            oProj: try reader.linear("self_attn.o_proj", inputs: trunk.queryColumns, outputs: hiddenSize),
            qNorm: nil, kNorm: nil, rotary: trunk.rotary)
    }
}

// MARK: Block

extension Qwen2 {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        return try PreNormBlock(
            trunk, reader, selfAttn: GroupedQueryAttention(qwen2: trunk, layer: index, reader),
            mlp: SwiGLU(reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize))
    }
}
