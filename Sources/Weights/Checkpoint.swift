// A model's files, opened: configuration and headers, no weights.

internal import Glibc

/// A model as Hugging Face and MLX lay it out, or in GGUF files. Opening it reads and validates every header and
/// nothing else.
public struct Checkpoint: Sendable {
    /// The directory, or the GGUF file.
    public let directory: String
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
            self.init(directory: directory, model, metadata: model.metadata)
        } else {
            self.init(directory: directory, try SafetensorsDirectory(path: directory), metadata: nil)
        }
    }

    private init(directory: String, _ contents: some CheckpointContents, metadata: GGUFMetadata?) {
        self.directory = directory
        self.metadata = metadata
        configurationJSON = contents.configurationJSON
        configurationName = contents.configurationName
        configurationPath = metadata?.file.path ?? "\(directory)/\(contents.configurationName)"
        files = contents.files
        tensors = contents.tensors
        sortedTensors = contents.tensors.values.sorted { $0.name < $1.name }
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

/// The names of the files in a directory.
func fileNames(in directory: String) throws(CheckpointError) -> Set<String> {
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
