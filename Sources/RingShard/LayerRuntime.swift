// Step in, step out: the layers a shard holds, applied to the rows of many sequences.

public import Logging
import Models
import Tensors
import Weights
public import Wire

/// Computes with the part of a model that a shard holds. Not thread-safe.
public final class LayerRuntime: StepRuntime {
    private let configuration: ShardConfiguration
    private let logger: Logger?
    private let model: ShardModel
    private let compute: Compute
    private let sessions: SessionStore
    private let embedding: TokenEmbedding?
    private let head: OutputHead?
    private let sampler: StepSampler
    private let held: Set<Int>
    private var activations = ActivationFormat.f32
    private var pass = PassStatistics()
    private var softwareVersion = ""
    private var address = ""
    private var nextAddress = ""

    /// Loads the weights.
    /// - Parameter progress: called after each layer that arrives, with layers loaded and layers to load.
    public init(
        _ configuration: ShardConfiguration, model: ShardModel, logger: Logger? = nil,
        progress: @Sendable (_ loaded: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        self.configuration = configuration
        self.logger = logger
        self.model = model
        compute = Compute(
            pool: try WorkerPool(threads: configuration.threads), precision: configuration.exact ? .exact : .standard,
            manyRowProducts: configuration.usesOpenBLAS ? .openBLAS : .batchInvariant,
            arenaBytesMax: model.memory?.workingBytesMax ?? Compute.arenaBytesMaxDefault)
        (embedding, head) = try model.load { progress($0.layersLoaded, $0.layersTotal) }
        let cacheBytesMax =
            model.memory?.cacheBytesMax ?? configuration.cacheBytesMax
            ?? max(Int(MemoryInformation.availableBytes() / 2), 64 << 20)
        sessions = SessionStore(
            model: model, pool: CacheBlockPool(bytesMax: cacheBytesMax, type: configuration.cacheType))
        sampler = StepSampler(vocabularySize: model.model.shape.vocabularySize)
        held = Set(model.layers.layers)
    }

    /// Most bytes of working memory that a step took so far.
    var workingBytesPeak: Int { compute.arena.usedBytesPeak }

    public func holds(layer: Int) -> Bool { held.contains(layer) }

    public func begin(activations: ActivationFormat) {
        sessions.removeAll()
        self.activations = activations
    }

    public func forget(_ sequenceIDs: [UInt64]) {
        sessions.remove(sequenceIDs)
    }

    public func apply(_ step: Step, payload: [UInt8]) throws(Failure) -> StepOutcome {
        let begun = ContinuousClock.now
        // They wake while the step is unpacked and its tokens are embedded.
        compute.pool.rouse()
        do {
            let first = Int(step.nextLayer)
            let layers = first..<end(of: first)
            let runs = try runs(of: step, layers: layers)
            let pass = try ForwardPass(model.model, layers: layers, runs: runs.map(\.run), on: compute)
            do {
                try fill(pass, step, payload)
                for layer in layers {
                    try model.store.withLayer(layer) { try pass.apply($0) }
                    try pass.hidden.round(to: activations.floatType)
                }
            } catch {
                pass.rollBack()
                throw error
            }
            return try finish(step, pass, sessions: runs.map(\.session), begun: begun)
        } catch let failure as Failure {
            throw failure
        } catch let error as CacheError {
            throw Failure(kind: error.failureKind, reason: "\(error)", shard: configuration.name)
        } catch {
            throw Failure(kind: .compute, reason: "\(error)", shard: configuration.name)
        }
    }

    /// The layer after the last of those held that follow each other from `first` on.
    private func end(of first: Int) -> Int {
        var end = first + 1
        while held.contains(end) { end += 1 }
        return end
    }

    private func runs(of step: Step, layers: Range<Int>) throws(Failure) -> [(run: StepRun, session: Session)] {
        var runs: [(StepRun, Session)] = []
        for run in step.runs {
            let session = try sessions.session(for: run, layers: layers)
            let position = Int(run.position)
            // A run that starts earlier than what is cached replaces it: a draft that was not accepted, or a replay.
            session.cache.truncate(to: position, layers: layers)
            runs.append((StepRun(cache: session.cache, position: position, count: run.tokens.count), session))
        }
        return runs
    }

    /// The hidden states that the first layer gets: embedded tokens, or what the shard before computed.
    private func fill(_ pass: ForwardPass, _ step: Step, _ payload: [UInt8]) throws {
        if step.nextLayer == 0, payload.isEmpty {
            guard let embedding else {
                throw Failure(kind: .compute, reason: "the embedding is not loaded here", shard: configuration.name)
            }
            try embedding(step.runs.flatMap(\.tokens), into: pass.hidden)
            return try pass.hidden.round(to: activations.floatType)
        }
        let expected = pass.hidden.byteCount(as: activations.floatType)
        guard payload.count == expected, Int(step.hiddenSize) == pass.hidden.columns else {
            throw Failure(
                kind: .malformed,
                reason: "step \(step.stepID) brings \(payload.count) bytes of \(step.hiddenSize) columns, "
                    + "but \(pass.hidden.rows) rows of \(pass.hidden.columns) columns take \(expected)",
                shard: configuration.name)
        }
        payload.withUnsafeBytes { pass.hidden.read(as: activations.floatType, from: $0) }
    }

    private func finish(
        _ step: Step, _ pass: ForwardPass, sessions: [Session], begun: ContinuousClock.Instant
    ) throws -> StepOutcome {
        var step = step
        step.nextLayer = UInt32(pass.layers.upperBound)
        guard let head, pass.layers.upperBound == model.model.shape.layerCount else {
            let payload = pass.hidden.bytes(as: activations.floatType)
            step.hiddenSize = UInt32(pass.hidden.columns)
            step.checksum = Checksum.xxh3(of: payload)
            step.computeNanoseconds &+= count(begun)
            return .onward(step, payload: payload)
        }
        let results = try sampler.results(for: step, pass.hidden, head: head, sessions: sessions, compute: compute)
        return .result(
            StepResult(
                epoch: step.epoch, stepID: step.stepID, hops: step.hops, runs: results,
                computeNanoseconds: step.computeNanoseconds &+ count(begun)))
    }

    /// Notes what the step cost, and returns its nanoseconds.
    private func count(_ begun: ContinuousClock.Instant) -> UInt64 {
        let elapsed = begun.duration(to: .now).components
        let nanoseconds = UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
        let window = model.store.passStatistics()
        pass = PassStatistics(
            bytesRead: window.bytesRead, stallNanoseconds: window.stallNanoseconds, computeNanoseconds: nanoseconds)
        if window.bytesRead > 0 {
            logger?.debug(
                "read \(window.reads) layers, \(window.bytesRead) bytes, since the last step",
                metadata: [
                    "step": "\(nanoseconds / 1_000_000) ms",
                    "waitedForDisk": "\(window.stallNanoseconds / 1_000_000) ms",
                ])
        }
        return nanoseconds
    }

    /// Notes what only the network side knows of this shard.
    func describe(softwareVersion: String, address: String, next: String) {
        (self.softwareVersion, self.address, nextAddress) = (softwareVersion, address, next)
    }

    public func describe() -> ShardDescription {
        var description = ShardDescription()
        description.name = configuration.name
        description.softwareVersion = softwareVersion
        description.address = address
        description.nextAddress = nextAddress
        description.modelFingerprint = model.fingerprint.bytes
        description.layerCount = UInt32(model.model.shape.layerCount)
        description.layers = model.layers.ranges
        description.windowLayers = UInt32(model.store.windowLayers)
        description.weightBytes = UInt64(model.weightBytes)
        description.cacheBytes = UInt64(sessions.pool.usedBytes)
        description.cacheBytesMax = UInt64(sessions.pool.bytesMax)
        description.cacheBytesPerToken = UInt64(sessions.bytesPerToken)
        description.cacheBytesPerTokenWindowed = UInt64(model.cacheBytesPerTokenWindowed(as: sessions.pool.type))
        description.residentBytes = MemoryInformation.residentBytes()
        description.threads = UInt32(configuration.threads)
        description.exact = configuration.exact
        description.sequences = UInt32(sessions.count)
        description.instructionSet = Kernels.instructionSet
        description.contextTokensMax = UInt32(clamping: model.model.shape.contextTokensMax)
        description.pass = pass
        return description
    }
}

extension CacheError {
    fileprivate var failureKind: FailureKind {
        switch self {
        case .full, .outOfMemory: .memory
        case .positionGap: .gap
        case .contextExceeded: .malformed
        }
    }
}

extension ActivationFormat {
    var floatType: FloatType { self == .f32 ? .f32 : .bf16 }
}

extension Tensor {
    /// Its values as they travel.
    func bytes(as type: FloatType) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount(as: type)) { buffer, count in
            write(as: type, to: UnsafeMutableRawBufferPointer(buffer))
            count = buffer.count
        }
    }
}
