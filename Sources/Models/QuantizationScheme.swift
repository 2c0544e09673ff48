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
            throw ConfigError(
                "config.json: the weights are quantized by the method \(method), which is not supported; "
                    + "use the model in bf16, or converted to MLX's affine quantization")
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
}

/// How one module is packed.
public enum QuantizationParameters: Sendable, Equatable {
    /// MLX's affine mode.
    case affine(AffineQuantization)

    static let fieldNames = ["group_size", "bits", "mode"]

    /// The modes that config.json may name.
    private enum Mode: String, CaseIterable {
        case affine
    }

    /// A section with `group_size`, `bits` and `mode`; a missing mode is affine, also in an override below another
    /// mode.
    init(_ section: ConfigFields) throws(ConfigError) {
        switch try section.choice("mode", standard: Mode.affine) {
        case .affine:
            let bits = try section.integer("bits", in: 1...8)
            let group = try section.integer("group_size", in: 1...ModelLimits.hiddenSizeMax)
            self = .affine(AffineQuantization(bits: bits, group: group))
        }
    }
}
