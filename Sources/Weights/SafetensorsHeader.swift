// The header of a safetensors file: bytes in, validated entries out, no I/O.

/// What a safetensors header says, checked against itself and against the size of its file.
///
/// The format: u64 little-endian length of the header, a JSON object `name → {dtype, shape, data_offsets: [begin,
/// end]}` with an optional `__metadata__` of strings, then the data, which the tensors cover without overlap or hole.
struct SafetensorsHeader {
    /// In the order of their data.
    let entries: [TensorEntry]

    /// Bytes of the length before the header.
    static let lengthBytes = 8

    /// - Parameters:
    ///   - json: the header without its length.
    ///   - fileBytes: size of the whole file.
    init(json: [UInt8], file: String, fileBytes: UInt64) throws(CheckpointError) {
        let dataStart = UInt64(Self.lengthBytes + json.count)
        var scanner = JSONScanner(json, file: file)
        var entries: [TensorEntry] = []
        var names: Set<String> = []
        try scanner.object { (scanner, name) throws(CheckpointError) in
            guard names.insert(name).inserted else {
                throw CheckpointError(.malformed, file: file, tensor: name, "is described twice")
            }
            if name == "__metadata__" { return try scanner.skipValue() }
            guard name.utf8.count <= CheckpointLimits.nameBytesMax else {
                throw CheckpointError(
                    .malformed, file: file, tensor: name,
                    "its name has \(name.utf8.count) bytes, more than \(CheckpointLimits.nameBytesMax)")
            }
            guard entries.count < CheckpointLimits.tensorsMax else {
                throw CheckpointError(.unsupported, file: file, "has more than \(CheckpointLimits.tensorsMax) tensors")
            }
            entries.append(try Self.entry(&scanner, name: name, file: file, dataStart: dataStart))
        }
        try scanner.end()
        entries.sort { ($0.byteOffset, $0.byteCount) < ($1.byteOffset, $1.byteCount) }
        try Self.checkCoverage(entries, file: file, dataStart: dataStart, fileBytes: fileBytes)
        self.entries = entries
    }

    private static func entry(
        _ scanner: inout JSONScanner, name: String, file: String, dataStart: UInt64
    ) throws(CheckpointError) -> TensorEntry {
        func malformed(_ reason: String) -> CheckpointError {
            CheckpointError(.malformed, file: file, tensor: name, reason)
        }
        var typeName: String?
        var shape: [Int]?
        var range: (begin: UInt64, end: UInt64)?
        try scanner.object { (scanner, member) throws(CheckpointError) in
            switch member {
            case "dtype":
                guard typeName == nil else { throw malformed("has two dtypes") }
                typeName = try scanner.string()
            case "shape":
                guard shape == nil else { throw malformed("has two shapes") }
                shape = try Self.shape(&scanner, malformed)
            case "data_offsets":
                guard range == nil else { throw malformed("has two data_offsets") }
                range = try Self.range(&scanner, malformed)
            default:
                try scanner.skipValue()
            }
        }
        guard let typeName, let shape, let range else {
            let lacking = typeName == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
            throw malformed("its description has no \(lacking)")
        }
        guard let elementType = ElementType(rawValue: typeName), elementType.blockFormat == nil else {
            let known = ElementType.plain.map(\.rawValue).joined(separator: ", ")
            throw CheckpointError(
                .unsupported, file: file, tensor: name, "has unknown dtype \(typeName.quoted); known are \(known)")
        }
        guard range.begin <= range.end, range.end <= CheckpointLimits.fileBytesMax else {
            throw malformed("its data_offsets [\(range.begin), \(range.end)] are no range")
        }
        var byteCount = elementType.byteCount
        for dimension in shape {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: dimension)
            guard !overflow else { throw malformed("its shape \(shape) is beyond any memory") }
            byteCount = product
        }
        guard range.end - range.begin == UInt64(byteCount) else {
            throw malformed(
                "its shape \(shape) of \(typeName) needs \(byteCount) bytes, but its data_offsets "
                    + "[\(range.begin), \(range.end)] hold \(range.end - range.begin)")
        }
        return TensorEntry(
            name: name, elementType: elementType, shape: shape, byteOffset: dataStart + range.begin,
            byteCount: byteCount)
    }

    private static func shape(
        _ scanner: inout JSONScanner, _ malformed: (String) -> CheckpointError
    ) throws(CheckpointError) -> [Int] {
        var shape: [Int] = []
        try scanner.array { (scanner) throws(CheckpointError) in
            guard let dimension = Int(exactly: try scanner.unsignedInteger()) else {
                throw malformed("has a dimension beyond any memory")
            }
            shape.append(dimension)
            guard shape.count <= CheckpointLimits.dimensionsMax else {
                throw malformed("has more than \(CheckpointLimits.dimensionsMax) dimensions")
            }
        }
        return shape
    }

    private static func range(
        _ scanner: inout JSONScanner, _ malformed: (String) -> CheckpointError
    ) throws(CheckpointError) -> (UInt64, UInt64) {
        var bounds: [UInt64] = []
        try scanner.array { (scanner) throws(CheckpointError) in
            guard bounds.count < 2 else { throw malformed("has more than two data_offsets") }
            bounds.append(try scanner.unsignedInteger())
        }
        guard bounds.count == 2 else { throw malformed("has \(bounds.count) data_offsets instead of two") }
        return (bounds[0], bounds[1])
    }

    /// Checks that `entries`, sorted by place, follow each other from the start of the data to the end of the file.
    private static func checkCoverage(
        _ entries: [TensorEntry], file: String, dataStart: UInt64, fileBytes: UInt64
    ) throws(CheckpointError) {
        var covered = dataStart
        var previous = ""
        for entry in entries {
            guard entry.byteOffset >= covered else {
                throw CheckpointError(
                    .malformed, file: file, tensor: entry.name,
                    "its data overlaps that of tensor \(previous.quoted) by \(covered - entry.byteOffset) bytes")
            }
            guard entry.byteOffset == covered else {
                throw CheckpointError(
                    .malformed, file: file, tensor: entry.name,
                    "\(entry.byteOffset - covered) bytes before its data belong to no tensor")
            }
            covered += UInt64(entry.byteCount)
            previous = entry.name
        }
        if fileBytes < covered {
            let cut = entries.first { $0.byteOffset + UInt64($0.byteCount) > fileBytes }
            throw CheckpointError(
                .truncated, file: file, tensor: cut?.name,
                "the file is truncated: it should have \(covered) bytes and has \(fileBytes); copy or download it again"
            )
        }
        guard fileBytes == covered else {
            throw CheckpointError(
                .malformed, file: file, "has \(fileBytes - covered) bytes after the last tensor's data")
        }
    }
}
