// How long the API waits for the ring, with how each time was chosen.

/// The times of a ``RingCoordinator``.
public struct RingTiming: Equatable, Sendable {
    /// A ready ring is probed this often: refreshes what the shards say of themselves, and finds out within a few laps
    /// that a step was lost.
    public var probeInterval: Duration = .seconds(2)
    /// A probe or an opened epoch comes back within this time, unless a shard is at work on a step before it.
    public var lapTimeout: Duration = .seconds(10)
    /// Waits between probes of an incomplete ring double from the first to the largest: a ring that starts is found
    /// within a tenth of a second, one that lacks a machine costs next to nothing.
    public var probeDelayFirst: Duration = .milliseconds(100)
    public var probeDelayMax: Duration = .seconds(2)
    /// The wait where a shard is still loading, which ends by itself: the ring is to serve from then on.
    public var probeDelayLoading: Duration = .milliseconds(50)
    /// A step on the ring this long is worth a line in the log.
    public var stepNotice: Duration = .seconds(10)
    /// A step without a result for this long has failed: weights read from a slow disk take a minute or two.
    public var stepDeadline: Duration = .seconds(300)
    /// Sequences wait this long for a broken ring to be whole again: time for a daemon to be restarted and to load its
    /// weights.
    public var recoveryTimeout: Duration = .seconds(30)
    /// On shutdown, sequences under way have this long to finish.
    public var drainTimeout: Duration = .seconds(30)
    /// How often the clock is looked at while the ring is ready and while it is not.
    public var tickReady: Duration = .seconds(1)
    public var tickWaiting: Duration = .milliseconds(20)

    public init() {}
}
