// A model in a GGUF file, or in several that it was split into.

/// GGUF files, opened: their tensors under the names that Hugging Face gives them, and a configuration made of their
/// metadata.
struct GGUFModel: CheckpointContents {
    let configurationJSON: [UInt8]
    let files: [CheckpointFile]
    let tensors: [String: TensorEntry]
    let metadata: GGUFMetadata

    var configurationName: String { metadata.file.name }

    static let suffix = ".gguf"

    /// - Parameter path: the file, or the first of those that the model was split into.
    init(path: String) throws(CheckpointError) {
        var files: [CheckpointFile] = []
        var headers: [GGUFHeader] = []
        for part in try Self.parts(path) {
            let open = try ReadOnlyFile(path: part)
            var cursor = GGUFCursor(file: open.name, fileBytes: open.byteCount) {
                (offset, count) throws(CheckpointError) in try open.read(at: offset, count: count)
            }
            headers.append(try GGUFHeader(&cursor))
            files.append(CheckpointFile(open))
        }
        let metadata = GGUFMetadata(file: files[0], values: headers[0].values)
        try Self.check(metadata, files, headers)
        let architecture = try GGUFArchitecture(metadata)
        let tensors = try Self.merge(files, headers, architecture)
        let frequencyFactors = try Self.frequencyFactors(files, tensors)
        configurationJSON = try GGUFConfiguration(
            architecture, metadata, tensors, frequencyFactors: frequencyFactors
        ).json
        self.files = files
        self.tensors = tensors
        self.metadata = metadata
    }

    // MARK: Files

    /// The GGUF file that `-m` names, itself or by the directory it is in; `nil` for a model of another format.
    static func path(in directory: String) throws(CheckpointError) -> String? {
        if directory.hasSuffix(suffix), try isFile(directory) { return directory }
        guard let listing = try? ModelFiles.list(directory) else { return nil }
        guard !listing.contains(WeightIndex.fileName), !listing.contains(where: { $0.hasSuffix(".safetensors") }) else {
            return nil
        }
        // Beside a model there may lie what sees and hears for it.
        let models = listing.filter { name in
            name.hasSuffix(suffix) && !name.hasPrefix(".") && !name.hasPrefix("mmproj")
                && SplitName(name).map { $0.number == 1 } ?? true
        }.sorted()
        guard models.count <= 1 else {
            throw CheckpointError(
                .unsupported, file: directory,
                "has \(models.count) models in GGUF files; name one of them, such as -m \(directory)/\(models[0])")
        }
        return models.first.map { "\(directory)/\($0)" }
    }

    private static func isFile(_ path: String) throws(CheckpointError) -> Bool {
        do {
            _ = try ReadOnlyFile(path: path)
            return true
        } catch  where error.kind == .unreadable && (try? ModelFiles.list(path)) != nil {
            return false
        }
    }

    /// `name-00001-of-00003.gguf`.
    private struct SplitName {
        let stem: String
        let number: Int
        let count: Int

        init?(_ path: String) {
            guard path.hasSuffix(GGUFModel.suffix) else { return nil }
            let parts = path.dropLast(GGUFModel.suffix.count).split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count >= 4, parts[parts.count - 2] == "of", parts[parts.count - 1].utf8.count == 5,
                parts[parts.count - 3].utf8.count == 5, let count = Int(parts[parts.count - 1]),
                let number = Int(parts[parts.count - 3]), 1...count ~= number
            else { return nil }
            stem = parts.dropLast(3).joined(separator: "-")
            (self.number, self.count) = (number, count)
        }

        func path(_ number: Int) -> String {
            func five(_ number: Int) -> String { String("0000\(number)".suffix(5)) }
            return "\(stem)-\(five(number))-of-\(five(count))\(GGUFModel.suffix)"
        }
    }

    private static func parts(_ path: String) throws(CheckpointError) -> [String] {
        guard let split = SplitName(path) else { return [path] }
        guard split.number == 1 else {
            throw CheckpointError(
                .unsupported, file: path,
                "is part \(split.number) of \(split.count) of a model; name the first, \(split.path(1))")
        }
        guard split.count <= CheckpointLimits.filesMax else {
            throw CheckpointError(
                .unsupported, file: path, "is one of \(split.count) files, more than \(CheckpointLimits.filesMax)")
        }
        return (1...split.count).map(split.path)
    }

    /// That all parts are there and belong together.
    private static func check(
        _ metadata: GGUFMetadata, _ files: [CheckpointFile], _ headers: [GGUFHeader]
    ) throws(CheckpointError) {
        let count = try metadata.integer("split.count") ?? 1
        guard max(count, 1) == files.count else {
            throw CheckpointError(
                .missingFile, file: files[0].name,
                "says that the model has \(count) files, and \(files.count) go by its name; "
                    + "files of a split model are called NAME-00001-of-0000N.gguf")
        }
        for (index, header) in headers.enumerated() where files.count > 1 {
            let part = GGUFMetadata(file: files[index], values: header.values)
            guard try part.integer("split.no") == index, try part.integer("split.count") == count else {
                throw CheckpointError(
                    .malformed, file: files[index].name, "is not part \(index + 1) of \(count) by its own metadata")
            }
        }
        guard let total = try metadata.integer("split.tensors.count") else { return }
        let found = headers.reduce(0) { $0 + $1.entries.count }
        guard files.count == 1 || found == total else {
            throw CheckpointError(
                .missingTensor, file: files[0].name,
                "says that the model has \(total) tensors, and its files have \(found)")
        }
    }

    private static func merge(
        _ files: [CheckpointFile], _ headers: [GGUFHeader], _ architecture: GGUFArchitecture
    ) throws(CheckpointError) -> [String: TensorEntry] {
        var tensors: [String: TensorEntry] = [:]
        for (fileIndex, header) in headers.enumerated() {
            for stored in header.entries {
                let entry = try architecture.entry(stored, fileIndex: fileIndex, file: files[fileIndex].name)
                if let other = tensors.updateValue(entry, forKey: entry.name) {
                    throw CheckpointError(
                        .malformed, file: files[fileIndex].name, tensor: stored.name,
                        "is also in \(files[other.fileIndex].name)")
                }
            }
        }
        guard tensors.count <= CheckpointLimits.tensorsMax else {
            throw CheckpointError(
                .unsupported, "the model has \(tensors.count) tensors, more than \(CheckpointLimits.tensorsMax)")
        }
        return tensors
    }

    /// What each pair's frequency is divided by, where the file has such a table: a part of the configuration that it
    /// keeps as a tensor.
    private static func frequencyFactors(
        _ files: [CheckpointFile], _ tensors: [String: TensorEntry]
    ) throws(CheckpointError) -> [Float]? {
        guard let entry = tensors[GGUFArchitecture.frequencyFactorsName] else { return nil }
        guard entry.elementType == .f32, entry.shape.count == 1,
            entry.byteCount <= CheckpointLimits.configurationBytesMax
        else {
            throw CheckpointError(
                .malformed, file: files[entry.fileIndex].name, tensor: entry.name,
                "must be a vector of F32, is \(entry.elementType.rawValue) of shape \(entry.shape)")
        }
        let bytes = try ReadOnlyFile(path: files[entry.fileIndex].path).read(
            at: entry.byteOffset, count: entry.byteCount)
        guard bytes.count == entry.byteCount else {
            throw CheckpointError(.truncated, file: files[entry.fileIndex].name, "shrank while it was read")
        }
        return bytes.withUnsafeBytes { bytes in
            (0..<entry.elementCount).map {
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }
}
