// What a shard keeps of one sequence: a cache for each layer it holds.

/// The key/value caches of a sequence for the layers held here.
///
/// Each layer counts its own tokens: where a shard holds two stretches of layers, a step has passed the first before it
/// comes back for the second. Not thread-safe.
public final class SequenceCache {
    private var caches: [Int: KVCache] = [:]

    /// - Parameter layers: indices of the layers held.
    public init(layers: some Sequence<Int>, shape: ModelShape, pool: CacheBlockPool) {
        for layer in layers { caches[layer] = KVCache(shape: shape.caches[layer], pool: pool) }
    }

    /// The cache of a layer that is held.
    public subscript(layer: Int) -> KVCache {
        guard let cache = caches[layer] else { preconditionFailure("layer \(layer) is not held") }
        return cache
    }

    /// Bytes of all its blocks, with those it shares.
    public var byteCount: Int { caches.values.reduce(0) { $0 + $1.byteCount } }

    /// Forgets the tokens from the `count`th on, in every layer or in those of `layers`; in layers that have given back
    /// what rows from there attend to, all of them.
    public func truncate(to count: Int, layers: Range<Int>? = nil) {
        for (layer, cache) in caches where layers?.contains(layer) ?? true { cache.truncate(to: count) }
    }

    /// Takes the first `count` tokens from `parent`, by sharing, in each of `layers` that has fewer here, if all of
    /// these can be gone on from there.
    public func inherit(_ count: Int, from parent: SequenceCache, layers: Range<Int>) {
        let wanting = layers.filter { self[$0].length < count }
        guard wanting.allSatisfy({ parent[$0].canContinue(from: count) }) else { return }
        for layer in wanting { self[layer].share(parent[layer], first: count) }
    }

    /// Makes room for tokens `position ..< position + count` in each of `layers`.
    /// - Throws: when they do not follow what a layer has or the pool is at its limit; then nothing has changed.
    func reserve(_ count: Int, at position: Int, layers: Range<Int>) throws(CacheError) {
        for layer in layers where self[layer].length != position {
            throw .positionGap(layer: layer, position: position, cached: self[layer].length)
        }
        do {
            for layer in layers { try self[layer].reserve(count) }
        } catch {
            truncate(to: position, layers: layers)
            throw error
        }
    }
}
