// The keys and values that one layer keeps of one sequence.

public import Tensors

/// Keys and values of the tokens of a sequence so far, in blocks of ``CacheBlock/tokens`` tokens that are borrowed as
/// it grows.
///
/// A block holds keys `[heads, tokens, keyDimension]`, then values `[heads, tokens, valueDimension]` unless these lie
/// in the keys. Not thread-safe.
public final class KVCache {
    public let shape: CacheShape
    public let pool: CacheBlockPool
    /// Tokens it holds.
    public private(set) var length = 0

    // Where values begin in a block.
    private let valueOffset: Int
    private let blockBytes: Int
    private var blockCount = 0
    // Tables for the kernel; entry i points into block i.
    private var keys: UnsafeMutablePointer<UnsafeRawPointer?>
    private var values: UnsafeMutablePointer<UnsafeRawPointer?>
    private var tableCapacity = KVCache.tableCapacityMin

    /// Blocks of the first 1,024 tokens, one cache line of pointers a table and doubling from there.
    private static let tableCapacityMin = 16

    public init(shape: CacheShape, pool: CacheBlockPool) {
        self.shape = shape
        self.pool = pool
        let keyBytes = shape.keyBlockBytes(as: pool.type)
        valueOffset = shape.valuesInKeys ? 0 : keyBytes
        blockBytes = keyBytes + shape.valueBlockBytes(as: pool.type)
        keys = .allocate(capacity: tableCapacity)
        values = .allocate(capacity: tableCapacity)
    }

    deinit {
        giveBackBlocks(from: 0)
        keys.deallocate()
        values.deallocate()
    }

    /// Bytes of its blocks, with those it shares.
    public var byteCount: Int { blockCount * blockBytes }

    /// Borrows the blocks that `count` more tokens need, so that ``append(keys:values:)`` of so many cannot fail.
    /// - Throws: when the pool is at its limit; then nothing has changed.
    public func reserve(_ count: Int) throws(CacheError) {
        let needed = Self.blocks(for: length + count)
        let before = blockCount
        if needed > tableCapacity { growTables(to: needed) }
        do {
            if count > 0 { try ownLastBlock() }
            while blockCount < needed {
                set(block: blockCount, try pool.borrow(bytes: blockBytes))
                blockCount += 1
            }
        } catch {
            giveBackBlocks(from: before)
            throw error
        }
    }

    /// Replaces the block that the next token goes into by a copy, where another cache holds it too.
    private func ownLastBlock() throws(CacheError) {
        let (block, slot) = length.quotientAndRemainder(dividingBy: CacheBlock.tokens)
        guard slot > 0, let shared = keys[block], pool.isShared(shared) else { return }
        let copy = try pool.borrow(bytes: blockBytes)
        copy.copyMemory(from: shared, byteCount: blockBytes)
        pool.giveBack(UnsafeMutableRawPointer(mutating: shared), bytes: blockBytes)
        set(block: block, copy)
    }

    private func set(block index: Int, _ block: UnsafeMutableRawPointer) {
        keys[index] = UnsafeRawPointer(block)
        values[index] = UnsafeRawPointer(block) + valueOffset
    }

    /// Holds the first `count` tokens of `other`, in place of what it held, by sharing their blocks. Both can go on:
    /// a block is copied before one of them writes into it.
    /// - Parameter other: a cache of the same shape and pool with at least `count` tokens.
    public func share(_ other: KVCache, first count: Int) {
        precondition(other.shape == shape && other.pool === pool, "caches that share are of one layer")
        precondition(0...other.length ~= count, "\(count) of \(other.length) tokens are shared")
        guard other !== self else { return truncate(to: count) }
        giveBackBlocks(from: 0)
        let shared = Self.blocks(for: count)
        if shared > tableCapacity { growTables(to: shared) }
        for index in 0..<shared {
            guard let block = other.keys[index] else { preconditionFailure("a cache has the blocks of its tokens") }
            pool.share(block)
            keys[index] = block
            values[index] = block + valueOffset
        }
        blockCount = shared
        length = count
    }

    /// Adds tokens, for which room has been reserved.
    /// - Parameters:
    ///   - newKeys: `[token, heads · keyDimension]`.
    ///   - newValues: `[token, heads · valueDimension]`; nil where values lie in the keys.
    public func append(keys newKeys: Tensor, values newValues: Tensor?) {
        precondition((newValues == nil) == shape.valuesInKeys, "values, unless they lie in the keys")
        precondition(newValues.map { $0.rows == newKeys.rows } ?? true, "a value for each key")
        precondition(newKeys.columns == shape.heads * shape.keyDimension, "keys of the cache's shape")
        precondition(
            newValues.map { $0.columns == shape.heads * shape.valueDimension } ?? true, "values of the cache's shape")
        precondition(Self.blocks(for: length + newKeys.rows) <= blockCount, "room is reserved before tokens are added")
        for row in 0..<newKeys.rows {
            let (block, slot) = (length + row).quotientAndRemainder(dividingBy: CacheBlock.tokens)
            store(newKeys.elements + row * newKeys.columns, shape.keyDimension, slot, in: keys[block])
            guard let newValues else { continue }
            store(newValues.elements + row * newValues.columns, shape.valueDimension, slot, in: values[block])
        }
        length += newKeys.rows
    }

    private func store(_ token: UnsafePointer<Float>, _ dimension: Int, _ slot: Int, in block: UnsafeRawPointer?) {
        CacheBlock.store(
            token, heads: shape.heads, dimension: dimension, slot: slot, type: pool.type,
            in: UnsafeMutableRawPointer(mutating: block.unsafelyUnwrapped))
    }

    /// Lets a row of a step attend to some of the tokens.
    public func attend(_ row: Int, of rows: AttentionRows, tokens: Range<Int>) {
        precondition(tokens.upperBound <= length, "attention to tokens that are cached")
        rows.set(row, keys: keys, values: values, tokens: tokens)
    }

    /// Forgets all tokens from the `count`th on, and the blocks that only they needed.
    public func truncate(to count: Int) {
        precondition(count >= 0, "a cache cannot hold \(count) tokens")
        length = min(length, count)
        giveBackBlocks(from: Self.blocks(for: length))
    }

    private func giveBackBlocks(from first: Int) {
        while blockCount > first {
            blockCount -= 1
            pool.giveBack(UnsafeMutableRawPointer(mutating: keys[blockCount].unsafelyUnwrapped), bytes: blockBytes)
        }
    }

    private func growTables(to capacity: Int) {
        let grown = max(capacity, 2 * tableCapacity)
        keys = copy(keys, capacity: grown)
        values = copy(values, capacity: grown)
        tableCapacity = grown
    }

    private func copy(
        _ table: UnsafeMutablePointer<UnsafeRawPointer?>, capacity: Int
    ) -> UnsafeMutablePointer<UnsafeRawPointer?> {
        defer { table.deallocate() }
        let larger = UnsafeMutablePointer<UnsafeRawPointer?>.allocate(capacity: capacity)
        larger.update(from: table, count: blockCount)
        return larger
    }

    private static func blocks(for tokens: Int) -> Int {
        (tokens + CacheBlock.tokens - 1) / CacheBlock.tokens
    }
}
