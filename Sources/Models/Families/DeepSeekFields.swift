// The fields of config.json about experts as DeepSeek names them, which other families took over.

internal import Weights

/// Routed and shared experts, and which layers have them.
struct DeepSeekFields: Sendable {
    let experts: Int
    /// Experts of a row.
    let chosen: Int
    /// Columns inside an expert.
    let intermediateSize: Int
    /// Columns inside the shared expert: several experts side by side. 0: none.
    let sharedIntermediateSize: Int
    /// What the weights of a row's experts are multiplied by.
    let factor: Float
    let normalizes: Bool
    /// Groups of experts, and how many of them a row goes to.
    let groups: (count: Int, kept: Int)
    private let denseLayers: Int
    private let layerStep: Int

    /// - Parameter normalizes: what a missing `norm_topk_prob` means.
    init(_ fields: ConfigFields, normalizes standard: Bool) throws(ConfigError) {
        experts = try fields.integer("n_routed_experts", in: 1...ModelLimits.expertsMax)
        chosen = try fields.integer("num_experts_per_tok", in: 1...experts)
        intermediateSize = try fields.integer("moe_intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        let shared = try fields.integer("n_shared_experts", in: 0...ModelLimits.expertsMax, standard: 0)
        sharedIntermediateSize = shared * intermediateSize
        factor = Float(try fields.number("routed_scaling_factor", in: 0...1e6, standard: 1))
        normalizes = try fields.flag("norm_topk_prob", standard: standard)
        let count = try fields.integer("n_group", in: 1...experts, standard: 1)
        guard experts % count == 0 else {
            throw fields.error("n_group", "a divisor of n_routed_experts, \(experts)")
        }
        let kept = try fields.integer("topk_group", in: 1...count, standard: count)
        guard kept * (experts / count) >= chosen else {
            throw fields.error("topk_group", "so large that these groups have \(chosen) experts")
        }
        groups = (count, kept)
        denseLayers = try fields.integer("first_k_dense_replace", in: 0...ModelLimits.layersMax, standard: 0)
        layerStep = try fields.integer("moe_layer_freq", in: 1...ModelLimits.layersMax, standard: 1)
    }

    /// Whether a layer has experts; the others have a plain MLP.
    func hasExperts(_ layer: Int) -> Bool { layer >= denseLayers && layer % layerStep == 0 }

    /// - Parameter bestCounted: what a group is worth: the sum of so many of its best scores.
    func routerGroups(bestCounted: Int) -> ExpertRouter.Groups? {
        groups.kept < groups.count
            ? ExpertRouter.Groups(
                count: groups.count, kept: groups.kept, bestCounted: min(bestCounted, experts / groups.count)) : nil
    }
}

extension MixtureOfExperts<SwiGLU> {
    /// `mlp.experts` or `mlp.switch_mlp`, and `mlp.shared_experts`, behind a router that is given.
    init(
        _ fields: DeepSeekFields, router: ExpertRouter, hiddenSize: Int, _ reader: WeightReader
    ) throws(CheckpointError) {
        self.init(
            router: router,
            experts: try Self.experts(
                reader, "mlp", count: fields.experts, hiddenSize: hiddenSize, intermediateSize: fields.intermediateSize)
        )
        guard fields.sharedIntermediateSize > 0 else { return }
        shared = SharedExpert(
            expert: try SwiGLU(
                reader, "mlp.shared_experts", hiddenSize: hiddenSize, intermediateSize: fields.sharedIntermediateSize))
    }
}

extension ExpertRouter {
    /// Scores are the logistic function of logits; a correction is added for the choice alone, and a group is worth its
    /// two best. DeepSeek-AI, 2024.
    init(sigmoid fields: DeepSeekFields, hiddenSize: Int, _ reader: WeightReader) throws(CheckpointError) {
        self.init(
            gate: try reader.linear("mlp.gate", inputs: hiddenSize, outputs: fields.experts), scoring: .sigmoid,
            chosen: fields.chosen, normalizes: fields.normalizes, factor: fields.factor,
            groups: fields.routerGroups(bestCounted: 2),
            correction: ExpertCorrection(
                values: try reader.vector("mlp.gate.e_score_correction_bias", count: fields.experts)))
    }
}
