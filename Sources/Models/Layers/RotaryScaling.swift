// How rotary embeddings are stretched over contexts longer than those a model was first trained on.

internal import Glibc

/// A scaling of rotary frequencies, as `rope_scaling` or `rope_parameters` of config.json names it.
public enum RotaryScaling: Sendable, Equatable {
    case none
    /// Positions divided by `factor`. Chen et al., 2023.
    case linear(factor: Double)
    /// The frequency of each pair divided by its own factor, as GGUF files state Llama 3.1's scaling.
    case factors([Double])
    /// Long wavelengths divided by `factor`, short ones kept. Llama 3.1, 2024.
    case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalTokens: Double)
    /// Wavelengths that fit the original context `slowTurns` times or less divided by `factor`, those that fit
    /// `fastTurns` times kept, a ramp between. Peng et al., 2023.
    case yarn(
        factor: Double, fastTurns: Double, slowTurns: Double, originalTokens: Double, wholePairs: Bool,
        magnitude: Double)

    /// Factor of rotated columns.
    var magnitude: Float {
        if case .yarn(_, _, _, _, _, let magnitude) = self { return Float(magnitude) }
        return 1
    }

    /// Radians a token of each of `dimension / 2` pairs.
    func inverseFrequencies(dimension: Int, theta: Double) -> [Float] {
        let plain = (0..<dimension / 2).map { 1 / pow(theta, Double(2 * $0) / Double(dimension)) }
        return switch self {
        case .none:
            plain.map(Float.init)
        case .linear(let factor):
            plain.map { Float($0 / factor) }
        case .factors(let factors):
            zip(plain, factors).map { Float($0 / $1) }
        case .llama3(let factor, let lowFrequencyFactor, let highFrequencyFactor, let originalTokens):
            plain.map { frequency in
                let turns = originalTokens * frequency / (2 * .pi)
                let kept = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
                return Float(mix(frequency / factor, frequency, min(max(kept, 0), 1)))
            }
        case .yarn(let factor, let fastTurns, let slowTurns, let originalTokens, let wholePairs, _):
            plain.enumerated().map { pair, frequency in
                // The pair, as a real number, whose wavelength fits the original context `turns` times.
                func pairTurning(_ turns: Double) -> Double {
                    Double(dimension) * log(originalTokens / (turns * 2 * .pi)) / (2 * log(theta))
                }
                let (first, last) = (pairTurning(fastTurns), pairTurning(slowTurns))
                let low = max(wholePairs ? first.rounded(.down) : first, 0)
                let high = min(wholePairs ? last.rounded(.up) : last, Double(dimension - 1))
                // A ramp of no width is a step.
                let ramp = (Double(pair) - low) / (high == low ? 0.001 : high - low)
                return Float(mix(frequency, frequency / factor, min(max(ramp, 0), 1)))
            }
        }
    }
}

/// `a` at share 0, `b` at share 1.
private func mix(_ a: Double, _ b: Double, _ share: Double) -> Double {
    a * (1 - share) + b * share
}

extension RotaryScaling {
    private enum Kind: String, CaseIterable {
        case plain = "default"
        case linear
        case factors
        case llama3
        case yarn
    }

    /// Reads the `rope_scaling` or `rope_parameters` object; nil is ``none``.
    ///
    /// - Parameter contextTokens: `max_position_embeddings`, the original context where the section does not say it.
    init(_ section: ConfigFields?, contextTokens: Int) throws(ConfigError) {
        guard let section else {
            self = .none
            return
        }
        // Older files say "type".
        let name = section.has("rope_type") ? "rope_type" : "type"
        let originalTokens = Double(
            try section.integer(
                "original_max_position_embeddings", in: 1...ModelLimits.contextTokensMax, standard: contextTokens))
        switch try section.choice(name, standard: Kind.plain) {
        case .plain:
            self = .none
        case .linear:
            self = .linear(factor: try Self.factor(section))
        case .factors:
            self = .factors(try section.numbers("factors", in: 1e-6...1e6))
        case .llama3:
            let low = try section.number("low_freq_factor", in: 0.001...1e6, standard: 1)
            let high = try section.number("high_freq_factor", in: 0.001...1e6, standard: 4)
            guard low < high else { throw section.error("high_freq_factor", "more than low_freq_factor, \(low)") }
            self = .llama3(
                factor: try Self.factor(section), lowFrequencyFactor: low, highFrequencyFactor: high,
                originalTokens: originalTokens)
        case .yarn:
            let factor = try Self.factor(section)
            self = .yarn(
                factor: factor,
                fastTurns: try section.number("beta_fast", in: 0.001...1e6, standard: 32),
                slowTurns: try section.number("beta_slow", in: 0.001...1e6, standard: 1),
                originalTokens: originalTokens,
                wholePairs: try section.flag("truncate", standard: true),
                magnitude: try Self.yarnMagnitude(section, factor: factor))
        }
    }

    private static func factor(_ section: ConfigFields) throws(ConfigError) -> Double {
        try section.number("factor", in: 1...1e6)
    }

    private static func yarnMagnitude(_ section: ConfigFields, factor: Double) throws(ConfigError) -> Double {
        func magnitude(_ scale: Double) -> Double { 0.1 * scale * log(factor) + 1 }
        let whole = try section.number("mscale", in: 0...1e6, standard: 0)
        let allDimensions = try section.number("mscale_all_dim", in: 0...1e6, standard: 0)
        let inferred = whole > 0 && allDimensions > 0 ? magnitude(whole) / magnitude(allDimensions) : magnitude(1)
        return try section.number("attention_factor", in: 0.001...1e6, standard: inferred)
    }

    /// Tokens that the scaling stretches the model's context to.
    func contextTokens(unscaled: Int) -> Int {
        switch self {
        case .yarn(let factor, _, _, let originalTokens, _, _): max(unscaled, Int(factor * originalTokens))
        default: unscaled
        }
    }
}
