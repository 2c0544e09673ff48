// The model families that are known, by the name config.json gives them.

/// Finds the family of a configuration.
public enum ModelRegistry {
    /// Every family; another one is another line.
    private static let families: [any Model.Type] = [
        DeepSeek.self, Gemma3.self, Glm4MoE.self, GptOss.self, Llama.self, Phi3.self, Qwen2.self, Qwen2MoE.self,
        Qwen3.self, Qwen3MoE.self,
    ]

    /// The `model_type`s that are known, sorted.
    public static var modelTypes: [String] { families.flatMap { $0.modelTypes }.sorted() }

    /// The model that `config` describes.
    /// - Throws: when its family is not known, listing those that are, or its family refuses a field.
    public static func model(for config: ModelConfig) throws(ConfigError) -> any Model {
        guard let family = families.first(where: { $0.modelTypes.contains(config.modelType) }) else {
            throw ConfigError(
                field: "model_type", found: .string(config.modelType),
                allowed: "one of the families known here: \(modelTypes.joined(separator: ", "))")
        }
        return try family.init(config)
    }
}
