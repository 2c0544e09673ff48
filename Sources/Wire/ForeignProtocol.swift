// What a connection speaks that does not speak the ring's protocol, told from its first bytes.

/// A protocol other than the ring's that may arrive at a ring port.
public enum ForeignProtocol: Equatable, Sendable {
    case http
    case tls
    case unknown

    /// Most bytes that ``init(firstBytes:)`` looks at.
    public static let bytesNeeded = 4

    /// Names what begins with these bytes; `nil` when they may begin a ring connection (whose first byte is 0).
    /// - Parameter firstBytes: one byte or more; four tell HTTP from the unknown.
    public init?(firstBytes: some Collection<UInt8>) {
        guard let first = firstBytes.first, first != 0 else { return nil }
        let handshakeRecord: UInt8 = 0x16
        // Methods are capital letters up to a space: "GET ", "POST".
        func isOfMethod(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == 0x20
        }
        if first == handshakeRecord {
            self = .tls
        } else if firstBytes.prefix(Self.bytesNeeded).allSatisfy(isOfMethod) {
            self = .http
        } else {
            self = .unknown
        }
    }
}

extension ForeignProtocol: CustomStringConvertible {
    public var description: String {
        switch self {
        case .http: "an HTTP request"
        case .tls: "a TLS handshake"
        case .unknown: "something that is not of the ring"
        }
    }
}
