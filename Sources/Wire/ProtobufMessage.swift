// What a message of the ring must do to travel as protobuf.

/// A value with a C struct made by protoc-c beside it.
protocol ProtobufMessage {
    associatedtype CMessage

    /// Throws where a value, count or length is out of bounds. Called before packing and after unpacking.
    func validate() throws(WireError)

    /// Builds the C struct; it lives as long as the arena.
    func build(in arena: MessageArena) -> UnsafeMutablePointer<CMessage>?

    /// Reads the C struct, checking counts and lengths before building anything of their size.
    init(reading message: CMessage) throws(WireError)
}

extension ProtobufMessage {
    /// Reads a repeated message field.
    static func list(
        _ count: Int, _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<CMessage>?>?, _ limit: CountLimit
    ) throws(WireError) -> [Self] {
        try limit.check(count)
        guard count > 0, let pointers else { return [] }
        var list: [Self] = []
        list.reserveCapacity(count)
        for index in 0..<count {
            guard let pointer = pointers[index] else { continue }
            list.append(try Self(reading: pointer.pointee))
        }
        return list
    }

    /// Reads an optional message field.
    static func optional(_ pointer: UnsafeMutablePointer<CMessage>?) throws(WireError) -> Self? {
        guard let pointer else { return nil }
        return try Self(reading: pointer.pointee)
    }
}

extension FixedWidthInteger {
    /// Reads a repeated number.
    static func list(_ count: Int, _ pointer: UnsafeMutablePointer<Self>?, _ limit: CountLimit) throws(WireError)
        -> [Self]
    {
        try limit.check(count)
        return Array(UnsafeBufferPointer(start: pointer, count: pointer == nil ? 0 : count))
    }
}
