// With what a step is computed: threads, memory, precision.

internal import COpenBLAS

/// How exactly products are computed.
public enum Precision: Sendable, Equatable {
    /// Quantized matrices multiply activations quantized to 8 bits, bf16 matrices activations rounded to bf16. The
    /// residual stream is float32.
    case standard
    /// Float32 throughout, for verification.
    case exact

    /// Of cached keys and values, unless another is asked for.
    public var cacheType: CacheType { self == .exact ? .f32 : .f16 }
}

/// Who multiplies matrices by many rows.
public enum ManyRowProducts: Sendable, Equatable {
    /// Our kernels: a row has the same bits alone or among others.
    case batchInvariant
    /// OpenBLAS on float32 copies of the weights, from ``OpenBLASProducts/rowsMin`` rows on. The bits of a row then
    /// depend on the rows beside it, so answers may differ with how a prompt is cut.
    case openBLAS
}

/// The threads, working memory and precision of one thread of control that computes steps. Not thread-safe.
public final class Compute {
    /// Enough for 4,096 rows in a layer of models to some 100 billion weights. A step takes only what it needs.
    public static let arenaBytesMaxDefault = 4 << 30

    public let pool: WorkerPool
    public let arena: TensorArena
    public let precision: Precision
    public let manyRowProducts: ManyRowProducts
    public let collective: any Collective

    /// - Parameter arenaBytesMax: most bytes of working memory a step may take.
    public init(
        pool: WorkerPool, precision: Precision = .standard, manyRowProducts: ManyRowProducts = .batchInvariant,
        arenaBytesMax: Int = Compute.arenaBytesMaxDefault, collective: any Collective = Alone()
    ) {
        self.pool = pool
        self.arena = TensorArena(bytesMax: arenaBytesMax)
        self.precision = precision
        self.manyRowProducts = manyRowProducts
        self.collective = collective
        // The library would otherwise start a thread a core, against the pool's.
        if manyRowProducts == .openBLAS { openblas_set_num_threads(Int32(pool.threads)) }
    }
}
