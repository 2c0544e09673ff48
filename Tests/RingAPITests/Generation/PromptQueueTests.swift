// Whether the order of prompts is fair, against orders that are worked out without it.

import Testing

@testable import RingAPI

@Suite struct PromptQueueTests {
    @Test func shortPromptsGoFirstAndThenTheOlder() {
        var queue = PromptQueue()
        for (id, rows): (UInt64, Int) in [(1, 300), (2, 300), (3, 10)] { queue.put(id, rows: rows) }
        #expect(Array(queue.ids) == [3, 1, 2])
        #expect(queue.oldest == 1 && queue.rows == 610)
        // What counts are the rows that are left.
        queue.put(2, rows: 290)
        #expect(Array(queue.ids) == [3, 2, 1])
        queue.remove(3)
        queue.put(2, rows: 0)
        #expect(Array(queue.ids) == [1])
        queue.remove(1)
        #expect(queue.isEmpty && queue.oldest == nil && queue.next(after: nil) == nil)
    }

    @Test func putSaysWhoWasNearerToItsTurn() {
        var queue = PromptQueue()
        for (id, rows): (UInt64, Int) in [(1, 100), (2, 20), (3, 50)] {
            #expect(queue.put(id, rows: rows) == false, "it was not there")
        }
        #expect(queue.put(2, rows: 70) == true)
        #expect(queue.put(2, rows: 70) == false)
        #expect(queue.put(1, rows: 10) == false)
        #expect(Array(queue.ids) == [1, 3, 2])
    }

    @Test func turnsGoOnFromPlacesThatWereLeft() throws {
        var queue = PromptQueue()
        for (id, rows): (UInt64, Int) in [(1, 10), (2, 20), (3, 30)] { queue.put(id, rows: rows) }
        let first = try #require(queue.next(after: nil))
        queue.put(first.id, rows: 25)
        #expect(queue.next(after: first)?.id == 2)
        queue.put(1, rows: 0)
        #expect(queue.next(after: first)?.id == 2)
        #expect(queue.next(after: queue.next(after: first))?.id == 3)
    }

    /// However the rows fall into steps, the oldest has its share of them, and nothing is kept for it that it cannot
    /// use.
    @Test func theOldestHasItsShareOfTheRows() {
        var queue = PromptQueue()
        queue.put(1, rows: 1000)
        #expect(queue.rowsForOldest(of: 40) == 0, "it has them all")
        queue.put(2, rows: 10)
        var rows = 0
        for step in [1, 1, 1, 1, 7, 2, 26, 1, 40] { rows += queue.rowsForOldest(of: step) }
        #expect(rows == 80 / PromptQueue.oldestShare)
        queue.put(1, rows: 15)
        #expect(queue.rowsForOldest(of: 400) == 15)
    }

    private struct Prompt {
        var cameAt: Int
        var rows: Int
        /// Rows of those before it that were left when it came.
        var rowsBefore: Int
        var endedAt: Int?
    }

    /// Prompts that come at random, a row evaluated in each unit of time.
    private func endings(seed: UInt64, oneIn gap: Int) -> [Prompt] {
        var numbers = SeededNumbers(seed: seed)
        var queue = PromptQueue()
        var prompts: [Prompt] = []
        var left: [Int: Int] = [:]
        var now = 0
        while now < 4000 || !queue.isEmpty {
            if now < 4000, Int.random(in: 0..<gap, using: &numbers) == 0 {
                let most = Int.random(in: 0..<10, using: &numbers) == 0 ? 1000 : 40
                let rows = Int.random(in: 1...most, using: &numbers)
                prompts.append(Prompt(cameAt: now, rows: rows, rowsBefore: left.values.reduce(0, +)))
                left[prompts.count - 1] = rows
                queue.put(UInt64(prompts.count - 1), rows: rows)
            }
            now += 1
            let isForOldest = queue.rowsForOldest(of: 1) == 1
            guard let id = isForOldest ? queue.oldest : queue.next(after: nil)?.id else { continue }
            left[Int(id), default: 0] -= 1
            queue.put(id, rows: left[Int(id)] ?? 0)
            if left[Int(id)] == 0 {
                left[Int(id)] = nil
                prompts[Int(id)].endedAt = now
            }
        }
        return prompts
    }

    /// Every prompt ends no later than four times what it takes in order of arrival, even where more come than can be
    /// evaluated.
    @Test(arguments: 0..<20, [10, 30, 80]) func nobodyIsStarved(seed: UInt64, oneIn gap: Int) throws {
        var sooner = 0
        let prompts = endings(seed: seed, oneIn: gap)
        for prompt in prompts {
            let inOrder = prompt.rowsBefore + prompt.rows
            let took = try #require(prompt.endedAt) - prompt.cameAt
            #expect(took <= PromptQueue.oldestShare * (inOrder + 1))
            if took < inOrder { sooner += 1 }
        }
        // Which is no empty order: where prompts wait at all, many end sooner than in order of arrival.
        #expect(gap > 10 || 2 * sooner > prompts.count)
    }
}
