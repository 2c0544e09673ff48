// model.safetensors.index.json: which file holds which tensor.

/// The index of a model cut into several files: bytes in, validated map out, no I/O.
struct WeightIndex {
    static let fileName = "model.safetensors.index.json"

    /// Tensor name → file name.
    let files: [String: String]

    static func read(_ path: String) throws(CheckpointError) -> WeightIndex {
        try WeightIndex(json: ReadOnlyFile.contents(path: path, bytesMax: CheckpointLimits.indexBytesMax))
    }

    init(json: [UInt8]) throws(CheckpointError) {
        let index = Self.fileName
        var scanner = JSONScanner(json, file: index)
        var map: [String: String]?
        try scanner.object { (scanner, member) throws(CheckpointError) in
            guard member == "weight_map" else { return try scanner.skipValue() }
            guard map == nil else { throw CheckpointError(.malformed, file: index, "has two weight_maps") }
            map = try Self.weightMap(&scanner)
        }
        try scanner.end()
        guard let map, !map.isEmpty else {
            throw CheckpointError(.malformed, file: index, "has no weight_map, or an empty one")
        }
        files = map
    }

    private static func weightMap(_ scanner: inout JSONScanner) throws(CheckpointError) -> [String: String] {
        var map: [String: String] = [:]
        try scanner.object { (scanner, tensor) throws(CheckpointError) in
            let file = try scanner.string()
            guard isPlainFileName(file) else {
                throw CheckpointError(
                    .malformed, file: fileName, tensor: tensor,
                    "is placed in \(file.quoted), which is not the name of a safetensors file in this directory")
            }
            guard map.updateValue(file, forKey: tensor) == nil else {
                throw CheckpointError(.malformed, file: fileName, tensor: tensor, "is listed twice")
            }
            guard map.count <= CheckpointLimits.tensorsMax else {
                throw CheckpointError(
                    .unsupported, file: fileName, "has more than \(CheckpointLimits.tensorsMax) tensors")
            }
        }
        return map
    }

    /// An index comes with a download; it must not lead out of the model's directory.
    private static func isPlainFileName(_ name: String) -> Bool {
        name.hasSuffix(".safetensors") && !name.hasPrefix(".") && name.utf8.count <= CheckpointLimits.nameBytesMax
            && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0)
    }
}
