// Random numbers from a seed, so that every run tests the same values.

/// SplitMix64.
struct RandomSource: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `count` floats of a kind.
    mutating func floats(_ count: Int, _ kind: FloatKind = .plain) -> [Float] {
        (0..<count).map { _ in
            let plain = Float.random(in: -1...1, using: &self)
            switch kind {
            case .plain: return plain
            case .wide: return Float(sign: .plus, exponent: Int.random(in: -30...30, using: &self), significand: plain)
            case .denormal: return Bool.random(using: &self) ? plain * 1e-39 : plain
            case .sparse: return Int.random(in: 0..<4, using: &self) == 0 ? plain : 0
            case .large: return plain * 1e30
            case .tiny:
                return Float(sign: .plus, exponent: Int.random(in: -75 ... -40, using: &self), significand: plain)
            }
        }
    }
}

/// What random floats look like.
enum FloatKind: CaseIterable {
    case plain, wide, denormal, sparse, large
    /// Products of two are about the smallest normal number.
    case tiny
}
