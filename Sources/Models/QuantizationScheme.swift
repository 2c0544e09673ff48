// How the modules of a checkpoint are quantized.

public import Tensors

/// What config.json says about quantization: one packing for all quantized modules, and others for some of them.
public struct QuantizationScheme: Sendable, Equatable {
    /// Nil where config.json says nothing.
    let common: QuantizationParameters?
    /// By the module's path, such as `model.layers.0.mlp.down_proj`; nil for one that is not quantized.
    let overrides: [String: QuantizationParameters?]

    /// How a module is packed, nil where config.json does not say that it is quantized.
    public func parameters(forModule path: String) -> QuantizationParameters? {
        if let override = overrides[path] { return override }
        return common
    }

    /// Reads `quantization`, or `quantization_config` where only that is given.
    init(_ fields: ConfigFields) throws(ConfigError) {
        let name = fields.has("quantization") ? "quantization" : "quantization_config"
        guard let section = try fields.object(name) else {
            (common, overrides) = (nil, [:])
            return
        }
        if let method = section.value("quant_method") {
            try Self.check(method, section)
            // What is packed is seen by the names of its tensors.
            (common, overrides) = (nil, [:])
            return
        }
        common = try QuantizationParameters(section)
        var overrides: [String: QuantizationParameters?] = [:]
        for (path, value) in section.values {
            switch value {
            case .object(let values):
                overrides[path] = .some(
                    try QuantizationParameters(ConfigFields(path: "\(name).\(path).", values: values)))
            case .boolean(false) where !QuantizationParameters.fieldNames.contains(path):
                overrides[path] = .some(nil)
            default: break
            }
        }
        self.overrides = overrides
    }

    /// That weights packed as Hugging Face's `quant_method` says can be read.
    private static func check(_ method: JSONValue, _ section: ConfigFields) throws(ConfigError) {
        switch method {
        case .string("mxfp4"): return
        case .string("fp8"):
            guard section.value("weight_block_size") == .array([.number(128), .number(128)]) else {
                throw section.error("weight_block_size", "[128, 128]")
            }
        default:
            throw ConfigError(
                "config.json: the weights are quantized by the method \(method), which is not supported; "
                    + "use the model in bf16, or converted to one of MLX's quantizations")
        }
    }
}

/// How one module is packed.
public enum QuantizationParameters: Sendable, Equatable {
    /// MLX's affine mode.
    case affine(AffineQuantization)
    /// MLX's modes of small floats.
    case coded(CodedQuantization)

    static let fieldNames = ["group_size", "bits", "mode"]

    /// The modes that config.json may name.
    private enum Mode: String, CaseIterable {
        case affine
        case mxfp4
        case mxfp8
        case nvfp4
    }

    /// A section with `group_size`, `bits` and `mode`; a missing mode is affine, also in an override below another
    /// mode.
    init(_ section: ConfigFields) throws(ConfigError) {
        switch try section.choice("mode", standard: Mode.affine) {
        case .affine:
            let bits = try section.integer("bits", in: 1...8)
            let group = try section.integer("group_size", in: 1...ModelLimits.hiddenSizeMax)
            self = .affine(AffineQuantization(bits: bits, group: group))
        case .mxfp4: self = .coded(try Self.coded(.mxfp4, section))
        case .mxfp8: self = .coded(try Self.coded(.mxfp8, section))
        case .nvfp4: self = .coded(try Self.coded(.nvfp4, section))
        }
    }

    /// A mode that has one width and one size of groups, which the section may state.
    private static func coded(
        _ quantization: CodedQuantization, _ section: ConfigFields
    ) throws(ConfigError) -> CodedQuantization {
        let (bits, group) = (quantization.bits, quantization.group)
        _ = try section.integer("bits", in: bits...bits, standard: bits)
        _ = try section.integer("group_size", in: group...group, standard: group)
        return quantization
    }
}
