// A model directory, opened: configuration and headers, no weights.

/// A model as Hugging Face and MLX lay it out: `config.json` and safetensors files, with an index where there are
/// several. Opening it reads and validates every header and nothing else.
public struct Checkpoint: Sendable {
    /// The directory, or what else errors call it.
    public let place: String
    /// Contents of config.json, which is a JSON object.
    public let configurationJSON: [UInt8]
    /// The files that hold tensors, sorted by name.
    public let files: [SafetensorsFile]
    /// Every tensor of the model by its full name.
    public let tensors: [String: TensorEntry]
    /// ``tensors`` sorted by name.
    let sortedTensors: [TensorEntry]

    /// The model of a directory.
    /// - Throws: when something is missing, unreadable or wrong; the error names file and tensor.
    public init(directory: String) throws(CheckpointError) {
        try self.init(ModelFiles(directory: directory))
    }

    /// The model that files make. Their headers must be present.
    /// - Throws: when something is missing, unreadable or wrong; the error names file and tensor.
    public init(_ place: ModelFiles) throws(CheckpointError) {
        let configuration = try ReadOnlyFile.contents(
            path: place.configuration, bytesMax: CheckpointLimits.configurationBytesMax)
        var scanner = JSONScanner(configuration, file: ModelFiles.configurationName)
        try scanner.object { (scanner, _) throws(CheckpointError) in try scanner.skipValue() }
        try scanner.end()

        let index = try place.index.map(WeightIndex.read)
        var files: [SafetensorsFile] = []
        for file in place.weights { files.append(try SafetensorsFile(file)) }

        let tensors = try Self.merge(files, index: index)
        self.place = place.place
        self.configurationJSON = configuration
        self.files = files
        self.tensors = tensors
        self.sortedTensors = tensors.values.sorted { $0.name < $1.name }
    }

    /// - Throws: naming the first of `entries` whose data is not on this machine, or not all of it.
    public func checkPresent(_ entries: some Sequence<TensorEntry>) throws(CheckpointError) {
        for entry in entries {
            let file = files[entry.fileIndex]
            guard let present = file.present, entry.byteCount > 0 else { continue }
            let data = RangeSet(entry.byteOffset..<entry.byteOffset + UInt64(entry.byteCount))
            guard present.isSuperset(of: data) else {
                throw CheckpointError(
                    .truncated, file: file.name, tensor: entry.name,
                    "its data has not been downloaded to this machine; start again to download it")
            }
        }
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
