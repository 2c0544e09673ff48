// Random numbers without state.

/// A random number for each position of a sequence, from its seed alone: a replay, or another cut of the ring, draws
/// the same.
enum RandomDraw {
    /// Evenly distributed over 0 ..< 1, in steps of 2⁻⁵³.
    static func uniform(seed: UInt64, position: Int) -> Double {
        // The seed is mixed on its own first: otherwise neighbouring seeds would be one sequence, shifted.
        let key = mix(seed &+ goldenRatio)
        let bits = mix(key &+ goldenRatio &* (UInt64(truncatingIfNeeded: position) &+ 1))
        return Double(bits >> 11) * 0x1p-53
    }

    /// 2⁶⁴ divided by the golden ratio, odd: successive multiples spread evenly.
    private static let goldenRatio: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The output function of SplitMix64 (Steele, Lea and Flood 2014; constants by Stafford): every input bit reaches
    /// every output bit.
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
