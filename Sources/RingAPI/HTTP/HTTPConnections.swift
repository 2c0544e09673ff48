// Serves HTTP on connections that somebody else accepted.

import Glibc
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Each connection becomes a NIO channel on which Hummingbird's HTTP/1 server runs.
///
/// Hummingbird's own server would accept the connections itself; here the port is shared with the ring, so they come
/// from ``RingTransport/PortListener`` by the first byte.
final class HTTPConnections: Sendable {
    /// Most connections open at a time; each idle one costs a few kilobytes.
    static let connectionsMax = 4096
    /// How long a connection may stay silent between requests.
    static let idleTimeout = TimeAmount.seconds(120)

    private let http: HTTP1Channel
    private let group: any EventLoopGroup
    private let logger: Logger
    private let accepted: AsyncStream<CInt>
    private let acceptor: AsyncStream<CInt>.Continuation
    private let open = Mutex<[ObjectIdentifier: any Channel]>([:])

    init(responder: RouterResponder<APIRequestContext>, group: any EventLoopGroup, logger: Logger) {
        self.group = group
        self.logger = logger
        (accepted, acceptor) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.connectionsMax))
        let dates = HTTPDate()
        http = HTTP1Channel(
            responder: { request, writer, channel in
                let context = APIRequestContext(source: .init(channel: channel, logger: logger))
                var response = try await responder.respond(to: request, context: context)
                response.headers[.date] = dates.now()
                response.headers[.server] = "ring-api"
                try await writer.write(response: response.head, body: response.body)
            }, configuration: .init(idleTimeout: Self.idleTimeout))
    }

    /// Takes over a connected socket; called from any thread.
    func serve(_ descriptor: CInt) {
        guard open.withLock({ $0.count }) < Self.connectionsMax else {
            logger.warning("refusing a connection: \(Self.connectionsMax) are open")
            Glibc.close(descriptor)
            return
        }
        if case .enqueued = acceptor.yield(descriptor) { return }
        Glibc.close(descriptor)
    }

    /// Serves until ``finish()`` is called and every connection has ended.
    func run() async {
        await withDiscardingTaskGroup { tasks in
            for await descriptor in accepted { tasks.addTask { await self.handle(descriptor) } }
        }
    }

    /// Takes no more connections, ends idle ones now and the others after the response under way.
    func finish() {
        acceptor.finish()
        for channel in open.withLock({ Array($0.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Ends every connection at once.
    func abort() {
        for channel in open.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    private func handle(_ descriptor: CInt) async {
        let value: HTTP1Channel.Value
        do {
            value = try await ClientBootstrap(group: group)
                // A client that closes its side is gone: its requests are cancelled.
                .channelOption(.allowRemoteHalfClosure, value: false)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .withConnectedSocket(descriptor) { [http, logger] channel in
                    http.setup(channel: channel, logger: logger)
                }
        } catch {
            logger.debug("a connection ended before it was served: \(error)")
            return
        }
        let channel = value.channel
        open.withLock { $0[ObjectIdentifier(channel)] = channel }
        await http.handle(value: value, logger: logger)
        _ = open.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}
