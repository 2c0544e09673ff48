// Whom a link dials: an address, or one that is found out anew for each attempt.

/// Where an ``OutgoingLink`` leads.
public struct LinkTarget: Sendable, CustomStringConvertible {
    /// For logs and errors, while there is no address.
    public let description: String
    let address: @Sendable () throws(LinkError) -> RingAddress

    /// Always the same address.
    public init(_ address: RingAddress) {
        description = "\(address)"
        self.address = { () throws(LinkError) in address }
    }

    /// An address that is looked up before each attempt to connect.
    /// - Parameters:
    ///   - description: of what is looked for, such as "the first shard".
    ///   - find: the address, or why there is none.
    public init(_ description: String, find: @escaping @Sendable () -> Result<RingAddress, AddressUnknown>) {
        self.description = description
        address = { () throws(LinkError) in
            switch find() {
            case .success(let address): return address
            case .failure(let unknown): throw .notConnected(address: description, reason: unknown.reason)
            }
        }
    }

    /// There is no address yet, and why.
    public struct AddressUnknown: Error, Equatable {
        public let reason: String

        public init(reason: String) {
            self.reason = reason
        }
    }
}
