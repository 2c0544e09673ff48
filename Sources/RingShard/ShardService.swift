// A shard on the network: its port, its link to the next daemon, and the node between them.

import Discovery
import Dispatch
public import Logging
public import RingTransport
public import ServiceLifecycle
import Synchronization
import Weights
import Wire

/// Loads the weights, then serves until it is told to stop.
///
/// Answers its neighbors from the start, so that while the weights are still loading the API can say so.
public final class ShardService: Service {
    /// Unchecked: from the moment it is stored, the node is touched only with the lock held.
    private enum State: @unchecked Sendable {
        case loading(done: Int, total: Int)
        case serving(ShardNode)
    }

    private let configuration: ShardConfiguration
    private let model: ShardModel
    private let address: RingAddress
    private let next: RingAddress
    private let softwareVersion: String
    private let logger: Logger
    private let progress: @Sendable (_ loaded: Int, _ total: Int) -> Void
    /// Held while a frame is handled: the node takes them one at a time.
    private let state: Mutex<State>
    private let inbound = Mutex<InboundLinks?>(nil)

    /// - Parameters:
    ///   - address: to listen on.
    ///   - next: the daemon that frames are passed to.
    ///   - progress: called on the loading thread after each layer that arrives.
    public init(
        _ configuration: ShardConfiguration, model: ShardModel, listeningOn address: RingAddress,
        next: RingAddress, softwareVersion: String, logger: Logger,
        progress: @escaping @Sendable (_ loaded: Int, _ total: Int) -> Void = { _, _ in }
    ) {
        self.configuration = configuration
        self.model = model
        self.address = address
        self.next = next
        self.softwareVersion = softwareVersion
        self.logger = logger
        self.progress = progress
        state = Mutex(.loading(done: 0, total: model.store.windowLayers))
    }

    /// - Throws: ``RingTransport/ListenError`` when the port cannot be bound, or what loading the weights threw.
    public func run() async throws {
        let hello = Hello(softwareVersion: softwareVersion, name: configuration.name, role: .shard)
        let outgoing = OutgoingLink(to: next, as: hello, logger: logger) { [self] failure in sendBackward(failure) }
        let inbound = InboundLinks(as: hello, logger: logger) { [self] frame, link in
            guard let failure = receive(frame, outgoing) else { return }
            // A neighbor that is gone dials again and asks anew.
            try? link.sendBackward(failure)
        }
        self.inbound.withLock { $0 = inbound }
        let listener = try PortListener(on: address, logger: logger, onRing: { inbound.accept($0) })
        defer {
            listener.close()
            outgoing.close()
            inbound.close()
            model.store.close()
        }
        try listener.start()
        try outgoing.start()
        try await load(listener.address)
        let windowed = model.cacheBytesPerTokenWindowed(as: configuration.cacheType)
        logger.info(
            """
            serving layers \(model.layers) of \(configuration.modelDirectory) on \(listener.address); \
            \(model.store.windowLayers) of them at a time in memory; \(configuration.threads) threads; \
            \(configuration.cacheType) keys and values, \(model.cacheBytesPerToken(as: configuration.cacheType)) \
            bytes a token\(windowed > 0 ? ", \(windowed) of them only within the sliding window" : "")
            """)
        let announcer = announce(listener.address)
        defer { announcer?.stop() }
        try? await gracefulShutdown()
        logger.info("stopping")
    }

    /// Lets APIs on the network find this shard; without mDNS they have to be told where it is.
    private func announce(_ listening: RingAddress) -> ShardAnnouncer? {
        let announcer = ShardAnnouncer(
            ShardAnnouncement(
                name: configuration.name, port: listening.port, protocolVersion: WireLimits.protocolVersion,
                cluster: configuration.cluster, cores: configuration.threads,
                memoryBytes: MemoryInformation.totalBytes(), layers: "\(model.layers)",
                modelFingerprint: model.fingerprint.description),
            logger: logger)
        do {
            try announcer.start()
            return announcer
        } catch {
            logger.notice("not announced to the network: \(error)")
            return nil
        }
    }

    /// Hands on what a daemon further down the ring reported.
    private func sendBackward(_ failure: Failure) {
        inbound.withLock { $0 }?.sendBackward(failure)
    }

    // MARK: Loading

    /// Loads on a thread of its own, which may block on the disk.
    private func load(_ listening: RingAddress) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            DispatchQueue.global().async { [self] in
                continuation.resume(with: Result { try loadNow(listening) })
            }
        }
    }

    private func loadNow(_ listening: RingAddress) throws {
        let free = MemoryInformation.availableBytes() + MemoryInformation.residentBytes()
        if let limit = configuration.memoryBytesMax, UInt64(limit) > free {
            logger.warning(
                """
                --memory-limit \(MemoryPlan.mebibytes(limit)) is more than the \(MemoryPlan.mebibytes(Int(free))) \
                this process can get; the system may end it
                """)
        }
        let runtime = try LayerRuntime(configuration, model: model, logger: logger) { loaded, total in
            state.withLock { $0 = .loading(done: loaded, total: total) }
            progress(loaded, total)
        }
        runtime.describe(softwareVersion: softwareVersion, address: "\(listening)", next: "\(next)")
        if !model.readsDirectly, model.store.windowLayers < model.layers.layers.count {
            logger.info("the file system cannot be read directly: layers come through the page cache, which is slower")
        }
        let node = ShardNode(
            name: configuration.name, modelFingerprint: model.fingerprint.bytes, runtime: runtime, logger: logger)
        let serving = State.serving(node)
        state.withLock { $0 = serving }
    }

    // MARK: Frames

    /// - Returns: a failure to send back upstream.
    private func receive(_ frame: Frame, _ outgoing: OutgoingLink) -> Failure? {
        state.withLock { state in
            switch state {
            case .serving(let node):
                return node.receive(frame) { (frame) throws(ShardNode.NextUnreachable) in
                    do throws(LinkError) {
                        try outgoing.send(frame)
                    } catch {
                        throw ShardNode.NextUnreachable(reason: "\(configuration.name) cannot pass on: \(error)")
                    }
                }
            case .loading(let done, let total):
                return frame.refusal(
                    by: configuration.name,
                    "shard \(configuration.name) is still loading its weights, \(done) of \(total) layers are in memory"
                )
            }
        }
    }
}

extension Frame {
    /// The failure that tells the sender of a frame that it comes too early.
    fileprivate func refusal(by shard: String, _ reason: String) -> Failure {
        var failure = Failure(kind: .loading, reason: reason, shard: shard)
        switch message {
        case .probe(let probe): failure.probeID = probe.probeID
        case .begin(let begin): failure.epoch = begin.epoch
        case .step(let step): (failure.epoch, failure.stepID) = (step.epoch, step.stepID)
        default: break
        }
        return failure
    }
}
