// A model's files, opened: configuration and headers, no weights.

/// A model as Hugging Face and MLX lay it out, or in GGUF files. Opening it reads and validates every header and
/// nothing else.
public struct Checkpoint: Sendable {
    /// The directory, the GGUF file, or what else errors call it.
    public let place: String
    /// Contents of config.json, or what a GGUF file says in its place; a JSON object.
    public let configurationJSON: [UInt8]
    /// The files that hold tensors.
    public let files: [CheckpointFile]
    /// Every tensor of the model by its full name.
    public let tensors: [String: TensorEntry]
    /// ``tensors`` sorted by name.
    let sortedTensors: [TensorEntry]
    /// What the configuration was read from, as errors name it.
    let configurationName: String
    /// The file that the configuration was read from.
    public let configurationPath: String
    /// What GGUF files say beside the configuration; `nil` for other formats.
    public let metadata: GGUFMetadata?

    /// - Parameter directory: a model directory, or a GGUF file.
    /// - Throws: when something is missing, unreadable or wrong; the error names file and tensor.
    public init(directory: String) throws(CheckpointError) {
        if let path = try GGUFModel.path(in: directory) {
            let model = try GGUFModel(path: path)
            self.init(
                place: directory, model, configurationPath: model.metadata.file.path, metadata: model.metadata)
        } else {
            try self.init(ModelFiles(directory: directory))
        }
    }

    /// The model that safetensors files make. Their headers must be present.
    /// - Throws: when something is missing, unreadable or wrong; the error names file and tensor.
    public init(_ files: ModelFiles) throws(CheckpointError) {
        self.init(
            place: files.place, try SafetensorsModel(files), configurationPath: files.configuration, metadata: nil)
    }

    private init(
        place: String, _ contents: some CheckpointContents, configurationPath: String, metadata: GGUFMetadata?
    ) {
        self.place = place
        self.configurationPath = configurationPath
        self.metadata = metadata
        configurationJSON = contents.configurationJSON
        configurationName = contents.configurationName
        files = contents.files
        tensors = contents.tensors
        sortedTensors = contents.tensors.values.sorted { $0.name < $1.name }
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
}
