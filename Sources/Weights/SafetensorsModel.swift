// A model of safetensors files.

/// A model as Hugging Face and MLX lay it out: `config.json` and safetensors files, with an index where there are
/// several.
struct SafetensorsModel: CheckpointContents {
    let configurationJSON: [UInt8]
    /// Sorted by name.
    let files: [CheckpointFile]
    let tensors: [String: TensorEntry]

    var configurationName: String { ModelFiles.configurationName }

    /// - Parameter place: its headers must be present.
    init(_ place: ModelFiles) throws(CheckpointError) {
        let configuration = try ReadOnlyFile.contents(
            path: place.configuration, bytesMax: CheckpointLimits.configurationBytesMax)
        var scanner = JSONScanner(configuration, file: ModelFiles.configurationName)
        try scanner.object { (scanner, _) throws(CheckpointError) in try scanner.skipValue() }
        try scanner.end()

        let index = try place.index.map(WeightIndex.read)
        var files: [SafetensorsFile] = []
        for file in place.weights { files.append(try SafetensorsFile(file)) }

        tensors = try Self.merge(files, index: index)
        configurationJSON = configuration
        self.files = files.map(\.file)
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
