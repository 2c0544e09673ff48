// A safetensors file of which only the header is read.

/// One safetensors file, its header read and validated, its data untouched.
public struct SafetensorsFile: Sendable {
    public let file: CheckpointFile
    /// In the order of their data.
    public let entries: [TensorEntry]

    public init(path: String) throws(CheckpointError) {
        try self.init(ModelFiles.Weights(name: path.split(separator: "/").last.map(String.init) ?? path, path: path))
    }

    /// - Throws: when the file cannot be read, or its header is not a safetensors header that fits its size.
    public init(_ place: ModelFiles.Weights) throws(CheckpointError) {
        let file = try ReadOnlyFile(path: place.path)
        let name = place.name
        let lengthBytes = SafetensorsHeader.lengthBytes
        let prefix = try file.read(at: 0, count: lengthBytes)
        guard prefix.count == lengthBytes else {
            throw CheckpointError(
                .truncated, file: name,
                "has \(file.byteCount) bytes, too few for a safetensors file; copy or download it again")
        }
        let headerBytes = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard headerBytes <= UInt64(CheckpointLimits.headerBytesMax) else {
            throw CheckpointError(
                .malformed, file: name,
                "is not a safetensors file: it announces a header of \(headerBytes) bytes, "
                    + "more than \(CheckpointLimits.headerBytesMax)"
            )
        }
        guard headerBytes <= file.byteCount - UInt64(lengthBytes) else {
            throw CheckpointError(
                .truncated, file: name,
                "announces a header of \(headerBytes) bytes, but the file has \(file.byteCount); "
                    + "copy or download it again"
            )
        }
        if let present = place.present, !present.isSuperset(of: RangeSet(0..<UInt64(lengthBytes) + headerBytes)) {
            throw CheckpointError(.truncated, file: name, "its header has not been downloaded to this machine")
        }
        let json = try file.read(at: UInt64(lengthBytes), count: Int(headerBytes))
        guard json.count == Int(headerBytes) else {
            throw CheckpointError(.truncated, file: name, "shrank while it was read")
        }
        let header = try SafetensorsHeader(json: json, file: name, fileBytes: file.byteCount)
        self.file = CheckpointFile(file, name: name, present: place.present)
        self.entries = header.entries
    }
}
