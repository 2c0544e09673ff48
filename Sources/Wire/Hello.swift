// How a daemon introduces itself and says that it lives.

/// The first frame of each side of a connection.
public struct Hello: Equatable, Sendable {
    public var protocolVersion: UInt32
    public var softwareVersion: String
    public var name: String
    public var role: Role

    public init(protocolVersion: UInt32 = WireLimits.protocolVersion, softwareVersion: String, name: String, role: Role)
    {
        self.protocolVersion = protocolVersion
        self.softwareVersion = softwareVersion
        self.name = name
        self.role = role
    }
}

public enum Role: UInt32, Equatable, Sendable {
    case api = 1
    case shard = 2
}

/// Says on an idle connection that its sender lives.
public struct Heartbeat: Equatable, Sendable {
    public var sequenceNumber: UInt64

    public init(sequenceNumber: UInt64) {
        self.sequenceNumber = sequenceNumber
    }
}
