// Where the index finds the end of a text again.

import Testing

@testable import RingAPI

@Suite struct NGramIndexTests {
    /// Tokens that are equal before `position` and before the end.
    private func equal(_ text: [UInt32], before position: Int) -> Int {
        zip(text[..<position].reversed(), text.reversed()).prefix { $0 == $1 }.count
    }

    @Test(arguments: [2, 5, 40, 5000] as [UInt32]) func whatItFindsIsThereAndLong(alphabet: UInt32) {
        var numbers = SeededNumbers(seed: UInt64(alphabet))
        var index = NGramIndex()
        var text: [UInt32] = []
        var missed = 0
        for _ in 0..<3000 {
            // Passages of the text so far, and tokens of no pattern.
            let isCopy = text.count > 50 && Bool.random(using: &numbers)
            let from = isCopy ? Int.random(in: 0..<text.count - 30, using: &numbers) : 0
            let next =
                isCopy
                ? Array(text[from..<from + Int.random(in: 1...30, using: &numbers)])
                : [UInt32.random(in: 0..<alphabet, using: &numbers)]
            for token in next {
                text.append(token)
                let match = index.append(contentsOf: [token])
                if let match {
                    #expect(match.position < text.count)
                    #expect(match.length == min(equal(text, before: match.position), NGramIndex.lengthMax))
                    #expect(match.length > 0)
                }
                // The latest place where as much as the longest gram is equal cannot be missed but for a collision.
                let recent = (max(1, text.count - 100)..<text.count).reversed()
                if recent.contains(where: { equal(text, before: $0) >= 8 }), match?.length ?? 0 < 8 { missed += 1 }
            }
            if text.count > 3000 { break }
        }
        #expect(index.text == text)
        #expect(missed * 50 < text.count, "\(missed) of \(text.count)")
    }

    @Test func aTextReadAtOnceIsIndexedAsOneReadTokenByToken() {
        var numbers = SeededNumbers(seed: 3)
        let text = (0..<4000).map { _ in UInt32.random(in: 0..<30, using: &numbers) }
        var whole = NGramIndex()
        let match = whole.append(contentsOf: text)
        var single = NGramIndex()
        var last: NGramIndex.Match?
        for token in text { last = single.append(contentsOf: [token]) }
        #expect(match == last && match != nil)
    }

    @Test func nothingIsFoundInATextWithoutRepetition() {
        var index = NGramIndex()
        for token in 0..<UInt32(2000) { #expect(index.append(contentsOf: [token]) == nil) }
    }
}
