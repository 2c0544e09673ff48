// Announces a shard over mDNS for as long as it runs.

internal import CAvahi
public import Logging

/// Publishes a ``ShardAnnouncement`` through Avahi, under a name of its own where two shards are called alike.
///
/// Unchecked: its state is touched on the session's thread only, once started.
public final class ShardAnnouncer: @unchecked Sendable {
    /// Names tried one after another when they are taken.
    private static let namesMax = 100

    private let announcement: ShardAnnouncement
    private let logger: Logger
    private var session: AvahiSession?
    private var serviceName: String
    private var group: OpaquePointer?
    private var namesTried = 0

    public init(_ announcement: ShardAnnouncement, logger: Logger) {
        self.announcement = announcement
        self.logger = logger
        serviceName = announcement.name.cut(toBytes: ShardAnnouncement.nameBytesMax)
    }

    /// Begins to announce, now or as soon as Avahi's daemon is there.
    /// - Throws: ``DiscoveryError`` when the system has no thread or memory left.
    public func start() throws(DiscoveryError) {
        let session = try AvahiSession(for: self, purpose: "announce this shard to the network", logger: logger)
        self.session = session
        try session.start()
    }

    /// Withdraws the announcement. Must not be called while ``start()`` runs.
    public func stop() {
        // Freeing the client frees its groups.
        session?.stop()
        session = nil
    }

    // MARK: On the session's thread

    private func publish(_ client: OpaquePointer) {
        if group == nil {
            group = avahi_entry_group_new(
                client,
                { group, state, announcer in
                    guard let group, let announcer else { return }
                    Unmanaged<ShardAnnouncer>.fromOpaque(announcer).takeUnretainedValue().changed(group, state)
                }, Unmanaged.passUnretained(self).toOpaque())
        }
        guard let group else { return tell(client) }
        var list: UnsafeMutablePointer<AvahiStringList>?
        for entry in announcement.entries { list = avahi_string_list_add(list, entry) }
        defer { avahi_string_list_free(list) }
        while true {
            let result = avahi_entry_group_add_service_strlst(
                group, AvahiIfIndex(AVAHI_IF_UNSPEC), AvahiProtocol(AVAHI_PROTO_UNSPEC), AvahiPublishFlags(0),
                serviceName, ShardAnnouncement.serviceType, nil, nil, announcement.port, list)
            if result == Int32(AVAHI_OK) { break }
            // Another service of this machine has the name.
            guard result == Int32(AVAHI_ERR_COLLISION), takeAnotherName() else { return tell(client) }
        }
        if avahi_entry_group_commit(group) != Int32(AVAHI_OK) { tell(client) }
    }

    private func changed(_ group: OpaquePointer, _ state: AvahiEntryGroupState) {
        guard let client = avahi_entry_group_get_client(group) else { return }
        switch state {
        case AVAHI_ENTRY_GROUP_ESTABLISHED:
            logger.info("announced over mDNS as \(serviceName) of cluster \(announcement.cluster)")
        case AVAHI_ENTRY_GROUP_COLLISION:
            // Another machine's service has the name.
            avahi_entry_group_reset(group)
            if takeAnotherName() { publish(client) }
        case AVAHI_ENTRY_GROUP_FAILURE: tell(client)
        default: break
        }
    }

    private func takeAnotherName() -> Bool {
        namesTried += 1
        guard namesTried < Self.namesMax, let name = avahi_alternative_service_name(serviceName) else { return false }
        defer { avahi_free(name) }
        let taken = serviceName
        serviceName = String(cString: name)
        logger.notice("mDNS: another shard is called \(taken); this one is announced as \(serviceName)")
        return true
    }

    private func tell(_ client: OpaquePointer) {
        logger.warning(
            "mDNS: this shard cannot be announced: \(String(cString: avahi_strerror(avahi_client_errno(client))))")
    }
}

extension ShardAnnouncer: AvahiSessionUser {
    func running(_ client: OpaquePointer) {
        publish(client)
    }

    func suspended(_ client: OpaquePointer) {
        // The group goes with its client, which may be about to go: nothing of it may be used again.
        if let group { avahi_entry_group_free(group) }
        group = nil
    }
}
