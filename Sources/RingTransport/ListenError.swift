// Why a port cannot be listened on.

/// Why a port cannot be listened on.
public enum ListenError: Error, Equatable, Sendable {
    case inUse(RingAddress)
    case notAllowed(RingAddress)
    case notHere(RingAddress)
    case unresolvable(RingAddress, reason: String)
    case system(RingAddress, operation: String, code: Int32)
}

extension ListenError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inUse(let address):
            "port \(address.port) on \(address.host) is in use; stop the program that holds it "
                + "(ss -ltnp shows it) or choose another port"
        case .notAllowed(let address):
            "port \(address.port) on \(address.host) may not be opened by this user; choose a port above 1023"
        case .notHere(let address):
            "\(address.host) is not an address of this machine; use 0.0.0.0 for all of them"
        case .unresolvable(let address, let reason):
            "cannot find the address of \(address.host): \(reason)"
        case .system(let address, let operation, let code):
            "cannot listen on \(address): \(operation): \(SystemError.text(code))"
        }
    }
}
