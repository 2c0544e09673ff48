// How rotary embeddings are stretched over contexts longer than those a model was first trained on.

internal import Glibc

/// A scaling of rotary frequencies, as `rope_scaling` or `rope_parameters` of config.json names it.
public enum RotaryScaling: Sendable, Equatable {
    case none
    /// Positions divided by `factor`. Chen et al., 2023.
    case linear(factor: Double)
    /// Long wavelengths divided by `factor`, short ones kept. Llama 3.1, 2024.
    case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalTokens: Double)
    /// Wavelengths that fit the original context `slowTurns` times or less divided by `factor`, those that fit
    /// `fastTurns` times kept, a ramp between. Peng et al., 2023.
    case yarn(
        factor: Double, fastTurns: Double, slowTurns: Double, originalTokens: Double, wholePairs: Bool,
        magnitude: Double)

    /// Wavelengths multiplied pair by pair. Ding et al., 2024.
    case longrope(factors: [Double], magnitude: Double)

    /// Factor of rotated columns.
    var magnitude: Float {
        switch self {
        case .yarn(_, _, _, _, _, let magnitude), .longrope(_, let magnitude): Float(magnitude)
        default: 1
        }
    }

    /// Radians a token of each of `dimension / 2` pairs.
    func inverseFrequencies(dimension: Int, theta: Double) -> [Float] {
        let plain = (0..<dimension / 2).map { 1 / pow(theta, Double(2 * $0) / Double(dimension)) }
        return switch self {
        case .none:
            plain.map(Float.init)
        case .linear(let factor):
            plain.map { Float($0 / factor) }
        case .longrope(let factors, _):
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
        case dynamic
        case llama3
        case yarn
        case longrope
        case su
    }

    /// Reads the `rope_scaling` or `rope_parameters` object; nil is ``none``.
    ///
    /// - Parameters:
    ///   - pairs: that are rotated.
    ///   - contextTokens: `max_position_embeddings`.
    ///   - originalTokens: the original context where the section does not say it.
    init(_ section: ConfigFields?, pairs: Int, contextTokens: Int, originalTokens: Int) throws(ConfigError) {
        guard let section else {
            self = .none
            return
        }
        // Older files say "type".
        let name = section.has("rope_type") ? "rope_type" : "type"
        let originalTokens = Double(
            try section.integer(
                "original_max_position_embeddings", in: 1...ModelLimits.contextTokensMax, standard: originalTokens))
        switch try section.choice(name, standard: Kind.plain) {
        case .plain:
            self = .none
        case .linear:
            self = .linear(factor: try Self.factor(section))
        case .dynamic:
            // Frequencies change only for sequences past the original context, and then for tokens already cached too:
            // sequences end there.
            self = .none
        case .longrope, .su:
            self = try Self.longrope(section, pairs: pairs, contextTokens: contextTokens, originalTokens)
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

    /// Sequences may grow past the original context at any time, and tokens already cached cannot be rotated anew: a
    /// model that is made for more than that has the long factors from the start, as mlx-lm and vLLM choose them.
    private static func longrope(
        _ section: ConfigFields, pairs: Int, contextTokens: Int, _ originalTokens: Double
    ) throws(ConfigError) -> RotaryScaling {
        let isLong = Double(contextTokens) > originalTokens
        let factor = try section.number("factor", in: 1e-6...1e6, standard: Double(contextTokens) / originalTokens)
        let inferred = factor > 1 ? (1 + log(factor) / log(originalTokens)).squareRoot() : 1
        return .longrope(
            factors: try section.numbers(isLong ? "long_factor" : "short_factor", count: pairs, in: 1e-6...1e9),
            magnitude: try section.number("attention_factor", in: 0.001...1e6, standard: inferred))
    }

    /// What YaRN multiplies queries and keys by, for a context `factor` times the original.
    static func yarnMagnitude(_ scale: Double, factor: Double) -> Double {
        factor > 1 ? 0.1 * scale * log(factor) + 1 : 1
    }

    private static func yarnMagnitude(_ section: ConfigFields, factor: Double) throws(ConfigError) -> Double {
        func magnitude(_ scale: Double) -> Double { yarnMagnitude(scale, factor: factor) }
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
