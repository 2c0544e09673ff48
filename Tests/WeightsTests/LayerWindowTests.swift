// The window policy: bounds for cyclic passes, correctness for any order.

import Testing

@testable import Weights

@Suite struct LayerWindowTests {
    /// Loads as much as the window wants.
    private func loadAll(_ window: inout LayerWindow) -> [Int] {
        var loaded: [Int] = []
        while let load = window.nextLoad() {
            loaded.append(load.layer)
            window.loadFinished(load.layer)
        }
        return loaded
    }

    /// Goes through `trace`, the loader always ahead as far as it wants, and counts loads.
    private func reads(_ window: inout LayerWindow, _ trace: some Sequence<Int>) -> Int {
        var count = loadAll(&window).count
        for layer in trace {
            window.request(layer)
            count += loadAll(&window).count
            #expect(window.acquire(layer) != nil, "layer \(layer)")
            count += loadAll(&window).count
            #expect(window.residentLayers.contains(layer))
            #expect(window.residentLayers.count <= window.slotCount)
            window.release(layer)
            count += loadAll(&window).count
        }
        return count
    }

    @Test func aWindowOfAllReadsEachLayerOnce() {
        for windowLayers in [5, 6, 100] {
            var window = LayerWindow(layers: 3..<8, windowLayers: windowLayers)
            #expect(window.slotCount == 5)
            #expect(window.pinnedLayers == [3, 4, 5, 6, 7])
            #expect(loadAll(&window) == [3, 4, 5, 6, 7])
            #expect(window.isSettled)
            #expect(reads(&window, (0..<4).flatMap { _ in 3..<8 }) == 0)
        }
    }

    @Test func everyPassReadsTheStreamedLayersOnce() {
        for count in 2...24 {
            for windowLayers in 1..<count {
                var window = LayerWindow(layers: 0..<count, windowLayers: windowLayers)
                let perPass = windowLayers == 1 ? count : count - windowLayers + 2
                #expect(window.streamedLayers.count == perPass)
                _ = reads(&window, 0..<count)
                for _ in 0..<3 { #expect(reads(&window, 0..<count) == perPass, "L \(count) W \(windowLayers)") }
            }
        }
    }

    /// What eviction by last use costs on the same passes, and what cannot be beaten by any policy that loads only on
    /// demand.
    @Test func readsFewerThanEvictingTheLeastRecentlyUsed() {
        let count = 18
        for windowLayers in 3..<count {
            var window = LayerWindow(layers: 0..<count, windowLayers: windowLayers)
            _ = reads(&window, 0..<count)
            var recent: [Int] = []
            var leastRecentlyUsedReads = 0
            for layer in (0..<3).flatMap({ _ in 0..<count }) {
                if let index = recent.firstIndex(of: layer) {
                    recent.remove(at: index)
                } else {
                    leastRecentlyUsedReads += 1
                    if recent.count == windowLayers { recent.removeFirst() }
                }
                recent.append(layer)
            }
            #expect(leastRecentlyUsedReads == 3 * count)
            let ours = reads(&window, (0..<3).flatMap { _ in 0..<count })
            #expect(ours == 3 * (count - windowLayers + 2))
            #expect(ours < leastRecentlyUsedReads)
        }
    }

    @Test func theNextStreamedLayerLoadsWhileOneIsInUse() {
        var window = LayerWindow(layers: 0..<6, windowLayers: 2)
        #expect(loadAll(&window) == [0, 1])
        for layer in 0..<12 {
            let layer = layer % 6
            window.request(layer)
            #expect(window.acquire(layer) != nil)
            #expect(window.residentLayers.contains((layer + 1) % 6))
            window.release(layer)
            #expect(loadAll(&window) == [(layer + 2) % 6])
        }
    }

    @Test func oneSlotTakesOneLayerAtATime() {
        var window = LayerWindow(layers: [4, 9, 7], windowLayers: 1)
        #expect(window.layers == [4, 7, 9])
        #expect(loadAll(&window) == [4])
        window.request(4)
        #expect(window.acquire(4) == 0)
        #expect(window.nextLoad() == nil)
        window.release(4)
        #expect(window.nextLoad() == LayerWindow.Load(layer: 7, slot: 0, evicted: 4))
    }

    @Test func pinnedLayersAreSpreadEvenly() {
        for count in 3...40 {
            for windowLayers in 3..<count {
                let window = LayerWindow(layers: 0..<count, windowLayers: windowLayers)
                let pinned = window.pinnedLayers
                #expect(pinned.count == windowLayers - 2)
                // Streamed layers between one pinned and the next, going round.
                let gaps = zip(pinned, pinned.dropFirst() + [count + (pinned.first ?? 0)]).map { $1 - $0 }
                #expect((gaps.max() ?? 0) - (gaps.min() ?? 0) <= 1, "L \(count) W \(windowLayers): \(pinned)")
            }
        }
    }

    @Test func theFirstWindowLoadsInTheOrderOfUse() {
        var window = LayerWindow(layers: 0..<10, windowLayers: 6)
        let first = window.firstLayers
        #expect(first.count == 6)
        #expect(loadAll(&window) == first)
        #expect(window.residentLayers == first)
        #expect(first.contains(0))
    }

    /// Shard 1 of a ring of several rounds, with two steps in flight: both go through 0–17 before either comes back for
    /// 36–53.
    @Test func stepsOfSeveralRoundsMayInterleave() {
        let held = Array(0..<18) + Array(36..<54)
        let trace = [0..<18, 0..<18, 36..<54, 36..<54].flatMap { $0 }
        for windowLayers in 1...36 {
            var window = LayerWindow(layers: held, windowLayers: windowLayers)
            _ = reads(&window, trace)
            let streamed = window.streamedLayers.count
            // Each half twice; at every jump what was loaded ahead may have been in vain.
            #expect(reads(&window, trace) <= 2 * streamed + 4 * 2, "W \(windowLayers)")
        }
    }

    @Test func whatIsAskedForComesBeforeWhatIsExpected() {
        var window = LayerWindow(layers: 0..<10, windowLayers: 2)
        #expect(loadAll(&window) == [0, 1])
        window.request(7)
        #expect(window.nextLoad()?.layer == 7)
        #expect(window.nextLoad()?.layer == 8)
        window.request(3)
        // Both slots are being loaded to.
        #expect(window.nextLoad() == nil)
        window.loadFinished(8)
        #expect(window.nextLoad() == LayerWindow.Load(layer: 3, slot: 0, evicted: 8))
        window.loadFinished(7)
        // Somebody still waits for 7.
        #expect(window.nextLoad() == nil)
        #expect(window.acquire(7) == 1)
    }

    @Test func aFailedLayerWaitsForTheNextRequest() {
        var window = LayerWindow(layers: 0..<4, windowLayers: 2)
        #expect(window.nextLoad()?.layer == 0)
        window.loadFailed(0)
        #expect(window.nextLoad()?.layer == 1)
        window.loadFailed(1)
        #expect(window.nextLoad() == nil)
        window.request(1)
        #expect(window.nextLoad()?.layer == 1)
        window.loadFinished(1)
        #expect(window.acquire(1) != nil)
        window.request(0)
        window.withdraw(0)
        #expect(window.residentLayers == [1])
    }

    @Test func namesThatAreNotHeldChangeNothing() {
        var window = LayerWindow(layers: 0..<4, windowLayers: 2)
        let before = window
        window.request(4)
        window.release(-1)
        window.withdraw(9)
        window.loadFinished(7)
        window.release(2)
        #expect(window.acquire(4) == nil)
        #expect(window == before)
        var empty = LayerWindow(layers: [], windowLayers: 3)
        #expect(empty.nextLoad() == nil)
    }
}
