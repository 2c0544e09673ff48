// Finds the shards that announce themselves over mDNS.

internal import CAvahi
internal import Glibc
public import Logging

/// Watches the network for shards through Avahi.
///
/// A shard that dies without a goodbye stays listed for a while: whether it lives, only a connection tells.
///
/// Unchecked: its state is touched on the session's thread only, once started.
public final class ShardBrowser: @unchecked Sendable {
    /// Services resolved at a time: no network of shards has as many, and a stranger cannot make us hold more.
    private static let servicesMax = 1024

    private let logger: Logger
    private let onChange: @Sendable ([DiscoveredShard]) -> Void
    private var session: AvahiSession?
    private var browser: OpaquePointer?
    private var resolvers: [Sightings.Key: OpaquePointer] = [:]
    private var sightings = Sightings()
    private var told: [DiscoveredShard] = []

    /// - Parameter onChange: called on a thread of the browser with all shards that are seen, whenever that changes.
    public init(logger: Logger, onChange: @escaping @Sendable ([DiscoveredShard]) -> Void) {
        self.logger = logger
        self.onChange = onChange
    }

    /// Begins to look, now or as soon as Avahi's daemon is there.
    /// - Throws: ``DiscoveryError`` when the system has no thread or memory left.
    public func start() throws(DiscoveryError) {
        let session = try AvahiSession(for: self, purpose: "look for shards on the network", logger: logger)
        self.session = session
        try session.start()
    }

    /// Must not be called from `onChange`.
    public func stop() {
        session?.stop()
        session = nil
    }

    // MARK: On the session's thread

    private func browse(_ client: OpaquePointer) {
        guard browser == nil else { return }
        browser = avahi_service_browser_new(
            client, AvahiIfIndex(AVAHI_IF_UNSPEC), AvahiProtocol(AVAHI_PROTO_UNSPEC),
            ShardAnnouncement.serviceType, nil, AvahiLookupFlags(0),
            { browser, interface, family, event, name, _, domain, _, user in
                guard let user, let browser else { return }
                let this = Unmanaged<ShardBrowser>.fromOpaque(user).takeUnretainedValue()
                guard let name, let domain, let client = avahi_service_browser_get_client(browser) else { return }
                let key = Sightings.Key(
                    interface: interface, isIPv6: family == AvahiProtocol(AVAHI_PROTO_INET6),
                    name: String(cString: name), domain: String(cString: domain))
                switch event {
                case AVAHI_BROWSER_NEW: this.appeared(key, family, client)
                case AVAHI_BROWSER_REMOVE: this.disappeared(key)
                default: break
                }
            }, Unmanaged.passUnretained(self).toOpaque())
        if browser == nil {
            logger.warning(
                "mDNS: cannot look for shards: \(String(cString: avahi_strerror(avahi_client_errno(client))))")
        }
    }

    private func appeared(_ key: Sightings.Key, _ family: AvahiProtocol, _ client: OpaquePointer) {
        guard resolvers[key] == nil, resolvers.count < Self.servicesMax else { return }
        // It stays, so that it tells when the shard's records change.
        resolvers[key] = avahi_service_resolver_new(
            client, key.interface, family, key.name, ShardAnnouncement.serviceType, key.domain, family,
            AvahiLookupFlags(0),
            { resolver, interface, family, event, name, _, domain, _, address, port, list, _, user in
                guard let user, let name, let domain else { return }
                let this = Unmanaged<ShardBrowser>.fromOpaque(user).takeUnretainedValue()
                let key = Sightings.Key(
                    interface: interface, isIPv6: family == AvahiProtocol(AVAHI_PROTO_INET6),
                    name: String(cString: name), domain: String(cString: domain))
                guard event == AVAHI_RESOLVER_FOUND, let address else { return this.forget(key) }
                this.resolved(key, address, port: port, list)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func resolved(
        _ key: Sightings.Key, _ address: UnsafePointer<AvahiAddress>, port: UInt16,
        _ list: UnsafeMutablePointer<AvahiStringList>?
    ) {
        var entries: [String] = []
        var next = list
        while let entry = next {
            entries.append(Self.text(entry))
            next = avahi_string_list_get_next(entry)
        }
        guard let announcement = ShardAnnouncement(entries: entries, port: port) else {
            logger.debug("mDNS: \(key.name) announces no shard that can be read: \(entries)")
            return forget(key)
        }
        sightings.add(DiscoveredShard(announcement: announcement, host: Self.host(address, key.interface)), as: key)
        tell()
    }

    private func disappeared(_ key: Sightings.Key) {
        if let resolver = resolvers.removeValue(forKey: key) { avahi_service_resolver_free(resolver) }
        forget(key)
    }

    private func forget(_ key: Sightings.Key) {
        sightings.remove(key)
        tell()
    }

    private func tell() {
        let shards = sightings.shards
        guard shards != told else { return }
        told = shards
        onChange(shards)
    }

    private static func text(_ entry: UnsafeMutablePointer<AvahiStringList>) -> String {
        let bytes = UnsafeBufferPointer(
            start: avahi_string_list_get_text(entry), count: avahi_string_list_get_size(entry))
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func host(_ address: UnsafePointer<AvahiAddress>, _ interface: AvahiIfIndex) -> String {
        var text = [CChar](repeating: 0, count: 64)
        avahi_address_snprint(&text, text.count, address)
        let host = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard host.lowercased().hasPrefix("fe80:") else { return host }
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard if_indextoname(UInt32(bitPattern: interface), &name) != nil else { return host }
        return host + "%" + String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension ShardBrowser: AvahiSessionUser {
    func running(_ client: OpaquePointer) {
        browse(client)
    }

    func suspended(_ client: OpaquePointer) {
        // A change of this host's own name does not concern what others announce.
        guard avahi_client_get_state(client) == AVAHI_CLIENT_FAILURE else { return }
        for resolver in resolvers.values { avahi_service_resolver_free(resolver) }
        resolvers.removeAll()
        if let browser { avahi_service_browser_free(browser) }
        browser = nil
        // What was seen stays told until the daemon is back: connections that stand need no mDNS.
        sightings.removeAll()
    }
}
