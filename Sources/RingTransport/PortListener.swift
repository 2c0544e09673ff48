// Listens on a port and tells the ring's connections from others by their first byte.

import Glibc
public import Logging
import Synchronization
public import Wire

/// A listening port. Its own thread accepts, waits for the first byte of each connection without holding up others,
/// and hands the connection on unread.
public final class PortListener: Sendable {
    /// Accepting pauses this long when the system has no descriptors left; connections wait in the backlog.
    private static let exhaustedPause = Duration.seconds(1)
    /// How long one that was refused has to read the answer.
    private static let refusalMax = Duration.seconds(1)

    /// The address bound, with the port the system chose where 0 was asked for.
    public let address: RingAddress

    private let listening: Mutex<ListeningSocket?>
    private let wakeUp: WakeUp
    private let configuration: LinkConfiguration
    private let logger: Logger
    private let onRing: @Sendable (AcceptedConnection) -> Void
    private let onForeign: (@Sendable (AcceptedConnection, ForeignProtocol) -> Void)?
    private let isClosed = Atomic(false)
    private let thread = Mutex<LinkThread?>(nil)

    /// Binds and listens; connections are served after ``start()``.
    /// - Parameters:
    ///   - onRing: takes a connection that begins as the ring's do; called on the listener's thread, must not block.
    ///   - onForeign: takes a connection that begins otherwise; called likewise. Without it, one line is logged and
    ///     the connection is answered with an HTTP error that says what this port is for.
    /// - Throws: ``ListenError`` that says which address cannot be bound and why.
    public init(
        on address: RingAddress, configuration: LinkConfiguration = LinkConfiguration(), logger: Logger,
        onRing: @escaping @Sendable (AcceptedConnection) -> Void,
        onForeign: (@Sendable (AcceptedConnection, ForeignProtocol) -> Void)? = nil
    ) throws(ListenError) {
        let socket = try ListeningSocket(on: address)
        self.address = socket.address
        listening = Mutex(socket)
        do throws(LinkError) {
            wakeUp = try WakeUp()
        } catch {
            throw .unresolvable(address, reason: error.description)
        }
        self.configuration = configuration
        self.logger = logger
        self.onRing = onRing
        self.onForeign = onForeign
    }

    /// Begins to accept connections. Has no effect the second time.
    /// - Throws: ``LinkError/system(operation:code:)`` when the system has no thread left.
    public func start() throws(LinkError) {
        try thread.withLock { thread throws(LinkError) in
            guard thread == nil, let socket = listening.withLock({ $0 }) else { return }
            thread = try LinkThread(name: "ring-listen") { [self] in run(socket) }
        }
    }

    /// Closes the port and the connections not yet handed on, and returns when the thread has ended. May be called more
    /// than once.
    public func close() {
        isClosed.store(true, ordering: .releasing)
        wakeUp.signal()
        thread.withLock { $0 }?.join()
        listening.withLock { $0 = nil }
    }

    private func run(_ listening: ListeningSocket) {
        var pending: [PendingConnection] = []
        var acceptsFrom = MonotonicTime.now()
        var notice = RepeatedNotice()
        var refusals = RepeatedNotice()
        while !isClosed.load(ordering: .acquiring) {
            let now = MonotonicTime.now()
            let deadlines = pending.map(\.deadline) + (acceptsFrom > now ? [acceptsFrom] : [])
            let accepting = acceptsFrom <= now ? listening.descriptor : nil
            let ready = poll(pending, accepting, until: deadlines.min())
            guard !isClosed.load(ordering: .acquiring) else { break }
            pending = look(at: pending, ready, &refusals)
            guard ready.contains(listening.descriptor) else { continue }
            if let code = acceptAll(listening, &pending) {
                acceptsFrom = .now() + Self.exhaustedPause
                let reason = SystemError.text(code)
                guard notice.isDue(reason, at: .now()) else { continue }
                logger.error("cannot accept connections on \(address): \(reason); trying again")
            }
        }
    }

    /// Waits until something happens.
    /// - Returns: the descriptors on which something did.
    private func poll(
        _ pending: [PendingConnection], _ accepting: Int32?, until deadline: MonotonicTime?
    ) -> Set<Int32> {
        var polls = [pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0)]
        if let accepting { polls.append(pollfd(fd: accepting, events: Int16(POLLIN), revents: 0)) }
        polls += pending.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        let timeout = deadline?.pollMilliseconds(from: .now()) ?? -1
        guard Glibc.poll(&polls, nfds_t(polls.count), timeout) > 0 else { return [] }
        return Set(polls.lazy.filter { $0.revents != 0 }.map(\.fd))
    }

    /// Hands on the connections whose first byte has come.
    /// - Returns: those that still wait.
    private func look(
        at pending: [PendingConnection], _ ready: Set<Int32>, _ refusals: inout RepeatedNotice
    ) -> [PendingConnection] {
        let now = MonotonicTime.now()
        var waiting: [PendingConnection] = []
        for connection in pending {
            switch ready.contains(connection.descriptor) ? connection.look() : .waiting {
            case .waiting: if connection.deadline > now { waiting.append(connection) }
            case .ring(let accepted): onRing(accepted)
            case .foreign(let accepted, let foreign):
                if let onForeign {
                    onForeign(accepted, foreign)
                } else if let refused = refuse(accepted, foreign, &refusals) {
                    waiting.append(refused)
                }
            case .over: break
            }
        }
        return waiting
    }

    /// Accepts the connections that wait.
    /// - Returns: the system's error number when it has nothing left for more.
    private func acceptAll(_ listening: ListeningSocket, _ pending: inout [PendingConnection]) -> Int32? {
        for _ in 0..<configuration.pendingConnectionsMax {
            switch listening.accept() {
            case .none: return nil
            case .failed(let code): return code
            case .connection(let accepted):
                if pending.count >= configuration.pendingConnectionsMax { pending.removeFirst() }
                if let connection = PendingConnection(accepted, until: .now() + configuration.firstByteTimeout) {
                    pending.append(connection)
                }
            }
        }
        return nil
    }

    /// Tells a stranger what this port is for.
    private func refuse(
        _ connection: AcceptedConnection, _ foreign: ForeignProtocol, _ notice: inout RepeatedNotice
    ) -> PendingConnection? {
        let reason = WireError.foreign(foreign).description
        // A health check that knocks every second would fill the log.
        if notice.isDue(reason, at: .now()) {
            logger.warning("refused the connection from \(connection.peerAddress): \(reason)")
        }
        guard foreign == .http, let descriptor = connection.takeDescriptor() else { return nil }
        let socket = Socket(descriptor: descriptor)
        let body = "This is a port of the ring between shards; send requests to ring-api.\n"
        let answer =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Connection: close\r\n\r\n\(body)"
        // A new socket takes so few bytes at once.
        _ = Array(answer.utf8).withUnsafeBytes { socket.send($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
        socket.shutdownSending()
        return PendingConnection(refused: socket, until: .now() + Self.refusalMax)
    }
}
