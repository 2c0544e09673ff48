// Every state a small window can reach, and long random walks through larger ones.

import Testing

@testable import Weights

/// Users and loaders around a window.
private struct World: Hashable {
    enum User: Hashable {
        case idle
        case waiting(Int)
        case using(Int)
    }

    enum Action: Hashable {
        case request(user: Int, layer: Int)
        case acquire(user: Int)
        case release(user: Int)
        case beginLoad
        case finishLoad(Int)
        case failLoad(Int)
    }

    var window: LayerWindow
    var users: [User]
    var loading: Set<Int> = []

    /// What can happen next. `loaders`: loads that may run at once.
    func actions(loaders: Int, failures: Bool) -> [Action] {
        var actions: [Action] = []
        for (user, state) in users.enumerated() {
            switch state {
            case .idle: actions += window.layers.map { .request(user: user, layer: $0) }
            case .waiting(let layer): if window.residentLayers.contains(layer) { actions.append(.acquire(user: user)) }
            case .using: actions.append(.release(user: user))
            }
        }
        if loading.count < loaders, window.wantsLoad { actions.append(.beginLoad) }
        for layer in loading.sorted() {
            actions.append(.finishLoad(layer))
            if failures { actions.append(.failLoad(layer)) }
        }
        return actions
    }

    /// - Returns: what is wrong with the step, if anything.
    mutating func perform(_ action: Action) -> String? {
        switch action {
        case .request(let user, let layer):
            window.request(layer)
            users[user] = .waiting(layer)
        case .acquire(let user):
            guard case .waiting(let layer) = users[user] else { return "not waiting" }
            guard window.acquire(layer) != nil else { return "layer \(layer) is resident and cannot be acquired" }
            users[user] = .using(layer)
        case .release(let user):
            guard case .using(let layer) = users[user] else { return "not using" }
            window.release(layer)
            users[user] = .idle
        case .beginLoad:
            let resident = window.residentLayers
            guard let load = window.nextLoad() else { return "wantsLoad, but nothing to load" }
            if resident.contains(load.layer) || loading.contains(load.layer) {
                return "layer \(load.layer) loaded twice"
            }
            if let evicted = load.evicted, users.contains(.using(evicted)) { return "evicted layer \(evicted) in use" }
            if let evicted = load.evicted, users.contains(.waiting(evicted)) {
                return "evicted layer \(evicted) in demand"
            }
            if !window.possibleSlots(load.layer).contains(load.slot) {
                return "slot \(load.slot) is not for layer \(load.layer)"
            }
            loading.insert(load.layer)
        case .finishLoad(let layer):
            window.loadFinished(layer)
            loading.remove(layer)
        case .failLoad(let layer):
            window.loadFailed(layer)
            loading.remove(layer)
            for (user, state) in users.enumerated() where state == .waiting(layer) {
                window.withdraw(layer)
                users[user] = .idle
            }
        }
        if window.residentLayers.count + loading.count > window.slotCount { return "more than W layers" }
        if !loading.isDisjoint(with: window.residentLayers) { return "loading what is resident" }
        for case .using(let layer) in users where !window.residentLayers.contains(layer) {
            return "layer \(layer) lost in use"
        }
        return nil
    }

    /// Whether everybody is served when users give back what they have and nobody asks anew.
    func drains() -> Bool {
        var world = self
        for _ in 0..<4 * (users.count + window.layers.count) {
            if world.users.allSatisfy({ $0 == .idle }) { return true }
            let actions = world.actions(loaders: 1, failures: false).filter {
                if case .request = $0 { false } else { true }
            }
            // The least helpful order: prefetching before anybody is served.
            guard let action = actions.last else { return false }
            _ = world.perform(action)
        }
        return world.users.allSatisfy { $0 == .idle }
    }
}

@Suite struct LayerWindowStatesTests {
    @Test(arguments: [
        (layers: 1, window: 1, users: 2, loaders: 1), (2, 1, 2, 1), (3, 1, 2, 1), (3, 2, 2, 1), (3, 3, 2, 1),
        (4, 2, 1, 2), (4, 3, 1, 2),
        (5, 3, 1, 1),
    ])
    func everyReachableStateIsSound(layers: Int, window: Int, users: Int, loaders: Int) {
        let start = World(
            window: LayerWindow(layers: 0..<layers, windowLayers: window), users: Array(repeating: .idle, count: users))
        var seen: Set<World> = [start]
        var frontier = [start]
        while let world = frontier.popLast() {
            guard world.drains() else {
                Issue.record("somebody is never served in \(world)")
                return
            }
            for action in world.actions(loaders: loaders, failures: true) {
                var next = world
                if let problem = next.perform(action) {
                    Issue.record("\(problem) after \(action) in \(world)")
                    return
                }
                if seen.insert(next).inserted { frontier.append(next) }
            }
        }
        #expect(seen.count > layers)
    }

    @Test(arguments: 1...6) func randomWalksAreSound(seed: UInt64) {
        var random = SplitMix(state: seed)
        let layers = Int.random(in: 5...30, using: &random)
        let window = Int.random(in: 1...layers, using: &random)
        var world = World(
            window: LayerWindow(layers: 0..<layers, windowLayers: window),
            users: Array(repeating: .idle, count: Int.random(in: 1...3, using: &random)))
        for _ in 0..<2000 {
            guard let action = world.actions(loaders: 2, failures: true).randomElement(using: &random) else {
                Issue.record("stuck in \(world)")
                return
            }
            if let problem = world.perform(action) {
                Issue.record("\(problem) after \(action) in \(world)")
                return
            }
        }
        #expect(world.drains())
    }

    /// Whenever the loader happens to run, a cyclic pass reads each streamed layer once.
    @Test(arguments: 1...6) func passesStayInTheirBoundWhateverTheTiming(seed: UInt64) {
        var random = SplitMix(state: seed &* 77)
        for _ in 0..<12 {
            let layers = Int.random(in: 2...16, using: &random)
            let window = LayerWindow(layers: 0..<layers, windowLayers: Int.random(in: 1...layers, using: &random))
            var world = World(window: window, users: [.idle])
            var reads = 0
            var place = 0
            let passes = 5
            while place < passes * layers {
                var actions = world.actions(loaders: 1, failures: false)
                actions.removeAll { if case .request(_, let layer) = $0 { layer != place % layers } else { false } }
                guard let action = actions.randomElement(using: &random) else {
                    Issue.record("stuck in \(world)")
                    return
                }
                if action == .beginLoad { reads += 1 }
                if case .release = action { place += 1 }
                if let problem = world.perform(action) {
                    Issue.record("\(problem) in \(world)")
                    return
                }
            }
            let streamed = window.streamedLayers.count
            let pinned = layers - streamed
            // The two streamed first may already have been read for the pass to come.
            #expect(reads <= pinned + passes * streamed + 2)
        }
    }
}
