// e to the power of something not positive.

/// exp of multiplications and additions alone: every machine gets the same bits, which the system's own exp does not
/// promise, and the compiler can compute several at a time.
enum Exponential {
    /// Below this, e^x is taken for 0; it lies above the smallest normal float.
    static let inputMin: Float = -87

    /// e^x for x ≤ 0, to 2 units in the last place; 0 below ``inputMin`` and for NaN.
    @inline(__always)
    static func ofNonpositive(_ input: Float) -> Float {
        // No branches: both outcomes are computed and one is chosen.
        let counts = input >= inputMin
        let x = counts ? input : 0
        // e^x = 2^n · e^r with n = round(x / ln 2), |r| ≤ ln 2 / 2. Adding 1.5 · 2²³ rounds, and leaves n in the low
        // bits.
        let rounder: Float = 0x1.8p23
        let shifted = x * 0x1.715476p+0 + rounder
        let n = shifted - rounder
        // ln 2 in two parts: the product with the first is exact.
        let r = x - n * 0x1.62e4p-1 - n * 0x1.7f7d1cp-20
        // Taylor's series; its next term is below 5e-9.
        var sum = r * (1 / 5040) + (1 / 720)
        sum = sum * r + (1 / 120)
        sum = sum * r + (1 / 24)
        sum = sum * r + (1 / 6)
        sum = sum * r + 0.5
        sum = sum * r + 1
        sum = sum * r + 1
        let power = Float(bitPattern: (shifted.bitPattern &+ 127) &<< 23)
        return counts ? sum * power : 0
    }
}
