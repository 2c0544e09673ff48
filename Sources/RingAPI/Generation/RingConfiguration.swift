// What a ring must agree with and what it is given to do.

public import Cluster
public import Wire

/// How a ``RingCoordinator`` works.
public struct RingConfiguration: Sendable {
    public var expectation: RingTopology.Expectation
    public var model: ModelShape
    /// `host:port` of the shard that the API passes frames to; for sentences.
    public var firstShard: String
    /// How hidden states travel, unless the shards compute in float32 throughout.
    public var activations: ActivationFormat
    public var limits: SchedulerLimits
    public var timing: RingTiming

    public init(
        expectation: RingTopology.Expectation, model: ModelShape, firstShard: String,
        activations: ActivationFormat = .f32, limits: SchedulerLimits = SchedulerLimits(),
        timing: RingTiming = RingTiming()
    ) {
        self.expectation = expectation
        self.model = model
        self.firstShard = firstShard
        self.activations = activations
        self.limits = limits
        self.timing = timing
    }
}
