// Qwen3, mixture of experts.

internal import Tensors
public import Weights

// MARK: Config

/// Qwen3-MoE: Qwen3 with experts in place of the MLP of most layers. Qwen Team, 2025.
public struct Qwen3MoE: TrunkModel {
    public static let modelTypes = ["qwen3_moe"]

    let trunk: DecoderTrunk
    fileprivate let attentionBias: Bool
    fileprivate let intermediateSize: Int
    fileprivate let mixture: MixtureFields

    public init(_ config: ModelConfig) throws(ConfigError) {
        trunk = try DecoderTrunk(config)
        let fields = config.fields
        attentionBias = try fields.flag("attention_bias", standard: false)
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        mixture = try MixtureFields(fields, experts: "num_experts", layerCount: trunk.shape.layerCount)
        guard try !fields.flag("use_sliding_window", standard: false) else {
            throw fields.error("use_sliding_window", "false: layers of this family attend to the whole sequence here")
        }
    }
}

// MARK: Mixture

extension MixtureOfExperts<SwiGLU> {
    /// Scores are probabilities over all experts.
    fileprivate init(_ model: Qwen3MoE, _ reader: WeightReader) throws(CheckpointError) {
        let (fields, hiddenSize) = (model.mixture, model.trunk.hiddenSize)
        self.init(
            router: ExpertRouter(
                gate: try reader.linear("mlp.gate", inputs: hiddenSize, outputs: fields.experts), scoring: .softmax,
                chosen: fields.chosen, normalizes: fields.normalizes),
            experts: try Self.experts(
                reader, "mlp", count: fields.experts, hiddenSize: hiddenSize, intermediateSize: fields.intermediateSize)
        )
    }
}

// MARK: Block

extension Qwen3MoE {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        let selfAttn = try GroupedQueryAttention(qwen3: trunk, bias: attentionBias, layer: index, reader)
        guard mixture.hasExperts(index) else {
            return try PreNormBlock(
                trunk, reader, selfAttn: selfAttn,
                mlp: SwiGLU(reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize))
        }
        return try PreNormBlock(trunk, reader, selfAttn: selfAttn, mlp: MixtureOfExperts(self, reader))
    }
}
