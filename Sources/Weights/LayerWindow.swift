// Which layers' weights are in memory: pure policy, no I/O and no clock.

/// A window of W slots over the layers a shard holds, for compute that goes through them in ascending order, again and
/// again.
///
/// Evicting what was used longest ago would reread every layer on every pass, because what was used longest ago is what
/// is needed next. Instead W − 2 layers are pinned, spread evenly, and the others stream through the last two slots:
/// one is computed with while the next arrives. So a pass over L layers reads L − W + 2 of them. With W ≥ L all are
/// pinned and nothing is reread; with W = 1 every layer streams through the one slot.
///
/// Requests may come in any order: what is asked for is loaded before what is expected.
///
/// A user asks (``request(_:)``), takes the layer once it is there (``acquire(_:)``) and gives it back
/// (``release(_:)``). A loader asks what to load (``nextLoad()``) and says how it went (``loadFinished(_:)``,
/// ``loadFailed(_:)``). All layers named to a window must be among ``layers``.
public struct LayerWindow: Hashable, Sendable {
    /// Something to load now.
    public struct Load: Hashable, Sendable {
        public let layer: Int
        /// Where to; nothing in use is there.
        public let slot: Int
        /// The layer that was there until now.
        public let evicted: Int?
    }

    /// The layers held, ascending.
    public let layers: [Int]
    /// Most layers that are in memory or being loaded at once: min(W, L).
    public let slotCount: Int

    private enum Content: Hashable {
        case empty
        case loading(Int)
        case resident(Int)
    }

    // Everything below counts in positions: indices into `layers`.

    private let positions: [Int: Int]
    /// A pinned layer's slot; `nil` for one that streams.
    private let pinnedSlot: [Int?]
    /// For each position the next one, itself included and going round, that streams. Empty when none does.
    private let nextStreamed: [Int]
    /// The slots that layers stream through.
    private let streamingSlots: Range<Int>

    private var contents: [Content]
    /// The slot each layer is in or being loaded to.
    private var slots: [Int?]
    /// Requests not yet served, oldest first.
    private var waiting: [Int] = []
    /// How many use each layer now.
    private var users: [Int]
    /// Layers whose last load failed and that nobody has asked for since: not worth trying until somebody does.
    private var failed: [Bool]
    private var unloadedPinned: Int
    /// Where compute is: the latest request, or what follows it once it was released.
    private var cursor = 0

    /// - Parameters:
    ///   - layers: the layers held, in any order, without repetition; at least one.
    ///   - windowLayers: W, at least 1.
    public init(layers held: some Sequence<Int>, windowLayers: Int) {
        let layers = Set(held).sorted()
        let count = layers.count
        let slotCount = min(max(windowLayers, 1), count)
        let streamingCount = slotCount == count ? 0 : min(2, slotCount)
        let pinnedCount = slotCount - streamingCount
        let streamedCount = count - pinnedCount

        // Like drawing a line with pixels: position i streams where i · streamed / count steps up.
        var pinnedSlot: [Int?] = []
        var pinned = 0
        for position in 0..<count {
            let streams =
                streamingCount > 0 && (position + 1) * streamedCount / count > position * streamedCount / count
            pinnedSlot.append(streams ? nil : pinned)
            if !streams { pinned += 1 }
        }
        var nextStreamed: [Int] = []
        if let first = pinnedSlot.firstIndex(of: nil) {
            nextStreamed = Array(repeating: first, count: count)
            var next = first
            for position in (0..<count).reversed() {
                if pinnedSlot[position] == nil { next = position }
                nextStreamed[position] = next
            }
        }
        self.layers = layers
        self.slotCount = slotCount
        self.positions = Dictionary(uniqueKeysWithValues: zip(layers, 0..<count))
        self.pinnedSlot = pinnedSlot
        self.nextStreamed = nextStreamed
        self.streamingSlots = pinnedCount..<slotCount
        self.contents = Array(repeating: .empty, count: slotCount)
        self.slots = Array(repeating: nil, count: count)
        self.users = Array(repeating: 0, count: count)
        self.failed = Array(repeating: false, count: count)
        self.unloadedPinned = pinnedCount
    }

    // MARK: - What is where

    public func holds(_ layer: Int) -> Bool { positions[layer] != nil }

    /// Layers that stay once loaded, ascending.
    public var pinnedLayers: [Int] { layers.indices.filter { pinnedSlot[$0] != nil }.map { layers[$0] } }

    /// Layers that are read again on every pass, ascending.
    public var streamedLayers: [Int] { layers.indices.filter { pinnedSlot[$0] == nil }.map { layers[$0] } }

    /// The slots a layer may be loaded to: its own, or any that layers stream through.
    public func possibleSlots(_ layer: Int) -> Range<Int> {
        guard let position = positions[layer], let slot = pinnedSlot[position] else { return streamingSlots }
        return slot..<slot + 1
    }

    /// The layers that are in memory when the first pass begins: all pinned ones, and the first to stream.
    public var firstLayers: [Int] { (pinnedLayers + streamedLayers.prefix(streamingSlots.count)).sorted() }

    /// Layers in memory, ascending.
    public var residentLayers: [Int] { layers.indices.filter(isResident(position:)).map { layers[$0] } }

    /// Whether every layer is in memory to stay, so that nothing is left to decide.
    public var isSettled: Bool { streamingSlots.isEmpty && unloadedPinned == 0 }

    // MARK: - Users

    /// Somebody needs `layer` now.
    public mutating func request(_ layer: Int) {
        guard let position = positions[layer] else { return }
        waiting.append(position)
        failed[position] = false
        cursor = position
    }

    /// Takes a requested layer if it is in memory; it stays there until ``release(_:)``.
    /// - Returns: its slot, or `nil` when it is not there yet.
    public mutating func acquire(_ layer: Int) -> Int? {
        guard let position = positions[layer], let slot = slots[position], contents[slot] == .resident(position),
            let index = waiting.firstIndex(of: position)
        else { return nil }
        waiting.remove(at: index)
        users[position] += 1
        return slot
    }

    /// Takes a request back.
    public mutating func withdraw(_ layer: Int) {
        guard let position = positions[layer], let index = waiting.firstIndex(of: position) else { return }
        waiting.remove(at: index)
    }

    /// Gives an acquired layer back.
    public mutating func release(_ layer: Int) {
        guard let position = positions[layer], users[position] > 0 else { return }
        users[position] -= 1
        if cursor == position { cursor = (position + 1) % layers.count }
    }

    // MARK: - Loader

    /// What to load now, if anything: what somebody waits for, else what will be needed next. It counts as being loaded
    /// from here on.
    public mutating func nextLoad() -> Load? {
        guard let (position, slot) = plannedLoad() else { return nil }
        var evicted: Int?
        if case .resident(let old) = contents[slot] {
            slots[old] = nil
            evicted = layers[old]
        }
        contents[slot] = .loading(position)
        slots[position] = slot
        return Load(layer: layers[position], slot: slot, evicted: evicted)
    }

    /// Whether ``nextLoad()`` would return something.
    public var wantsLoad: Bool { plannedLoad() != nil }

    public mutating func loadFinished(_ layer: Int) {
        guard let position = positions[layer], let slot = slots[position], contents[slot] == .loading(position) else {
            return
        }
        contents[slot] = .resident(position)
        if pinnedSlot[position] != nil { unloadedPinned -= 1 }
    }

    /// The layer did not arrive. It is not tried again until somebody asks for it anew.
    public mutating func loadFailed(_ layer: Int) {
        guard let position = positions[layer], let slot = slots[position], contents[slot] == .loading(position) else {
            return
        }
        contents[slot] = .empty
        slots[position] = nil
        failed[position] = true
    }

    // MARK: - Policy

    private func isResident(position: Int) -> Bool {
        guard let slot = slots[position] else { return false }
        return contents[slot] == .resident(position)
    }

    private func plannedLoad() -> (position: Int, slot: Int)? {
        for position in waiting where canLoad(position) {
            if let slot = pinnedSlot[position] ?? streamingSlot(keepingUpTo: nil) { return (position, slot) }
        }
        // What streams next, as many layers as there are slots for them.
        let first = streamingSlots.isEmpty ? nil : nextStreamed[cursor]
        let last = first.map { streamingSlots.count == 1 ? $0 : nextStreamed[($0 + 1) % layers.count] }
        guard unloadedPinned == 0 else {
            // Before everything pinned is there: in the order in which it will be needed.
            for step in layers.indices {
                let position = (cursor + step) % layers.count
                guard canLoad(position) else { continue }
                if let slot = pinnedSlot[position] { return (position, slot) }
                if position == first || position == last, let slot = streamingSlot(keepingUpTo: last) {
                    return (position, slot)
                }
            }
            return nil
        }
        for position in [first, last] {
            if let position, canLoad(position), let slot = streamingSlot(keepingUpTo: last) { return (position, slot) }
        }
        return nil
    }

    private func canLoad(_ position: Int) -> Bool { slots[position] == nil && !failed[position] }

    /// A streaming slot that may be overwritten: an empty one, else the one whose layer is needed last.
    /// - Parameter last: layers up to this position are needed soon and stay; `nil` when somebody is waiting, who comes
    ///   first.
    private func streamingSlot(keepingUpTo last: Int?) -> Int? {
        var best: (slot: Int, distance: Int)?
        for slot in streamingSlots {
            switch contents[slot] {
            case .empty:
                return slot
            case .loading:
                continue
            case .resident(let position):
                let distance = distance(to: position)
                if let last, distance <= self.distance(to: last) { continue }
                if users[position] > 0 || waiting.contains(position) || distance <= best?.distance ?? -1 { continue }
                best = (slot, distance)
            }
        }
        return best?.slot
    }

    /// Steps from where compute is to `position`, going round.
    private func distance(to position: Int) -> Int {
        position >= cursor ? position - cursor : position - cursor + layers.count
    }
}
