// Rotary position embedding: the angle by which each pair of columns of a head turns at each position.

internal import Glibc
public import Tensors

/// Inverse frequencies of the pairs of a head, scaled as the model's configuration says. Su et al., 2021.
///
/// A class, so that layers share one and a step computes its angles once.
public final class RotaryEmbedding: Sendable {
    /// Columns of a head that are rotated, its first ones.
    public let dimension: Int
    public let pairing: RotationPairing
    let scaling: RotaryScaling
    /// Radians a token, of each pair.
    let inverseFrequencies: [Float]
    /// - Parameters:
    ///   - dimension: even number of columns to rotate.
    ///   - theta: base of the wavelengths, `2π · theta^(2i / dimension)` tokens before scaling.
    public init(dimension: Int, theta: Double, scaling: RotaryScaling = .none, pairing: RotationPairing = .halves) {
        self.dimension = dimension
        self.pairing = pairing
        self.scaling = scaling
        inverseFrequencies = scaling.inverseFrequencies(dimension: dimension, theta: theta)
    }

    /// Reads `rope_theta`, `rope_scaling` and `partial_rotary_factor`, or the `rope_parameters` that newer files hold
    /// them in.
    ///
    /// - Parameters:
    ///   - headDimension: columns of a head.
    ///   - contextTokens: `max_position_embeddings`.
    ///   - standardPart: what a missing `partial_rotary_factor` means.
    convenience init(
        _ fields: ConfigFields, headDimension: Int, contextTokens: Int, part standardPart: Double = 1,
        pairing: RotationPairing = .halves
    ) throws(ConfigError) {
        let parameters = try fields.object("rope_parameters")
        let section = try fields.object("rope_scaling") ?? parameters
        func holder(of name: String) -> ConfigFields {
            [section, parameters].compactMap { $0 }.first { $0.has(name) } ?? fields
        }
        let part = try holder(of: "partial_rotary_factor").number(
            "partial_rotary_factor", in: 0...1, standard: standardPart)
        let dimension = Int(Double(headDimension) * part)
        guard dimension >= 2, dimension % 2 == 0 else {
            throw ConfigError(
                "config.json: heads of \(headDimension) columns with partial_rotary_factor \(part) have \(dimension) to "
                    + "rotate; that must be an even number of at least 2")
        }
        self.init(
            dimension: dimension,
            // Wavelengths grow from pair to pair only with a base above 1.
            theta: try holder(of: "rope_theta").number("rope_theta", in: 1.001...1e12),
            scaling: try RotaryScaling(
                section, pairs: dimension / 2, contextTokens: contextTokens,
                // Phi states it beside the section.
                originalTokens: fields.integer(
                    "original_max_position_embeddings", in: 1...ModelLimits.contextTokensMax, standard: contextTokens)),
            pairing: pairing)
    }

    /// Cosines and sines for rows at `positions`, `[row, dimension / 2]`.
    ///
    /// The angle is rounded to float32 before its cosine is taken, as in the implementations that models are trained
    /// with: at position 100,000 an exact angle would differ from theirs by thousandths.
    func angles(at positions: [Int], in compute: Compute) throws(TensorError) -> RotationAngles {
        let magnitude = scaling.magnitude
        let angles = try RotationAngles(rows: positions.count, pairs: inverseFrequencies.count, in: compute)
        for (row, position) in positions.enumerated() {
            let (cosines, sines) = (angles.cosines[row], angles.sines[row])
            for (pair, frequency) in inverseFrequencies.enumerated() {
                // In double, so that rounding to float32 hides what C libraries make of the last bit.
                let angle = Double(Float(position) * frequency)
                cosines[pair] = Float(cos(angle)) * magnitude
                sines[pair] = Float(sin(angle)) * magnitude
            }
        }
        return angles
    }

    /// Rotates the heads of a step's rows, `[row, heads · headDimension]`, in place.
    func callAsFunction(_ heads: Tensor, headDimension: Int, _ pass: ForwardPass) {
        heads.rotate(headDimension: headDimension, by: pass.angles(of: self), pairing: pairing)
    }
}
