// A safetensors file of which only the header is read.

/// One safetensors file, its header read and validated, its data untouched.
public struct SafetensorsFile: Sendable {
    public let file: CheckpointFile
    /// In the order of their data.
    public let entries: [TensorEntry]

    /// - Throws: when the file cannot be read, or its header is not a safetensors header that fits its size.
    public init(path: String) throws(CheckpointError) {
        let file = try ReadOnlyFile(path: path)
        let lengthBytes = SafetensorsHeader.lengthBytes
        let prefix = try file.read(at: 0, count: lengthBytes)
        guard prefix.count == lengthBytes else {
            throw CheckpointError(
                .truncated, file: file.name,
                "has \(file.byteCount) bytes, too few for a safetensors file; copy or download it again")
        }
        let headerBytes = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard headerBytes <= UInt64(CheckpointLimits.headerBytesMax) else {
            throw CheckpointError(
                .malformed, file: file.name,
                "is not a safetensors file: it announces a header of \(headerBytes) bytes, "
                    + "more than \(CheckpointLimits.headerBytesMax)"
            )
        }
        guard headerBytes <= file.byteCount - UInt64(lengthBytes) else {
            throw CheckpointError(
                .truncated, file: file.name,
                "announces a header of \(headerBytes) bytes, but the file has \(file.byteCount); "
                    + "copy or download it again"
            )
        }
        let json = try file.read(at: UInt64(lengthBytes), count: Int(headerBytes))
        guard json.count == Int(headerBytes) else {
            throw CheckpointError(.truncated, file: file.name, "shrank while it was read")
        }
        let header = try SafetensorsHeader(json: json, file: file.name, fileBytes: file.byteCount)
        self.file = CheckpointFile(file)
        self.entries = header.entries
    }
}
