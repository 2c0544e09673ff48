// What a layer store and its loading threads share.

internal import Glibc
internal import Synchronization

/// The state of a ``LayerStore``. Separate from it so that the threads keep this alive and not the store, whose end
/// stops them.
final class LayerStoreCore<Layer: Sendable>: Sendable {
    private struct State {
        enum Phase { case idle, running, closed }

        var phase = Phase.idle
        var window: LayerWindow
        /// By slot.
        var layers: [Layer?]
        var statistics = WindowStatistics()
        /// Layers of the first window that have not been loaded yet.
        var firstWindow: Set<Int>
        /// The latest failure of each layer, with the number of loads that had ended before it.
        var failures: [Int: (loadsEnded: Int, error: any Error)] = [:]
        var loadsEnded = 0
        var threads: [BackgroundThread] = []
    }

    let windowBytesMax: Int
    let windowLayers: Int
    private let plans: [Int: LayerPlan]
    private let slabs: [WeightSlab]
    private let reader: any TensorReader
    private let make: @Sendable (Int, LayerWeights) throws -> Layer
    private let monitor: Monitor<State>
    /// Once every layer is in memory to stay: all of them, so that compute takes no lock.
    private let settled = AtomicLazyReference<SettledLayers>()
    private let isClosed = Atomic(false)
    /// Layers loaded at the same time: the requests for one follow those for the other to the disk without a pause.
    private static var loadsMax: Int { 2 }

    private final class SettledLayers: Sendable {
        let layers: [Int: Layer]
        init(_ layers: [Int: Layer]) { self.layers = layers }
    }

    init(
        plans: [Int: LayerPlan], windowLayers: Int?, reader: any TensorReader,
        make: @escaping @Sendable (Int, LayerWeights) throws -> Layer
    ) throws {
        guard !plans.isEmpty else { throw LayerStoreError.noLayers }
        let windowLayers = windowLayers ?? plans.count
        guard windowLayers >= 1 else { throw LayerStoreError.windowTooSmall(windowLayers: windowLayers) }
        let window = LayerWindow(layers: plans.keys, windowLayers: windowLayers)
        let slotBytes = window.slabBytes(plans)
        self.slabs = try WeightSlab.neighbors(byteCounts: slotBytes)
        self.windowBytesMax = slotBytes.reduce(0, +)
        self.windowLayers = window.slotCount
        self.plans = plans
        self.reader = reader
        self.make = make
        self.monitor = Monitor(
            State(
                window: window, layers: Array(repeating: nil, count: window.slotCount),
                firstWindow: Set(window.firstLayers)))
    }

    // MARK: - Compute's side

    /// The layer without any waiting or locking, when all are in memory to stay; `nil` when they are not.
    func settledLayer(_ index: Int) throws -> Layer? {
        guard let layers = settled.load()?.layers else { return nil }
        guard !isClosed.load(ordering: .relaxed) else { throw LayerStoreError.closed }
        guard let layer = layers[index] else { throw LayerStoreError.notHeld(layer: index) }
        return layer
    }

    /// Waits for a layer. To be followed by ``release(_:)``.
    func acquire(_ index: Int) throws -> Layer {
        guard plans[index] != nil else { throw LayerStoreError.notHeld(layer: index) }
        var requestedAfterLoads: Int?
        var stallStart: UInt64?
        return try monitor.wait { state in
            if let requestedAfterLoads {
                let failure = state.failures[index].flatMap { $0.loadsEnded >= requestedAfterLoads ? $0.error : nil }
                if let error = state.phase == .closed ? LayerStoreError.closed : failure {
                    state.window.withdraw(index)
                    wakeLoaderIfNeeded(state.window)
                    throw error
                }
            } else {
                try Self.checkRunning(state.phase)
                state.window.request(index)
                requestedAfterLoads = state.loadsEnded
                wakeLoaderIfNeeded(state.window)
            }
            guard let slot = state.window.acquire(index), let layer = state.layers[slot] else {
                stallStart = stallStart ?? monotonicNanoseconds()
                return nil
            }
            if let stallStart { state.statistics.stallNanoseconds += monotonicNanoseconds() - stallStart }
            return layer
        }
    }

    func release(_ index: Int) {
        monitor.withLock { state in
            state.window.release(index)
            wakeLoaderIfNeeded(state.window)
        }
    }

    func takeStatistics() -> WindowStatistics {
        monitor.withLock { state in
            defer { state.statistics = WindowStatistics() }
            return state.statistics
        }
    }

    var residentBytes: Int {
        monitor.withLock { state in
            state.window.residentLayers.reduce(0) { $0 + (plans[$1]?.byteCount ?? 0) }
        }
    }

    // MARK: - Life

    func start() throws {
        try monitor.withLock { state in
            guard state.phase == .idle else { return try Self.checkRunning(state.phase) }
            for _ in 0..<min(Self.loadsMax, windowLayers) {
                state.threads.append(try BackgroundThread { self.loadUntilClosed() })
            }
            state.phase = .running
        }
    }

    /// Waits until the layers of the first window have arrived once.
    func awaitFirstWindow(_ progress: (LoadProgress) -> Void) throws {
        let first = monitor.withLock { $0.window.firstLayers }
        func bytes(_ layers: some Sequence<Int>) -> UInt64 {
            layers.reduce(0) { $0 + UInt64(plans[$1]?.storedByteCount ?? 0) }
        }
        var missing = first.count
        while missing > 0 {
            let pending = try monitor.wait { state in
                try Self.checkRunning(state.phase)
                if let failure = state.firstWindow.compactMap({ state.failures[$0] }).first { throw failure.error }
                return state.firstWindow.count < missing ? state.firstWindow : nil
            }
            missing = pending.count
            progress(
                LoadProgress(
                    layersLoaded: first.count - missing, layersTotal: first.count,
                    bytesLoaded: bytes(first) - bytes(pending), bytesTotal: bytes(first)))
        }
    }

    func close() {
        isClosed.store(true, ordering: .relaxed)
        let threads = monitor.withLock { state in
            state.phase = .closed
            defer { state.threads = [] }
            return state.threads
        }
        monitor.wakeAll()
        for thread in threads { thread.join() }
    }

    private static func checkRunning(_ phase: State.Phase) throws {
        switch phase {
        case .idle: throw LayerStoreError.notStarted
        case .running: return
        case .closed: throw LayerStoreError.closed
        }
    }

    // MARK: - The loading threads

    private func wakeLoaderIfNeeded(_ window: LayerWindow) {
        if window.wantsLoad { monitor.wakeAll() }
    }

    private enum Order {
        case load(LayerWindow.Load)
        case stop
    }

    private func loadUntilClosed() {
        while true {
            let order: Order = monitor.wait { state in
                guard state.phase != .closed else { return .stop }
                guard let load = state.window.nextLoad() else { return nil }
                state.layers[load.slot] = nil
                return .load(load)
            }
            guard case .load(let load) = order else { return }
            let result = Result { try self.load(load) }
            monitor.withLock { state in Self.record(result, of: load, in: &state) }
            settleIfComplete()
            monitor.wakeAll()
        }
    }

    private func load(_ load: LayerWindow.Load) throws -> (layer: Layer, bytesRead: UInt64) {
        guard let plan = plans[load.layer] else { throw LayerStoreError.notHeld(layer: load.layer) }
        let (weights, bytesRead) = try LayerWeights.load(plan, into: slabs[load.slot], from: reader)
        return (try make(load.layer, weights), bytesRead)
    }

    private static func record(
        _ result: Result<(layer: Layer, bytesRead: UInt64), any Error>, of load: LayerWindow.Load, in state: inout State
    ) {
        switch result {
        case .success(let (layer, bytesRead)):
            state.window.loadFinished(load.layer)
            state.layers[load.slot] = layer
            state.failures[load.layer] = nil
            state.firstWindow.remove(load.layer)
            state.statistics.reads += 1
            state.statistics.bytesRead += bytesRead
        case .failure(let error):
            state.window.loadFailed(load.layer)
            state.failures[load.layer] = (state.loadsEnded, error)
        }
        state.loadsEnded += 1
    }

    private func settleIfComplete() {
        let layers: [Int: Layer]? = monitor.withLock { state in
            guard state.window.isSettled else { return nil }
            return state.window.layers.reduce(into: [:]) { layers, layer in
                if let slot = state.window.possibleSlots(layer).first { layers[layer] = state.layers[slot] }
            }
        }
        if let layers { _ = settled.storeIfNil(SettledLayers(layers)) }
    }
}

/// A clock that only goes forward.
private func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
