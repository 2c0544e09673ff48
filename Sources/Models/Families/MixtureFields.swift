// The fields of config.json about experts that several families share.

/// How many experts there are, how many a row goes to, and in which layers.
struct MixtureFields: Sendable {
    let experts: Int
    /// Experts of a row.
    let chosen: Int
    /// Columns inside an expert.
    let intermediateSize: Int
    let normalizes: Bool
    private let sparseStep: Int
    private let denseLayers: Set<Int>

    /// - Parameter name: of the field with the number of experts.
    init(_ fields: ConfigFields, experts name: String, layerCount: Int) throws(ConfigError) {
        experts = try fields.integer(name, in: 1...ModelLimits.expertsMax)
        chosen = try fields.integer("num_experts_per_tok", in: 1...experts)
        intermediateSize = try fields.integer("moe_intermediate_size", in: 1...ModelLimits.intermediateSizeMax)
        normalizes = try fields.flag("norm_topk_prob", standard: false)
        sparseStep = try fields.integer("decoder_sparse_step", in: 1...ModelLimits.layersMax, standard: 1)
        denseLayers = Set(try fields.integers("mlp_only_layers", in: 0...layerCount - 1))
    }

    /// Whether a layer has experts; the others have a plain MLP.
    func hasExperts(_ layer: Int) -> Bool { !denseLayers.contains(layer) && (layer + 1) % sparseStep == 0 }
}
