// What tells one model from another, without reading all of it.

internal import CXXHash

/// 128 bits that are equal on every machine with the same model, however its files are cut. Not a defence against
/// forgery.
public struct ModelFingerprint: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 16

    /// ``byteCount`` bytes, most significant first.
    public let bytes: [UInt8]

    /// `nil` unless there are ``byteCount`` bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// 32 hexadecimal digits.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension Checkpoint {
    /// Members of config.json that a tool rewrites without changing the model.
    private static let volatileMembers: Set<String> = ["transformers_version", "_name_or_path", "_commit_hash"]
    /// Data of a tensor that enters the fingerprint: 512 weights in bf16 tell any two trainings apart.
    private static let sampleBytes = 1024
    /// Tensors whose data enters it. A training that changes but the last four of thirty-two layers escapes all of them
    /// once in five thousand times; and a machine that has none of the weights needs no more requests than this.
    private static let samplesMax = 64

    /// The beginnings of tensors whose data enters the fingerprint, in a fixed order: of tensors with a sample's bytes
    /// or more (of all, where none is as large), those whose names hash least, so that they are spread over the model
    /// and do not depend on how its files are cut.
    public var fingerprintSamples: [TensorEntry] {
        let large = sortedTensors.filter { $0.byteCount >= Self.sampleBytes }
        return (large.isEmpty ? sortedTensors.filter { $0.byteCount > 0 } : large)
            .map { (hash: nameHash($0.name), entry: $0) }
            .sorted { ($0.hash, $0.entry.name) < ($1.hash, $1.entry.name) }
            .prefix(Self.samplesMax)
            .map { $0.entry.beginning(Self.sampleBytes) }
    }

    /// XXH3-128 over the configuration's essential content, the table of tensors sorted by name, and samples of data.
    /// - Throws: when a file cannot be read, or a sample is not on this machine.
    public func fingerprint() throws(CheckpointError) -> ModelFingerprint {
        let configuration = try CanonicalJSON(
            configurationJSON, file: configurationName, omitting: Self.volatileMembers)
        var hash = StreamingHash()
        hash.update(configuration.bytes)
        for entry in sortedTensors {
            let dimensions = entry.shape.map(String.init).joined(separator: ",")
            hash.update(
                Array("\(entry.name.utf8.count):\(entry.name) \(entry.elementType.rawValue) [\(dimensions)]".utf8))
        }
        let samples = fingerprintSamples
        try checkPresent(samples)
        var openFiles: [Int: ReadOnlyFile] = [:]
        for entry in samples {
            let file: ReadOnlyFile
            if let open = openFiles[entry.fileIndex] {
                file = open
            } else {
                file = try ReadOnlyFile(path: files[entry.fileIndex].path)
                file.expectScatteredReads()
                openFiles[entry.fileIndex] = file
            }
            let sample = try file.read(at: entry.byteOffset, count: entry.byteCount)
            guard sample.count == entry.byteCount else {
                throw CheckpointError(
                    .truncated, file: files[entry.fileIndex].name, tensor: entry.name,
                    "the file has become shorter since it was opened")
            }
            hash.update(sample)
        }
        return hash.fingerprint()
    }
}

extension TensorEntry {
    /// Its first bytes, as a tensor of bytes of the same name.
    fileprivate func beginning(_ bytesMax: Int) -> TensorEntry {
        let count = min(byteCount, bytesMax)
        return TensorEntry(
            name: name, elementType: .u8, shape: [count], fileIndex: fileIndex, byteOffset: byteOffset,
            byteCount: count)
    }
}

private func nameHash(_ name: String) -> UInt64 {
    let bytes = Array(name.utf8)
    return XXH3_64bits(bytes, bytes.count)
}

/// XXH3-128 over bytes that come in pieces.
private struct StreamingHash: ~Copyable {
    private let state: OpaquePointer?

    init() {
        state = XXH3_createState()
        XXH3_128bits_reset(state)
    }

    deinit { XXH3_freeState(state) }

    mutating func update(_ bytes: [UInt8]) {
        XXH3_128bits_update(state, bytes, bytes.count)
    }

    func fingerprint() -> ModelFingerprint {
        let digest = XXH3_128bits_digest(state)
        let words = [digest.high64, digest.low64]
        let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
        return ModelFingerprint(digest: bytes)
    }
}

extension ModelFingerprint {
    /// `digest` has ``byteCount`` bytes.
    fileprivate init(digest: [UInt8]) { bytes = digest }
}
