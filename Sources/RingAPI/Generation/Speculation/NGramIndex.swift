// Where the latest tokens of a text stood before.

/// A text and, for grams of a few lengths, where each was seen last. Appending a token takes a fixed time; memory is
/// bounded, as grams of the same hash push each other out.
struct NGramIndex {
    /// A place in the text where what stands before it equals the text's end.
    struct Match: Equatable {
        /// Of the token that followed there.
        var position: Int
        /// Tokens that are equal, at most ``lengthMax``.
        var length: Int
    }

    /// Lengths of grams that are looked up. A single token is a poor guide, but where a lap of the ring is dear a poor
    /// guess is better than none.
    private static let gramLengths = SIMD4<Int>(1, 2, 4, 8)
    /// Matches are not measured beyond it.
    static let lengthMax = 64
    /// Slots of a table, at first and at most. With one for every other token of a text of 256 Ki tokens, the tables of
    /// a sequence take no more than 4 MB.
    private static let slotsMin = 256
    private static let slotsMax = 1 << 18

    private(set) var text: [UInt32] = []
    /// `[gram length, slot]`: positions after the grams; 0 for none.
    private var slots: [UInt32] = []
    private var slotCount = 0

    /// Appends tokens.
    /// - Returns: where the text's new end occurred before, the longest of the matches found.
    @discardableResult mutating func append(contentsOf tokens: some Sequence<UInt32>) -> Match? {
        var found = SIMD4<UInt32>()
        for token in tokens {
            text.append(token)
            if text.count * 2 > slotCount, slotCount < Self.slotsMax { grow() }
            found = enter(end: text.count)
        }
        return longest(of: found)
    }

    /// The longest of some matches of the text's end.
    private func longest(of positions: SIMD4<UInt32>) -> Match? {
        var best: Match?
        for table in positions.indices where positions[table] > 0 {
            let position = Int(positions[table])
            let length = self.length(at: position)
            if length > best?.length ?? 0 { best = Match(position: position, length: length) }
        }
        return best
    }

    private func length(at position: Int) -> Int {
        var length = 0
        let most = min(position, Self.lengthMax)
        while length < most, text[position - 1 - length] == text[text.count - 1 - length] { length += 1 }
        return length
    }

    /// Notes the grams that end before `end`.
    /// - Returns: where their slots pointed before, one for each length.
    private mutating func enter(end: Int) -> SIMD4<UInt32> {
        var before = SIMD4<UInt32>()
        var hash: UInt64 = 0
        var taken = 0
        for table in Self.gramLengths.indices {
            let length = Self.gramLengths[table]
            guard length <= end else { break }
            // The hash of a gram goes on from that of the next shorter one, from the last token backward.
            while taken < length {
                hash = (hash ^ UInt64(text[end - 1 - taken]) &+ 1) &* 0x9E37_79B9_7F4A_7C15
                hash ^= hash >> 29
                taken += 1
            }
            let slot = table * slotCount + Int(truncatingIfNeeded: hash >> 32) & (slotCount - 1)
            before[table] = slots[slot]
            slots[slot] = UInt32(truncatingIfNeeded: end)
        }
        return before
    }

    private mutating func grow() {
        slotCount = max(Self.slotsMin, slotCount)
        while text.count * 2 > slotCount, slotCount < Self.slotsMax { slotCount *= 2 }
        slots = [UInt32](repeating: 0, count: slotCount * Self.gramLengths.scalarCount)
        for end in 1..<text.count { _ = enter(end: end) }
    }
}
