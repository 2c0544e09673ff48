// Where a frame's payload lies, found without unpacking the frame.

/// Tells from a frame's first bytes whether its payload comes last and in one piece, as every daemon of the ring
/// writes it.
///
/// Then the fields before it are unpacked by themselves and the payload can be read from the socket straight to where
/// it stays. Any other valid encoding is unpacked as a whole.
public enum PayloadPlacement: Equatable, Sendable {
    /// The message's fields take the first `fieldBytes` bytes, and the payload lies from `offset` to the frame's end.
    case last(fieldBytes: Int, offset: Int)
    /// The frame has no payload, or not in the usual place.
    case whole
    /// More of the frame's bytes are needed to tell.
    case unknown

    /// Key of field 15 with a length: (15 << 3) | 2.
    static let payloadKey: UInt8 = 0x7A
    private static let lengthDelimited: UInt8 = 2
    private static let bodyFields: ClosedRange<UInt8> = 1...14

    /// - Parameters:
    ///   - bytes: the frame's message from its beginning, as far as it is known.
    ///   - messageBytes: the whole message's length.
    public init(of bytes: UnsafeRawBufferPointer, messageBytes: Int) {
        var cursor = 0
        guard let key = bytes.first else {
            self = .unknown
            return
        }
        // Keys of fields 1 to 14 take one byte.
        guard key & 7 == Self.lengthDelimited, Self.bodyFields.contains(key >> 3) else {
            self = .whole
            return
        }
        cursor = 1
        switch Self.length(bytes, &cursor) {
        case .none: self = cursor < bytes.count ? .whole : .unknown
        case .some(let bodyBytes):
            let fieldBytes = cursor + bodyBytes
            guard fieldBytes < messageBytes else {
                self = .whole
                return
            }
            guard fieldBytes < bytes.count else {
                self = .unknown
                return
            }
            guard bytes[fieldBytes] == Self.payloadKey else {
                self = .whole
                return
            }
            cursor = fieldBytes + 1
            switch Self.length(bytes, &cursor) {
            case .none: self = cursor < bytes.count ? .whole : .unknown
            case .some(let payloadBytes):
                self = cursor + payloadBytes == messageBytes ? .last(fieldBytes: fieldBytes, offset: cursor) : .whole
            }
        }
    }

    /// Reads a varint; `nil` with the cursor at the end when bytes are missing, before the end when it is longer than
    /// any length here.
    private static func length(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, to: 28, by: 7) {
            guard cursor < bytes.count else { return nil }
            let byte = bytes[cursor]
            value |= Int(byte & 0x7F) << shift
            cursor += 1
            if byte & 0x80 == 0 { return value }
        }
        cursor = min(cursor, bytes.count - 1)
        return nil
    }

    /// Bytes that a length takes as a varint.
    static func lengthBytes(_ length: Int) -> Int {
        max(1, (Int.bitWidth - length.leadingZeroBitCount + 6) / 7)
    }

    /// Writes the payload field's key and length, which come right before the payload.
    static func writeKey(payloadBytes: Int, to target: UnsafeMutableBufferPointer<UInt8>) {
        target[0] = payloadKey
        var rest = payloadBytes
        for index in 1...lengthBytes(payloadBytes) {
            target[index] = UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0)
            rest >>= 7
        }
    }
}
