// Two daemons' ends of one link, for tests.

import Logging
import Testing
import Wire

@testable import RingTransport

/// What a daemon with an inbound link lives through.
enum InboundEvent: Sendable, Equatable {
    case state(LinkState)
    case frame(Frame)

    var frame: Frame? { if case .frame(let frame) = self { frame } else { nil } }
    var state: LinkState? { if case .state(let state) = self { state } else { nil } }
}

/// A listening daemon that records what it is sent.
final class ListeningDaemon: Sendable {
    let listener: PortListener
    let links: InboundLinks
    let events = EventLog<InboundEvent>()
    let log: EventLog<String>

    /// - Parameter onFrame: called before a frame is recorded.
    init(
        _ name: String = "listener", on address: RingAddress = .loopback,
        configuration: LinkConfiguration = LinkConfiguration(),
        onFrame: @escaping @Sendable (Frame, InboundLink) -> Void = { _, _ in }
    ) throws {
        let (logger, log) = CapturedLog.logger()
        self.log = log
        let links = InboundLinks(
            as: .shard(name), configuration: configuration, logger: logger,
            onFrame: { [events] frame, link in
                onFrame(frame, link)
                events.append(.frame(frame))
            },
            onStateChange: { [events] state, _ in events.append(.state(state)) })
        self.links = links
        listener = try PortListener(
            on: address, configuration: configuration, logger: logger, onRing: { links.accept($0) })
        try listener.start()
    }

    func close() {
        listener.close()
        links.close()
    }
}

/// A daemon that dials and records what comes back.
final class DialingDaemon: Sendable {
    let link: OutgoingLink
    let states: EventLog<LinkState>
    let failures: EventLog<Failure>
    let log: EventLog<String>

    init(
        to address: RingAddress, _ hello: Hello = .shard("dialer"),
        configuration: LinkConfiguration = LinkConfiguration()
    ) throws {
        let (logger, log) = CapturedLog.logger()
        let (states, failures) = (EventLog<LinkState>(), EventLog<Failure>())
        (self.log, self.states, self.failures) = (log, states, failures)
        link = OutgoingLink(
            to: address, as: hello, configuration: configuration, logger: logger, onFailure: { failures.append($0) },
            onStateChange: { states.append($0) })
        try link.start()
    }

    /// Waits for a connection; `nth` counts from 1.
    func waitUntilConnected(_ nth: Int = 1) throws {
        _ = try states.wait { $0.count { $0.peer != nil } >= nth ? () : nil }
    }

    func close() { link.close() }
}
