// The window in action: layers are loaded ahead of compute by a thread of their own.

internal import Glibc

/// The layers a shard holds, of which a window is in memory. Compute borrows them one after the other with
/// ``withLayer(_:_:)``.
///
/// At most W slabs exist, allocated once. When a load fails, whoever waits for that layer gets the error, and the next
/// request tries again.
public final class LayerStore<Layer: Sendable>: Sendable {
    private let core: LayerStoreCore<Layer>

    /// Most bytes of weights in memory at once: all slabs.
    public var windowBytesMax: Int { core.windowBytesMax }
    /// Most layers in memory at once.
    public var windowLayers: Int { core.windowLayers }

    /// Prepares a store; nothing is read before ``start(progress:)``.
    /// - Parameters:
    ///   - plans: the layers held.
    ///   - windowLayers: W; `nil` for all.
    ///   - make: builds a layer over its weights, on the loading thread, after each load. Reads no data to do so.
    /// - Throws: ``LayerStoreError`` when there are no layers or W is below 1, ``CheckpointError`` when there is no
    ///   memory.
    public init(
        plans: [Int: LayerPlan], windowLayers: Int?, reader: any TensorReader,
        make: @escaping @Sendable (Int, LayerWeights) throws -> Layer
    ) throws {
        core = try LayerStoreCore(plans: plans, windowLayers: windowLayers, reader: reader, make: make)
    }

    deinit { core.close() }

    /// Starts loading and waits until the window is full for the first time.
    /// - Parameter progress: called here after each layer that arrives.
    /// - Throws: what the first load that failed threw.
    public func start(progress: (LoadProgress) -> Void = { _ in }) throws {
        try core.start()
        try core.awaitFirstWindow(progress)
    }

    /// Calls `body` with layer `index`, waiting until it is in memory. It stays there until `body` returns, and must
    /// not be kept beyond: its memory is another layer's then.
    ///
    /// Not to be nested on one thread: a window of one layer would never see the outer call return it.
    /// - Throws: what loading the layer threw, or `body`, or ``LayerStoreError`` when the layer is not held or the
    ///   store is not running.
    public func withLayer<R>(_ index: Int, _ body: (Layer) throws -> R) throws -> R {
        if let layer = try core.settledLayer(index) { return try body(layer) }
        let layer = try core.acquire(index)
        defer { core.release(index) }
        return try body(layer)
    }

    /// What happened since the last call (or the start), and starts counting anew.
    public func passStatistics() -> WindowStatistics { core.takeStatistics() }

    /// Bytes of the layers now in memory.
    public var residentBytes: Int { core.residentBytes }

    /// Stops loading and waits for the thread to end. Whoever waits for a layer, or asks for one later, gets
    /// ``LayerStoreError/closed``.
    public func close() { core.close() }
}

extension LayerWindow {
    /// By slot: bytes of the largest layer that can come to it.
    func slabBytes(_ plans: [Int: LayerPlan]) -> [Int] {
        var bytes = Array(repeating: 0, count: slotCount)
        for (layer, plan) in plans {
            for slot in possibleSlots(layer) { bytes[slot] = max(bytes[slot], plan.byteCount) }
        }
        return bytes
    }

    /// Most memory that the layers of this window take at a time.
    public func memoryBytes(_ plans: [Int: LayerPlan]) -> Int {
        WeightSlab.memoryBytes(slabBytes(plans))
    }
}

/// How far the first window has been loaded.
public struct LoadProgress: Equatable, Sendable {
    public let layersLoaded: Int
    public let layersTotal: Int
    /// On disk.
    public let bytesLoaded: UInt64
    public let bytesTotal: UInt64
}

/// What a window cost.
public struct WindowStatistics: Equatable, Sendable {
    /// Layers read.
    public var reads = 0
    /// Taken from storage.
    public var bytesRead: UInt64 = 0
    /// How long compute waited for layers.
    public var stallNanoseconds: UInt64 = 0

    public init(reads: Int = 0, bytesRead: UInt64 = 0, stallNanoseconds: UInt64 = 0) {
        self.reads = reads
        self.bytesRead = bytesRead
        self.stallNanoseconds = stallNanoseconds
    }
}

/// A layer store that cannot do what it is asked.
public enum LayerStoreError: Error, Hashable, Sendable, CustomStringConvertible {
    case noLayers
    case windowTooSmall(windowLayers: Int)
    case notHeld(layer: Int)
    case notStarted
    case closed

    public var description: String {
        switch self {
        case .noLayers: "a layer store needs at least one layer"
        case .windowTooSmall(let windowLayers):
            "a prefetch window of \(windowLayers) layers holds nothing; use 1 or more"
        case .notHeld(let layer): "layer \(layer) is not held here"
        case .notStarted: "the layers are not being loaded yet"
        case .closed: "the layers are no longer loaded: the shard is stopping"
        }
    }
}
