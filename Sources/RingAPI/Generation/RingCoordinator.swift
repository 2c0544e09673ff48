// Runs generations over a ring of shards: the engine behind a lock, between streams of tokens and links.

import Glibc
public import Logging
import Synchronization
public import Wire

/// The ``TokenGenerator`` that works over a ring.
///
/// All decisions are made by a ``RingEngine`` behind one lock. On the path of a token, the thread on which a result
/// arrives applies it, packs the next step and sends it, without a task or an actor in between. Frames are sent outside
/// the lock, in order, by whichever thread finds nobody sending.
public final class RingCoordinator: TokenGenerator {
    private struct Listener {
        var requestID: String
        var continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    }

    private struct State {
        var engine: RingEngine
        var listeners: [UInt64: Listener] = [:]
        /// Frames that wait to be sent, oldest first.
        var outbox: [Frame] = []
        var isSending = false
        var sender: (any FrameSender)?
        /// Called once when nothing is under way any more.
        var whenIdle: (@Sendable () -> Void)?
        /// Finished when the ring is complete.
        var waiters: [AsyncStream<Never>.Continuation] = []
    }

    let configuration: RingConfiguration
    let clock: any Clock<Duration>
    private let now: @Sendable () -> Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// - Parameter wallClockMilliseconds: since 1970; epochs are counted from it.
    public init(
        _ configuration: RingConfiguration, logger: Logger, clock: any Clock<Duration> = ContinuousClock(),
        wallClockMilliseconds: UInt64 = RingCoordinator.wallClockMilliseconds()
    ) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        now = Self.stopwatch(clock)
        let epochs = EpochCounter(wallClockMilliseconds: wallClockMilliseconds)
        state = Mutex(State(engine: RingEngine(configuration, epochs: epochs)))
    }

    /// Says where frames go. Before it is called there is no ring.
    public func connect(through sender: any FrameSender) {
        state.withLock { $0.sender = sender }
    }

    // MARK: TokenGenerator

    public func generate(
        _ request: GenerationRequest
    ) throws(GenerationRefusal) -> AsyncThrowingStream<GenerationEvent, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: GenerationEvent.self)
        let obstacle = self.obstacle
        let admission = perform { state, now -> Result<UInt64, GenerationRefusal> in
            do throws(GenerationRefusal) {
                let id = try state.engine.admit(request, at: now, obstacle: obstacle)
                state.listeners[id] = Listener(requestID: request.requestID, continuation: continuation)
                return .success(id)
            } catch {
                return .failure(error)
            }
        }
        let id = try admission.get()
        logger.debug(
            "request \(request.requestID) runs as sequence \(id)",
            metadata: ["promptTokens": "\(request.prompt.count)", "tokensMax": "\(request.tokensMax)"])
        continuation.onTermination = { [weak self] termination in
            // An end from this side comes with the lock held, and is known.
            if case .cancelled = termination { self?.cancel(id) }
        }
        return stream
    }

    public func status() -> RingStatus {
        let obstacle = self.obstacle
        return state.withLock { $0.engine.status(at: now(), obstacle: obstacle) }
    }

    /// Asked without the lock, as the sender has one of its own.
    private var obstacle: String? { state.withLock { $0.engine.isReady ? nil : $0.sender }?.obstacle }

    public var contextTokensMax: Int {
        state.withLock { $0.engine.contextTokensMax }
    }

    /// Returns when the ring is complete, or the task is cancelled.
    public func whenReady() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        perform { state, _ in state.waiters.append(continuation) }
        for await _ in stream {}
    }

    private func cancel(_ id: UInt64) {
        let requestID = perform { state, now -> String? in
            guard let listener = state.listeners.removeValue(forKey: id) else { return nil }
            state.engine.cancel(id, at: now)
            return listener.requestID
        }
        if let requestID { logger.debug("request \(requestID) was cancelled", metadata: ["sequence": "\(id)"]) }
    }

    // MARK: Links

    /// The connection to the first shard is there.
    public func outgoingConnected() {
        perform { state, now in state.engine.outgoingConnected(at: now) }
    }

    /// The connection to the first shard is not there, or no longer.
    public func outgoingLost(reason: String) {
        perform { state, now in state.engine.outgoingLost(reason: reason, at: now) }
    }

    /// A shard has connected to this API.
    /// - Parameter link: tells its connection from others.
    public func inboundConnected(_ link: UInt64) {
        perform { state, now in state.engine.inboundConnected(link, at: now) }
    }

    public func inboundLost(_ link: UInt64, reason: String) {
        perform { state, now in state.engine.inboundLost(link, reason: reason, at: now) }
    }

    /// Takes a frame that came round the ring. Frames of one link are given in order, one at a time.
    public func receive(_ frame: Frame, on link: UInt64) {
        perform { state, now in state.engine.receive(frame, on: link, at: now) }
    }

    /// Takes a failure that came backward from the first shard.
    public func receiveBackward(_ failure: Failure) {
        perform { state, now in state.engine.failed(failure, at: now) }
    }

    // MARK: Time and shutdown

    /// Looks at the clock.
    func tick() {
        perform { state, now in state.engine.tick(at: now) }
    }

    var isReady: Bool { state.withLock { $0.engine.isReady } }

    /// Takes no more requests.
    /// - Parameter whenIdle: called once, from any thread, when those under way have ended.
    func drain(whenIdle: @escaping @Sendable () -> Void) {
        perform { state, _ in
            state.engine.drain()
            state.whenIdle = whenIdle
        }
    }

    /// Ends what is under way.
    func end(_ reason: String) {
        perform { state, now in state.engine.end(reason, at: now) }
    }

    // MARK: The lock and what is done with what it guards

    private func perform<Result: Sendable>(_ body: (inout State, Duration) -> Result) -> Result {
        let (result, lines, whenIdle) = state.withLock { state in
            let result = body(&state, now())
            let lines = settle(&state)
            return (result, lines, idleCallback(&state))
        }
        for (level, line) in lines { logger.log(level: level, "\(line)") }
        whenIdle?()
        flush()
        return result
    }

    /// Carries the engine's effects to the streams and the outbox.
    ///
    /// Streams are fed with the lock held, so that a stream's events keep their order over a change of link; this
    /// resumes nobody in place.
    /// - Returns: lines for the log.
    private func settle(_ state: inout State) -> [(Logger.Level, String)] {
        if !state.waiters.isEmpty, state.engine.isReady {
            for waiter in state.waiters { waiter.finish() }
            state.waiters = []
        }
        var lines: [(Logger.Level, String)] = []
        for effect in state.engine.takeEffects() {
            switch effect {
            case .send(let frame): state.outbox.append(frame)
            case .log(let level, let line): lines.append((level, line))
            case .deliver(let id, let event):
                state.listeners[id]?.continuation.yield(event)
                if case .finished = event { state.listeners.removeValue(forKey: id)?.continuation.finish() }
            case .fail(let id, let failure):
                guard let listener = state.listeners.removeValue(forKey: id) else { continue }
                listener.continuation.finish(throwing: failure)
                lines.append((.warning, "request \(listener.requestID) failed: \(failure.reason)"))
            }
        }
        return lines
    }

    private func idleCallback(_ state: inout State) -> (@Sendable () -> Void)? {
        guard state.whenIdle != nil, state.engine.isIdle else { return nil }
        defer { state.whenIdle = nil }
        return state.whenIdle
    }

    /// Sends what waits, unless another thread is at it, which then sends this too.
    private func flush() {
        while let (frame, sender) = state.withLock({ nextToSend(&$0) }) {
            var failure: (any Error)?
            do {
                try sender.send(frame)
            } catch {
                failure = error
            }
            let lines = state.withLock { state in
                state.isSending = false
                guard let failure else { return [(Logger.Level, String)]() }
                let unsendable = failure as? UnsendableFrame
                state.engine.unsent(
                    frame, reason: unsendable?.reason ?? "\(failure)", isTooLarge: unsendable != nil, at: now())
                return settle(&state)
            }
            for (level, line) in lines { logger.log(level: level, "\(line)") }
        }
    }

    private func nextToSend(_ state: inout State) -> (Frame, any FrameSender)? {
        guard !state.isSending, let sender = state.sender else { return nil }
        while !state.outbox.isEmpty {
            let frame = state.outbox.removeFirst()
            guard state.engine.isCurrent(frame) else { continue }
            state.isSending = true
            return (frame, sender)
        }
        return nil
    }

    // MARK: Clocks

    /// Milliseconds since 1970.
    public static func wallClockMilliseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(clamping: time.tv_sec) * 1000 + UInt64(clamping: time.tv_nsec) / 1_000_000
    }

    private static func stopwatch<C: Clock<Duration>>(_ clock: C) -> @Sendable () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }
}
