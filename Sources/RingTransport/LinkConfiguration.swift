// The times and sizes of links, with how each was chosen.

import Wire

/// How links and ports behave; the defaults suit machines on one network.
public struct LinkConfiguration: Sendable {
    /// Each address of a neighbor is tried this long: some round trips with lost packets in between.
    public var connectTimeout: Duration = .seconds(5)
    /// The peer introduces itself within this time.
    public var helloTimeout: Duration = .seconds(5)
    /// A link on which nothing else was sent for this long carries a heartbeat.
    public var heartbeatInterval: Duration = .seconds(1)
    /// A link on which nothing was heard for this long is given up: several heartbeats are missing.
    public var heartbeatTimeout: Duration = .seconds(5)
    /// Waits between dials double from the first to the largest: daemons that start together find each other within
    /// some milliseconds.
    public var redialDelayFirst: Duration = .milliseconds(5)
    public var redialDelayMax: Duration = .seconds(2)
    /// A neighbor of another protocol version is asked again this seldom: someone has to replace its program first.
    public var redialDelayAfterMismatch: Duration = .seconds(30)
    /// Frames up to this size are written by the thread that sends them while the socket takes them; larger ones,
    /// such as a prompt's chunk, would hold up its computing on a slow link and go through the link's own thread.
    public var inlineFrameBytesMax = 256 << 10
    /// Frames that wait in one link: every step the API may have on the ring, and as many short messages beside them.
    public var queueFramesMax = 2 * WireLimits.stepsInFlightMax
    /// Bytes that wait in one link: every step the API may have on the ring, each as large as a frame can be.
    public var queueBytesMax = WireLimits.stepsInFlightMax * (WireLimits.frameBytesMax + WireLimits.lengthPrefixBytes)
    /// A sender waits this long for room in a full queue.
    public var queueTimeout: Duration = .seconds(10)
    /// The reading thread polls this long without sleeping before it sleeps: saves the wake-up of an idle core, costs
    /// a core. 0 where cores are shared.
    public var receiveSpin: Duration = .zero
    /// A connection that says nothing is closed after this time.
    public var firstByteTimeout: Duration = .seconds(10)
    /// Connections whose first byte is awaited at a time; beyond it the oldest is closed.
    public var pendingConnectionsMax = 64

    public init() {}
}
