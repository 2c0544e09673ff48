// Qwen1.5 and Qwen2, mixture of experts.

internal import Tensors
public import Weights

// MARK: Config

/// Qwen2-MoE: Qwen2 with experts and one shared expert behind a gate in place of the MLP of most layers. Qwen Team,
/// 2024.
public struct Qwen2MoE: TrunkModel {
    public static let modelTypes = ["qwen2_moe"]

    let trunk: DecoderTrunk
    fileprivate let intermediateSize: Int
    fileprivate let sharedIntermediateSize: Int
    fileprivate let mixture: MixtureFields

    public init(_ config: ModelConfig) throws(ConfigError) {
        trunk = try DecoderTrunk(config)
        let fields = config.fields
        intermediateSize = try fields.integer("intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        sharedIntermediateSize = try fields.integer(
            "shared_expert_intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        mixture = try MixtureFields(fields, experts: "num_experts", layerCount: trunk.shape.layerCount)
        guard try !fields.flag("use_sliding_window", standard: false) else {
            throw fields.error("use_sliding_window", "false: layers of this family attend to the whole sequence here")
        }
    }
}

// MARK: Mixture

extension MixtureOfExperts<SwiGLU> {
    /// Scores are probabilities over all experts; the shared expert's share is a gate's, between 0 and 1.
    fileprivate init(_ model: Qwen2MoE, _ reader: WeightReader) throws(CheckpointError) {
        let (fields, hiddenSize) = (model.mixture, model.trunk.hiddenSize)
        self.init(
            router: ExpertRouter(
                gate: try reader.linear("mlp.gate", inputs: hiddenSize, outputs: fields.experts), scoring: .softmax,
                chosen: fields.chosen, normalizes: fields.normalizes),
            experts: try Self.experts(
                reader, "mlp", count: fields.experts, hiddenSize: hiddenSize, intermediateSize: fields.intermediateSize),
            shared: SharedExpert(
                expert: try SwiGLU(
                    reader, "mlp.shared_expert", hiddenSize: hiddenSize,
                    intermediateSize: model.sharedIntermediateSize),
                gate: try reader.linear("mlp.shared_expert_gate", inputs: hiddenSize, outputs: 1)))
    }
}

// MARK: Block

extension Qwen2MoE {
    public func makeLayer(_ index: Int, _ weights: LayerWeights) throws(CheckpointError) -> any DecoderLayer {
        let reader = WeightReader(weights, trunk.quantization)
        let selfAttn = try GroupedQueryAttention(qwen2: trunk, layer: index, reader)
        guard mixture.hasExperts(index) else {
            return try PreNormBlock(
                trunk, reader, selfAttn: selfAttn,
                mlp: SwiGLU(reader, "mlp", hiddenSize: trunk.hiddenSize, intermediateSize: intermediateSize))
        }
        return try PreNormBlock(trunk, reader, selfAttn: selfAttn, mlp: MixtureOfExperts(self, reader))
    }
}
