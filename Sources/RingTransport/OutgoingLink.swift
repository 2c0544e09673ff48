// The link to the next daemon of the ring.

import Glibc
public import Logging
public import Wire

/// Dials the next daemon for ever, whichever starts first, and carries frames forward to it.
///
/// A lost connection is dialed again with growing delays. Only failures come backward over it; heartbeats are the
/// link's own affair. Once started, it lives until it is closed.
public final class OutgoingLink: Sendable {
    private struct Status {
        var connection: LinkConnection?
        var state: LinkState
        var isClosed = false
        /// Set to end the wait before the next dial.
        var isHurried = false
        var thread: LinkThread?
        var dialer: Dialer?
    }

    /// The next daemon.
    public let target: LinkTarget
    private let hello: Hello
    private let configuration: LinkConfiguration
    private let logger: Logger
    private let onFailure: @Sendable (Failure) -> Void
    private let onStateChange: @Sendable (LinkState) -> Void
    private let status: Monitor<Status>

    /// - Parameters:
    ///   - hello: how this daemon introduces itself.
    ///   - onFailure: takes a failure that came backward; called on the link's thread.
    ///   - onStateChange: called on the link's thread whenever a connection is made or lost, in order.
    public init(
        to target: LinkTarget, as hello: Hello, configuration: LinkConfiguration = LinkConfiguration(),
        logger: Logger, onFailure: @escaping @Sendable (Failure) -> Void,
        onStateChange: @escaping @Sendable (LinkState) -> Void = { _ in }
    ) {
        self.target = target
        self.hello = hello
        self.configuration = configuration
        self.logger = logger
        self.onFailure = onFailure
        self.onStateChange = onStateChange
        let notYet = LinkError.notConnected(address: "\(target)", reason: "not dialed yet")
        status = Monitor(Status(state: .disconnected(notYet)))
    }

    public convenience init(
        to address: RingAddress, as hello: Hello, configuration: LinkConfiguration = LinkConfiguration(),
        logger: Logger, onFailure: @escaping @Sendable (Failure) -> Void,
        onStateChange: @escaping @Sendable (LinkState) -> Void = { _ in }
    ) {
        self.init(
            to: LinkTarget(address), as: hello, configuration: configuration, logger: logger, onFailure: onFailure,
            onStateChange: onStateChange)
    }

    /// Whether frames can be sent now, and to whom; else what the last dial said.
    public var state: LinkState { status.withLock { $0.state } }

    /// Begins to dial. Has no effect the second time.
    /// - Throws: ``LinkError/system(operation:code:)`` when the system has no thread or descriptor left.
    public func start() throws(LinkError) {
        try status.withLock { status throws(LinkError) in
            guard status.thread == nil, !status.isClosed else { return }
            let dialer = try Dialer()
            status.dialer = dialer
            status.thread = try LinkThread(name: "ring-out") { [self] in run(dialer) }
        }
    }

    /// Dials at once where the link would wait before its next attempt, because there is reason to think that it will
    /// succeed.
    public func dialNow() {
        status.withLock { $0.isHurried = true }
        status.signal()
    }

    /// Sends a frame forward. Thread-safe; frames of one thread arrive in the order sent.
    ///
    /// Returns when the frame is with the system or in the link's queue. Whether it arrives is known only by what
    /// comes back.
    /// - Throws: ``LinkError/notConnected(address:reason:)`` at once while there is no connection,
    ///   ``LinkError/congested(_:)`` when the queue stays full, ``LinkError/wire(_:)`` when the frame breaks a limit.
    public func send(_ frame: Frame) throws(LinkError) {
        let connection = try status.withLock { status throws(LinkError) in
            if case .connected = status.state, let connection = status.connection { return connection }
            guard case .disconnected(let reason) = status.state else { throw LinkError.closed }
            switch reason {
            case .closed, .notConnected: throw reason
            default: throw .notConnected(address: "\(target)", reason: reason.description)
            }
        }
        try connection.send(frame)
    }

    /// Ends the link and returns when its threads have ended, which a name that is being looked up can delay; called
    /// from the link's own callbacks, returns at once. May be called more than once.
    public func close() {
        let (connection, thread, dialer) = status.withLock { status in
            status.isClosed = true
            return (status.connection, status.thread, status.dialer)
        }
        status.signal()
        dialer?.cancel()
        connection?.stop(.closed)
        thread?.join()
    }

    // MARK: The link's thread

    private func run(_ dialer: Dialer) {
        var backoff = Backoff(first: configuration.redialDelayFirst, max: configuration.redialDelayMax)
        var notice = RepeatedNotice()
        while !isClosed {
            let began = MonotonicTime.now()
            let error = connectAndRead(dialer, &notice)
            if isClosed { break }
            // A connection that breaks right away again and again is dialed ever more seldom.
            if MonotonicTime.now() - began > configuration.redialDelayMax { backoff.reset() }
            var delay = backoff.delay()
            if case .versionMismatch = error { delay = max(delay, configuration.redialDelayAfterMismatch) }
            status.withLock(until: .now() + delay) { $0.isClosed || $0.isHurried ? () : nil }
            status.withLock { $0.isHurried = false }
        }
        setDisconnected(.closed)
        status.withLock { $0.dialer = nil }
    }

    private var isClosed: Bool { status.withLock { $0.isClosed } }

    /// Makes a connection and reads from it until it ends.
    /// - Returns: why it ended or was not made.
    private func connectAndRead(_ dialer: Dialer, _ notice: inout RepeatedNotice) -> LinkError {
        do throws(LinkError) {
            let address = try target.address()
            let socket = try dialer.dial(address, timeout: configuration.connectTimeout)
            let connection = try LinkConnection(socket, configuration: configuration)
            defer { connection.join() }
            try keep(connection)
            let error = read(connection, at: address, &notice)
            connection.stop(error)
            throw error
        } catch {
            let wasConnected = setDisconnected(error)
            if !isClosed { log(error, wasConnected: wasConnected, &notice) }
            return error
        }
    }

    private func log(_ error: LinkError, wasConnected: Bool, _ notice: inout RepeatedNotice) {
        if wasConnected { return logger.warning("lost \(target): \(error); dialing again") }
        guard notice.isDue(error.description, at: .now()) else { return }
        switch error {
        case .notConnected(_, let reason): logger.notice("waiting for \(target) (\(reason)), retrying")
        default: logger.error("cannot use \(target): \(error); retrying")
        }
    }

    /// Lets ``close()`` stop the connection from now on.
    private func keep(_ connection: LinkConnection) throws(LinkError) {
        try status.withLock { status throws(LinkError) in
            guard !status.isClosed else { throw .closed }
            status.connection = connection
        }
    }

    /// Introduces this daemon over a new connection, then reads what comes backward until the connection ends.
    private func read(
        _ connection: LinkConnection, at address: RingAddress, _ notice: inout RepeatedNotice
    ) -> LinkError {
        var machine = ConnectionStateMachine(.dialing, ours: hello)
        let receiver = FrameReceiver(
            connection.socket, spin: .zero, silenceMax: configuration.heartbeatTimeout)
        do throws(LinkError) {
            try connection.send(Frame(.hello(hello)))
            let deadline = MonotonicTime.now() + configuration.helloTimeout
            while true {
                let frame = try receiver.next(
                    messageBytesMax: machine.messageBytesMax, isFirst: machine.peer == nil,
                    deadline: machine.peer == nil ? deadline : nil)
                switch try machine.received(frame.message) {
                case .introduced(let peer):
                    try connection.start(name: "ring-out-send")
                    status.withLock { $0.state = .connected(peer) }
                    notice.reset()
                    logger.info("connected to \(peer.name) at \(address)")
                    onStateChange(.connected(peer))
                case .heartbeat: break
                case .message:
                    if case .failure(let failure) = frame.message { onFailure(failure) }
                }
            }
        } catch {
            guard case .wire(.foreign) = error else { return error }
            return .outOfPlace("what answers there is no daemon of the ring; check the address")
        }
    }

    /// - Returns: whether there was a connection.
    @discardableResult
    private func setDisconnected(_ error: LinkError) -> Bool {
        let wasConnected = status.withLock { status in
            defer { status.state = .disconnected(status.isClosed ? .closed : error) }
            status.connection = nil
            return status.state.peer != nil
        }
        if wasConnected { onStateChange(state) }
        return wasConnected
    }
}
