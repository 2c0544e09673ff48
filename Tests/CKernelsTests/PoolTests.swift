// The worker pool: every item once, whatever the counts.

import CKernels
import Synchronization
import Testing

/// Counts how often each item was run.
private final class ItemCounts: Sendable {
    let counts: [Counter]

    final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    init(items: Int) { counts = (0..<items).map { _ in Counter() } }

    func run(on pool: OpaquePointer?) {
        let body: ck_pool_body = { context, item in
            let counts = Unmanaged<ItemCounts>.fromOpaque(context!).takeUnretainedValue()
            counts.counts[item].value.add(1, ordering: .relaxed)
        }
        ck_pool_run(pool, counts.count, body, Unmanaged.passUnretained(self).toOpaque())
    }

    var values: [Int] { counts.map { $0.value.load(ordering: .relaxed) } }
}

extension KernelTests {
    @Suite struct Pool {
        @Test(arguments: [0, 1, 2, 3, 7, 64, 1000]) func everyItemIsRunOnce(items: Int) {
            for pool in Pools.all {
                let counts = ItemCounts(items: items)
                counts.run(on: pool)
                #expect(counts.values.allSatisfy { $0 == 1 })
            }
        }

        @Test func manyShortRunsLoseNothing() {
            let pool = ck_pool_create(3)
            defer { ck_pool_destroy(pool) }
            let runs = 2000
            let counts = ItemCounts(items: 5)
            for _ in 0..<runs { counts.run(on: pool) }
            #expect(counts.values == [Int](repeating: runs, count: 5))
        }

        /// A worker that looks for one more item of a short run while the caller describes a long one takes none of
        /// the long one's before it begins. The caller would wait for ever, or an item be run twice.
        @Test func runsOfManyItemsFollowRunsOfFew() {
            let pool = ck_pool_create(3)
            defer { ck_pool_destroy(pool) }
            let few = ItemCounts(items: 3)
            let many = ItemCounts(items: 40)
            let runs = 100_000
            for _ in 0..<runs {
                few.run(on: pool)
                many.run(on: pool)
            }
            #expect(few.values == [Int](repeating: runs, count: 3))
            #expect(many.values == [Int](repeating: runs, count: 40))
        }

        /// What an item wrote is seen by the caller when the run is over.
        @Test func writesOfItemsAreSeenAfterTheRun() {
            let pool = ck_pool_create(3)
            defer { ck_pool_destroy(pool) }
            let body: ck_pool_body = { context, item in context!.assumingMemoryBound(to: Int.self)[item] += item }
            var sums = [Int](repeating: 0, count: 100)
            for _ in 0..<50 { ck_pool_run(pool, sums.count, body, &sums) }
            #expect(sums == (0..<100).map { $0 * 50 })
        }

        /// Workers that have gone to sleep between runs are woken.
        @Test func workersWakeAfterALongPause() async throws {
            let pool = ck_pool_create(2)
            defer { ck_pool_destroy(pool) }
            for _ in 0..<3 {
                try await Task.sleep(for: .milliseconds(20))
                let counts = ItemCounts(items: 16)
                counts.run(on: pool)
                #expect(counts.values.allSatisfy { $0 == 1 })
            }
        }

        @Test func poolsLiveAndEndIndependently() {
            let outer = ck_pool_create(2)
            for _ in 0..<20 {
                let inner = ck_pool_create(3)
                let counts = ItemCounts(items: 9)
                counts.run(on: outer)
                counts.run(on: inner)
                ck_pool_destroy(inner)
                counts.run(on: outer)
                #expect(counts.values.allSatisfy { $0 == 3 })
            }
            ck_pool_destroy(outer)
            ck_pool_destroy(nil)
        }

        /// An item of one pool may run another pool.
        @Test func anItemMayRunAnotherPool() {
            let outer = ck_pool_create(2), inner = ck_pool_create(2)
            defer {
                ck_pool_destroy(outer)
                ck_pool_destroy(inner)
            }
            struct Context {
                let inner: OpaquePointer?
                let counts: Unmanaged<ItemCounts>
            }
            let counts = ItemCounts(items: 10)
            var context = Context(inner: inner, counts: .passUnretained(counts))
            let body: ck_pool_body = { context, _ in
                let context = context!.assumingMemoryBound(to: Context.self).pointee
                context.counts.takeUnretainedValue().run(on: context.inner)
            }
            ck_pool_run(outer, 1, body, &context)
            #expect(counts.values.allSatisfy { $0 == 1 })
        }

        @Test func threadCountsOutOfRangeGiveNoPool() {
            #expect(ck_pool_create(0) == nil)
            #expect(ck_pool_create(UInt32(CK_POOL_THREADS_MAX) + 1) == nil)
            #expect(ck_pool_threads(nil) == 1)
            #expect(ck_pool_threads(Pools.all[2]) == 3)
        }
    }
}
