// What can be wrong with the bytes of a frame or with a message.

/// Why bytes are not a frame, or why a message must not become one.
public enum WireError: Error, Equatable, Sendable {
    /// The bytes at the beginning of a connection belong to another protocol.
    case foreign(ForeignProtocol)
    /// A length prefix of 0.
    case emptyFrame
    /// A frame longer than the limit; bytes.
    case frameTooLong(found: Int, limit: Int)
    /// Not a protobuf message of the ring.
    case unreadable(frameBytes: Int)
    /// Reading the message would take more memory than any message within the limits needs; bytes.
    case takesTooMuchMemory(frameBytes: Int, limit: Int)
    /// A frame without a message that this version knows.
    case unknownMessage
    /// A field whose value, count or length is out of bounds.
    case field(message: String, field: String, found: String, allowed: String)
}

extension WireError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .foreign(.http):
            "an HTTP request arrived at the ring port; send requests to the address that ring-api was given with -a"
        case .foreign(.tls):
            "a TLS handshake arrived at the ring port; the ring speaks its own protocol, and https belongs to ring-api"
        case .foreign(.unknown):
            "bytes arrived at the ring port that are not of the ring's protocol; check which program connects here"
        case .emptyFrame:
            "a frame of length 0; every frame holds a message"
        case .frameTooLong(let found, let limit):
            "a frame of \(found) bytes; at most \(limit) are allowed"
        case .unreadable(let frameBytes):
            "a frame of \(frameBytes) bytes is not a message of the ring; check that both ends run the same release"
        case .takesTooMuchMemory(let frameBytes, let limit):
            "a frame of \(frameBytes) bytes would take more than \(limit) bytes of memory to read"
        case .unknownMessage:
            "a frame without a known message; check that both ends run the same release"
        case .field(let message, let field, let found, let allowed):
            "\(message).\(field) is \(found); allowed is \(allowed)"
        }
    }
}
