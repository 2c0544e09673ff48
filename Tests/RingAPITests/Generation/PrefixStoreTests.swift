// Which ended sequences are kept, which are found, and what they take in the caches.

import Testing

@testable import RingAPI

@Suite struct PrefixStoreTests {
    private func tokens(_ range: Range<UInt32>) -> [UInt32] { Array(range) }

    @Test func theLongestCommonBeginningIsFound() {
        var store = PrefixStore(countMax: 8)
        #expect(store.longestMatch(of: tokens(0..<50)) == nil)
        _ = store.keep(1, tokens: tokens(0..<20))
        _ = store.keep(2, tokens: tokens(0..<30) + [999] + tokens(0..<50))
        _ = store.keep(3, tokens: [7] + tokens(0..<60))
        let match = store.longestMatch(of: tokens(0..<50))
        #expect(match?.sequenceID == 2 && match?.count == 30)
        let short = store.longestMatch(of: tokens(0..<5))
        #expect(short?.count == 5)
        #expect(store.longestMatch(of: [8, 0, 1]) == nil)
    }

    @Test func aLaterTurnReplacesTheEarlier() {
        var store = PrefixStore(countMax: 8)
        #expect(store.keep(1, tokens: tokens(0..<20)) == [])
        #expect(store.keep(2, tokens: tokens(0..<40)) == [1])
        #expect(store.keep(3, tokens: tokens(0..<30)) == [3], "2 has all of it")
        #expect(store.prefixes.map(\.sequenceID) == [2])
    }

    @Test func shortSequencesAreNotWorthIt() {
        var store = PrefixStore(countMax: 8)
        #expect(store.keep(1, tokens: tokens(0..<15)) == [1])
        #expect(store.keep(2, tokens: []) == [2])
        var none = PrefixStore(countMax: 0)
        #expect(none.keep(1, tokens: tokens(0..<100)) == [1])
    }

    @Test func theLongestUnusedGoesFirst() {
        var store = PrefixStore(countMax: 3)
        for id: UInt64 in 1...3 { #expect(store.keep(id, tokens: [UInt32(id)] + tokens(0..<20)) == []) }
        store.use(1)
        #expect(store.keep(4, tokens: [4] + tokens(0..<20)) == [2])
        // A prompt that ended inside what is kept has used it.
        #expect(store.keep(5, tokens: [3] + tokens(0..<18)) == [5])
        #expect(store.dropOldest() == 1)
        #expect(store.prefixes.map(\.sequenceID) == [4, 3])
    }

    // MARK: Room

    @Test func whatIsSharedIsCountedOnceInWholeBlocks() {
        var ledger = CacheLedger()
        ledger.begin(1)
        ledger.hold(1, tokens: 100)
        #expect(ledger.tokens == 128)
        ledger.begin(2, parent: 1, shared: 90)
        // One block of 64 is shared, the one begun is copied.
        #expect(ledger.tokens == 192)
        ledger.hold(2, tokens: 200)
        #expect(ledger.tokens == 128 + 192)
        ledger.drop(2)
        #expect(ledger.tokens == 128)
        ledger.drop(1)
        #expect(ledger.tokens == 0)
    }

    /// Against a model of the caches in which each block is an object.
    @Test(arguments: 0..<20) func theLedgerAgreesWithBlocksThatAreShared(seed: UInt64) {
        final class Block {}
        var numbers = SeededNumbers(seed: seed)
        var ledger = CacheLedger()
        var caches: [UInt64: (blocks: [Block], tokens: Int)] = [:]
        for id: UInt64 in 1...400 {
            switch Int.random(in: 0..<4, using: &numbers) {
            case 0:
                guard let victim = caches.keys.sorted().randomElement(using: &numbers) else { continue }
                caches[victim] = nil
                ledger.drop(victim)
            case 1:
                guard let grown = caches.keys.sorted().randomElement(using: &numbers), var cache = caches[grown] else {
                    continue
                }
                cache.tokens += Int.random(in: 0...150, using: &numbers)
                while cache.blocks.count * 64 < cache.tokens { cache.blocks.append(Block()) }
                caches[grown] = cache
                ledger.hold(grown, tokens: cache.tokens)
            default:
                let parent = caches.keys.sorted().randomElement(using: &numbers)
                let shared = parent.flatMap { caches[$0]?.tokens }.map { Int.random(in: 0...$0, using: &numbers) } ?? 0
                let tokens = shared + Int.random(in: 1...300, using: &numbers)
                var blocks = Array((parent.flatMap { caches[$0]?.blocks } ?? []).prefix(shared / 64))
                while blocks.count * 64 < tokens { blocks.append(Block()) }
                caches[id] = (blocks, tokens)
                ledger.begin(id, parent: parent, shared: shared)
                ledger.hold(id, tokens: tokens)
            }
            let distinct = Set(caches.values.flatMap { $0.blocks.map { ObjectIdentifier($0) } })
            #expect(ledger.tokens == distinct.count * 64)
        }
        for id in caches.keys { ledger.drop(id) }
        #expect(ledger.tokens == 0)
    }
}
