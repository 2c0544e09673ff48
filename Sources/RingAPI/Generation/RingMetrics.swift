// What the engine counts.

/// Counters since the start, for status and monitoring.
public struct RingMetrics: Equatable, Sendable {
    /// Tokens that were generated, stop tokens included.
    public var tokensGenerated: UInt64 = 0
    /// Tokens of prompts whose evaluation is finished, without those taken from other sequences' caches.
    public var promptTokensEvaluated: UInt64 = 0
    /// Tokens taken from other sequences' caches instead, and prompts that had such.
    public var promptTokensReused: UInt64 = 0
    public var prefixHits: UInt64 = 0
    public var sequencesFinished: UInt64 = 0
    public var sequencesFailed: UInt64 = 0
    public var sequencesCancelled: UInt64 = 0
    /// Times the ring became complete.
    public var epochsOpened: UInt64 = 0
    public var stepsFailed: UInt64 = 0
    /// Steps that brought a result.
    public var stepsCompleted: UInt64 = 0
    /// Rows of those steps.
    public var rowsCompleted: UInt64 = 0
    /// From sending a step to its result.
    public var roundTripLast: Duration = .zero
    public var roundTripTotal: Duration = .zero
    /// The part of it that shards spent computing; the rest is the ring's own and waiting behind other steps.
    public var computeLast: Duration = .zero
    public var computeTotal: Duration = .zero

    public init() {}

    /// `.zero` before the first result.
    public var roundTripMean: Duration { stepsCompleted == 0 ? .zero : roundTripTotal / Int(clamping: stepsCompleted) }

    mutating func completed(rows: Int, roundTrip: Duration, computeNanoseconds: UInt64) {
        stepsCompleted += 1
        rowsCompleted += UInt64(rows)
        roundTripLast = roundTrip
        roundTripTotal += roundTrip
        // A shard's report is bounded by what has passed, so that a wrong one cannot overflow the sum.
        computeLast = min(roundTrip, .nanoseconds(Int64(clamping: computeNanoseconds)))
        computeTotal += computeLast
    }
}
