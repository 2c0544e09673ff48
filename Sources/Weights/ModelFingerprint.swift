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
    /// Data of each tensor that enters the fingerprint: 512 weights in bf16 tell any two trainings apart.
    private static let sampleBytes = 1024
    /// With more tensors than this, experts' data is left out: a scattered read each would take minutes on a disk with
    /// a head.
    private static let sampledTensorsMax = 4096

    /// XXH3-128 over the configuration's essential content, the table of tensors sorted by name, and the first bytes of
    /// each tensor's data.
    /// - Throws: when a file cannot be read.
    public func fingerprint() throws(CheckpointError) -> ModelFingerprint {
        let configuration = try CanonicalJSON(
            configurationJSON, file: configurationName, omitting: Self.volatileMembers)
        var hash = StreamingHash()
        hash.update(configuration.bytes)
        var openFiles: [ReadOnlyFile?] = Array(repeating: nil, count: files.count)
        let skipsExperts = sortedTensors.count > Self.sampledTensorsMax
        for entry in sortedTensors {
            let dimensions = entry.shape.map(String.init).joined(separator: ",")
            hash.update(
                Array("\(entry.name.utf8.count):\(entry.name) \(entry.elementType.rawValue) [\(dimensions)]".utf8))
            if skipsExperts && entry.name.contains(".experts.") { continue }
            let file: ReadOnlyFile
            if let open = openFiles[entry.fileIndex] {
                file = open
            } else {
                file = try ReadOnlyFile(path: files[entry.fileIndex].path)
                file.expectScatteredReads()
                openFiles[entry.fileIndex] = file
            }
            let count = min(entry.byteCount, Self.sampleBytes)
            let sample = try file.read(at: entry.byteOffset, count: count)
            guard sample.count == count else {
                throw CheckpointError(
                    .truncated, file: file.name, tensor: entry.name, "the file has become shorter since it was opened")
            }
            hash.update(sample)
        }
        return hash.fingerprint()
    }
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
