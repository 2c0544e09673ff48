// GLM-4.5 and its successors, mixture of experts.

internal import Tensors
public import Weights

// MARK: Config

/// GLM-4-MoE: pre-norm blocks of grouped-query attention, half of whose columns are rotated, and DeepSeek-V3's experts
/// after the first layers. GLM-4.5 Team, 2025.
public struct Glm4MoE: TrunkModel {
    public static let modelTypes = ["glm4_moe"]

    let trunk: DecoderTrunk
    fileprivate let intermediateSize: Int
    fileprivate let attentionBias: Bool
    fileprivate let normsQueries: Bool
    fileprivate let mixture: DeepSeekFields

    public init(_ config: ModelConfig) throws(ConfigError) {
        let fields = config.fields
        trunk = try DecoderTrunk(config, DecoderTrunk.Variant(rotaryPart: 0.5))
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        attentionBias = try fields.flag("attention_bias", standard: false)
        normsQueries = try fields.flag("use_qk_norm", standard: false)
        mixture = try DeepSeekFields(fields, normalizes: true)
    }
}

// MARK: Block

extension Glm4MoE {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        let selfAttn = try GroupedQueryAttention(
            trunk, layer: index, reader, inputBias: attentionBias, outputBias: false, norms: normsQueries)
        guard mixture.hasExperts(index) else {
            return try PreNormBlock(
                trunk, reader, selfAttn: selfAttn,
                mlp: SwiGLU(reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize))
        }
        let router = try ExpertRouter(sigmoid: mixture, hiddenSize: trunk.hiddenSize, reader)
        return try PreNormBlock(
            trunk, reader, selfAttn: selfAttn,
            mlp: MixtureOfExperts(mixture, router: router, hiddenSize: trunk.hiddenSize, reader))
    }
}
