// A model directory of safetensors files.

/// A model as Hugging Face and MLX lay it out: `config.json` and safetensors files, with an index where there are
/// several.
struct SafetensorsDirectory: CheckpointContents {
    let configurationJSON: [UInt8]
    /// Sorted by name.
    let files: [CheckpointFile]
    let tensors: [String: TensorEntry]

    var configurationName: String { Self.configurationName }

    static let configurationName = "config.json"
    private static let singleFileName = "model.safetensors"

    init(path directory: String) throws(CheckpointError) {
        let listing = try fileNames(in: directory)
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

        tensors = try Self.merge(files, index: index)
        configurationJSON = configuration
        self.files = files.map(\.file)
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
                if let index, index.files[entry.name] != file.file.name { continue }
                entry.fileIndex = fileIndex
                if let other = tensors.updateValue(entry, forKey: entry.name) {
                    throw CheckpointError(
                        .malformed, file: file.file.name, tensor: entry.name,
                        "is also in \(files[other.fileIndex].file.name)")
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
