// The connection to the machine's Avahi daemon, which may come late, go and come back.

internal import CAvahi
internal import Glibc
internal import Logging

/// What a session tells, on its own thread.
protocol AvahiSessionUser: AnyObject, Sendable {
    /// The daemon is there; what a client wants of it can be asked for.
    func running(_ client: OpaquePointer)
    /// The host's name changes, or the daemon goes: what was asked for is void. The client is still valid.
    func suspended(_ client: OpaquePointer)
}

/// Runs Avahi's event loop in a thread of its own and keeps one client connected for as long as it is started.
///
/// Unchecked: everything here is touched on the loop's thread, or before the loop starts and after it has stopped.
final class AvahiSession: @unchecked Sendable {
    /// Between attempts to reach D-Bus or a daemon that is gone.
    private static let retryMillisecondsFirst: UInt32 = 500
    private static let retryMillisecondsMax: UInt32 = 30_000

    private let logger: Logger
    /// What cannot be done without it, for the log.
    private let purpose: String
    private weak let user: (any AvahiSessionUser)?
    private let loop: OpaquePointer
    private var client: OpaquePointer?
    private var retry: OpaquePointer?
    private var retryMilliseconds = AvahiSession.retryMillisecondsFirst
    private var isObstacleTold = false

    /// - Throws: ``DiscoveryError`` when the system has no thread or memory left.
    init(for user: any AvahiSessionUser, purpose: String, logger: Logger) throws(DiscoveryError) {
        guard let loop = avahi_threaded_poll_new() else { throw DiscoveryError("mDNS: no memory for an event loop") }
        self.loop = loop
        self.user = user
        self.purpose = purpose
        self.logger = logger
    }

    private var poll: UnsafePointer<AvahiPoll> { avahi_threaded_poll_get(loop) }

    func start() throws(DiscoveryError) {
        connect()
        guard avahi_threaded_poll_start(loop) == 0 else { throw DiscoveryError("mDNS: no thread for the event loop") }
    }

    /// Ends the loop; must not be called from its callbacks. The user hears nothing of it.
    func stop() {
        avahi_threaded_poll_stop(loop)
        dropClient()
        if let retry { poll.pointee.timeout_free?(retry) }
        retry = nil
    }

    deinit { avahi_threaded_poll_free(loop) }

    // MARK: On the loop's thread

    private func connect() {
        var error: Int32 = 0
        let made = avahi_client_new(
            poll, AVAHI_CLIENT_NO_FAIL,
            { client, state, session in
                guard let client, let session else { return }
                Unmanaged<AvahiSession>.fromOpaque(session).takeUnretainedValue().changed(client, state)
            }, Unmanaged.passUnretained(self).toOpaque(), &error)
        guard let made else {
            // With NO_FAIL only D-Bus itself can be missing.
            tellObstacle("D-Bus cannot be reached (\(String(cString: avahi_strerror(error))))")
            return connectLater()
        }
        client = made
    }

    private func changed(_ client: OpaquePointer, _ state: AvahiClientState) {
        // The first call comes before avahi_client_new has returned.
        self.client = client
        switch state {
        case AVAHI_CLIENT_S_RUNNING:
            if isObstacleTold { logger.notice("mDNS: the Avahi daemon is there; \(purpose)") }
            isObstacleTold = false
            retryMilliseconds = Self.retryMillisecondsFirst
            user?.running(client)
        case AVAHI_CLIENT_S_REGISTERING, AVAHI_CLIENT_S_COLLISION:
            user?.suspended(client)
        case AVAHI_CLIENT_CONNECTING:
            tellObstacle("the Avahi daemon does not run")
        case AVAHI_CLIENT_FAILURE:
            user?.suspended(client)
            tellObstacle("the Avahi daemon is gone (\(String(cString: avahi_strerror(avahi_client_errno(client)))))")
            // The client is in use by whoever calls this, so it goes later.
            connectLater()
        default: break
        }
    }

    private func tellObstacle(_ obstacle: String) {
        guard !isObstacleTold else { return }
        isObstacleTold = true
        logger.notice("mDNS: \(obstacle); waiting for it to \(purpose), addresses given by hand work without")
    }

    private func connectLater() {
        var time = timeval()
        avahi_elapse_time(&time, retryMilliseconds, 0)
        retryMilliseconds = min(2 * retryMilliseconds, Self.retryMillisecondsMax)
        if let retry {
            poll.pointee.timeout_update?(retry, &time)
            return
        }
        retry = poll.pointee.timeout_new?(
            poll, &time,
            { _, session in
                guard let session else { return }
                Unmanaged<AvahiSession>.fromOpaque(session).takeUnretainedValue().reconnect()
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func reconnect() {
        if let retry { poll.pointee.timeout_update?(retry, nil) }
        dropClient()
        connect()
    }

    private func dropClient() {
        if let client { avahi_client_free(client) }
        client = nil
    }
}

/// Why discovery cannot begin, in one sentence.
public struct DiscoveryError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
