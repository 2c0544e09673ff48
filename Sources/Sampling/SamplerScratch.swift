// Memory that sampling reuses from token to token.

/// Buffers of a ``Sampler``. Keep one for each thread that samples; it holds no result.
public struct SamplerScratch: Sendable {
    var adjustments = LogitAdjustments()
    var candidates: [Candidate] = []
    /// Sums of weights over stretches of the vocabulary.
    var blockSums: [Double] = []
    var top: [Candidate] = []

    public init() {}
}
