// A step on its way through layers: its rows, where each belongs, and its hidden states.

public import Tensors

/// A stretch of one sequence in a step.
public struct StepRun {
    public let cache: SequenceCache
    /// Of its first token in the sequence.
    public let position: Int
    /// Its tokens.
    public let count: Int

    public init(cache: SequenceCache, position: Int, count: Int) {
        self.cache = cache
        self.position = position
        self.count = count
    }
}

/// The rows of many sequences passing a stretch of layers together.
///
/// Rows are those of the first run, then those of the second, and so on. One pass at a time per ``Compute``: its
/// tensors, and those made from them, are valid until the next pass begins. Not thread-safe.
public final class ForwardPass {
    /// A run and the rows it has in the step.
    struct RunRows {
        let cache: SequenceCache
        let position: Int
        let rows: Range<Int>
    }

    public let compute: Compute
    /// The consecutive layers it passes.
    public let layers: Range<Int>
    /// The residual stream, `[row, hidden]`; to be filled before the first layer.
    public let hidden: Tensor
    let runs: [RunRows]
    private let angles: [(rotary: RotaryEmbedding, angles: RotationAngles)]

    /// Begins a step: frees the one before, checks that every run continues its sequence, and makes room for its
    /// tokens.
    ///
    /// - Throws: ``CacheError`` or ``TensorError``; then no cache has changed.
    public init(_ model: any Model, layers: Range<Int>, runs: [StepRun], on compute: Compute) throws {
        var rowCount = 0
        var runRows: [RunRows] = []
        runRows.reserveCapacity(runs.count)
        for run in runs {
            let tokens = run.position + run.count
            guard tokens <= model.shape.contextTokensMax else {
                throw CacheError.contextExceeded(tokens: tokens, tokensMax: model.shape.contextTokensMax)
            }
            runRows.append(RunRows(cache: run.cache, position: run.position, rows: rowCount..<rowCount + run.count))
            rowCount += run.count
        }
        compute.arena.reset()
        self.compute = compute
        self.layers = layers
        self.runs = runRows
        hidden = try Tensor(rows: rowCount, columns: model.shape.hiddenSize, in: compute)
        let positions = runRows.flatMap { $0.position..<$0.position + $0.rows.count }
        angles = try model.rotaryEmbeddings.map { ($0, try $0.angles(at: positions, in: compute)) }
        var reserved = 0
        do {
            for run in runRows {
                try run.cache.reserve(run.rows.count, at: run.position, layers: layers)
                reserved += 1
            }
        } catch {
            for run in runRows[..<reserved] { run.cache.truncate(to: run.position, layers: layers) }
            throw error
        }
    }

    /// Replaces the hidden states by what `layer` makes of them, and frees its working memory.
    public func apply(_ layer: some DecoderLayer) throws {
        let mark = compute.arena.mark()
        defer { compute.arena.release(to: mark) }
        hidden.copy(from: try layer(hidden, self))
    }

    /// Makes every cache forget the step's tokens, after a layer has thrown.
    public func rollBack() {
        for run in runs { run.cache.truncate(to: run.position, layers: layers) }
    }

    /// The angles of the step's rows.
    func angles(of rotary: RotaryEmbedding) -> RotationAngles {
        guard let entry = angles.first(where: { $0.rotary === rotary }) else {
            preconditionFailure("a model lists the rotary embeddings that its layers use")
        }
        return entry.angles
    }

    /// Stores the keys and values of the step's rows for `layer`, and lets each row attend to its sequence up to
    /// itself.
    ///
    /// - Parameters:
    ///   - queries: `[row, heads · shape.keyDimension]`.
    ///   - keys: `[row, shape.heads · shape.keyDimension]`.
    ///   - values: `[row, shape.heads · shape.valueDimension]`; nil where values lie in the keys.
    ///   - window: tokens that a row attends to, itself included; nil: all.
    ///   - sinks: for each query head a score that joins its softmax with a value of zero.
    /// - Returns: `[row, heads · shape.valueDimension]`.
    /// - Throws: ``TensorError``, or ``CacheError`` when a sequence has two runs in the step.
    func attend(
        layer: Int, queries: Tensor, keys: Tensor, values: Tensor?, heads: Int, cache shape: CacheShape, scale: Float,
        window: Int? = nil, sinks: UnsafePointer<Float>? = nil
    ) throws -> Tensor {
        let attended = try AttentionRows(count: queries.rows, in: compute)
        let pool = runs[0].cache[layer].pool
        for run in runs {
            let cache = run.cache[layer]
            precondition(cache.pool === pool, "sequences of a step have their caches from one pool")
            guard cache.length == run.position else {
                throw CacheError.positionGap(layer: layer, position: run.position, cached: cache.length)
            }
            cache.append(keys: keys.rows(run.rows), values: values?.rows(run.rows))
            for (offset, row) in run.rows.enumerated() {
                let end = run.position + offset + 1
                cache.attend(row, of: attended, tokens: max(0, end - (window ?? end))..<end)
            }
        }
        return try attended.attend(
            queries: queries, heads: heads, cache: shape, type: pool.type, scale: scale, sinks: sinks)
    }
}
