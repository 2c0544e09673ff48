// Llama 2 and 3, and Mistral, which is the same with a sliding window in its first version.

internal import Tensors
public import Weights

// MARK: Config

/// Llama: pre-norm blocks of grouped-query attention and SwiGLU. Touvron et al., 2023; Llama Team, 2024; for Mistral
/// Jiang et al., 2023.
public struct Llama: TrunkModel {
    public static let modelTypes = ["llama", "mistral"]

    private(set) var trunk: DecoderTrunk
    fileprivate let intermediateSize: Int
    fileprivate let attentionBias: Bool
    fileprivate let mlpBias: Bool

    public init(_ config: ModelConfig) throws(ConfigError) {
        trunk = try DecoderTrunk(config)
        let fields = config.fields
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        attentionBias = try fields.flag("attention_bias", standard: false)
        mlpBias = try fields.flag("mlp_bias", standard: false)
        if config.modelType == "mistral", fields.has("sliding_window") {
            trunk.limit(
                Array(repeating: .sliding, count: trunk.shape.layerCount),
                to: try fields.integer("sliding_window", in: 1...ModelLimits.contextTokensMax))
        }
    }
}

// MARK: Attention

extension GroupedQueryAttention {
    fileprivate init(_ model: Llama, layer: Int, _ reader: WeightReader) throws(CheckpointError) {
        let (trunk, bias) = (model.trunk, model.attentionBias)
        let hiddenSize = trunk.hiddenSize
        self.init(
            layer: layer, heads: trunk.heads, cache: trunk.shape.caches[layer], scale: trunk.scale,
            qProj: try reader.linear("self_attn.q_proj", inputs: hiddenSize, outputs: trunk.queryColumns, bias: bias),
            kProj: try reader.linear("self_attn.k_proj", inputs: hiddenSize, outputs: trunk.cachedColumns, bias: bias),
            vProj: try reader.linear("self_attn.v_proj", inputs: hiddenSize, outputs: trunk.cachedColumns, bias: bias),
            oProj: try reader.linear("self_attn.o_proj", inputs: trunk.queryColumns, outputs: hiddenSize, bias: bias),
            qNorm: nil, kNorm: nil, rotary: trunk.rotary)
    }
}

// MARK: Block

extension Llama {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        return try PreNormBlock(
            trunk, reader, selfAttn: GroupedQueryAttention(self, layer: index, reader),
            mlp: SwiGLU(
                reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize, bias: mlpBias))
    }
}
