// Addresses as the system takes them.

import Glibc

/// An IPv4 or IPv6 address with a port.
struct SocketAddress: Sendable {
    private var storage: sockaddr_storage
    private(set) var length: socklen_t

    var family: Int32 { Int32(storage.ss_family) }

    init() {
        storage = sockaddr_storage()
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    }

    private init(_ source: UnsafePointer<sockaddr>, length: socklen_t) {
        storage = sockaddr_storage()
        self.length = min(length, socklen_t(MemoryLayout<sockaddr_storage>.size))
        withUnsafeMutableBytes(of: &storage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: Int(self.length)))
        }
    }

    /// The addresses of a host, in the order in which the system prefers them.
    /// - Parameter toListen: whether they are for listening on; then IPv4 comes first, because neighbors are told the
    ///   address of one family only.
    /// - Throws: ``LinkError/notConnected(address:reason:)`` with the resolver's reason.
    static func resolve(_ address: RingAddress, toListen: Bool = false) throws(LinkError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV | (toListen ? AI_PASSIVE : 0)
        var results: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(address.host, String(address.port), &hints, &results)
        defer { if let results { freeaddrinfo(results) } }
        guard code == 0 else {
            let reason = code == EAI_SYSTEM ? SystemError.text(errno) : String(cString: gai_strerror(code)).lowercased()
            throw .notConnected(address: "\(address)", reason: "\(address.host): \(reason)")
        }
        var addresses: [SocketAddress] = []
        var next = results
        while let info = next?.pointee {
            if let source = info.ai_addr { addresses.append(SocketAddress(source, length: info.ai_addrlen)) }
            next = info.ai_next
        }
        return toListen
            ? addresses.filter { $0.family == AF_INET } + addresses.filter { $0.family != AF_INET } : addresses
    }

    /// Gives the address to a system call.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// Lets a system call fill the address in.
    mutating func withMutablePointer<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> Result {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            withUnsafeMutablePointer(to: &length) { length in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
            }
        }
    }

    /// Host in numbers, and port.
    var numeric: RingAddress {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let code = withPointer { pointer, length in
            getnameinfo(
                pointer, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
                NI_NUMERICHOST | NI_NUMERICSERV)
        }
        guard code == 0 else { return RingAddress(host: "?", port: 0) }
        return RingAddress(host: Self.text(host), port: UInt16(Self.text(service)) ?? 0)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
