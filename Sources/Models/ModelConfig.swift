// config.json: which model it is, its fields, and how its weights are quantized.

/// A model's configuration, as Hugging Face and MLX write it.
public struct ModelConfig: Sendable {
    /// Names the family.
    public let modelType: String
    /// The whole document, for the family to read.
    public let fields: ConfigFields
    public let quantization: QuantizationScheme

    /// - Parameter json: contents of config.json.
    public init(json: [UInt8]) throws(ConfigError) {
        guard case .object(let values) = try JSONValue(parsing: json) else {
            throw ConfigError("config.json is not a JSON object")
        }
        let fields = ConfigFields(path: "", values: values)
        guard case .string(let modelType) = fields.value("model_type") else {
            throw fields.error("model_type", "the name of a model family, as a string")
        }
        self.modelType = modelType
        self.fields = fields
        self.quantization = try QuantizationScheme(fields)
    }
}

/// The largest sizes that a configuration may state: far beyond published models, and small enough that products of two
/// of them cannot overflow.
public enum ModelLimits {
    /// The deepest published models have some 130.
    public static let layersMax = 1024
    /// The widest published models have 18,432.
    public static let hiddenSizeMax = 65_536
    /// The widest published models have 53,248.
    public static let intermediateSizeMax = 1 << 20
    /// Published models have up to 512.
    public static let expertsMax = 4096
    /// The largest published vocabularies have some 260,000 tokens.
    public static let vocabularySizeMax = 1 << 24
    /// Published models have up to 128.
    public static let headsMax = 1024
    /// Published models have up to 576.
    public static let headDimensionMax = 4096
    /// Published models have up to 10 million.
    public static let contextTokensMax = 1 << 28
}
