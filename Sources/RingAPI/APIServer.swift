// The API on the network: one port for HTTP and the ring, and the link to the first shard.

import Cluster
import Discovery
public import Logging
import NIOPosix
import Observability
import RingTransport
public import ServiceLifecycle
import Weights
import Wire

/// Serves until it is told to stop; requests under way may then finish.
public struct APIServer: Service {
    /// The ring this server's requests run over. A service of its own, to be stopped before this one.
    public let coordinator: RingCoordinator

    private let configuration: APIConfiguration
    private let model: ServedModel
    private let logger: Logger

    public init(_ configuration: APIConfiguration, model: ServedModel, logger: Logger) {
        self.configuration = configuration
        self.model = model
        self.logger = logger
        let card = model.card
        var ring = RingConfiguration(
            expectation: RingTopology.Expectation(
                modelFingerprint: model.fingerprint.bytes, layerCount: card.layerCount,
                softwareVersion: Software.version, ringAddress: "\(configuration.address)"),
            model: ModelShape(
                hiddenSize: card.hiddenSize, vocabularySize: card.vocabularySize,
                contextTokensMax: min(configuration.contextTokensMax ?? .max, card.contextTokensMax)),
            firstShard: configuration.firstShard.map { "\($0)" } ?? "looked for over mDNS",
            activations: configuration.activations,
            limits: configuration.limits)
        ring.timing.recoveryTimeout = configuration.recoveryTimeout
        coordinator = RingCoordinator(ring, logger: logger)
    }

    /// - Throws: ``RingTransport/ListenError`` when the port cannot be bound.
    public func run() async throws {
        let hello = Hello(softwareVersion: Software.version, name: configuration.name, role: .api)
        let search = FirstShardSearch(
            cluster: configuration.cluster, modelFingerprint: model.fingerprint.description)
        let firstShard =
            configuration.firstShard.map { LinkTarget($0) }
            ?? LinkTarget("the first shard of cluster \(configuration.cluster)") { search.address() }
        let links = RingLinks(coordinator, to: firstShard, as: hello, logger: logger)
        let browser = ShardBrowser(logger: logger) { shards in
            search.found(shards)
            links.dialNow()
        }
        let http = HTTPConnections(
            responder: APIRouter.responder(
                model: model, fingerprint: model.fingerprint.description, generator: coordinator),
            group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        let listener = try PortListener(
            on: configuration.address, logger: logger, onRing: { links.accept($0) },
            onForeign: { connection, _ in
                // Whatever else it is, the HTTP server answers it.
                if let descriptor = connection.takeDescriptor() { http.serve(descriptor) }
            })
        defer {
            browser.stop()
            listener.close()
            links.close()
        }
        try listener.start()
        try links.start()
        if configuration.firstShard == nil { try browser.start() }
        let first = configuration.firstShard.map { "is \($0)" } ?? "is looked for over mDNS"
        logger.info("serving \(model.name) on http://\(listener.address); the first shard \(first)")
        await withTaskGroup { tasks in
            tasks.addTask { await http.run() }
            tasks.addTask { await endGracefully(listener, http) }
            // The server ends by itself once it is told to and its connections have ended.
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private func endGracefully(_ listener: PortListener, _ http: HTTPConnections) async {
        guard (try? await gracefulShutdown()) != nil else { return http.abort() }
        logger.info("stopping; requests under way may finish within \(Daemon.drainSeconds) s")
        listener.close()
        http.finish()
        try? await Task.sleep(for: .seconds(Daemon.drainSeconds))
        http.abort()
    }
}
