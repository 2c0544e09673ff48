// The header of a GGUF file: validated metadata and entries out.

/// What a GGUF header says, checked against itself and against the size of its file.
///
/// The format: "GGUF", u32 version, u64 number of tensors, u64 number of key-value pairs, the pairs (a string, a type,
/// a value), the tensors (a string, u32 number of dimensions, u64 dimensions with the fastest first, u32 type, u64
/// offset), then, from the next multiple of `general.alignment`, the data. Little-endian.
struct GGUFHeader {
    let values: [String: GGUFValue]
    /// In the order of their data, under the names that the file has.
    let entries: [TensorEntry]

    private static let magic = Array("GGUF".utf8)
    /// Magics of the formats before GGUF, as they stand in files.
    private static let formerMagics = ["lmgg", "fmgg", "tjgg", "algg"].map { Array($0.utf8) }
    private static let alignmentStandard = 32
    private static let alignmentMax = 1 << 20

    init(_ cursor: inout GGUFCursor) throws(CheckpointError) {
        let (tensors, pairs) = try Self.counts(&cursor)
        values = try Self.values(&cursor, count: pairs)
        var alignment = Self.alignmentStandard
        if let value = values["general.alignment"] {
            guard case .unsigned(let number) = value, let stated = Int(exactly: number), stated <= Self.alignmentMax,
                stated >= 8, stated & (stated - 1) == 0
            else {
                throw CheckpointError(
                    .malformed, file: cursor.file,
                    "general.alignment must be a power of two from 8 to \(Self.alignmentMax)")
            }
            alignment = stated
        }
        var entries: [TensorEntry] = []
        var names: Set<String> = []
        for _ in 0..<tensors {
            let entry = try Self.entry(&cursor, alignment: UInt64(alignment))
            guard names.insert(entry.name).inserted else {
                throw CheckpointError(.malformed, file: cursor.file, tensor: entry.name, "is described twice")
            }
            entries.append(entry)
        }
        let dataStart = (cursor.offset + UInt64(alignment) - 1) / UInt64(alignment) * UInt64(alignment)
        self.entries = try Self.placed(entries, from: dataStart, cursor)
    }

    private static func counts(_ cursor: inout GGUFCursor) throws(CheckpointError) -> (tensors: Int, pairs: Int) {
        let file = cursor.file
        var first: [UInt8] = []
        for _ in magic { first.append(try cursor.integer(UInt8.self, "the format's name")) }
        guard first == magic else {
            let isFormer = formerMagics.contains(first)
            throw CheckpointError(
                .malformed, file: file,
                isFormer
                    ? "is of a format that was used before GGUF; convert the model anew" : "is not a GGUF file")
        }
        let version = try cursor.integer(UInt32.self, "the format's version")
        guard version & 0xFFFF != 0 else {
            throw CheckpointError(
                .unsupported, file: file, "is a big-endian GGUF file; use the little-endian one of the same model")
        }
        guard version == 2 || version == 3 else {
            throw CheckpointError(
                .unsupported, file: file, "is of version \(version) of GGUF; versions 2 and 3 can be read")
        }
        let tensors = try cursor.integer(UInt64.self, "the number of tensors")
        let pairs = try cursor.integer(UInt64.self, "the number of metadata values")
        guard tensors <= UInt64(CheckpointLimits.tensorsMax) else {
            throw CheckpointError(
                .unsupported, file: file, "announces \(tensors) tensors, more than \(CheckpointLimits.tensorsMax)")
        }
        guard pairs <= UInt64(CheckpointLimits.metadataValuesMax) else {
            throw CheckpointError(
                .unsupported, file: file,
                "announces \(pairs) metadata values, more than \(CheckpointLimits.metadataValuesMax)")
        }
        return (Int(tensors), Int(pairs))
    }

    private static func values(
        _ cursor: inout GGUFCursor, count: Int
    ) throws(CheckpointError) -> [String: GGUFValue] {
        var values: [String: GGUFValue] = [:]
        for _ in 0..<count {
            let name = try name(&cursor, "the name of a metadata value")
            let type = try cursor.valueType(name: name)
            guard try values.updateValue(cursor.value(type, name: name), forKey: name) == nil else {
                throw CheckpointError(.malformed, file: cursor.file, "states \(name.quoted) twice")
            }
        }
        return values
    }

    private static func name(_ cursor: inout GGUFCursor, _ what: String) throws(CheckpointError) -> String {
        let bytes = try cursor.string(bytesMax: CheckpointLimits.nameBytesMax, what)
        guard let name = String(validating: bytes, as: UTF8.self), !name.isEmpty else {
            throw CheckpointError(.malformed, file: cursor.file, "\(what) is empty or not UTF-8")
        }
        return name
    }

    /// A tensor with its offset in the data, not yet that in the file.
    private static func entry(
        _ cursor: inout GGUFCursor, alignment: UInt64
    ) throws(CheckpointError) -> TensorEntry {
        let file = cursor.file
        let name = try name(&cursor, "the name of a tensor")
        let dimensions = try cursor.integer(UInt32.self, name.quoted)
        guard dimensions <= UInt32(CheckpointLimits.dimensionsMax) else {
            throw CheckpointError(
                .malformed, file: file, tensor: name,
                "has \(dimensions) dimensions, more than \(CheckpointLimits.dimensionsMax)")
        }
        var shape: [Int] = []
        for _ in 0..<dimensions {
            let dimension = try cursor.integer(UInt64.self, name.quoted)
            guard let size = Int(exactly: dimension), dimension <= CheckpointLimits.fileBytesMax else {
                throw CheckpointError(
                    .malformed, file: file, tensor: name, "has a dimension of \(dimension), beyond any memory")
            }
            shape.insert(size, at: 0)
        }
        let type = try elementType(try cursor.integer(UInt32.self, name.quoted), file: file, tensor: name)
        let offset = try cursor.integer(UInt64.self, name.quoted)
        guard offset % alignment == 0, offset <= CheckpointLimits.fileBytesMax else {
            throw CheckpointError(
                .malformed, file: file, tensor: name,
                "its data begins at byte \(offset) of all data, which is no multiple of \(alignment) within the file")
        }
        return TensorEntry(
            name: name, elementType: type, shape: shape, byteOffset: offset,
            byteCount: try byteCount(of: shape, type, file: file, tensor: name))
    }

    private static func byteCount(
        of shape: [Int], _ type: ElementType, file: String, tensor: String
    ) throws(CheckpointError) -> Int {
        let columns = shape.last ?? 1
        guard columns % type.blockElements == 0, type.blockElements == 1 || shape.count >= 2 else {
            throw CheckpointError(
                .malformed, file: file, tensor: tensor,
                "its shape \(shape) does not divide into blocks of \(type.blockElements) as \(type.rawValue) has them")
        }
        var bytes = columns / type.blockElements * type.byteCount
        for dimension in shape.dropLast() {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: dimension)
            guard !overflow else {
                throw CheckpointError(
                    .malformed, file: file, tensor: tensor, "its shape \(shape) is beyond any memory")
            }
            bytes = product
        }
        return bytes
    }

    /// Entries with their offsets in the file, sorted by these; checked to lie apart and within the file.
    private static func placed(
        _ entries: [TensorEntry], from dataStart: UInt64, _ cursor: GGUFCursor
    ) throws(CheckpointError) -> [TensorEntry] {
        var placed: [TensorEntry] = []
        placed.reserveCapacity(entries.count)
        var previous: TensorEntry?
        for entry in entries.sorted(by: { ($0.byteOffset, $0.byteCount) < ($1.byteOffset, $1.byteCount) }) {
            if let previous, entry.byteOffset < previous.byteOffset + UInt64(previous.byteCount) {
                throw CheckpointError(
                    .malformed, file: cursor.file, tensor: entry.name,
                    "its data overlaps that of tensor \(previous.name.quoted)")
            }
            let start = dataStart + entry.byteOffset
            guard start <= cursor.fileBytes, UInt64(entry.byteCount) <= cursor.fileBytes - start else {
                throw CheckpointError(
                    .truncated, file: cursor.file, tensor: entry.name,
                    "its \(entry.byteCount) bytes begin at byte \(start), and the file has \(cursor.fileBytes); "
                        + "copy or download it again")
            }
            placed.append(
                TensorEntry(
                    name: entry.name, elementType: entry.elementType, shape: entry.shape, byteOffset: start,
                    byteCount: entry.byteCount))
            previous = entry
        }
        return placed
    }
}
