// A plan: which machine applies which layers, and what that is expected to cost.

/// Layers divided over the machines of a ring.
public struct LayerAssignment: Equatable, Sendable {
    /// One machine's part.
    public struct Stage: Equatable, Sendable {
        /// Index in ``ClusterProfile/shards``.
        public var shard: Int
        /// One run of layers for each round, ascending.
        public var layers: [Range<Int>]
        /// Most layers in memory at a time.
        public var windowLayers: Int
        /// Memory it is expected to take, keys and values of all tokens included.
        public var memoryBytes: Int
        /// Read from disk for each step.
        public var readBytes: Int
        /// Of a step, in all rounds; waiting for the disk included.
        public var seconds: Double
        /// What it would have to do better to be faster.
        public var bound: StageBound
        /// What the link to it takes of a step, in all rounds.
        public var linkSeconds: Double

        public var layerCount: Int { layers.reduce(0) { $0 + $1.count } }
    }

    /// A machine that takes no part.
    public struct LeftOut: Equatable, Sendable {
        public enum Reason: Equatable, Sendable {
            /// With it a token would take at least so long.
            case wouldSlow(secondsPerToken: Double)
            /// It has not the memory for one layer beside what every shard needs.
            case tooLittleMemory(missingBytes: Int)
            /// More machines are faster than it than a plan can hold.
            case tooManyMachines(max: Int)
        }
        public var shard: Int
        public var reason: Reason
    }

    public var objective: PlanningObjective
    /// Times a step goes round.
    public var rounds: Int
    /// In ring order.
    public var stages: [Stage]
    /// What the way of a token back to the API takes, in all rounds.
    public var lastLinkSeconds: Double
    /// From one token of a request to its next.
    public var secondsPerToken: Double
    /// Of all requests together.
    public var tokensPerSecond: Double
    public var leftOut: [LeftOut]

    /// The stage that takes longest: a step's time for one request, the whole ring's pace for many.
    public var slowestStage: Stage? { stages.max { $0.seconds < $1.seconds } }

    /// What all links take of a step.
    public var linkSeconds: Double { stages.reduce(lastLinkSeconds) { $0 + $1.linkSeconds } }
}
