// Hello and Heartbeat as protobuf.

import CRingProto

extension Hello: ProtobufMessage {
    func validate() throws(WireError) {
        try CountLimit.helloName.check(name.utf8.count)
        try CountLimit.helloSoftwareVersion.check(softwareVersion.utf8.count)
        guard !name.isEmpty else {
            throw .field(message: "Hello", field: "name", found: "empty", allowed: "a name of the daemon")
        }
    }

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Hello>? {
        arena.message(ring__hello__init) {
            $0.protocol_version = protocolVersion
            $0.software_version = arena.text(softwareVersion)
            $0.name = arena.text(name)
            $0.role = Ring__Role(role.rawValue)
        }
    }

    init(reading message: Ring__Hello) throws(WireError) {
        guard let role = Role(rawValue: message.role.rawValue) else {
            throw .field(
                message: "Hello", field: "role", found: "\(message.role.rawValue)", allowed: "1 (API) or 2 (shard)")
        }
        self.init(
            protocolVersion: message.protocol_version,
            softwareVersion: try CountLimit.helloSoftwareVersion.text(message.software_version),
            name: try CountLimit.helloName.text(message.name), role: role)
    }
}

extension Heartbeat: ProtobufMessage {
    func validate() {}

    func build(in arena: MessageArena) -> UnsafeMutablePointer<Ring__Heartbeat>? {
        arena.message(ring__heartbeat__init) { $0.sequence_number = sequenceNumber }
    }

    init(reading message: Ring__Heartbeat) {
        self.init(sequenceNumber: message.sequence_number)
    }
}
