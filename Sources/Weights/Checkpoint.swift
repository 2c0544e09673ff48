// A model directory, opened: configuration and headers, no weights.

internal import Glibc

/// A model as Hugging Face and MLX lay it out: `config.json` and safetensors files, with an index where there are
/// several. Opening it reads and validates every header and nothing else.
public struct Checkpoint: Sendable {
    public let directory: String
    /// Contents of config.json, which is a JSON object.
    public let configurationJSON: [UInt8]
    /// The files that hold tensors, sorted by name.
    public let files: [SafetensorsFile]
    /// Every tensor of the model by its full name.
    public let tensors: [String: TensorEntry]
    /// ``tensors`` sorted by name.
    let sortedTensors: [TensorEntry]

    /// - Throws: when something is missing, unreadable or wrong; the error names file and tensor.
    public init(directory: String) throws(CheckpointError) {
        let listing = try Self.list(directory)
        guard listing.contains(Self.configurationName) else {
            throw CheckpointError(
                .missingFile, file: directory, "has no \(Self.configurationName), so it is not a model directory")
        }
        let configuration = try ReadOnlyFile.contents(
            path: "\(directory)/\(Self.configurationName)", bytesMax: CheckpointLimits.configurationBytesMax)
        var scanner = JSONScanner(configuration, file: Self.configurationName)
        try scanner.object { (scanner, _) throws(CheckpointError) in try scanner.skipValue() }
        try scanner.end()

        var index: WeightIndex?
        if listing.contains(WeightIndex.fileName) {
            index = try WeightIndex(
                json: ReadOnlyFile.contents(
                    path: "\(directory)/\(WeightIndex.fileName)", bytesMax: CheckpointLimits.indexBytesMax))
        }
        let names = try Self.weightFiles(directory, listing: listing, index: index)
        var files: [SafetensorsFile] = []
        for name in names { files.append(try SafetensorsFile(path: "\(directory)/\(name)")) }

        let tensors = try Self.merge(files, index: index)
        self.directory = directory
        self.configurationJSON = configuration
        self.files = files
        self.tensors = tensors
        self.sortedTensors = tensors.values.sorted { $0.name < $1.name }
    }

    /// The tensors whose names begin with `prefix`, sorted by file and place. End it with a dot: `model.layers.1.`
    public func entries(prefix: String) -> [TensorEntry] {
        var low = 0
        var high = sortedTensors.count
        while low < high {
            let middle = (low + high) / 2
            if sortedTensors[middle].name < prefix { low = middle + 1 } else { high = middle }
        }
        return sortedTensors[low...].prefix { $0.name.hasPrefix(prefix) }
            .sorted { ($0.fileIndex, $0.byteOffset) < ($1.fileIndex, $1.byteOffset) }
    }

    /// Bytes on disk of all tensors.
    public var byteCount: UInt64 { sortedTensors.reduce(0) { $0 + UInt64($1.byteCount) } }

    static let configurationName = "config.json"
    private static let singleFileName = "model.safetensors"

    private static func list(_ directory: String) throws(CheckpointError) -> Set<String> {
        guard let stream = opendir(directory) else {
            let code = errno
            throw CheckpointError(
                code == ENOENT ? .missingFile : .unreadable, file: directory,
                "is not a model directory that can be read: \(systemMessage(code))")
        }
        defer { closedir(stream) }
        var names: Set<String> = []
        while let item = readdir(stream) {
            let name = withUnsafeBytes(of: &item.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.insert(name)
        }
        return names
    }

    /// The safetensors files to read: those the index names, or the single one, or all there are.
    private static func weightFiles(
        _ directory: String, listing: Set<String>, index: WeightIndex?
    ) throws(CheckpointError) -> [String] {
        let names: [String]
        if let index {
            names = Set(index.files.values).sorted()
            for name in names where !listing.contains(name) {
                throw CheckpointError(
                    .missingFile, file: WeightIndex.fileName,
                    "names \(name.quoted), which is not in \(directory); download it")
            }
        } else if listing.contains(singleFileName) {
            names = [singleFileName]
        } else {
            names = listing.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }.sorted()
        }
        guard !names.isEmpty else {
            throw CheckpointError(
                .missingFile, file: directory, "has no safetensors files, so there are no weights to load")
        }
        guard names.count <= CheckpointLimits.filesMax else {
            throw CheckpointError(
                .unsupported, file: directory, "has \(names.count) weight files, more than \(CheckpointLimits.filesMax)"
            )
        }
        return names
    }

    /// One table of all files' tensors. With an index each tensor comes from the file it names, and others are left
    /// out.
    private static func merge(_ files: [SafetensorsFile], index: WeightIndex?) throws(CheckpointError) -> [String:
        TensorEntry]
    {
        var tensors: [String: TensorEntry] = [:]
        for (fileIndex, file) in files.enumerated() {
            for var entry in file.entries {
                if let index, index.files[entry.name] != file.name { continue }
                entry.fileIndex = fileIndex
                if let other = tensors.updateValue(entry, forKey: entry.name) {
                    throw CheckpointError(
                        .malformed, file: file.name, tensor: entry.name, "is also in \(files[other.fileIndex].name)")
                }
            }
        }
        if let index, tensors.count < index.files.count {
            let absent = index.files.keys.filter { tensors[$0] == nil }.min() ?? ""
            throw CheckpointError(
                .missingTensor, file: index.files[absent], tensor: absent,
                "is not in this file, where \(WeightIndex.fileName) places it")
        }
        guard tensors.count <= CheckpointLimits.tensorsMax else {
            throw CheckpointError(
                .unsupported, "the model has \(tensors.count) tensors, more than \(CheckpointLimits.tensorsMax)")
        }
        return tensors
    }
}
