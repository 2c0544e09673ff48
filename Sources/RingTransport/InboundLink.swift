// A link from the daemon before this one in the ring.

import Glibc
public import Logging
public import Wire

/// Reads frames from a connection that a neighbor opened and delivers them on its own threads.
///
/// Ends with its connection: the neighbor dials again and a new link takes its place.
public final class InboundLink: Sendable {
    private struct Status {
        var connection: LinkConnection?
        var peer: Hello?
        var threads: [LinkThread] = []
        /// Why the link is over.
        var error: LinkError?
    }

    /// A longer payload takes long to compute, so that it pays to read on meanwhile: a prompt's chunk, not a decode
    /// step of some streams.
    private static let readAheadPayloadBytesMin = 256 << 10
    /// How long the neighbor has to read why the connection is closed.
    private static let lingerMax = Duration.seconds(1)

    /// `host:port` of the other end.
    public let peerAddress: String
    private let accepted: AcceptedConnection
    private let hello: Hello
    private let configuration: LinkConfiguration
    private let logger: Logger
    private let onFrame: @Sendable (Frame, InboundLink) -> Void
    private let onStateChange: @Sendable (LinkState, InboundLink) -> Void
    private let status = Monitor(Status())
    private let turns = DeliveryTurns()

    /// - Parameters:
    ///   - hello: how this daemon introduces itself.
    ///   - onFrame: takes each frame but hellos and heartbeats, one at a time and in order, on one of the link's
    ///     threads. While it works, at most one more frame is read.
    ///   - onStateChange: called on a thread of the link: at most once `connected`, before the first frame, then once
    ///     `disconnected`, after the last.
    public init(
        _ connection: AcceptedConnection, as hello: Hello, configuration: LinkConfiguration = LinkConfiguration(),
        logger: Logger, onFrame: @escaping @Sendable (Frame, InboundLink) -> Void,
        onStateChange: @escaping @Sendable (LinkState, InboundLink) -> Void = { _, _ in }
    ) {
        peerAddress = connection.peerAddress
        accepted = connection
        self.hello = hello
        self.configuration = configuration
        self.logger = logger
        self.onFrame = onFrame
        self.onStateChange = onStateChange
    }

    /// The neighbor's introduction once it has come.
    public var peer: Hello? { status.withLock { $0.peer } }

    /// Begins to read. Has no effect the second time.
    /// - Throws: ``LinkError`` when the system has no thread or descriptor left; the connection is closed then.
    public func start() throws(LinkError) {
        guard let descriptor = accepted.takeDescriptor() else { return }
        let socket = Socket(descriptor: descriptor)
        // Little is sent backward and the neighbor always reads it, so bytes that stay unacknowledged mean that it is
        // gone.
        socket.setOptions(unacknowledgedMax: configuration.heartbeatTimeout * 2)
        let connection = try LinkConnection(socket, configuration: configuration)
        try status.withLock { status throws(LinkError) in
            if let error = status.error { throw error }
            status.connection = connection
            status.threads.append(try LinkThread(name: "ring-in") { [self] in run(connection) })
        }
    }

    /// Sends a failure backward to the neighbor. Thread-safe.
    /// - Throws: ``LinkError`` when the neighbor is gone or has not introduced itself yet.
    public func sendBackward(_ failure: Failure) throws(LinkError) {
        let connection = try status.withLock { status throws(LinkError) in
            if let error = status.error { throw error }
            guard status.peer != nil, let connection = status.connection else { throw .noHello }
            return connection
        }
        try connection.send(Frame(.failure(failure)))
    }

    /// Ends the link; returns when its threads have ended, or at once when called from the link's own callbacks. May
    /// be called more than once.
    public func close() {
        accepted.close()
        let (connection, threads) = status.withLock { status in
            status.error = status.error ?? .closed
            return (status.connection, status.threads)
        }
        turns.close()
        connection?.stop(.closed)
        guard !threads.contains(where: \.isCurrent) else { return }
        for thread in threads { thread.join() }
    }

    // MARK: The link's threads

    private func run(_ connection: LinkConnection) {
        let receiver = FrameReceiver(
            connection.socket, spin: configuration.receiveSpin, silenceMax: configuration.heartbeatTimeout)
        do throws(LinkError) {
            let machine = try introduce(connection, receiver)
            // Started with the lock held, so that `close()` in its first callback already knows it for the link's own.
            let readAhead = try status.withLock { status throws(LinkError) in
                let thread = try LinkThread(name: "ring-in-ahead") { [self] in serve(connection, receiver, machine) }
                status.threads.append(thread)
                return thread
            }
            serve(connection, receiver, machine)
            readAhead.join()
        } catch {
            end(error)
        }
        let error = status.withLock { $0.error } ?? .closed
        explain(error, over: connection)
        connection.stop(error)
        connection.join()
        status.withLock { $0.connection = nil }
        onStateChange(.disconnected(error), self)
    }

    /// Exchanges introductions.
    private func introduce(
        _ connection: LinkConnection, _ receiver: FrameReceiver
    ) throws(LinkError) -> ConnectionStateMachine {
        var machine = ConnectionStateMachine(.accepting, ours: hello)
        let first = try receiver.next(
            messageBytesMax: machine.messageBytesMax, isFirst: true, deadline: .now() + configuration.helloTimeout)
        let judged = Result { () throws(LinkError) in try machine.received(first.message) }
        // The neighbor must learn this daemon's version where it is another, too.
        if case .hello = first.message { try connection.send(Frame(.hello(hello))) }
        _ = try judged.get()
        try connection.start(name: "ring-in-send")
        if let peer = machine.peer {
            status.withLock { $0.peer = peer }
            logger.info("\(peer.name) connected from \(peerAddress)")
            onStateChange(.connected(peer), self)
        }
        return machine
    }

    /// Reads and delivers in turns with the other thread.
    private func serve(_ connection: LinkConnection, _ receiver: FrameReceiver, _ machine: ConnectionStateMachine) {
        var machine = machine
        while turns.beginReading() {
            var mayRead = true
            while mayRead {
                let frame: Frame
                do throws(LinkError) {
                    frame = try receiver.next(messageBytesMax: machine.messageBytesMax)
                    guard try machine.received(frame.message) == .message else { continue }
                } catch {
                    return end(error)
                }
                mayRead = frame.payload.count < Self.readAheadPayloadBytesMin
                let place = turns.didRead(passesReading: !mayRead)
                guard turns.beginDelivery(at: place) else { return }
                onFrame(frame, self)
                turns.endDelivery()
            }
        }
    }

    private func end(_ error: LinkError) {
        status.withLock { $0.error = $0.error ?? error }
        turns.endReading()
    }

    /// Says in the log, and to a neighbor that broke the protocol, why the connection ends.
    private func explain(_ error: LinkError, over connection: LinkConnection) {
        guard let peer else {
            if error != .closed { logger.warning("refused the connection from \(peerAddress): \(error)") }
            // The answer to a Hello of another version is still to be read.
            return connection.linger(Self.lingerMax)
        }
        switch error {
        case .closed: break
        case .wire, .outOfPlace:
            logger.error("closed the connection from \(peer.name) (\(peerAddress)): \(error)")
            let reason = "what \(peer.name) sent to \(hello.name) cannot be used: \(error)"
            try? connection.send(Frame(.failure(Failure(kind: .malformed, reason: reason, shard: hello.name))))
            connection.linger(Self.lingerMax)
        default: logger.warning("lost \(peer.name) (\(peerAddress)): \(error)")
        }
    }
}
