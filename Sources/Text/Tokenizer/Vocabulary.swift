// The model's tokens: from id to text, and from text to id.

/// The tokens of a model as `model.vocab` spells them, each with its id. Ids may leave gaps.
struct Vocabulary: Sendable {
    /// Where a token's text lies in `contents`. An id without a token has a negative start.
    private struct Place {
        var start: Int32 = -1
        var byteCount: Int32 = 0
    }

    /// The UTF-8 of every token, one after the other.
    private var contents: [UInt8] = []
    /// [id]
    private var places: [Place] = []
    /// Open addressing, linear probing: id + 1, or 0 where free. The count is a power of two, at least twice the
    /// number of tokens, so that probes stay short.
    private var slots: [UInt32] = []

    /// One more than the largest id.
    var count: Int { places.count }

    /// - Throws: `TokenizerProblem` when an id is too large or has two tokens.
    init(_ entries: BytePairModelDefinition.Entries) throws {
        guard entries.ids.count <= TokenizerLimits.vocabularyCountMax else {
            throw TokenizerProblem(
                field: "model.vocab",
                "has \(entries.ids.count) tokens; at most \(TokenizerLimits.vocabularyCountMax) are supported")
        }
        let ids = 0..<TokenizerLimits.vocabularyCountMax
        if let id = entries.ids.first(where: { !ids.contains($0) }) {
            throw TokenizerProblem(field: "model.vocab", "has the id \(id); ids go from 0 to \(ids.upperBound - 1)")
        }
        places = Array(repeating: Place(), count: (entries.ids.max() ?? -1) + 1)
        slots = Array(repeating: 0, count: Self.slotCount(entries.ids.count))
        contents.reserveCapacity(8 * entries.ids.count)
        for (token, id) in zip(entries.tokens, entries.ids) {
            let byteCount = token.utf8.count
            guard byteCount <= TokenizerLimits.tokenBytesMax else {
                throw TokenizerProblem(
                    field: "model.vocab",
                    "id \(id) has \(byteCount) bytes; at most \(TokenizerLimits.tokenBytesMax) are supported")
            }
            guard places[id].start < 0 else {
                throw TokenizerProblem(field: "model.vocab", "two tokens have the id \(id)")
            }
            places[id] = Place(start: Int32(contents.count), byteCount: Int32(byteCount))
            contents.append(contentsOf: token.utf8)
        }
        for id in places.indices where places[id].start >= 0 {
            insert(UInt32(id))
        }
    }

    /// The UTF-8 of a token, nil for an id that has none.
    func content(of id: UInt32) -> ArraySlice<UInt8>? {
        guard Int(id) < places.count, places[Int(id)].start >= 0 else { return nil }
        let place = places[Int(id)]
        return contents[Int(place.start)..<Int(place.start + place.byteCount)]
    }

    /// The id of the token with these bytes.
    func id(of content: UnsafeBufferPointer<UInt8>) -> UInt32? {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: byteHash(content)) & mask
        while slots[slot] != 0 {
            let id = slots[slot] - 1
            if holds(id, content) { return id }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// The id of the token with this text.
    func id(of content: String) -> UInt32? {
        var content = content
        return content.withUTF8 { id(of: $0) }
    }

    private static func slotCount(_ tokenCount: Int) -> Int {
        var count = 16
        while count < 2 * tokenCount { count *= 2 }
        return count
    }

    private mutating func insert(_ id: UInt32) {
        let place = places[Int(id)]
        let hash = contents.withUnsafeBufferPointer { bytes in
            byteHash(UnsafeBufferPointer(rebasing: bytes[Int(place.start)..<Int(place.start + place.byteCount)]))
        }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = id + 1
    }

    private func holds(_ id: UInt32, _ content: UnsafeBufferPointer<UInt8>) -> Bool {
        let place = places[Int(id)]
        guard Int(place.byteCount) == content.count else { return false }
        return contents.withUnsafeBufferPointer { bytes in
            for offset in 0..<content.count where bytes[Int(place.start) + offset] != content[offset] {
                return false
            }
            return true
        }
    }
}
