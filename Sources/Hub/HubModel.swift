// A model on the hub: what of it is needed is fetched, what is here is used as it is.

internal import Glibc
public import Logging
internal import Synchronization
public import Weights

/// A model by its id. What the cache holds is used without a word to the hub; what is missing is downloaded.
public final class HubModel: ModelSource {
    public let id: HubID
    private let client: HubClient
    private let cache: HubCache
    private let logger: Logger
    private let progress: DownloadProgress
    private let state: Mutex<State>

    /// What is known of the repository.
    private struct State {
        var commit: String?
        var listing: HubListing?
    }

    /// Configuration and what concerns text. All but the first may be absent.
    private static let textNames = [
        ModelFiles.configurationName, "generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja",
    ]
    /// The first bytes of a file of weights, with most headers in them.
    private static let headGuessBytes: UInt64 = 64 << 10
    /// Processes that began before a file was whole have opened its parts long since.
    private static let leftoverSeconds = 3600
    /// Bytes that say how long the header is.
    private static let headerLengthBytes: UInt64 = 8

    /// - Parameter isInterrupted: asked often while something is downloaded; an error ends that soon after it is true.
    public init(
        _ id: HubID, settings: HubSettings, logger: Logger, isInterrupted: @escaping @Sendable () -> Bool = { false }
    ) {
        self.id = id
        self.logger = logger
        client = HubClient(id: id, settings: settings, isInterrupted: isInterrupted)
        cache = HubCache(settings.cache, repository: id.repository)
        progress = DownloadProgress(logger)
        let commit = cache.commit(of: id.revision)
        state = Mutex(State(commit: commit, listing: commit.flatMap(cache.listing)))
        // A server that hangs up, and a limit on the size of files, are told by errors, not by signals.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    public var name: String { id.repository }
    public var place: String { id.description }

    // MARK: Text

    public func textDirectory() throws -> String {
        try cache.snapshot(fetchText(Self.textNames, required: [ModelFiles.configurationName]))
    }

    /// Makes sure that small files are here, as far as the repository has them.
    /// - Returns: the commit.
    private func fetchText(_ names: [String], required: Set<String>) throws(HubError) -> String {
        let (known, listing) = state.withLock { ($0.commit, $0.listing) }
        if let known {
            let missing = names.filter { cache.path(of: $0, at: known) == nil }
            let mayExist = missing.contains { name in
                if let listing { return listing[name] != nil }
                return required.contains(name) || !cache.isKnownAbsent(name, at: known)
            }
            if !mayExist, required.isDisjoint(with: missing) { return known }
            // Whoever filled the cache may have left out what the repository lacks. That is a guess, and good enough
            // where the hub cannot be asked.
            if required.isDisjoint(with: missing), listing == nil {
                if client.settings.isOffline { return known }
                do {
                    _ = try connect()
                } catch  where error.kind == .unreachable {
                    logger.warning("\(error); going on with what the cache has of \(id)")
                    return known
                }
            }
        }
        let (commit, files) = try listed(unlessOffline: names[0])
        for name in names where required.contains(name) && files[name] == nil {
            throw HubError(.absent, "\(id) has no \(name), so it is not a model that can be served here")
        }
        let wanted = names.compactMap { files[$0] }.filter { cache.path(of: $0.name, at: commit) == nil }
        try fetch(wanted.map { WantedRanges(whole: $0) }, of: commit, keepsParts: false)
        return commit
    }

    // MARK: Weights

    public func checkpoint(needing tensors: (Checkpoint) throws -> [TensorEntry]) throws -> Checkpoint {
        var commit = try fetchText([ModelFiles.configurationName], required: [ModelFiles.configurationName])
        if let files = try wholeFiles(at: commit) {
            let checkpoint = try Checkpoint(files)
            _ = try tensors(checkpoint)
            return checkpoint
        }
        let listing: HubListing
        (commit, listing) = try listed(unlessOffline: "weights")
        commit = try fetchText(
            [ModelFiles.configurationName, ModelFiles.indexName], required: [ModelFiles.configurationName])
        let names = try ModelFiles.weightNames(
            in: listing.names, indexPath: cache.path(of: ModelFiles.indexName, at: commit), place: id.description)
        let files = names.compactMap { listing[$0] }
        try fetchHeads(of: files, at: commit)

        let checkpoint = try Checkpoint(modelFiles(files, at: commit))
        let needed = try tensors(checkpoint) + checkpoint.fingerprintSamples
        try fetch(Self.wanted(needed, of: checkpoint, files), of: commit)
        for file in files where cache.path(of: file.name, at: commit) != nil {
            PartialFile.removeLeftovers(in: cache.parts, digest: file.digest, after: Self.leftoverSeconds)
        }
        let complete = try Checkpoint(modelFiles(files, at: commit))
        try complete.checkPresent(needed)
        return complete
    }

    /// The model's files, where the cache holds all of them whole; then nothing has to be asked.
    private func wholeFiles(at commit: String) throws -> ModelFiles? {
        let listing = state.withLock { $0.listing }
        let here = cache.names(at: commit)
        guard listing?[ModelFiles.indexName] == nil || here.contains(ModelFiles.indexName) else { return nil }
        let index = cache.path(of: ModelFiles.indexName, at: commit)
        // Without a listing, one file may be all there is or the first of many that are not here yet.
        let isCertain =
            listing != nil || index != nil || here.contains("model.safetensors") || client.settings.isOffline
        guard isCertain,
            let names = try? ModelFiles.weightNames(
                in: listing?.names ?? here, indexPath: index, place: id.description),
            names.allSatisfy({ cache.path(of: $0, at: commit) != nil })
        else { return nil }
        for name in names {
            guard let size = listing?[name]?.size, let path = cache.path(of: name, at: commit),
                SmallFile.size(path) != size
            else { continue }
            throw HubError(.disk, "\(path) should have \(size) bytes and has not; remove it and start again")
        }
        return ModelFiles(
            place: id.description, configuration: "\(cache.snapshot(commit))/\(ModelFiles.configurationName)",
            index: index,
            weights: names.map { ModelFiles.Weights(name: $0, path: "\(cache.snapshot(commit))/\($0)") })
    }

    private func modelFiles(_ files: [HubFile], at commit: String) throws(HubError) -> ModelFiles {
        var weights: [ModelFiles.Weights] = []
        for file in files {
            if let path = cache.path(of: file.name, at: commit) {
                weights.append(ModelFiles.Weights(name: file.name, path: path))
            } else if let (path, present) = part(file) {
                weights.append(ModelFiles.Weights(name: file.name, path: path, present: present))
            } else {
                throw HubError(.disk, "\(file.name) of \(id) was removed from \(cache.folder); start again")
            }
        }
        return ModelFiles(
            place: id.description, configuration: "\(cache.snapshot(commit))/\(ModelFiles.configurationName)",
            index: cache.path(of: ModelFiles.indexName, at: commit), weights: weights)
    }

    private func part(_ file: HubFile) -> (path: String, present: RangeSet<UInt64>)? {
        PartialFile.present(in: cache.parts, digest: file.digest, size: file.size).map { ($0.path, $0.1) }
    }

    /// Fetches the headers of files of weights.
    private func fetchHeads(of files: [HubFile], at commit: String) throws {
        let files = files.filter { cache.path(of: $0.name, at: commit) == nil }
        let guesses = files.map { file in
            WantedRanges(file, RangeSet(0..<min(file.size, Self.headGuessBytes)))
        }
        try fetch(guesses, of: commit)
        var rests: [WantedRanges] = []
        for file in files where file.size > Self.headGuessBytes {
            guard let (path, _) = part(file) else { continue }
            let length = try SmallFile.beginning(path, count: Int(Self.headerLengthBytes))
                .reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            // What is beyond limits is refused, with its name, when the header is read.
            guard length <= UInt64(CheckpointLimits.headerBytesMax) else { continue }
            let end = min(length + Self.headerLengthBytes, file.size)
            if end > Self.headGuessBytes { rests.append(WantedRanges(file, RangeSet(0..<end))) }
        }
        try fetch(rests, of: commit)
    }

    /// The ranges of files that tensors take.
    static func wanted(_ tensors: [TensorEntry], of checkpoint: Checkpoint, _ files: [HubFile]) -> [WantedRanges] {
        var ranges: [Int: RangeSet<UInt64>] = [:]
        for tensor in tensors where tensor.byteCount > 0 && checkpoint.files[tensor.fileIndex].present != nil {
            ranges[tensor.fileIndex, default: RangeSet()].insert(
                contentsOf: tensor.byteOffset..<tensor.byteOffset + UInt64(tensor.byteCount))
        }
        return ranges.sorted { $0.key < $1.key }.map { index, ranges in
            let file = files[index]
            // Nearly everything: then the rest too, for only a whole file can be checked and used by others.
            return ranges.byteCount >= file.size / 4 * 3 ? WantedRanges(whole: file) : WantedRanges(file, ranges)
        }
    }

    // MARK: The hub

    /// Commit and listing, from the cache if it has them.
    private func listed(unlessOffline wanted: String) throws(HubError) -> (String, HubListing) {
        let (commit, listing) = state.withLock { ($0.commit, $0.listing) }
        if let commit, let listing { return (commit, listing) }
        guard !client.settings.isOffline else {
            throw HubError(
                .offline,
                "the \(wanted) of \(id) is not in \(cache.folder), and HF_HUB_OFFLINE forbids downloads; "
                    + "unset it, or fill the cache on this machine first")
        }
        return try connect()
    }

    /// Asks the hub which commit the revision is at, and which files that has.
    private func connect() throws(HubError) -> (String, HubListing) {
        let connection = try client.connection()
        var commit = id.revision
        if !HubCache.isCommit(commit) {
            let path = "/api/models/\(id.repository)/revision/\(id.revision.percentEncoded())"
            let (_, bytes) = try client.document(client.address(path), on: connection)
            commit = try HubListing.commit(in: bytes, from: client)
        }
        let listing: HubListing
        if let known = cache.listing(of: commit) {
            listing = known
        } else {
            listing = try HubListing(of: commit, from: client, on: connection)
            try cache.remember(listing, of: commit)
        }
        try cache.remember(id.revision, at: commit)
        state.withLock { state in
            state.commit = commit
            state.listing = listing
        }
        return (commit, listing)
    }

    /// Downloads what is not here.
    private func fetch(
        _ wanted: [WantedRanges], of commit: String, keepsParts: Bool = true
    ) throws(HubError) {
        var missing: [WantedRanges] = []
        var bytes: UInt64 = 0
        for want in wanted where cache.path(of: want.file.name, at: commit) == nil {
            if SmallFile.size(cache.blob(want.file.digest)) == want.file.size {
                // Another revision has the same file.
                try cache.link(want.file, at: commit)
                continue
            }
            var rest = want.ranges
            if let (_, present) = part(want.file) {
                // A file that is whole but has no name yet was interrupted while it was checked.
                if !present.isSuperset(of: RangeSet(0..<want.file.size)) { rest.subtract(present) }
            }
            guard !rest.isEmpty || want.file.size == 0 else { continue }
            missing.append(want)
            bytes += rest.byteCount
        }
        guard !missing.isEmpty else { return }
        guard !client.settings.isOffline else {
            throw HubError(
                .offline,
                "\(missing[0].file.name) of \(id) is not in \(cache.folder), or only in part, and HF_HUB_OFFLINE forbids "
                    + "downloads; unset it, or fill the cache on this machine first")
        }
        logger.info(
            "downloading \(sizeText(bytes)) in \(missing.count) files of \(id) at \(commit.prefix(8)) to \(cache.folder)"
        )
        do {
            try HubDownload(missing, of: commit, client, cache, keepsParts: keepsParts, progress: progress).run()
        } catch {
            if error.kind == .interrupted {
                logger.notice("stopped; what has arrived of \(id) is kept, and the same command goes on from there")
            }
            throw error
        }
    }
}
