// Where a daemon listens, as people write it.

/// `host:port`; an IPv6 address stands in brackets, as in `[::1]:50501`.
public struct RingAddress: Hashable, Sendable {
    /// A name or an address, without brackets.
    public let host: String
    /// 0 lets the system choose, where listening.
    public let port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`.
    /// - Throws: ``RingAddressError`` that says what is missing and shows a right one.
    public init(parsing text: String) throws(RingAddressError) {
        // The longest domain name has 253 characters; brackets, colon and port come on top.
        guard text.utf8.count <= 262 else { throw .tooLong(bytes: text.utf8.count) }
        let host: Substring
        let portText: Substring
        if text.first == "[" {
            guard let bracket = text.firstIndex(of: "]") else { throw .unclosedBracket(text) }
            host = text[text.index(after: text.startIndex)..<bracket]
            let rest = text[text.index(after: bracket)...]
            guard rest.first == ":" else { throw .missingPort(text) }
            portText = rest.dropFirst()
        } else {
            guard let colon = text.lastIndex(of: ":") else { throw .missingPort(text) }
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
            guard !host.contains(":") else { throw .bareIPv6(text) }
        }
        guard !host.isEmpty else { throw .missingHost(text) }
        guard host.allSatisfy({ $0.isASCII && !$0.isWhitespace && $0 != "\0" && $0 != "/" }) else {
            throw .badHost(text)
        }
        guard !portText.isEmpty, portText.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(portText) else {
            throw .badPort(text, port: String(portText))
        }
        self.init(host: String(host), port: port)
    }
}

extension RingAddress: CustomStringConvertible {
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// What is wrong with an address.
public enum RingAddressError: Error, Equatable, Sendable {
    case tooLong(bytes: Int)
    case missingHost(String)
    case missingPort(String)
    case badHost(String)
    case badPort(String, port: String)
    case unclosedBracket(String)
    case bareIPv6(String)
}

extension RingAddressError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLong(let bytes): "the address has \(bytes) characters; write host:port, such as 192.168.1.20:50501"
        case .missingHost(let text): "'\(text)' names no host; write host:port, such as 192.168.1.20:50501"
        case .missingPort(let text): "'\(text)' names no port; write host:port, such as 192.168.1.20:50501"
        case .badHost(let text): "'\(text)' is not a host and a port; write host:port, such as 192.168.1.20:50501"
        case .badPort(let text, let port): "'\(port)' in '\(text)' is not a port; ports are numbers from 0 to 65535"
        case .unclosedBracket(let text): "'\(text)' lacks a closing bracket; write IPv6 addresses as [::1]:50501"
        case .bareIPv6(let text): "'\(text)' has several colons; write IPv6 addresses in brackets, as [::1]:50501"
        }
    }
}
