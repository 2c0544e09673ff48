// Where the files of a model lie.

internal import Glibc

/// The files that a ``Checkpoint`` is made of: those of a model directory, or files from elsewhere, of which some may
/// hold only parts of what they should.
public struct ModelFiles: Sendable {
    /// A file of weights.
    public struct Weights: Sendable {
        /// As the model calls it, and as errors do.
        public var name: String
        public var path: String
        /// What of it is on this machine; `nil`: everything. Elsewhere it reads as zeros.
        public var present: RangeSet<UInt64>?

        public init(name: String, path: String, present: RangeSet<UInt64>? = nil) {
            self.name = name
            self.path = path
            self.present = present
        }
    }

    /// What errors call the model.
    public var place: String
    /// Path of config.json.
    public var configuration: String
    /// Path of model.safetensors.index.json, where there is one.
    public var index: String?
    /// Sorted by name.
    public var weights: [Weights]

    public init(place: String, configuration: String, index: String?, weights: [Weights]) {
        self.place = place
        self.configuration = configuration
        self.index = index
        self.weights = weights
    }

    /// The files of a model directory.
    /// - Throws: when it is none.
    public init(directory: String) throws(CheckpointError) {
        let listing = try Self.list(directory)
        guard listing.contains(Self.configurationName) else {
            throw CheckpointError(
                .missingFile, file: directory, "has no \(Self.configurationName), so it is not a model directory")
        }
        let index = listing.contains(Self.indexName) ? "\(directory)/\(Self.indexName)" : nil
        let names = try Self.weightNames(in: listing, indexPath: index, place: directory)
        self.init(
            place: directory, configuration: "\(directory)/\(Self.configurationName)", index: index,
            weights: names.map { Weights(name: $0, path: "\(directory)/\($0)") })
    }

    public static let configurationName = "config.json"
    public static let indexName = WeightIndex.fileName
    private static let singleName = "model.safetensors"

    /// The safetensors files to read: those the index names, or the single one, or all there are; sorted.
    /// - Parameters:
    ///   - listing: names of all the model's files.
    ///   - indexPath: where the index lies, if the model has one.
    ///   - place: what errors call the model.
    public static func weightNames(
        in listing: Set<String>, indexPath: String?, place: String
    ) throws(CheckpointError) -> [String] {
        let names: [String]
        if let index = try indexPath.map(WeightIndex.read) {
            names = Set(index.files.values).sorted()
            for name in names where !listing.contains(name) {
                throw CheckpointError(
                    .missingFile, file: WeightIndex.fileName,
                    "names \(name.quoted), which is not in \(place); download it")
            }
        } else if listing.contains(singleName) {
            names = [singleName]
        } else {
            names = listing.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }.sorted()
        }
        guard !names.isEmpty else {
            throw CheckpointError(
                .missingFile, file: place, "has no safetensors files, so there are no weights to load")
        }
        guard names.count <= CheckpointLimits.filesMax else {
            throw CheckpointError(
                .unsupported, file: place, "has \(names.count) weight files, more than \(CheckpointLimits.filesMax)")
        }
        return names
    }

    /// The names of the files in a directory.
    static func list(_ directory: String) throws(CheckpointError) -> Set<String> {
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
}
