// The values of a GGUF header.

/// A value of the metadata. Arrays stay in the file: vocabularies have hundreds of thousands of elements, and shards
/// need none of them.
enum GGUFValue: Hashable, Sendable {
    case unsigned(UInt64)
    case signed(Int64)
    case float32(Float)
    case float64(Double)
    case boolean(Bool)
    /// As it stands in the file, not yet known to be UTF-8.
    case string([UInt8])
    case array(GGUFArray)

    /// What it is, for errors.
    var kind: String {
        switch self {
        case .unsigned, .signed: "a whole number"
        case .float32, .float64: "a number"
        case .boolean: "true or false"
        case .string: "a string"
        case .array: "an array"
        }
    }
}

/// An array, by where its elements lie.
struct GGUFArray: Hashable, Sendable {
    let type: GGUFValueType
    let count: Int
    let byteOffset: UInt64
}

/// The types of values, by the numbers that files have for them.
enum GGUFValueType: UInt32, Sendable {
    case uint8, int8, uint16, int16, uint32, int32, float32, boolean, string, array, uint64, int64, float64

    /// Bytes of one that has always the same.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .boolean: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }
}

extension GGUFCursor {
    /// A value of `type`.
    /// - Parameter name: its key.
    mutating func value(_ type: GGUFValueType, name: String) throws(CheckpointError) -> GGUFValue {
        let what = "\(name.quoted)"
        switch type {
        case .uint8: return .unsigned(UInt64(try integer(UInt8.self, what)))
        case .int8: return .signed(Int64(try integer(Int8.self, what)))
        case .uint16: return .unsigned(UInt64(try integer(UInt16.self, what)))
        case .int16: return .signed(Int64(try integer(Int16.self, what)))
        case .uint32: return .unsigned(UInt64(try integer(UInt32.self, what)))
        case .int32: return .signed(Int64(try integer(Int32.self, what)))
        case .uint64: return .unsigned(try integer(UInt64.self, what))
        case .int64: return .signed(try integer(Int64.self, what))
        case .float32: return .float32(Float(bitPattern: try integer(UInt32.self, what)))
        case .float64: return .float64(Double(bitPattern: try integer(UInt64.self, what)))
        case .boolean: return .boolean(try integer(UInt8.self, what) != 0)
        case .string: return .string(try string(bytesMax: CheckpointLimits.metadataTextBytesMax, what))
        case .array: return .array(try skipArray(name: name))
        }
    }

    /// Passes over an array, which is checked to lie within the file.
    private mutating func skipArray(name: String) throws(CheckpointError) -> GGUFArray {
        let type = try valueType(name: name)
        let count = try integer(UInt64.self, name.quoted)
        guard let elements = Int(exactly: count), elements <= CheckpointLimits.metadataElementsMax else {
            throw CheckpointError(
                .unsupported, file: file,
                "\(name.quoted) has \(count) elements, more than \(CheckpointLimits.metadataElementsMax)")
        }
        let start = offset
        if let size = type.byteCount {
            try skip(count * UInt64(size), name.quoted)
        } else if type == .string {
            for _ in 0..<elements { try skipString(name.quoted) }
        } else {
            throw CheckpointError(.unsupported, file: file, "\(name.quoted) is an array of arrays; no model has one")
        }
        return GGUFArray(type: type, count: elements, byteOffset: start)
    }

    /// The number of a value's type.
    mutating func valueType(name: String) throws(CheckpointError) -> GGUFValueType {
        let number = try integer(UInt32.self, name.quoted)
        guard let type = GGUFValueType(rawValue: number) else {
            throw CheckpointError(
                .malformed, file: file, "\(name.quoted) has the value type \(number); known are 0 to 12")
        }
        return type
    }
}
