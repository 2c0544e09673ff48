// What a shard's node asks of the machinery that computes.

public import Wire

/// Applies the layers a shard holds. ``LayerRuntime`` is the one that computes; tests may put another in its place.
public protocol StepRuntime: AnyObject {
    /// Whether the layer is among those held here.
    func holds(layer: Int) -> Bool
    /// Drops every sequence and rounds hidden states as `activations` says from now on.
    func begin(activations: ActivationFormat)
    /// Applies the held layers that follow each other from `step.nextLayer` on.
    /// - Parameter payload: hidden states `[row, hidden]`, empty when the embedding comes first.
    func apply(_ step: Step, payload: [UInt8]) throws(Failure) -> StepOutcome
    /// Drops the caches of sequences.
    func forget(_ sequenceIDs: [UInt64])
    /// What this shard is and how it fares.
    func describe() -> ShardDescription
}

/// What became of a step on a shard.
public enum StepOutcome: Equatable, Sendable {
    /// More layers are to come elsewhere.
    case onward(Step, payload: [UInt8])
    /// The last layer was applied here.
    case result(StepResult)
}
